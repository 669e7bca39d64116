"""replay: one search on a table: the strategy's own code asks and is told, and nothing is trained.

Every generation goes as in a search in earnest (`searching.search_job`): rules without a place in the table were
filtered, rules met before are repeats, of the new ones as many are trained as the budget has room for. Only the probes,
the trainings and the files are left out.

Letters: K rules of the table, N rules trained.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from ..judging.rewards import FLOOR
from ..screening.probes import Profile, probes_of, profiles
from ..searching.archive import near_duplicates
from ..searching.search_job import is_barren
from ..strategies import Feedback, Strategy
from ..tables import RuleTable
from .views import View

Places = Callable[[np.ndarray], np.ndarray]  # tokens [B, L] -> places in the table [B], -1 outside


class Replayed(NamedTuple):
    """One search."""

    trained: np.ndarray  # [N] places of the rules trained, in their order
    sampled: np.ndarray  # [N] rules proposed by the end of the generation of each
    seconds: np.ndarray  # [N] of the processor that ask and tell had taken by then


def replay(
    strategy: Strategy,
    key: jax.Array,
    places: Places,
    rewards: np.ndarray,
    budget: int,
    batch_size: int,
    trains: Callable[[np.ndarray], None] = lambda rows: None,
) -> Replayed:
    """Searches until the budget is spent, or nothing new has come for long.

    Args:
      strategy: that proposes.
      key: of the search, folded in as by a search in earnest.
      places: which rule of the table a sequence of tokens is.
      rewards: of the rules of the table, [K].
      budget: of rules to train.
      batch_size: rules proposed in a generation.
      trains: called with the places of a generation's new rules before the strategy is told of it; may set their
        rewards.
    """
    met, trained, costs = np.zeros(len(rewards), bool), [], []
    barren, generation, seconds = 0, 0, 0.0
    state = strategy.init(_keys(key, 0)[0])
    while len(trained) < budget and not is_barren(barren, batch_size):
        ask_key, tell_key = _keys(key, generation + 1)
        began = time.process_time()
        state, proposals = strategy.ask(ask_key, state, batch_size)
        tokens = np.asarray(proposals.tokens)
        seconds += time.process_time() - began
        rows = places(tokens)  # [B]
        repeated, new = _sorted(rows, met, budget - len(trained))
        met[rows[new]] = True
        trained.extend(rows[new].tolist())
        trains(rows[new])
        told = np.where((rows >= 0) & met[rows], rewards[rows], np.float32(FLOOR))
        feedback = Feedback(told.astype(np.float32), repeated, np.float32(FLOOR))
        began = time.process_time()
        state, _ = strategy.tell(tell_key, state, proposals, feedback)
        seconds += time.process_time() - began
        barren = 0 if len(new) else barren + 1
        generation += 1
        costs.extend([(generation * batch_size, seconds)] * len(new))
    sampled, clock = np.reshape(costs, (-1, 2)).T
    return Replayed(np.array(trained, int), sampled.astype(int), clock)


@jax.jit
def _keys(key: jax.Array, number: int) -> tuple[jax.Array, jax.Array]:
    """Returns the keys of a generation as a search has them; compiled, for a replay makes thousands."""
    first, second = jax.random.split(jax.random.fold_in(key, number))
    return first, second


def _sorted(rows: np.ndarray, met: np.ndarray, room: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns which rules of a generation are repeats, [B], and the positions of those to train."""
    first = np.zeros(len(rows), bool)
    first[np.unique(rows, return_index=True)[1]] = True
    repeated = (rows >= 0) & (met[rows] | ~first)
    return repeated, np.flatnonzero((rows >= 0) & ~repeated)[:room]


class Handover:
    """The choice stage of a search, on a table.

    Args:
      near: which rules of the table are near-duplicates of which, [K, K].
      candidates: how many rules of the archive reach the choice, one of each group of near-duplicates.
    """

    def __init__(self, near: np.ndarray, candidates: int):
        self._near, self._candidates = near, candidates

    def place(self, trained: np.ndarray, view: View) -> int:
        """Returns the rule that a search hands over which has trained these, -1 if all of them diverge.

        Of equal scores the rule that stands first in the table counts, the simplest.
        """
        lasting = np.sort(trained[view.lasting[trained]])
        ranked = lasting[np.argsort(-view.rewards[lasting], kind="stable")]
        leaders, grouped = [], np.zeros(len(view.rewards), bool)
        for row in ranked.tolist():
            if grouped[row]:
                continue
            leaders.append(row)
            if len(leaders) == self._candidates:
                break
            grouped |= self._near[row]
        return max(leaders, key=lambda row: view.choice[row], default=-1)


def near_rules(table: RuleTable) -> np.ndarray:
    """Returns which rules of a table an archive would take for near-duplicates, [K, K] bool."""
    updates = probes_of(table.grammar).outputs(table.tokens).update
    profile = profiles(updates)
    directions = profile.directions.astype(np.float16).astype(
        np.float32
    )  # as the archive keeps them
    return near_duplicates(Profile(directions, profile.log_sizes.astype(np.float32)))
