"""Strategies by name: the table, and a user's own as "my_module:factory"."""

from __future__ import annotations

import importlib
from typing import NamedTuple

from metarl.errors import unknown_name
from metarl.update_rules import Grammar
from metarl.user_code import call_own

from ..settings.config import SearchConfig
from .contract import Strategy, checked


class _Row(NamedTuple):
    """Where a strategy is made, and the parts of the settings that give its state its shape."""

    module: str
    factory: str
    parts: tuple[str, ...] = ()


_ROWS = {
    "ppo": _Row("controller_search", "ppo_search"),
    "reinforce": _Row("controller_search", "reinforce_search"),
    "trpo": _Row("controller_search", "trpo_search"),
    "risk-seeking": _Row("risk_seeking", "risk_seeking_search"),
    "priority-queue": _Row("priority_queue", "priority_queue_search", ("priority_queue",)),
    "guided-evolution": _Row(
        "guided_evolution", "guided_evolution", ("guided_evolution", "batch_size")
    ),
    "dpo": _Row("preference_search", "preference_search", ("dpo",)),
    "rlhf": _Row("reward_model_search", "reward_model_search", ("judge_model",)),
    "imagination": _Row("imagination", "imagination", ("judge_model",)),
    "decision-transformer": _Row(
        "decision_transformer", "decision_transformer", ("decision_transformer",)
    ),
    "trajectory-transformer": _Row(
        "trajectory_transformer", "trajectory_transformer", ("trajectory_transformer",)
    ),
    "alphazero": _Row("alphazero", "alphazero", ("alphazero",)),
    "go-explore": _Row("go_explore", "go_explore", ("go_explore",)),
    "bayesian": _Row("bayesian", "bayesian_optimisation", ("bayesian",)),
    "mcts": _Row("tree_search", "tree_search", ("mcts",)),
    "evolution": _Row("evolution", "evolution", ("evolution",)),
    "random": _Row("random_search", "random_search"),
    "enumeration": _Row("enumeration", "enumeration"),
}


def names() -> tuple[str, ...]:
    """Returns the names that `make` accepts, besides "my_module:factory"."""
    return tuple(_ROWS)


def parts(name: str) -> tuple[str, ...]:
    """Returns the parts of a search's settings that must be equal for one to go on with another's strategy.

    Args:
      name: of a strategy; of a user's own nothing is known but the controller.
    """
    return ("controller", *(_ROWS[name].parts if name in _ROWS else ()))


def make(name: str, grammar: Grammar, config: SearchConfig) -> Strategy:
    """Builds a strategy.

    Args:
      name: a name of `names()`, or "my_module:factory": a function of the user's, called as
        factory(grammar, config), that returns a `Strategy`. The module may lie in the working
        directory.
      grammar: of the rules to propose.
      config: of the search; every strategy reads its own part of it.

    Returns:
      The strategy; a user's own is checked at every call.

    Raises:
      InvalidInput: no strategy has the name; or the user's module or factory cannot be found or
        fails, or gives something else.
    """
    if name in _ROWS:
        module, factory, _ = _ROWS[name]
        return getattr(importlib.import_module(f"{__package__}.{module}"), factory)(grammar, config)
    if ":" in name:
        return checked(
            call_own("strategy", name, Strategy, grammar=grammar, config=config), grammar, name
        )
    raise unknown_name("strategy", name, [*names(), "my_module:factory"])
