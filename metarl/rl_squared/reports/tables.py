"""Tables of evaluations, made from their documents."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from metarl.reporting import Column, Table, counted
from metarl.statistics import Mean

from ..evaluating.entrants import FOLLOWED
from ..evaluating.worlds import otherwise_in_words

_BUDGETS = ("episodes", "trial_steps")
_DISTILLED = {
    "algorithm distillation": "Algorithm distillation: it learnt, without reinforcement, to do what that agent "
    "does next in histories of its learning.",
    "decision-pretrained": "Decision-pretrained: it learnt, without reinforcement, which action is best in the "
    "task, where that agent and itself had acted.",
}


def evaluation_table(document: Mapping[str, Any]) -> Table:
    """Returns the agents of an evaluation, the best first; learnt ones are pointed out.

    Args:
      document: of `Evaluation.to_json`, or the same read from a file.
    """
    agents = {**document["yardsticks"], **document["agents"]}
    ranked = sorted(agents, key=lambda text: -agents[text]["return"]["mean"])
    learnt = [text for text in ranked if "greedy_actions" in agents[text]]
    first = document["differences"]["to"]
    rows = [_row(text, agents[text], document) for text in ranked]
    columns = [
        Column("agent"),
        Column("return", "return of a trial"),
        Column("difference", f"difference to {first}", better="higher"),
        Column("normalised", "0 random, 1 oracle", essential=False),
        Column("greedy", "by likeliest actions", essential=False),
        Column("first_episode", "first episode", essential=False),
        Column("last_episode", "last episode", essential=False),
    ]
    shown = [column for column in columns if any(row[column.name] is not None for row in rows)]
    rows = [{column.name: row[column.name] for column in shown} for row in rows]
    notes = ["Intervals: 95 %, normal, over tasks. Differences: by task, with the same luck."]
    if document["warm_started"]:
        notes.append("Warm start: it imitated that agent before it was reinforced.")
    distilled = document.get("distilled", {})  # evaluations of before have none
    notes += [
        note for name, note in _DISTILLED.items() if any(name in how for how in distilled.values())
    ]
    if document.get("control_variates"):
        notes.append(
            "Control variate: in training, what the simulator knows was taken out of the rewards it "
            "learnt from; it acts without."
        )
    if document.get("auxiliary_losses"):
        notes.append(
            "Auxiliary loss: in training, its memory learnt to predict what the simulator knows of the state; it acts "
            "without."
        )
    if document.get("inputs"):
        notes.append(
            "Inner values: it is shown what an inner learner believes (RL³): how rarely each action was taken in a "
            "state and its value in a model counted from the trial, or where plans lead in a map drawn on the way."
        )
        if any(FOLLOWED in inputs for inputs in document["inputs"].values()):
            notes.append(
                "Followed at first: before it had learnt anything it went by such values, with a bonus for what is "
                "unknown (--network.inner-trust)."
            )
    elsewhere = document.get("trained_otherwise", {})  # evaluations of before have none
    notes += [otherwise_in_words(text, otherwise) for text, otherwise in elsewhere.items()]
    doubts = document.get("doubts", {})  # evaluations of before have none
    notes += [f"† {text} {'; '.join(doubts[text])}." for text in ranked if text in doubts]
    title = f"{world_text(document['environment'])}: {counted(document['tasks'], 'test task')}"
    return Table(title, shown, rows, notes, [ranked.index(text) for text in learnt])


def world_text(environment: Mapping[str, Any]) -> str:
    """Returns an environment and the budget of a trial as people read it."""
    settings = [
        f"{name}={value}"
        for name, value in environment.items()
        if name != "name" and name not in _BUDGETS
    ]
    budget = next(name for name in _BUDGETS if name in environment)
    number = environment[budget]
    unit = "episode" if budget == "episodes" else "step"
    plural = "" if number == 1 else "s"
    return f"{environment['name']}({', '.join(settings)}), trials of {number} {unit}{plural}"


def read_mean(value: Mapping[str, float | None] | None) -> Mean | None:
    """Returns the interval that JSON holds; a bound that is null there is infinite."""
    if value is None:
        return None
    mean, error, low, high = (value[name] for name in Mean._fields)
    assert mean is not None
    return Mean(
        mean,
        math.inf if error is None else error,
        -math.inf if low is None else low,
        math.inf if high is None else high,
    )


def _row(text: str, score: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    marks = {
        "warm start": document["warm_started"].get(text),
        "control variate": document.get("control_variates", {}).get(text),
        "auxiliary loss": document.get("auxiliary_losses", {}).get(text),
        "inputs": document.get("inputs", {}).get(text),
    }
    told = [document.get("distilled", {}).get(text)]
    told += [f"{name}: {value}" for name, value in marks.items() if value]
    told = ", ".join(filter(None, told))
    mark = " †" if text in document.get("doubts", {}) else ""
    episodes = score["per_episode"]
    greedy = score.get("greedy_actions", {}).get("return")
    return {
        "agent": f"{text} ({told})" if told else f"{text}{mark}",
        "return": read_mean(score["return"]),
        "difference": read_mean(document["differences"]["agents"].get(text)),
        "normalised": read_mean(score["normalised"]),
        "greedy": read_mean(greedy),
        "first_episode": episodes[0] if len(episodes) > 1 else None,
        "last_episode": episodes[-1] if len(episodes) > 1 else None,
    }
