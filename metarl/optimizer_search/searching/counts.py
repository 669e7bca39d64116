"""counts: how many rules went which way, and the row that is logged of a generation.

Letters: K rules of a generation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from metarl.reporting import counted

from ..screening import filters
from .sorting import Sorting


@dataclass(frozen=True)
class Counts:
    """How many rules went which way; every sampled rule is counted once below it."""

    generation: int = 0
    sampled: int = 0
    trained: int = 0
    failed: int = 0  # of the trained: diverged somewhere, or not worth a full run
    repeated: int = 0
    filtered: Mapping[str, int] = field(default_factory=dict)  # by reason
    beyond_budget: int = 0
    steps: int = 0  # optimizer steps executed
    barren: int = 0  # generations since the last that trained a rule

    def after(self, sorting: Sorting, rewards: np.ndarray, floor: float, steps: int) -> Counts:
        """Returns the counts after another generation.

        Args:
          sorting: of its rules.
          rewards: of its rules, [K].
          floor: the reward of a trained rule that failed.
          steps: that were executed for it.
        """
        here = filters.counts(sorting.reasons)
        del here[str(filters.Verdict.PASSES)]
        filtered = {name: self.filtered.get(name, 0) + count for name, count in here.items()}
        unseen = int((sorting.passes & ~sorting.repeated).sum())
        return Counts(
            self.generation + 1,
            self.sampled + len(rewards),
            self.trained + len(sorting.new),
            self.failed + int((rewards[sorting.new] <= floor).sum()),
            self.repeated + int(sorting.repeated.sum()),
            filtered,
            self.beyond_budget + unseen - len(sorting.new),
            self.steps + steps,
            0 if len(sorting.new) else self.barren + 1,
        )


def barren_text(counts: Counts, batch_size: int, max_size: int | None = None) -> str:
    """Returns why a search ended before its budget, and what may help."""
    reasons = sorted(counts.filtered.items(), key=lambda item: -item[1])
    lost = ", ".join(f"{count:,} {reason}" for reason, count in reasons if count)
    shown = f" ({lost})" if lost else ""
    larger = "A larger --space or --depth has more rules"
    if max_size is not None:
        larger = (
            f"There may be no others of at most {counted(max_size, 'node')}: without --filters.max-size {max_size} "
            "there are more rules"
        )
    return (
        f"The last {counts.barren * batch_size:,} rules held none that passes the filters and is new, so the search "
        f"ends with {counts.trained:,}. Of {counts.sampled:,} rules {counts.repeated:,} were met before and "
        f"{sum(counts.filtered.values()):,} filtered{shown}. {larger}; `metarl search --help` lists "
        "the --filters."
    )


def generation_row(
    counts: Counts,
    sorting: Sorting,
    rewards: np.ndarray,
    best_reward: float | None,
    best_rule: str | None,
) -> dict[str, Any]:
    """Returns what is logged of a generation, beside what the strategy learnt.

    Args:
      counts: after it.
      sorting: of its rules.
      rewards: of its rules, [K].
      best_reward: of the archive; None if that is empty.
      best_rule: of the archive, as a text; None if that is empty.
    """
    trained = rewards[sorting.new]
    return {
        "sampled": counts.sampled,
        "trained": counts.trained,
        "failed": counts.failed,
        "repeated": counts.repeated,
        "filtered": sum(counts.filtered.values()),
        "distinct_share": sorting.distinct / len(rewards),
        "mean_reward": float(trained.mean()) if len(trained) else None,
        "better_than_adam": float((trained > 0).mean()) if len(trained) else None,
        "best_reward": best_reward,
        "best_rule": best_rule,
        "steps": counts.steps,
    }


def describe(row: Mapping[str, Any]) -> str:
    """Returns the line that the progress display shows of a generation."""
    if not row.get("best_rule"):
        return "no rule has learnt yet"
    mean = row["mean_reward"]
    parts = [f"best {row['best_reward']:+.3f}  {row['best_rule']}"]
    if mean is not None:
        parts.append(f"mean {mean:+.2f}")
    parts.append(f"distinct {row['distinct_share']:.0%}")
    if "entropy" in row:
        parts.append(f"entropy {row['entropy']:.2f}")
    parts.append(f"failed {row['failed']}, repeated {row['repeated']}")
    return " · ".join(parts)
