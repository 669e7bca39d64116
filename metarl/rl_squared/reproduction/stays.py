"""Stay probabilities of the two-step task: what tells planning from repeating what paid.

A round was rewarded or not, and its transition common or rare; the agent stays if it takes the same
action in the next round. Who repeats what paid stays after a reward, whatever the transition. Who
plans stays after a reward by a common transition, or none by a rare one: an *interaction*,

    P(stay | rewarded, common) - P(stay | rewarded, rare) - P(stay | not, common) + P(stay | not, rare)

Where the better state is the same for many rounds, who repeats what paid shows some of it too, since
it is mostly on the better side already when a transition is common and rewarded (Akam et al.); so
the interaction is also taken apart for rounds whose action was the right one and for those where it
was not, and averaged over the two.

Letters: N tasks; R rounds of each.

References: Daw et al. (2011), Neuron 69; Akam et al. (2015), PLoS Computational Biology 11; Wang et al.
(2018), Nature Neuroscience 21, figure 5.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from metarl.statistics import Mean

CONDITIONS: tuple[str, ...] = (
    "rewarded, common",
    "rewarded, rare",
    "not rewarded, common",
    "not rewarded, rare",
)
_INTERACTION = (1.0, -1.0, -1.0, 1.0)
_OF_REWARD = (0.5, 0.5, -0.5, -0.5)
_Z = 1.959964  # of 95 %


class Rounds(NamedTuple):
    """What happened in the first stage and after it."""

    actions: np.ndarray  # [N, R] 0 or 1
    common: np.ndarray  # [N, R] bool, the transition was the action's common one
    rewarded: np.ndarray  # [N, R] bool
    right: np.ndarray  # [N, R] bool, the action's common transition led to the better state


class Stays(NamedTuple):
    """Of an agent; all with 95 % intervals over tasks."""

    probabilities: tuple[Mean, ...]  # of `CONDITIONS`
    interaction: Mean
    of_reward: Mean  # how much more often one stays after a reward
    interaction_apart: Mean  # averaged over rounds of right actions and of wrong ones


def stays_of(rounds: Rounds) -> Stays:
    """Returns how often an agent stayed, by what happened before."""
    stayed = rounds.actions[:, 1:] == rounds.actions[:, :-1]  # [N, R - 1]
    common, rewarded, right = (part[:, :-1] for part in rounds[1:])
    cells = np.stack(
        [rewarded & common, rewarded & ~common, ~rewarded & common, ~rewarded & ~common]
    )
    halves = (cells & right, cells & ~right)  # [4, N, R - 1] each
    return Stays(
        tuple(_combined(stayed, cells, np.eye(4)[row]) for row in range(4)),
        _combined(stayed, cells, np.array(_INTERACTION)),
        _combined(stayed, cells, np.array(_OF_REWARD)),
        _combined(stayed, np.concatenate(halves), np.tile(_INTERACTION, 2) / 2),
    )


def _combined(stayed: np.ndarray, cells: np.ndarray, weights: np.ndarray) -> Mean:
    """Returns Σ weight P(stay | cell); its error by linearisation, tasks being independent."""
    happened = cells.sum(axis=-1)  # [C, N]
    kept = (cells & stayed).sum(axis=-1)
    shares = kept.sum(axis=1) / np.maximum(happened.sum(axis=1), 1)  # [C]
    tasks = happened.shape[1]
    away = (kept - shares[:, None] * happened) / np.maximum(happened.mean(axis=1), 1e-9)[:, None]
    mean = float(weights @ shares)
    error = float(np.std(weights @ away, ddof=1) / np.sqrt(tasks))
    return Mean(mean, error, mean - _Z * error, mean + _Z * error)
