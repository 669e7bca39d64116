"""result: what a search found, and the files that hold it.

`result.json` is the document of `metarl search --json`; `comparison.json` holds the curves behind it, and the
two CSV files the same for a spreadsheet. All four are written once, at the end.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from metarl.reading import read_json_object
from metarl.reporting import write_csv, write_json
from metarl.runs import RESULT
from metarl.update_rules import LANGUAGE

from ..comparing.comparison import Comparison
from ..comparing.rederived import rederived_details
from ..comparing.tables import finalists_table, sensitivity_table
from ..selecting.choice import Choice

COMPARISON = "comparison.json"


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes:
      run_dir: where everything is.
      rules_sampled: rules proposed.
      rules_trained: distinct rules trained.
      duplicates: proposals that equalled an earlier rule.
      filtered: proposals dropped before training.
      failed: trained rules that diverged or were given up.
      seconds: wall-clock time of the search, without choice and comparison.
      best: the finalists, in the order of their score on choice data.
      random_best: the winner of random search at as many trained rules, if it ran.
      finalists: the comparison's document ({"problems": ..., "references": ...}).
      comparison: the comparison with its curves, as a plain document.
      selection: how the finalists were chosen, see `Funnel.select`; {} in runs from before it was kept.
      time: what the strategy cost beside training, see `TimeSpent.to_json`, in the session that ended the search; {}
        if the search was over when the run was resumed.
      language: what the rules' texts mean, see `metarl.update_rules.LANGUAGE`.
    """

    run_dir: str
    rules_sampled: int
    rules_trained: int
    duplicates: int
    filtered: int
    failed: int
    seconds: float
    best: list[Choice]
    random_best: Choice | None
    finalists: dict[str, Any]
    comparison: dict[str, Any]
    selection: dict[str, Any] = field(default_factory=dict)
    time: dict[str, float] = field(default_factory=dict)
    language: dict[str, Any] = field(default_factory=lambda: dict(LANGUAGE))

    @property
    def rules_per_second(self) -> float:
        """Distinct rules trained a second of search."""
        return self.rules_trained / self.seconds if self.seconds > 0 else 0.0

    @property
    def winner(self) -> Choice | None:
        """Rank 1 on choice data; None if no rule learnt anything."""
        return self.best[0] if self.best else None

    def to_json(self) -> dict[str, Any]:
        """Returns the document of `metarl search --json`."""
        random_best = None if self.random_best is None else self.random_best._asdict()
        return {
            "run_dir": self.run_dir,
            "rules_sampled": self.rules_sampled,
            "rules_trained": self.rules_trained,
            "duplicates": self.duplicates,
            "filtered": self.filtered,
            "failed": self.failed,
            "seconds": self.seconds,
            "rules_per_second": self.rules_per_second,
            "best": [choice._asdict() for choice in self.best],
            "finalists": self.finalists,
            "random_search": random_best,
            "selection": self.selection,
            "time": self.time,
            "language": self.language,
        }

    def write(self) -> None:
        """Writes all files; `result.json` last, for its presence means that the run is complete."""
        place = Path(self.run_dir)
        write_json(place / COMPARISON, self.comparison)
        write_csv(place / "finalists.csv", finalists_table(self.comparison))
        write_csv(place / "learning_rates.csv", sensitivity_table(self.comparison))
        write_json(place / RESULT, self.to_json())

    @classmethod
    def read(cls, run_dir: Path) -> SearchResult | None:
        """Returns the result of a complete run, None if there is none yet; its intervals and verdicts are of today."""
        path = run_dir / RESULT
        if not path.exists():
            return None
        document = read_json_object(path, beneath=run_dir)
        comparison = read_json_object(run_dir / COMPARISON, beneath=run_dir)
        random_best = document.pop("random_search")
        names = {field.name for field in dataclasses.fields(cls)}
        values = {name: value for name, value in document.items() if name in names}
        values |= {
            "run_dir": str(run_dir),
            "best": [Choice(**row) for row in document["best"]],
            "random_best": None if random_best is None else Choice(**random_best),
            "comparison": rederived_details(comparison),
            "language": document.get("language", {"version": 1}),
        }
        return cls(**values)


def finalists_document(comparison: Comparison, labels: list[str]) -> dict[str, Any]:
    """Returns `comparison.to_json()` with the rules named in `labels` under "problems", all others apart.

    The keys under each problem are then exactly the texts in `labels`; Adam and the other standard optimizers stand
    under "references" in the same form.
    """
    whole = comparison.to_json()["problems"]
    split: dict[str, Any] = {"problems": {}, "references": {}}
    for problem, entries in whole.items():
        split["problems"][problem] = {label: entries[label] for label in labels}
        split["references"][problem] = {k: v for k, v in entries.items() if k not in labels}
    return split
