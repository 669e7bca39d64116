"""Go-Explore: return to a promising kind of behaviour, and explore from there.

An archive holds, for every cell of behaviour, the best rule that was found to behave so. What a rule does is seen on
the probes, before any training, in four numbers that are cut into bins:

  along the gradient    mean cosine of update and gradient
  along the past        mean cosine of update and moving average m
  evenness              mean |u| over root mean square: 1 if all coordinates move alike, as under a sign
  decay                 log size of the update late in the run over early

A cell is drawn the more often the less it was returned to; of a few drawn so the one with the best rule is taken,
that rule is changed by one mutation or more, and lands in whatever cell it behaves like. Rules need no return by
playing through: their tokens are at hand.

Letters: C cells; K rules; L tokens.

Reference: Ecoffet, Huizinga, Lehman, Stanley, Clune, "First return, then explore", Nature 590, 2021, arXiv:2004.12919
(weights 1 / sqrt(visits + 1)); the grid of elites: Mouret & Clune, 2015, arXiv:1504.04909. Differs from it: the
tournament by reward stands for their weights of domain knowledge, and there is no second, robustifying phase: rules
are deterministic.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import numpy as np

from metarl.update_rules import Grammar

from ..screening.probes import probes_of
from ..settings.config import SearchConfig
from ..writing.behaviour import cells_of
from ..writing.breeding import Met, Renewal, mutated
from .contract import Feedback, Proposals, Strategy
from .random_search import numpy_generator


class GoExploreState(NamedTuple):
    """The archive, in the order in which its cells were found."""

    cells: np.ndarray  # [C] int64, the number of each cell, -1 where there is none yet
    tokens: np.ndarray  # [C, L] int32, of the best rule
    rewards: np.ndarray  # [C] float32
    visits: np.ndarray  # [C] int64, how often it was returned to
    met: Met


def go_explore(grammar: Grammar, config: SearchConfig) -> Strategy:
    """Returns the strategy.

    Args:
      grammar: of the rules.
      config: its `go_explore` gives C, the size of tournaments and how far an exploration goes.

    Returns:
      Until a rule has passed, its proposals are random rules. When all C cells are taken, a rule in a new one takes the
      place of the cell with the lowest reward, if its own is higher.
    """
    settings = config.go_explore
    probes = probes_of(grammar)
    renewal, change = Renewal(grammar), functools.partial(mutated, grammar=grammar)

    def init(key: jax.Array) -> GoExploreState:
        del key
        size = settings.cells
        return GoExploreState(
            np.full(size, -1, np.int64),
            np.zeros((size, grammar.length), np.int32),
            np.full(size, -np.inf, np.float32),
            np.zeros(size, np.int64),
            Met.nothing(),
        )

    def ask(key: jax.Array, state: GoExploreState, count: int) -> tuple[GoExploreState, Proposals]:
        generator = numpy_generator(key)
        known, visits = state.met.digests(), state.visits.copy()
        found = []
        for _ in range(count):
            start = _start(generator, state, visits)
            found.append(renewal.child(generator, start, known))
        met = state.met.after(map(renewal.digest_of, found))
        return state._replace(visits=visits, met=met), Proposals(np.stack(found))

    def tell(
        key: jax.Array, state: GoExploreState, proposals: Proposals, feedback: Feedback
    ) -> tuple[GoExploreState, dict[str, float]]:
        del key
        tokens, rewards = np.asarray(proposals.tokens), np.asarray(feedback.rewards, np.float32)
        good = ~np.asarray(feedback.repeated, bool) & (rewards > float(feedback.floor))
        tokens, rewards = tokens[good], rewards[good]
        found = cells_of(probes.outputs(tokens).update, probes)
        state = _archived(state, found, tokens, rewards)
        taken = state.cells >= 0
        best = state.rewards[taken]
        return state, {
            "cells": float(taken.sum()),
            "cells_mean": float(best.mean()) if len(best) else float(feedback.floor),
            "returns_most": float(state.visits.max()),
        }

    def _start(
        generator: np.random.Generator, state: GoExploreState, visits: np.ndarray
    ) -> np.ndarray:
        """Returns a rule some mutations away from a cell's best; counts the return."""
        taken = np.flatnonzero(state.cells >= 0)
        if len(taken) == 0:
            return grammar.sample(generator, 1)[0]
        weights = 1.0 / np.sqrt(visits[taken] + 1.0)
        drawn = generator.choice(taken, size=settings.sample, p=weights / weights.sum())
        cell = drawn[np.argmax(state.rewards[drawn])]
        visits[cell] += 1
        rule = state.tokens[cell]
        for _ in range(generator.geometric(1.0 / settings.mutations)):
            rule = change(generator, rule)
        return rule

    return Strategy(init, ask, tell)


def _archived(
    state: GoExploreState, cells: np.ndarray, tokens: np.ndarray, rewards: np.ndarray
) -> GoExploreState:
    """Returns the archive with rules added, each to its cell if it is the best there."""
    have, rules, earned, visits = (
        x.copy() for x in (state.cells, state.tokens, state.rewards, state.visits)
    )
    for cell, row, reward in zip(cells, tokens, rewards, strict=True):
        places = np.flatnonzero(have == cell)
        empty = np.flatnonzero(have < 0)
        place = places[0] if len(places) else empty[0] if len(empty) else np.argmin(earned)
        if reward > earned[place]:
            visits[place] = visits[place] if have[place] == cell else 0
            have[place], rules[place], earned[place] = cell, row, reward
    return state._replace(cells=have, tokens=rules, rewards=earned, visits=visits)
