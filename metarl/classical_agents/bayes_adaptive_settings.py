"""The settings of searches over beliefs, for the rows of bandits and of MDPs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from metarl.environments import Trial

from .bayes_adaptive import Search
from .row import Setting

BAMCP = "Guez, Silver, Dayan (2012), arXiv:1205.3109"

OF_A_TREE = {
    "simulations": Setting(300, "n, before each action", low=1, high=1_000_000, whole=True),
    "exploration": Setting(1.0, "c of UCT, in rewards", low=0),
    "depth": Setting(
        "left",
        "D, steps of a simulation; left: to the end of the trial",
        1,
        10_000,
        True,
        ("left",),
        True,
    ),
    "rollout": Setting(
        "greedy", "who acts outside of the tree, learning there", words=("greedy", "random")
    ),
    "returns": Setting(
        "regret",
        "what simulations sum up: rewards, or minus the regret",
        words=("regret", "rewards"),
    ),
}


def chosen_search(values: Mapping[str, Any], trial: Trial) -> Search:
    """Returns how a tree is grown, by an agent's settings."""
    depth = trial.length if values["depth"] == "left" else min(values["depth"], trial.length)
    return Search(
        values["simulations"],
        depth,
        values["rollout"],
        values["returns"],
        values.get("reward_bins", 1),
    )
