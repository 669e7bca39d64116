"""sweeping: the program that fills a table: one rule at every learning rate, on every replicate, looked at on the way.

A run is a full run of the search, at the same steps, starts, splits and batches (`judging.candidates`), whose held-out
loss is taken at C checkpoints; at its end the choice and the test data are looked at too: training draws on one pool
whichever of the three is held out, so one run gives all. A run that diverged has the loss +inf from there on, and costs
no more. Tuned Adam, optax's own, is run in the same way beside them.

Letters: W rules a call; L tokens; R learning rates; S replicates; C checkpoints.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from metarl.problems import Problem
from metarl.update_rules import Grammar

from ..judging.candidates import Candidates, Judgement, Recipe, Trial, Verdicts, interpreted_learner
from ..judging.evaluators import executor
from ..judging.judges import Judge
from ..training.inner_training import (
    Fixture,
    Layout,
    Learner,
    draw_fixture,
    held_out_score,
    optax_learner,
    start,
    train,
)
from .packing import Losses

CHECKPOINTS = (1 / 8, 1 / 4, 1 / 2, 1.0)  # shares of a run, C
RATES = 10.0 ** (
    np.arange(-11, 4) / 2.0
)  # R half-decades, all that a search of whole decades and their sides can ask for


class _Place(NamedTuple):
    """Where the runs of a judge take place."""

    problem: Problem
    layout: Layout
    steps: int
    held: dict[str, tuple[Any, Layout]]  # choice and test examples


def table_judgement(judge: Judge, grammar: Grammar, seeds: Sequence[int]) -> Judgement:
    """Returns the program that trains rules for a table, as an evaluator runs it.

    Args:
      judge: the problem and its steps.
      grammar: of the rules.
      seeds: one a replicate, S.

    Returns:
      A judgement whose verdicts hold search losses [W, R, S, C] as `losses`, and choice and test losses [W, R, S, 2] as
      `metrics`.
    """
    fixture, place = _place_of(judge, seeds)
    learner_of, randomness = interpreted_learner(judge.problem, grammar, fixture)

    def one(data: tuple, tokens: jax.Array, rates: jax.Array, active: jax.Array) -> Verdicts:
        fixture, tables = data

        def learner(rate: jax.Array, seed: jax.Array) -> Learner:
            return learner_of(tables, tokens, rate, jnp.int32(judge.steps), seed)

        found, steps = _all_runs(place, fixture, learner, rates, active)
        half = found.search[:, :, CHECKPOINTS.index(1 / 2)].mean(axis=1)  # [R]
        ends = jnp.stack([found.choice, found.test], axis=-1)  # [R, S, 2]
        return Verdicts(rates, half, rates[jnp.argmin(half)], found.search, ends, steps)

    def program(data: tuple, candidates: Candidates) -> Verdicts:
        return lax.map(lambda c: one(data, *c), candidates)

    trial = Trial(judge.steps, judge.steps, 0, len(seeds), len(RATES))
    recipe = Recipe(judge.problem, grammar, trial, "search", tuple(seeds), executor())
    data = (fixture, randomness)
    return Judgement(jax.jit(program), data, place.layout, math.nan, recipe, remade)


def remade(recipe: Recipe) -> Judgement:
    """Returns the judgement of a recipe that `table_judgement` wrote, made anew in another process."""
    judge = Judge(recipe.problem.name, recipe.problem, 1.0, recipe.trial.full_steps)
    return table_judgement(judge, recipe.grammar, recipe.seeds)


def adam_losses(judge: Judge, seeds: Sequence[int], rates: np.ndarray) -> Losses:
    """Returns the losses of optax's Adam: search [R, S, C], choice and test [R, S]."""
    fixture, place = _place_of(judge, seeds)

    @jax.jit
    def program(fixture: Fixture, rates: jax.Array) -> Losses:
        adam = lambda rate, seed: optax_learner(optax.adam(rate))  # noqa: E731
        return _all_runs(place, fixture, adam, rates, jnp.bool_(True))[0]

    return Losses(*(np.asarray(x) for x in program(fixture, jnp.asarray(rates, jnp.float32))))


def starting_losses(judge: Judge, seeds: Sequence[int]) -> np.ndarray:
    """Returns the losses on search data before the first step, [S]."""
    fixture, place = _place_of(judge, seeds)
    learner = Learner(lambda x: x, lambda x: x, lambda x: (), lambda *run: run[:2])

    def one(replicate: jax.Array) -> jax.Array:
        here = (place.problem, place.layout, learner, fixture, replicate)
        return held_out_score(*here, start(learner, fixture, replicate))[0]

    return np.asarray(jax.jit(lambda all_: lax.map(one, all_))(jnp.arange(len(seeds))))


def checkpoint_steps(steps: int) -> list[int]:
    """Returns after how many steps a run of `steps` is looked at, at least 1, [C]."""
    return [max(1, round(share * steps)) for share in CHECKPOINTS]


def _place_of(judge: Judge, seeds: Sequence[int]) -> tuple[Fixture, _Place]:
    fixture, layout = draw_fixture(judge.problem, "search", seeds)
    held = {}
    for split in ("choice", "test"):
        examples = jax.tree.map(jnp.asarray, judge.problem.examples(split))
        rows = jax.tree.leaves(examples)[0].shape[0]
        held[split] = (examples, layout._replace(held=rows, shared=True))
    return fixture, _Place(judge.problem, layout, judge.steps, held)


def _all_runs(
    place: _Place,
    fixture: Fixture,
    learner_of: Callable[[jax.Array, jax.Array], Learner],
    rates: jax.Array,
    active: jax.Array,
) -> tuple[Losses, jax.Array]:
    """Returns the losses at all rates [R] on all replicates, search [R, S, C], ends [R, S], and the steps taken."""
    replicates = place.layout.replicates
    until = jnp.where(active, jnp.asarray(checkpoint_steps(place.steps), jnp.int32), 0)

    def one(lane: jax.Array) -> tuple[Losses, jax.Array]:
        rate, replicate = rates[lane // replicates], lane % replicates
        learner = learner_of(rate, fixture.seeds[replicate])
        return _one_run(place, fixture, learner, replicate, until)

    found, taken = lax.map(one, jnp.arange(rates.shape[0] * replicates))
    shaped = (x.reshape(rates.shape[0], replicates, *x.shape[1:]) for x in found)
    return Losses(*shaped), taken.sum()


def _one_run(
    place: _Place, fixture: Fixture, learner: Learner, replicate: jax.Array, until: jax.Array
) -> tuple[Losses, jax.Array]:
    """Returns the losses of one run, search [C], choice and test [], and the steps it took."""

    def look(fixture: Fixture, layout: Layout, run) -> jax.Array:
        return lax.cond(
            run.alive & (run.t > 0),
            lambda: held_out_score(place.problem, layout, learner, fixture, replicate, run)[0],
            lambda: jnp.float32(jnp.inf),
        )

    def go_on(run, step: jax.Array):
        run = train(place.problem, place.layout, learner, fixture, replicate, run, step)
        return run, look(fixture, place.layout, run)

    run, search = lax.scan(go_on, start(learner, fixture, replicate), until)
    ends = {
        split: look(fixture._replace(held=examples), layout, run)
        for split, (examples, layout) in place.held.items()
    }
    return Losses(search, **ends), run.t
