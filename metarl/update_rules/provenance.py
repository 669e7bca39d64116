"""Provenance: where a rule was found, said at the head of every exported file."""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass

from metarl.errors import require

_LONGEST = 500
_FALLS = "(up over the first 5 % of the steps, then down to zero)"
_SCHEDULES = {
    "constant": "",
    "warm-up": ", after a rise over the first 5 % of the steps",
    "linear": f", as the peak of a linear schedule {_FALLS}",
    "cosine": f", as the peak of a cosine schedule {_FALLS}",
    "linear-cosine": ", as the beginning of the paper's linear cosine decay",
}


@dataclass(frozen=True)
class Provenance:
    """Where a rule comes from; what is not known is None.

    Attributes:
      found_in: the paper, or the run that found it.
      problem: the problem, or problems, on which it was found.
      seed: the random seed of that run.
      metarl_version: the version of metarl that found it.
      learning_rate: the one that suits it.
      adam_learning_rate: the one that was found for Adam in the same way.
      tuned_on: what both were found on: a problem, or problems.
      schedule: the learning-rate schedule whose highest rate that is, as `metarl compare --schedules` names it.
      note: anything else worth knowing, in a sentence.
    """

    found_in: str | None = None
    problem: str | None = None
    seed: int | None = None
    metarl_version: str | None = None
    learning_rate: float | None = None
    adam_learning_rate: float | None = None
    tuned_on: str | None = None
    schedule: str | None = None
    note: str | None = None

    def __post_init__(self):
        for name in ("learning_rate", "adam_learning_rate"):
            rate = getattr(self, name)
            require(
                rate is None or (math.isfinite(rate) and rate > 0.0),
                f"{name} is a positive number; received {rate}.",
            )

    def lines(self) -> list[str]:
        """Returns what is known, one fact a line."""
        facts = {
            "Found in": self.found_in,
            "Found on": self.problem,
            "Seed": self.seed,
            "Found with metarl": self.metarl_version,
            "Note": self.note,
        }
        known = [f"{name}: {plain(str(fact))}" for name, fact in facts.items() if fact is not None]
        return [*known, f"Learning rate: {self._advice()}"]

    def _advice(self) -> str:
        if self.learning_rate is None:
            return "not measured; try a grid of half-decades around Adam's."
        place = f" on {plain(self.tuned_on)}" if self.tuned_on else ""
        name = self.schedule or "constant"
        place += _SCHEDULES.get(name, f", under the schedule {plain(name)}")
        if self.adam_learning_rate is None:
            return f"{self.learning_rate:.3g}{place}."
        return f"{self.learning_rate:.3g}{place}, where Adam's is {self.adam_learning_rate:.3g}."


def plain(text: str) -> str:
    """Returns text that is safe inside a raw triple-quoted string: one line, no double quotes, printable."""
    printable = (
        character if character.isprintable() and unicodedata.category(character) != "Cf" else " "
        for character in text
    )
    return " ".join("".join(printable).replace('"', "'").split())[:_LONGEST].rstrip("\\ ")
