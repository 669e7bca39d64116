"""candidates: the program that judges rules, many through one compilation.

For one candidate rule, short runs sweep R learning rates on Q replicates each and, if asked, the two
half-decades beside the best; the best rate, and then the second best as well, is run in full on S further
replicates. Where a rule comes with its one rate, Q is 0, and the same program serves any replicates. All these runs are
lanes of one scan over the same inner loop, so the program holds one copy of the interpreter whatever R, Q and S are. W
candidates go through one call; how many is fixed, missing ones are padding that costs nothing, and a candidate's bits
depend neither on its neighbours nor on its place.

Letters: W candidates a call, L tokens, R learning rates (R' = R + 2 with the half-decades), Q sweep replicates,
S full replicates, F full rates (1, or 2 with the half-decades), Z = R' Q + F S lanes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.flatten_util import ravel_pytree

from metarl.errors import require
from metarl.problems import Problem
from metarl.update_rules import Grammar, Interpreter

from ..settings.config import TrainingConfig
from ..training.inner_training import (
    Fixture,
    HeldOut,
    Layout,
    Learner,
    Spread,
    at_own_width,
    draw_fixture,
    held_out_score,
    start,
    steps_of,
    train,
    versions,
)
from ..training.schedules import CONSTANT, scheduled

Executor = Literal["switch", "select", "table"]

_HALF_DECADES = np.array([10.0**-0.5, 10.0**0.5], np.float32)


class Candidates(NamedTuple):
    """Rules to judge; a NumPy or jax batch."""

    tokens: np.ndarray  # [W, L] int32
    rates: np.ndarray  # [W, R] float32, learning rates to sweep
    active: np.ndarray  # [W] bool; False marks padding


class Verdicts(NamedTuple):
    """What training said of each candidate; numpy outside of programs."""

    rates: Any  # [W, R'], learning rates of the short runs
    sweep: Any  # [W, R'], mean held-out losses of the short runs; +inf where one diverged
    rate: Any  # [W], the rate of the full runs that are reported
    losses: Any  # [W, S], held-out losses of these runs; +inf where diverged or not run
    metrics: Any  # [W, S], the problem's metric of the same runs; NaN where there is none
    steps: Any  # [W] int32, optimizer steps executed


@dataclass(frozen=True)
class Trial:
    """How long and how often a candidate is run.

    Attributes:
      sweep_steps: steps of a short run.
      full_steps: steps of a full run.
      sweep_replicates: Q; 0 for rules that come with one rate, which are run in full at once.
      full_replicates: S; 0 for short runs alone.
      num_rates: R.
      refine: whether the half-decades beside the best rate are swept too, and the two best rates run in full, the
        better of them reported. Rules differ in scale, so on whole decades some would by luck meet their best rate
        and others miss it by a factor of 3; and one short run is a noisy judge.
      give_up: the full runs are skipped when the best sweep loss exceeds this multiple of the loss before training.
      early_stopping: whether hopeless and diverged runs stop; off only to measure speed.
      schedule: what becomes of a learning rate in the course of a run (`training.schedules`); short runs, too,
        complete it.
      random_horizon: the number of steps of a replicate is this factor at most above or below the numbers here.
      random_scale: so are its starting parameters, as they are drawn.
      random_batch: so is the number of examples of its batches, of which there are a few sizes.
      random_width: so are the units of its hidden layers, of which there are three widths.
    """

    sweep_steps: int
    full_steps: int
    sweep_replicates: int
    full_replicates: int
    num_rates: int
    refine: bool = False
    give_up: float = 1.0
    early_stopping: bool = True
    schedule: str = CONSTANT
    random_horizon: float = 1.0
    random_scale: float = 1.0
    random_batch: float = 1.0
    random_width: float = 1.0

    @property
    def spread(self) -> Spread:
        """How far replicates differ in length, scale, batches and width."""
        return Spread(self.random_horizon, self.random_scale, self.random_batch, self.random_width)

    @property
    def short_lanes(self) -> int:
        """Short runs of a candidate, R' Q."""
        return (self.num_rates + 2 * self.refine) * self.sweep_replicates

    @property
    def full_lanes(self) -> int:
        """Full runs of a candidate, F S."""
        return (1 + self.refine) * self.full_replicates

    @property
    def replicates(self) -> int:
        """Replicates that a fixture must hold: Q for the sweep and S others for the full runs."""
        return self.sweep_replicates + self.full_replicates


def in_the_ways_of(training: TrainingConfig) -> dict[str, Any]:
    """Returns the fields of a trial in which all stages of a search agree."""
    return {
        "schedule": training.schedule,
        "random_horizon": training.random_horizon,
        "random_scale": training.random_scale,
        "random_batch": training.random_batch,
        "random_width": training.random_width,
    }


class Recipe(NamedTuple):
    """What a judgement is made from; the same recipe gives the same program and data in any process."""

    problem: Problem
    grammar: Grammar
    trial: Trial
    held_out: HeldOut
    seeds: tuple[int, ...]  # one per replicate; the first Q are the sweep's
    executor: Executor


@dataclass(frozen=True)
class Judgement:
    """A program (fixture, randomness, candidates) -> verdicts and the data it runs on.

    `remake` says how another process makes it from its recipe, where `make_judgement` does not; a function of a module.
    """

    program: jax.stages.Wrapped
    data: tuple  # (fixture, random tables of each width)
    layout: Layout
    baseline: float  # mean held-out loss before training, over the sweep's replicates
    recipe: Recipe
    remake: Callable[[Recipe], Judgement] | None = None


def make_judgement(
    problem: Problem,
    grammar: Grammar,
    trial: Trial,
    held_out: HeldOut,
    seeds: Sequence[int],
    executor: Executor = "switch",
) -> Judgement:
    """Returns the program that judges candidates on one problem.

    Args:
      problem: what is trained.
      grammar: of the candidates' tokens.
      trial: lengths and numbers of runs.
      held_out: the split that losses are measured on.
      seeds: one per replicate; the first Q are the sweep's.
      executor: "switch" takes real branches, one candidate after another (CPU threads); "select" computes all
        branches for all candidates at once (GPU, TPU).
    """
    require(
        trial.sweep_replicates > 0 or (trial.num_rates == 1 and not trial.refine),
        f"Without a sweep a rule comes with one learning rate, not {trial.num_rates}.",
    )
    fixture, layout = draw_fixture(problem, held_out, seeds, trial.spread)
    made = [
        interpreted_learner(own, grammar, its, trial.schedule)
        for own, its in versions(problem, layout, fixture)
    ]
    if trial.sweep_replicates:
        baseline = _untrained(problem, layout, fixture, trial.sweep_replicates)
    else:  # of one replicate that is the same for all, so that judgements on any replicates agree on it
        example, its_layout = draw_fixture(problem, held_out, (0,), trial.spread)
        baseline = _untrained(problem, its_layout, example, 1)

    def one(data: tuple, tokens: jax.Array, rates: jax.Array, active: jax.Array) -> Verdicts:
        fixture, tables = data
        learners = [
            partial(learner_of, its, tokens)
            for (learner_of, _), its in zip(made, tables, strict=True)
        ]
        lane = _Lane(problem, layout, trial, fixture, learners)
        return _judge_one(lane, trial, baseline, rates, active)

    def program(data: tuple, candidates: Candidates) -> Verdicts:
        if executor == "select":
            return jax.vmap(lambda c: one(data, *c))(candidates)
        return lax.map(lambda c: one(data, *c), candidates)

    recipe = Recipe(problem, grammar, trial, held_out, tuple(seeds), executor)
    tables = tuple(randomness for _, randomness in made)
    return Judgement(jax.jit(program), (fixture, tables), layout, baseline, recipe)


def on_replicates(judgement: Judgement, seeds: Sequence[int]) -> Judgement:
    """Returns a judgement without a sweep on other replicates: the same program, which is not compiled again.

    Args:
      judgement: whose trial has no sweep replicates.
      seeds: of the replicates; where they are as many as before, nothing is compiled.
    """
    recipe = judgement.recipe
    assert recipe.trial.sweep_replicates == 0, (
        "the sweep's loss before training is part of the program"
    )
    before, tables = judgement.data
    fixture, layout = draw_fixture(recipe.problem, recipe.held_out, seeds, recipe.trial.spread)
    fixture = fixture._replace(pool=before.pool)  # the same examples, held once
    if layout.shared:
        fixture = fixture._replace(held=before.held)
    recipe = recipe._replace(seeds=tuple(seeds))
    return replace(judgement, data=(fixture, tables), layout=layout, recipe=recipe)


def differ_in_replicates(one: Recipe, other: Recipe) -> bool:
    """Returns whether `on_replicates` makes the judgement of one recipe from that of the other."""
    same = one.problem is other.problem and len(one.seeds) == len(other.seeds)
    rest = [recipe._replace(problem=None, seeds=()) for recipe in (one, other)]  # type: ignore[arg-type]
    return same and one.trial.sweep_replicates == 0 and rest[0] == rest[1]


def interpreted_learner(
    problem: Problem, grammar: Grammar, fixture: Fixture, schedule: str = CONSTANT
):
    """Returns how to make a learner from a rule's tokens, under a schedule, and the random tables it reads."""
    example = jax.tree.map(lambda x: x[0], fixture.params)
    flat, unravel = _flat(example)
    shapes = tuple(leaf.shape for leaf in jax.tree.leaves(example))
    interpreter = Interpreter(grammar, shapes=shapes)

    def learner_of(tables, tokens, rate, total_steps, seed) -> Learner:
        rates = scheduled(rate, 0, (schedule,), total_steps)

        def step(moments, w, g, t):
            moments = interpreter.moments(moments, g)
            update = interpreter.update(tokens, moments, g, w, t, total_steps, seed, tables)
            return w - (rates(t) if callable(rates) else rates) * update, moments

        return Learner(_flatten, unravel, lambda w: interpreter.init(w.size), step)

    return learner_of, interpreter.randomness(flat.size)


class _Lane(NamedTuple):
    """What one short or full run of a candidate needs."""

    problem: Problem
    layout: Layout
    trial: Trial
    fixture: Fixture
    # of each width: (rate, total_steps, seed) -> Learner
    learners: Sequence[Callable[..., Learner]]

    def run(self, rate: jax.Array, replicate: jax.Array, steps: jax.Array):
        """Returns held-out loss, metric and steps executed; (+inf, NaN, 0) at no cost for 0 steps."""
        steps = steps_of(self.fixture, replicate, steps)
        widths = zip(versions(self.problem, self.layout, self.fixture), self.learners, strict=True)
        branches = [
            partial(self._run_at, *version, learner_of, rate, replicate, steps)
            for version, learner_of in widths
        ]
        return at_own_width(self.fixture, replicate, branches)

    def _run_at(
        self,
        problem: Problem,
        fixture: Fixture,
        learner_of: Callable[..., Learner],
        rate: jax.Array,
        replicate: jax.Array,
        steps: jax.Array,
    ):
        learner = learner_of(rate, steps, fixture.seeds[replicate])
        place = (problem, self.layout, learner, fixture, replicate)
        run = start(learner, fixture, replicate)
        run = train(*place, run, steps, never_stop=not self.trial.early_stopping)
        loss, metric = lax.cond(
            steps > 0,
            lambda: held_out_score(*place, run),
            lambda: (jnp.float32(jnp.inf), jnp.float32(jnp.nan)),
        )
        return loss, metric, run.t


def _judge_one(lane: _Lane, trial: Trial, baseline: float, grid: jax.Array, active: jax.Array):
    """Scans the lanes of one candidate: R' Q short runs, then F S full ones at the best rates."""
    short_lanes, full, repeats = trial.short_lanes, trial.full_replicates, trial.sweep_replicates
    decades = trial.num_rates
    # a problem whose loss starts at or below zero has no scale to give up by
    scaled = baseline > 0 and repeats > 0
    limit = trial.give_up * baseline * repeats if scaled else jnp.inf

    def next_lane(sweep: tuple[jax.Array, jax.Array], index: jax.Array):
        rates, totals = sweep
        short, which = index < short_lanes, index // max(repeats, 1)
        if trial.refine:
            beside = rates[jnp.argmin(totals[:decades])] * _HALF_DECADES
            begins = index == decades * repeats
            rates = rates.at[decades:].set(jnp.where(begins, beside, rates[decades:]))
        best, second = _two_lowest(totals)
        hopeless = trial.early_stopping & ~(totals[best] < limit)
        steps = jnp.where(short, trial.sweep_steps, jnp.where(hopeless, 0, trial.full_steps))
        chosen = jnp.where(index < short_lanes + full, best, second)
        rate = rates[jnp.where(short, which, chosen)]
        replicate = jnp.where(
            short, index % max(repeats, 1), repeats + (index - short_lanes) % max(full, 1)
        )
        loss, metric, taken = lane.run(rate, replicate, jnp.where(active, steps, 0))
        totals = totals.at[which].add(jnp.where(short, loss, 0.0), mode="drop")
        return (rates, totals), (loss, metric, taken)

    extra = 2 * trial.refine
    begin = jnp.pad(grid, (0, extra)), jnp.zeros(decades + extra)
    lanes = jnp.arange(short_lanes + trial.full_lanes)
    (rates, totals), (losses, metrics, taken) = lax.scan(next_lane, begin, lanes)
    losses = losses[short_lanes:].reshape(1 + extra // 2, full)  # [F, S]
    better = jnp.argmin(losses.mean(axis=1))
    return Verdicts(
        rates,
        totals / max(repeats, 1),
        rates[jnp.stack(_two_lowest(totals))[better]],
        losses[better],
        metrics[short_lanes:].reshape(1 + extra // 2, full)[better],
        taken.sum(),
    )


def _two_lowest(totals: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns the places of the lowest and of the second lowest entry."""
    best = jnp.argmin(totals)
    return best, jnp.argmin(totals.at[best].set(jnp.inf))


def _untrained(problem: Problem, layout: Layout, fixture: Fixture, replicates: int) -> float:
    """Returns the mean held-out loss of the starting parameters."""
    learner = Learner(lambda x: x, lambda x: x, lambda x: (), lambda *run: run[:2])

    def score(problem: Problem, fixture: Fixture, replicate: jax.Array) -> jax.Array:
        run = start(learner, fixture, replicate)
        return held_out_score(problem, layout, learner, fixture, replicate, run)[0]

    def one(replicate: jax.Array) -> jax.Array:
        widths = versions(problem, layout, fixture)
        branches = [partial(score, *version, replicate) for version in widths]
        return at_own_width(fixture, replicate, branches)

    return float(jnp.mean(jax.jit(lambda r: lax.map(one, r))(jnp.arange(replicates))))


def loss_before_training(judgement: Judgement) -> float:
    """Returns the mean held-out loss of the starting parameters over a judgement's replicates."""
    fixture, layout = judgement.data[0], judgement.layout
    return _untrained(judgement.recipe.problem, layout, fixture, layout.replicates)


def _flat(example: Any) -> tuple[jax.Array, Callable[[jax.Array], Any]]:
    """Returns parameters as one vector, and its inverse; where they are coarser, the vector is float32."""
    flat, unravel = ravel_pytree(jax.tree.map(lambda x: x.astype(_of_rules(x)), example))

    def unflatten(vector: jax.Array) -> Any:
        return jax.tree.map(lambda x, like: x.astype(like.dtype), unravel(vector), example)

    return flat, unflatten


def _flatten(tree: Any) -> jax.Array:
    return jnp.concatenate(
        [leaf.reshape(-1).astype(_of_rules(leaf)) for leaf in jax.tree.leaves(tree)]
    )


def _of_rules(leaf: jax.Array) -> Any:
    return jnp.promote_types(leaf.dtype, jnp.float32)
