"""Whether decays are why racing's rules are worse on `sign-2-size-5`: the same searches without rules that have one.

On a table a short run is the beginning of a long one, so a decay is hardly seen there. For each judge, the true score
of what a search hands over that races, less that of one which runs every rule in full; half of the rules are trained,
all of the table's or those without decays.

    python decays.py > decays.csv
"""

from __future__ import annotations

import copy
import csv
import re
import sys

import numpy as np

from metarl.optimizer_search import load_table
from metarl.optimizer_search.measuring.spending import (
    ChoiceSchedule,
    SearchSchedule,
    World,
    in_random_order,
    spend,
)
from metarl.optimizer_search.reproduction.racing import EVERY_RULE, FIXED, HALVING, RACING
from metarl.optimizer_search.tables.table_programs import table_outputs
from metarl.statistics import mean_interval

SEARCHES, SEED = 100, 0
DECAY = re.compile(r"\b(ld|cd|cd10|rd10|rd20)\b")


def main() -> None:
    table = load_table("sign-2-size-5")
    rules = [str(table.rule(place)) for place in range(len(table.tokens))]
    decays = np.array([DECAY.search(rule) is not None for rule in rules])
    updates, adam = table_outputs(table).update, rules.index("adam")
    rows = csv.writer(sys.stdout, lineterminator="\n")
    rows.writerow(["judge", "rules", "in_all", "every_rule", "racing_less_that", "low", "high"])
    for judge in table.judges:
        world = World(table, judge, updates, adam)
        for name, kept in (
            ("all", np.arange(len(rules))),
            ("without decays", np.flatnonzero(~decays)),
        ):
            every, raced = (
                handed_over(of_some(world, kept), *way)
                for way in ((EVERY_RULE, FIXED), (RACING, HALVING))
            )
            found = mean_interval(raced - every)
            numbers = (every.mean(), found.mean, found.low, found.high)
            rows.writerow([judge.name, name, len(kept), *(f"{x:.3f}" for x in numbers)])


def of_some(world: World, kept: np.ndarray) -> World:
    """Returns the world with some of its rules alone."""
    part = copy.copy(world)
    part.along, part.choice = world.along[:, kept], world.choice[kept]
    part.truth, part.taken = world.truth[kept], world.taken[kept]
    part.nearest = world.nearest[kept]
    return part


def handed_over(world: World, schedule: SearchSchedule, choice: ChoiceSchedule) -> np.ndarray:
    """Returns the true scores of what searches hand over that train half of the rules, [n]."""
    rules = len(world.truth) // 2
    one = in_random_order(world, schedule, rules, SEED)
    return spend(world, one, (choice,), [rules], SEARCHES, SEED)[0].true[:, 0]


if __name__ == "__main__":
    main()
