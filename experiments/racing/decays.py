"""Whether decays are why racing's rules are worse on `sign-2-size-6`, and what it costs where they run their course.

On a table a short run is the beginning of a long one, so a decay is hardly seen there; in a search that trains it runs
its course in the short run, too. For each judge, the true score of what a search hands over that races, less that of
one which runs every rule in full. Half of the rules are trained, of all the table's or of those without decays; and
once more racing trains all of them, which takes it about half of the other's steps ("share_of_steps"):

    beginnings      a short run is the beginning of a full one
    own runs        a short run is one by the judge of a quarter of the steps: decays run their course, and start and
                    data are others, as in a search

    python decays.py > decays.csv
"""

from __future__ import annotations

import copy
import csv
import re
import sys

import numpy as np

from metarl.optimizer_search import load_table
from metarl.optimizer_search.judging.rewards import relative_scores
from metarl.optimizer_search.measuring.spending import (
    ChoiceSchedule,
    SearchSchedule,
    Spent,
    World,
    in_random_order,
    spend,
)
from metarl.optimizer_search.reproduction.racing import EVERY_RULE, FIXED, HALVING, RACING
from metarl.optimizer_search.tables import RuleTable, TableJudge
from metarl.optimizer_search.tables.sweeping import CHECKPOINTS
from metarl.optimizer_search.tables.table_programs import table_outputs
from metarl.statistics import mean_interval

SEARCHES, SEED = 100, 0
DECAY = re.compile(r"\b(ld|cd|cd10|rd10|rd20)\b")
SHORT = {"quadratic x4": "quadratic"}  # else NAME x0.25


def main() -> None:
    table = load_table("sign-2-size-6")
    rules = [str(table.rule(place)) for place in range(len(table.tokens))]
    decays = np.array([DECAY.search(rule) is not None for rule in rules])
    updates, adam = table_outputs(table).update, rules.index("adam")
    rows = csv.writer(sys.stdout, lineterminator="\n")
    racing = ("racing_less_that", "low", "high", "share_of_steps")
    names = ("judge", "rules", "in_all", "short_runs", "every_rule", *racing)
    rows.writerow([*names, *(f"twice_the_rules_{name}" for name in racing)])
    everyone, steady = np.arange(len(rules)), np.flatnonzero(~decays)
    for judge in table.whole_judges:
        world = World(table, judge, updates, adam)
        own = with_short_runs_of_their_own(world, table, judge)
        for name, kept in (("all", everyone), ("without decays", steady)):
            half = len(kept) // 2
            every = searched(of_some(world, kept), EVERY_RULE, FIXED, half)
            for short, raced_in in (("beginnings", world), ("own runs", own)):
                numbers = [every.true.mean()]
                for count in (half, len(kept)):
                    raced = searched(of_some(raced_in, kept), RACING, HALVING, count)
                    found = mean_interval((raced.true - every.true)[:, 0])
                    share = raced.search.mean() / every.search.mean()
                    numbers += [found.mean, found.low, found.high, share]
                shown = (f"{x:.3f}" for x in numbers)
                rows.writerow([judge.name, name, len(kept), short, *shown])


def with_short_runs_of_their_own(world: World, table: RuleTable, judge: TableJudge) -> World:
    """Returns the world in which a quarter run is one of the judge that has a quarter of the steps.

    Its losses are set beside those of Adam's full runs on the replicates of the same numbers, as all scores of the
    world are: the same factor for all rules.
    """
    short = table.judge(SHORT.get(judge.name, f"{judge.name} x0.25"))
    assert 4 * short.steps == judge.steps
    at, own = CHECKPOINTS.index(RACING.fraction), copy.copy(world)
    reference = judge.adam["search"]
    own.along, own.adam_along = world.along.copy(), world.adam_along.copy()
    own.along[at] = relative_scores(table.losses(short)[..., -1], reference)  # [K, R, S]
    own.adam_along[at] = relative_scores(short.adam_runs["search"].min(axis=0)[:, -1], reference)
    own.start = relative_scores(short.start, reference)
    return own


def of_some(world: World, kept: np.ndarray) -> World:
    """Returns the world with some of its rules alone."""
    part = copy.copy(world)
    part.along, part.choice = world.along[:, kept], world.choice[kept]
    part.truth, part.taken = world.truth[kept], world.taken[kept]
    part.nearest = world.nearest[kept]
    return part


def searched(world: World, schedule: SearchSchedule, choice: ChoiceSchedule, rules: int) -> Spent:
    """Returns what searches come to that train so many rules, [n, 1] each."""
    one = in_random_order(world, schedule, rules, SEED)
    return spend(world, one, (choice,), [rules], SEARCHES, SEED)[0]


if __name__ == "__main__":
    main()
