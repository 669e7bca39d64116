"""Monte Carlo tree search over the prefixes of rules, with the maximum backed up.

A node is a prefix of tokens. Its visits are the rules told so far that begin with it, and its value is that of the
best of them; nothing else is remembered, so the tree is what was told. A rule is written from the root: among the
tokens that were tried, the one with the largest

  value + c sqrt(log(visits of the node) / visits of the child)

until a node has fewer children than w sqrt(visits), where a token is tried that was not; below it the rest is random.
A share of the proposals are jumps: the mutation or the crossing over of good rules, which land anywhere in the tree.

Rewards are only compared: the value of a rule is  log(N / n) / log N,  n the rules of N at least as good, which is 1
for the best, 1/2 for the best of a square root of N, and 0 for the worst.

Letters: M rules remembered; K rules of a generation; L tokens; N rules told.

References: Kocsis & Szepesvári, 2006 (UCT); the maximum: Sun, Liu, Wang, Sun, "Symbolic physics learner", ICLR 2023,
arXiv:2205.13134 (SPL); the maximum and the jumps: Huang et al., "Improving Monte Carlo tree search for symbolic
regression", 2025, arXiv:2509.15929 (iMCTS); few children for few visits: Coulom, 2007.
Differs from them: values are ranks, the tree has no statistics of its own, and a rule that was met is mutated until it
is new. To rewards from 0 to 1 iMCTS adds (c log(visits of the node) / visits of the child)^γ with c = 4 and γ = 0.5 by
the defaults of its code, that is 2 times the square root above; here it is 0.3 times. Its jumps begin at any node on
the way down, from the best below it, and a fifth of its steps down are random; here a jump begins at good rules of the
whole tree. Subtrees of good expressions, which SPL takes into its grammar, stay out of it here.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import jax
import numpy as np

from metarl.update_rules import Grammar

from ..settings.config import SearchConfig
from ..writing.breeding import Met, Renewal, crossed, mutated, winner
from ..writing.ranks import log_ranks
from .contract import Feedback, Proposals, Strategy
from .random_search import numpy_generator


class TreeSearchState(NamedTuple):
    """The rules told, as a ring; they are the tree."""

    tokens: np.ndarray  # [M, L] int32
    rewards: np.ndarray  # [M] float32
    told: np.ndarray  # [] int64, rules that were ever told; rule number i lies in row i mod M
    met: Met


def tree_search(grammar: Grammar, config: SearchConfig) -> Strategy:
    """Returns the strategy.

    Args:
      grammar: of the rules.
      config: its `mcts` gives M, c, w and the share of jumps.
    """
    settings = config.mcts
    renewal, change = Renewal(grammar), functools.partial(mutated, grammar=grammar)

    def init(key: jax.Array) -> TreeSearchState:
        del key
        return TreeSearchState(
            np.zeros((settings.memory, grammar.length), np.int32),
            np.zeros(settings.memory, np.float32),
            np.asarray(0, np.int64),
            Met.nothing(),
        )

    def ask(
        key: jax.Array, state: TreeSearchState, count: int
    ) -> tuple[TreeSearchState, Proposals]:
        generator, known = numpy_generator(key), state.met.digests()
        told = min(int(state.told), settings.memory)
        # those proposed here count as visits, and are worth nothing until they are told
        tokens = np.concatenate([state.tokens[:told], np.zeros((count, grammar.length), np.int32)])
        values = np.concatenate(
            [log_ranks(state.rewards[:told], np.ones(told, bool)), np.zeros(count)]
        )
        for place in range(told, told + count):
            if told and generator.random() < settings.jumps:
                rule = _jump(generator, tokens[:told], values[:told])
            else:
                rule = _descent(generator, tokens[:place], values[:place])
            tokens[place] = renewal.child(generator, rule, known)
        proposed = tokens[told:].copy()
        return state._replace(met=state.met.after(map(renewal.digest_of, proposed))), Proposals(
            proposed
        )

    def tell(
        key: jax.Array, state: TreeSearchState, proposals: Proposals, feedback: Feedback
    ) -> tuple[TreeSearchState, dict[str, float]]:
        del key
        new = ~np.asarray(feedback.repeated, bool)
        added = np.asarray(proposals.tokens)[new][-settings.memory :]
        earned = np.asarray(feedback.rewards, np.float32)[new][-settings.memory :]
        rows = (int(state.told) + np.arange(len(added))) % settings.memory
        tokens, rewards = state.tokens.copy(), state.rewards.copy()
        tokens[rows], rewards[rows] = added, earned
        told = np.asarray(state.told + len(added), np.int64)
        state = state._replace(tokens=tokens, rewards=rewards, told=told)
        return state, _shape(state, settings.memory)

    def _descent(generator: np.random.Generator, told: np.ndarray, values: np.ndarray):
        """Returns a rule that is written from the root."""
        rule, below = np.zeros(grammar.length, np.int32), np.arange(len(told))
        for position in range(grammar.length):
            allowed = np.flatnonzero(grammar.mask(rule, position))
            tried = told[below, position]
            rule[position] = _choice(generator, allowed, tried, values[below])
            below = below[tried == rule[position]]
        return rule

    def _choice(
        generator: np.random.Generator, allowed: np.ndarray, tried: np.ndarray, values: np.ndarray
    ) -> int:
        """Returns a token at a node whose rules have these tokens next, and are worth so much."""
        visits = np.bincount(tried, minlength=grammar.width)[allowed]
        children = int((visits > 0).sum())
        wide = children >= math.ceil(settings.widening * math.sqrt(len(tried)))
        if not wide and children < len(allowed):
            return int(generator.choice(allowed[visits == 0]))
        best = np.full(grammar.width, -np.inf)
        np.maximum.at(best, tried, values)
        bonus = settings.exploration * np.sqrt(math.log(len(tried) + 1.0) / np.maximum(visits, 1))
        scores = np.where(visits > 0, best[allowed] + bonus, -np.inf)
        return int(allowed[np.argmax(scores)])

    def _jump(generator: np.random.Generator, told: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Returns a child of good rules, by mutation or crossing over."""

        def parent() -> np.ndarray:
            return told[winner(generator, values, settings.sample)]

        if generator.random() < 0.5:
            return change(generator, parent())
        return crossed(generator, parent(), parent(), grammar)

    return Strategy(init, ask, tell)


def _shape(state: TreeSearchState, memory: int) -> dict[str, float]:
    """Returns how many rules the tree holds, and how many nodes a rule shares with others."""
    tokens = state.tokens[: min(int(state.told), memory)]
    if len(tokens) == 0:
        return {"tree_rules": 0.0, "shared_depth": 0.0}
    ordered = tokens[np.lexsort(tokens.T[::-1])]
    alike = np.cumprod(ordered[1:] == ordered[:-1], axis=1).sum(axis=1)  # [N - 1]
    shared = np.maximum(np.append(alike, 0), np.append(0, alike))  # with either neighbour
    return {"tree_rules": float(len(tokens)), "shared_depth": float(shared.mean())}
