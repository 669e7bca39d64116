"""leaders: what the rule that leads a search is worth for real, after so many trained rules.

A rule leads by its reward in the search, from the end of the generation that trained it until one with a higher reward
has come; before the first generation has ended nobody does. Its true score is taken on fresh seeds beside Adam
(fresh.py), tuned about the rates that it had in the search. Whoever led several searches of one seed, or one of them at
several positions, is measured once.

Each search's leaders are a part, and each leader's true score is another, so positions may be added later.

Letters: M positions, N generations, F fresh seeds, L tokens, J judges.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from metarl.runs import RunDirectory

from ..reports.figures import column
from ..searching.records import Leader, Records
from ..searching.search_state import SearchState
from .fresh import FreshJudges
from .searches import Log, search_directory
from .work import Work

_DIGEST = 16  # digits in the name of a part


def leaders(
    work: Work,
    place: str,
    seed: int,
    positions: Sequence[int],
    ended: Callable[[], SearchState],
    judges: Callable[[], FreshJudges],
) -> Log:
    """Returns what leads one search at each position, and how its clock went.

    Args:
      work: whose parts they are.
      place: name of the search's directory.
      seed: of the search.
      positions: numbers of trained rules, [M].
      ended: gives the search's end, which may take its time; asked where its leaders are not known yet.
      judges: gives those of the seed on fresh seeds; asked where a leader was not measured yet.

    Returns:
      "led_scores": of each position's leader by fresh seed, the mean over judges, [M, F], NaN where nobody led;
      "led_rules": [M] as texts, "" where nobody led; "led_since": rules trained when each that ever led began to, in
      their order; "seconds": since the search began, without compiling, [N].
    """
    kept = work.arrays(f"{place}-leaders", lambda: _of_search(work, place, ended()))
    records = Records.from_arrays({n: kept[n] for n in Leader._fields if n in kept})
    led = [records.at(position) for position in positions]
    measured = [None if one is None else _measured(work, seed, one, judges) for one in led]
    fresh = max((len(one["fresh_scores"]) for one in measured if one is not None), default=1)
    nobody = np.full(fresh, np.nan)
    return {
        "led_scores": np.stack([nobody if m is None else m["fresh_scores"] for m in measured]),
        "led_rules": np.array(["" if m is None else str(m["rule"]) for m in measured]),
        "led_since": kept.get("trained", np.zeros(0, np.int64)),
        "seconds": kept["seconds"],
    }


def _of_search(work: Work, place: str, state: SearchState) -> dict[str, Any]:
    """Returns all that led a search, and its seconds less those of compiling, nearly all at its beginning."""
    run = RunDirectory.open(search_directory(work, place))
    compiling = float((run.outcome or {}).get("compile_seconds", 0.0))
    seconds = np.maximum(column(run.metrics.rows(), "seconds") - compiling, 0.0)
    return {**state.records.to_arrays(), "seconds": seconds}


def _measured(
    work: Work, seed: int, leader: Leader, judges: Callable[[], FreshJudges]
) -> Mapping[str, np.ndarray]:
    """Returns the true score of a leader, and its text."""
    tokens = np.asarray(leader.tokens, np.int32)
    rates = np.asarray(leader.learning_rates, np.float32)
    digest = hashlib.sha256(tokens.tobytes() + rates.tobytes()).hexdigest()[:_DIGEST]

    def measure() -> Mapping[str, Any]:
        fresh = judges()
        rule = str(fresh.panel.grammar.to_rule(tokens).canonical())
        work.say(f"seed {seed}: {rule}, which led a search, on fresh seeds")
        return {"fresh_scores": fresh.less_adams(tokens, rates).replicates[0], "rule": rule}

    return work.arrays(f"leader-seed-{seed}-{digest}", measure)
