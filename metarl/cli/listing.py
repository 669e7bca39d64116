"""list: what there is: problems, rules, optimizers, primitives, strategies, rule tables, environments, agents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import tyro

Kind = Literal[
    "problems",
    "rules",
    "optimizers",
    "primitives",
    "strategies",
    "tables",
    "environments",
    "agents",
]
Facts = dict[str, dict[str, Any]]  # name -> what one needs to choose

_STRATEGIES = {
    "ppo": "the controller, trained by proximal policy optimization",
    "reinforce": "the controller, trained by REINFORCE",
    "trpo": "the controller, trained by trust region policy optimization",
    "risk-seeking": "the controller, trained by the policy gradient of each generation's best quantile",
    "priority-queue": "the controller imitates the best rules so far",
    "guided-evolution": "the controller seeds evolution, whose best children train the controller",
    "dpo": "the controller, trained on which of two rules is better, by direct preference optimization",
    "rlhf": "the controller, trained by PPO in a reward model that was fitted to comparisons of rules",
    "imagination": "the controller, trained in a model of the judge, which also chooses what is tried in earnest",
    "decision-transformer": "a causal transformer that is asked for rules better than the best",
    "trajectory-transformer": "beam search by value in a causal transformer that foresees tokens and returns",
    "alphazero": "a tree search guided by the controller, which learns to choose what the search chose",
    "go-explore": "mutations of the best rules of little visited kinds of behaviour",
    "bayesian": "Bayesian optimisation: a Gaussian process over what rules do, children of the best as candidates",
    "mcts": "Monte Carlo tree search over prefixes of rules, the maximum backed up",
    "evolution": "regularised evolution",
    "random": "random rules, the yardstick",
    "enumeration": "every function of the space once, simplest first: Occam's yardstick",
}

# shown where there is room
_LEFT_OUT_FIRST = ("observation", "action", "horizon", "source", "found_here", "rounding")


@dataclass(frozen=True)
class Arguments:
    """Lists what there is, with what one needs to choose."""

    kind: Annotated[Kind, tyro.conf.Positional]
    """What to list."""
    json: bool = False
    """Print one JSON document on standard output, and nothing else there."""


def run(arguments: Arguments) -> dict[str, Facts]:
    """Returns {kind: {name: facts}}; with primitives come their spaces, with agents learners and trained ones."""
    match arguments.kind:
        case "problems":
            return {"problems": _problems()}
        case "rules":
            return {"rules": _rules()}
        case "optimizers":
            return {"optimizers": _optimizers()}
        case "primitives":
            return {"primitives": _primitives(), "spaces": _spaces()}
        case "strategies":
            return {"strategies": _strategies()}
        case "tables":
            return {"tables": _tables()}
        case "environments":
            return {"environments": _environments()}
        case "agents":
            return {
                "agents": _agents(),
                "learners_from_scratch": _learners(),
                "learners_from_offline_data": _offline_learners(),
                "trained_agents": _trained_agents(),
            }


def show(document: dict[str, Facts]) -> None:
    """Prints one table for each kind."""
    from metarl.reporting import Column, Table, print_table

    for kind, facts in document.items():
        rows = [row for name, fact in facts.items() for row in _table_rows(name, fact)]
        if rows:
            columns = [
                Column(
                    name,
                    name.replace("_", " "),
                    essential=name not in _LEFT_OUT_FIRST,
                    whole=name == "name",
                )
                for name in rows[0]
            ]
            print_table(Table(kind.replace("_", " "), columns, rows))


def _problems() -> Facts:
    from metarl.problems import cards

    facts = ("role", "family", "data", "metric", "chance", "steps", "needs_data")
    return {
        card.name: {fact: getattr(card, fact) for fact in facts}
        | {"tells_apart": not card.is_blunt}
        for card in cards()
    }


def _rules() -> Facts:
    from metarl.update_rules import NAMED_RULES

    facts = ("text", "source", "found_here", "learning_rate")
    return {name: {fact: getattr(row, fact) for fact in facts} for name, row in NAMED_RULES.items()}


def _optimizers() -> Facts:
    """Returns the standard optimizers, which `metarl compare` takes by name."""
    from metarl.optimizer_search import standard_facts

    return standard_facts()


def _primitives() -> Facts:
    from metarl.update_rules import BINARY, OPERANDS, UNARY, Primitive

    def written(row: Primitive) -> str:
        """Returns how a rule's text has it; `-` alone would name two of them."""
        if row.kind == "operand":
            return row.name
        if row.kind == "binary":
            return f"x {row.name} y"
        arguments = "x, k" if row.constant else "x"
        return f"{row.name}x" if row.precedence else f"{row.name}({arguments})"

    facts = ("kind", "meaning", "latex", "source")
    rows = (*OPERANDS.values(), *UNARY.values(), *BINARY.values())
    return {written(row): {fact: getattr(row, fact) for fact in facts} for row in rows}


def _spaces() -> Facts:
    from metarl.update_rules import SPACES

    facts = ("description", "operands", "unary", "binary")
    return {name: {fact: getattr(space, fact) for fact in facts} for name, space in SPACES.items()}


def _strategies() -> Facts:
    return {name: {"description": description} for name, description in _STRATEGIES.items()}


def _tables() -> Facts:
    """Returns the judges of every rule table that comes along, by table and judge."""
    from metarl.optimizer_search import load_table, table_bytes, table_names

    return {
        f"{name}: {judge.name}": {
            "rules": len(table.tokens),
            "family": judge.family,
            "role": judge.role,
            "steps": judge.steps,
            "replicates": len(judge.seeds),
            "rounding": judge.rounding,
            "bytes": table_bytes(name, judge.name),
        }
        for name in table_names()
        for table in (load_table(name),)
        for judge in table.judges
    }


def _environments() -> Facts:
    from metarl.environments import cards

    facts = ("description", "settings", "observation", "action", "horizon")
    return {card.name: {fact: getattr(card, fact) for fact in facts} for card in cards()}


def _agents() -> Facts:
    """Returns the classical agents; one that exists for several worlds has its facts from each."""
    from metarl.classical_agents import names, rows

    return {
        name: {
            "worlds": {
                row.world: {
                    "caption": row.caption,
                    "formula": row.formula,
                    "paper": row.paper,
                    "settings": {
                        setting: {
                            "default": s.default,
                            "accepted": s.accepted,
                            "meaning": s.meaning,
                        }
                        for setting, s in row.settings.items()
                    },
                    "presets": {preset: dict(values) for preset, values in row.presets.items()},
                }
                for row in rows()
                if row.name == name
            }
        }
        for name in names()
    }


def _learners() -> Facts:
    """Returns the learners from scratch; the grid is what --tune chooses from."""
    from metarl.rl_baselines import rows, settings_of

    return {
        row.name: {
            "caption": row.caption,
            "paper": row.paper,
            "actions": " or ".join(row.actions),
            "observations": " or ".join(row.observations) or "any",
            "settings": settings_of(row),
            "grid": {name: list(values) for name, values in row.grid.items()},
        }
        for row in rows()
    }


def _offline_learners() -> Facts:
    """Returns those that learn from random walks in training tasks, when they are named."""
    from metarl.rl_baselines import offline_rows, settings_of

    return {
        row.name: {"caption": row.caption, "paper": row.paper, "settings": settings_of(row)}
        for row in offline_rows()
    }


def _trained_agents() -> Facts:
    from metarl.rl_squared import agent_names, describe_trial, load, world_text

    agents = {name: load(name) for name in agent_names()}
    return {
        name: {
            "world": world_text(describe_trial(agent.trial)),
            "warm_start": agent.config.warm_start,
            "distilled": agent.distilled,
            "variance_reduction": agent.variance_reduction,
            "auxiliary_weight": agent.auxiliary_weight,
            "validation_return": agent.scores.get("validation_return"),
            "env_steps": agent.scores.get("env_steps"),
        }
        for name, agent in agents.items()
    }


def _table_rows(name: str, facts: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the facts as a table shows them: no LaTeX, of a list its length, of an agent its worlds."""
    if "worlds" in facts:
        return [
            {
                "name": name,
                "world": world,
                "caption": row["caption"],
                "settings": _settings_text({k: v["default"] for k, v in row["settings"].items()}),
            }
            for world, row in facts["worlds"].items()
        ]
    learning = ("learning_rate", "variance_reduction", "auxiliary_weight", "distilled")
    left_out = ("latex", "needs_data", "grid", *learning)
    return [{"name": name} | {k: _readable(v) for k, v in facts.items() if k not in left_out}]


def _readable(value: Any) -> Any:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return len(value)
    return _settings_text(value) if isinstance(value, dict) else value


def _settings_text(settings: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in settings.items() if value is not None)
