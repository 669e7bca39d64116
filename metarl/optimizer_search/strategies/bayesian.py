"""Bayesian optimisation in the space of functions: a Gaussian process foresees what rules are worth.

  tell    what a rule earned is told to the process, as the normal score of its rank, at the place of its function
  ask     several times K candidates are made, most of them children of good rules by mutation and crossing over, the
          others random; those that the filters stop, or that are functions met before, are dropped before any
          training; of the rest, K are proposed by Thompson sampling: each is the best of one world drawn from the
          process, with deviations from its mean that are halved: promising or little known, and not all alike

Nothing is known before the first rules are told: random ones, or the simplest functions of the space, each once. What
a rule does on the probes (`writing.gaussian_process`) is what is learnt from, so a rule tells of all that behave like
it, however they are written.

Letters: K rules; L tokens; M rules remembered; C candidates.

References: Thompson, Biometrika 25, 1933; Kandasamy et al., "Parallelised Bayesian optimisation via Thompson
sampling", AISTATS 2018, arXiv:1705.09236; White, Neiswanger, Savani, "BANANAS", AAAI 2021, arXiv:1910.11858
(candidates are mutations of the best). Differs from them: the kernel is of behaviour before it is of the text of a
rule, and the worlds are narrower, for where candidates are many a few far ones are the best of nearly every world.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metarl.update_rules import Grammar

from ..screening import filters
from ..screening.linear_algebra import on_one_thread
from ..screening.probes import BLOCKS, COORDINATES, probes_of, profiles
from ..settings.config import SearchConfig
from ..writing.breeding import Met, Renewal, crossed, mutated, winner
from ..writing.gaussian_process import Described, GaussianProcess, distances, likeliest
from ..writing.ranks import normal_scores
from ..writing.told_rules import ToldRules
from .contract import Feedback, Proposals, Strategy
from .enumeration import Order, trainable_functions
from .random_search import numpy_generator

_SAME = 1e-3  # of `distances`: a function that was met before
_ROUNDS = 4  # of candidates, until K of them can be proposed
_MOST_SIZE = 30.0  # of a log size: a block that vanishes is that far from the others
_RULES_AT_HAND = 1 << 12  # some 20 MB


class BayesianState(NamedTuple):
    """What was told, and what was proposed."""

    told: ToldRules  # [M]
    met: Met


class Expected(NamedTuple):
    """What was expected of a generation when it was proposed."""

    worth: np.ndarray  # [K] float32, mean of the process; NaN where nothing was
    noise: np.ndarray  # [] float32, of `Kernel`; 0 where nothing was


def bayesian_optimisation(grammar: Grammar, config: SearchConfig) -> Strategy:
    """Returns the strategy.

    Args:
      grammar: of the rules.
      config: its `bayesian` says what comes first, how many candidates there are, of what kind, and gives M.
    """
    settings = config.bayesian
    behaviours = _Behaviours(grammar, config)
    renewal, change = Renewal(grammar), functools.partial(mutated, grammar=grammar)
    simplest = Order(trainable_functions(grammar, config)) if settings.first == "simplest" else None

    def init(key: jax.Array) -> BayesianState:
        del key
        return BayesianState(ToldRules.none(settings.memory, grammar.length), Met.nothing())

    def ask(key: jax.Array, state: BayesianState, count: int) -> tuple[BayesianState, Proposals]:
        generator, known = numpy_generator(key), state.met.digests()
        tokens, rewards = _remembered(state.told)
        if len(tokens) < settings.start:
            first = int(state.met.proposed)
            found = [
                renewal.child(generator, _first(generator, number), known)
                for number in range(first, first + count)
            ]
            expected = _nothing_expected(count)
        else:
            with on_one_thread():
                found, expected = _chosen(generator, tokens, rewards, known, count)
        met = state.met.after(map(renewal.digest_of, found))
        return state._replace(met=met), Proposals(np.stack(found), expected)

    def tell(
        key: jax.Array, state: BayesianState, proposals: Proposals, feedback: Feedback
    ) -> tuple[BayesianState, dict[str, float]]:
        del key
        fresh = ~np.asarray(feedback.repeated, bool)
        told = _after(state.told, proposals.tokens, feedback.rewards, fresh)
        rewards, expected = np.asarray(feedback.rewards), proposals.record
        return state._replace(told=told), {
            "told_rules": float(jnp.sum(told.present)),
            "process_correlation": _correlation(
                np.asarray(expected.worth)[fresh], normal_scores(rewards[fresh])
            ),
            "process_noise": float(expected.noise),
        }

    def _first(generator: np.random.Generator, number: int) -> np.ndarray:
        return grammar.sample(generator, 1)[0] if simplest is None else simplest[number]

    def _chosen(
        generator: np.random.Generator,
        tokens: np.ndarray,
        rewards: np.ndarray,
        known: set[int],
        count: int,
    ) -> tuple[list[np.ndarray], Expected]:
        """Returns K rules of many candidates; random ones where too few of these are new."""
        there = behaviours.of(tokens)
        candidates = _candidates(generator, tokens, rewards, there, known, count)
        picked, expected = [], _nothing_expected(count)
        if len(candidates.tokens) > 0:
            worth = normal_scores(rewards)
            rows = generator.permutation(len(worth))[: settings.fitted]
            kernel = likeliest(there.rows(rows), worth[rows])
            foreseen = GaussianProcess(there, worth, kernel).foresee(candidates)
            best = _best_of_each(foreseen.draws(generator, count, settings.spread))
            picked = list(candidates.tokens[best])
            known.update(map(renewal.digest_of, picked))
            expected.worth[: len(best)] = foreseen.mean[best]
            expected = expected._replace(noise=np.asarray(kernel.noise, np.float32))
        others = grammar.sample(generator, count - len(picked))
        picked += [renewal.child(generator, rule, known) for rule in others]
        return picked, expected

    def _candidates(
        generator: np.random.Generator,
        tokens: np.ndarray,
        rewards: np.ndarray,
        there: Described,
        known: set[int],
        count: int,
    ) -> Described:
        """Returns rules that can be proposed, at most C and some."""
        found = there.rows(slice(0))
        for _ in range(_ROUNDS):
            made = [
                _candidate(generator, tokens, rewards) for _ in range(settings.candidates * count)
            ]
            rules = np.stack(made)[[renewal.digest_of(rule) not in known for rule in made]]
            described = behaviours.of(rules[behaviours.passes(rules)])
            new = _new(described, there.and_also(found))
            found = found.and_also(described.rows(new))
            if len(new) == 0 or len(found.tokens) >= 2 * count:
                break
        return found

    def _candidate(
        generator: np.random.Generator, tokens: np.ndarray, rewards: np.ndarray
    ) -> np.ndarray:
        if generator.random() < settings.random:
            return grammar.sample(generator, 1)[0]
        rule = tokens[winner(generator, rewards, settings.sample)]
        if generator.random() < settings.crossover:
            rule = crossed(
                generator, rule, tokens[winner(generator, rewards, settings.sample)], grammar
            )
        for _ in range(generator.geometric(1.0 / settings.mutations)):
            rule = change(generator, rule)
        return rule

    return Strategy(init, ask, tell)


_after = jax.jit(ToldRules.after)


class _Behaviours:
    """What rules do on the probes; those of late are at hand."""

    def __init__(self, grammar: Grammar, config: SearchConfig):
        self._probes, self._filters = probes_of(grammar), config.filters
        self._known: dict[bytes, tuple[bool, np.ndarray, np.ndarray]] = {}

    def of(self, tokens: np.ndarray) -> Described:
        """Returns K rules, described."""
        found = self._found(tokens)
        return Described(
            np.array([one for _, one, _ in found]).reshape(-1, BLOCKS * COORDINATES),
            np.array([sizes for *_, sizes in found]).reshape(-1, BLOCKS),
            tokens,
        )

    def passes(self, tokens: np.ndarray) -> np.ndarray:
        """Returns which rules the filters let pass, [K] bool."""
        return np.array([passes for passes, *_ in self._found(tokens)], bool)

    def _found(self, tokens: np.ndarray) -> list[tuple[bool, np.ndarray, np.ndarray]]:
        new = [row for row in tokens if row.tobytes() not in self._known]
        if new:
            if len(self._known) > _RULES_AT_HAND:
                self._known.clear()
                new = list(tokens)
            outputs = self._probes.outputs(np.stack(new))
            verdicts = filters.screen(outputs, self._probes, self._filters, np.stack(new))
            profile = profiles(np.nan_to_num(outputs.update, posinf=0.0, neginf=0.0))
            sizes = np.clip(profile.log_sizes, -_MOST_SIZE, _MOST_SIZE)
            for row, verdict, *rest in zip(new, verdicts, profile.directions, sizes, strict=True):
                self._known[row.tobytes()] = (verdict == filters.Verdict.PASSES, *rest)
        return [self._known[row.tobytes()] for row in tokens]


def _nothing_expected(count: int) -> Expected:
    return Expected(np.full(count, np.nan, np.float32), np.zeros((), np.float32))


def _correlation(expected: np.ndarray, came: np.ndarray) -> float:
    """Returns the correlation of what was expected, where something was, and what came; 0 where either is constant."""
    there = np.isfinite(expected)
    x, y = expected[there].astype(float), came[there]
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return 0.0
    return float(np.corrcoef(x, y)[0, 1])


def _remembered(told: ToldRules) -> tuple[np.ndarray, np.ndarray]:
    there = np.asarray(told.present)
    return np.asarray(told.tokens)[there], np.asarray(told.rewards)[there]


def _new(places: Described, others: Described) -> np.ndarray:
    """Returns which functions are neither among others nor among those before them, row numbers."""
    met = (distances(places, others) < _SAME).any(axis=1)
    like = np.tril(distances(places, places) < _SAME, -1).any(axis=1)
    return np.flatnonzero(~met & ~like)


def _best_of_each(worlds: np.ndarray) -> list[int]:
    """Returns the best candidate of each world, [K, C], that is not the best of an earlier one; at most C of them."""
    taken: list[int] = []
    for world in worlds[: worlds.shape[1]]:
        world = world.copy()
        world[taken] = -np.inf
        taken.append(int(world.argmax()))
    return taken
