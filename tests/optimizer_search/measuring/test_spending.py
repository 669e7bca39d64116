"""Schedules replayed on a table: against loops over single rules, and where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from made_up_table import made_up_table

from metarl.optimizer_search import load_table
from metarl.optimizer_search.measuring.spending import (
    ChoiceSchedule,
    Searched,
    SearchSchedule,
    Spent,
    Training,
    World,
    choose,
    in_random_order,
    proposed_by,
    search,
    spend,
    steps_for,
    steps_ratio,
)
from metarl.optimizer_search.reproduction.racing import (
    FIXED,
    HALVING,
    RACING,
    REJECTING,
    WIDE,
    rejecting,
)
from metarl.optimizer_search.screening.probes import BLOCKS, COORDINATES
from metarl.optimizer_search.screening.sizes import predicted_log_rates
from metarl.optimizer_search.searching.earnings import train
from metarl.optimizer_search.searching.search_job import SearchJob
from metarl.optimizer_search.settings.config import SearchConfig
from metarl.optimizer_search.strategies import Proposals, Strategy
from metarl.optimizer_search.tables import table_programs
from metarl.optimizer_search.tables.table_programs import TablePrograms, table_outputs
from metarl.update_rules import parse

EVERY = SearchSchedule(7, 0.5, ((1.0, 3),))
RACE = SearchSchedule(3, 0.25, ((0.5, 1), (0.25, 2)), generation=8)


@pytest.fixture(scope="module")
def world():
    table = made_up_table(rules=40, diverging=0.03)
    updates = np.exp(np.random.default_rng(0).normal(0, 2, (40, BLOCKS * COORDINATES)))
    return World(table, table.judges[0], updates, adam=0)


def test_a_rate_is_guessed_from_the_size_of_an_update():
    adam = np.full(BLOCKS * COORDINATES, 0.1)
    failed, nothing = adam * np.nan, adam * 0
    found = predicted_log_rates(
        np.stack([adam, adam * 10, adam / 100, failed, nothing]), adam, 1e-2
    )
    np.testing.assert_allclose(found, [-2, -3, 0, -2, -2], atol=1e-6)


@pytest.mark.parametrize("schedule", [EVERY, RACE])
def test_a_search_is_what_a_loop_over_rules_does(world, schedule):
    order = np.random.default_rng(5).permutation(40)[:20]
    found = search(world, schedule, order, np.random.default_rng(9))
    runs = sum(new for _, new in schedule.rungs)
    short, *full = np.random.default_rng(9).integers(8, size=1 + runs).tolist()
    moment = {0.25: 1, 0.5: 2}[schedule.fraction]

    state = {}
    for rule in order.tolist():
        scores = world.along[moment, rule, :, short]
        taken = np.minimum(world.taken[rule, :, short], schedule.fraction)
        tried = [r for r in world.tried(schedule.decades)[rule]]
        best = max(tried, key=lambda r: scores[r])
        tried += [best - 1, best + 1]
        two = sorted(tried, key=lambda r: -scores[r])[:2]
        dead = not scores[two[0]] > world.start[short]
        score = -5.0 if dead or not np.isfinite(scores[two[0]]) else scores[two[0]]
        state[rule] = dict(
            two=two, dead=dead, score=score, steps=sum(taken[r] for r in tried), rung=0
        )
    for first in range(0, 20, schedule.generation):
        members = order[first : first + schedule.generation].tolist()
        going, done = [rule for rule in members if not state[rule]["dead"]], 0
        for number, (share, new) in enumerate(schedule.rungs, 1):
            going = sorted(going, key=lambda rule: -state[rule]["score"])
            going = going[: int(np.ceil(share * len(members)))]
            for rule in going:
                one = state[rule]
                means = []
                for rate in one["two"]:
                    means.append(np.mean(world.along[-1, rule, rate, full[: done + new]]))
                    one["steps"] += world.taken[rule, rate, full[done : done + new]].sum()
                one["score"] = max(means) if np.isfinite(max(means)) else -5.0
                one["place"] = one["two"][int(np.argmax(means))]
                one["rung"] = number
            done += new
    for rule, one in state.items():
        assert found.rung[rule] == one["rung"]
        assert found.score[rule] == pytest.approx(one["score"], abs=1e-5)
        assert found.steps[rule] == pytest.approx(one["steps"], abs=1e-5)
        assert one["rung"] == 0 or found.place[rule] == one["place"]
    assert (
        schedule is EVERY or 0 < (found.rung[order] == 2).sum() < (found.rung[order] == 1).sum() + 9
    )


class Dealt(np.random.Generator):
    """Draws the replicates that a search job on a table was dealt."""

    def __init__(self, deal):
        super().__init__(np.random.PCG64(0))
        self.places = [*deal.sweep, *deal.full]

    def integers(self, replicates, *, size):  # type: ignore[override]
        assert size == len(self.places)
        return np.array(self.places)


@pytest.mark.parametrize("judge", ["quadratic", "digits-mlp"])
def test_a_generation_is_raced_and_told_in_the_order_in_which_a_search_job_has_it(judge):
    table = load_table("sign-1")
    config = SearchConfig(problem=(judge,), space="sign", depth=1, seed=2, racing=True)
    programs = SearchJob(config, programs=table_programs(table)).programs
    assert isinstance(programs, TablePrograms)
    members = np.random.default_rng(1).permutation(len(table.tokens))[:40]
    sorting = programs.sort(table.tokens[members], {})
    earned = train(table.tokens[members], sorting, programs)
    adam = int(table.place_of(table.grammar.to_tokens(parse("adam"))[None])[0])
    world = World(table, table.judge(judge), table_outputs(table).update, adam)
    training = Training(world, RACING, Dealt(programs.deal))
    told = training.train(members)
    assert earned is not None
    went_on = np.isfinite(earned.losses[:, 0])
    # by one tuned Adam here, by one for each set of replicates there: the order is the same, and lowering may differ
    np.testing.assert_array_equal(training.known.rung[members] == 1, went_on)
    for some in (went_on, ~went_on):
        ours, theirs = told[some], earned.rewards[some]
        assert (np.argsort(-ours, kind="stable") == np.argsort(-theirs, kind="stable")).all()
    assert told[went_on].min() >= told[~went_on].max()
    assert training.known.steps[members].sum() * table.judge(judge).steps == pytest.approx(
        earned.steps
    )


def listed(table, order, told):
    """Proposes the rules of a table in a given order, and keeps what it is told."""

    def ask(key, state, count):
        rows = order[np.arange(state, state + count) % len(order)]
        return state + count, Proposals(table.tokens[rows])

    def tell(key, state, proposals, feedback):
        told.append(feedback.rewards)
        return state, {}

    return Strategy(lambda key: 0, ask, tell)


def test_what_a_strategy_proposes_is_trained_in_its_generations_and_told_once_and_for_all(world):
    table, order = made_up_table(rules=40, diverging=0.03), np.random.default_rng(7).permutation(40)
    each: list[np.ndarray] = []
    strategy = listed(table, order, each)
    one = proposed_by(strategy, table.place_of, world, RACE, 40, RACE.generation, seed=3)
    trained, known = one(5)
    assert trained.tolist() == order.tolist()
    expected = search(world, RACE, order, np.random.default_rng([3, 5, 1]))
    for ours, theirs in zip(known, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    told = np.concatenate(each)
    last = known.rung[order] == len(RACE.rungs)
    np.testing.assert_allclose(told[last], known.score[order][last], rtol=1e-6)
    for first in range(0, 40, RACE.generation):
        here = slice(first, first + RACE.generation)
        good = told[here][last[here]]
        assert told[here][~last[here]].max() <= good[good > -5].min()


def test_successive_rejects_have_the_runs_of_their_formula():
    rounds = rejecting(4, 100)
    # log(4) = 1/2 + 1/2 + 1/3 + 1/4; 96 over that and over 4, 3, 2
    assert [rules for rules, _ in rounds] == [4, 3, 2]
    assert np.cumsum([runs for _, runs in rounds]).tolist() == [16, 21, 31]
    assert sum(rules * runs for rules, runs in REJECTING.rounds) <= 32 * 48
    for schedule in (FIXED, HALVING, WIDE, REJECTING):  # all entrants are tuned at five rates
        entrants, left = schedule.rounds[0][0], schedule.rounds[-1][0]
        runs = sum(rules * new for rules, new in schedule.rounds) + left * schedule.report
        assert 2480 <= 5 * schedule.tuning * entrants + runs <= 2496


def test_a_choice_without_noise_hands_the_best_over_and_counts_its_runs(world):
    table = made_up_table(rules=40, noise=0.0, diverging=0.0)
    sure = World(table, table.judges[0], np.ones((40, BLOCKS * COORDINATES)), adam=0)
    best = sure.choice.mean(axis=2)
    found = Searched(np.ones(40, int), best.max(axis=1), best.argmax(axis=1), np.zeros(40))
    ranked = np.random.default_rng(0).permutation(40)
    schedule = ChoiceSchedule(2, ((16, 1), (4, 3)), weight=2, report=5)
    winner, spent = choose(sure, schedule, ranked, found, np.random.default_rng(1))
    assert winner == max(ranked[:16], key=lambda rule: best[rule].max())
    assert spent == 16 * 5 * 2 + 16 * 1 + 4 * 3 + 4 * 5
    assert choose(sure, schedule, ranked[:0], found, np.random.default_rng(1)) == (-1, 0.0)


def test_searches_that_differ_in_their_choice_share_all_else_and_more_rules_cost_more(world):
    fixed, halving = ChoiceSchedule(2, ((8, 6),)), ChoiceSchedule(1, ((12, 2), (4, 4)), 4)
    search_once = in_random_order(world, RACE, 30, seed=3)
    one, other = spend(world, search_once, (fixed, halving), [10, 30], searches=6, seed=3)
    np.testing.assert_array_equal(one.search, other.search)
    assert (one.search[:, 1] > one.search[:, 0]).all()
    alone = spend(world, search_once, (halving,), [10, 30], searches=6, seed=3)[0]
    for x, y in zip(alone, other, strict=True):
        np.testing.assert_array_equal(x, y)
    assert set(np.unique(one.true)) <= set(world.truth)


def test_the_ratio_of_steps_of_searches_twice_as_dear_is_a_half():
    steps, curve = np.array([10.0, 20.0, 40.0]), np.array([0.0, 0.2, 0.1])
    assert steps_for(steps, curve, -1) == 10 and steps_for(steps, curve, 1) == np.inf
    assert steps_for(steps, curve, 0.075) == pytest.approx(
        10 * 2**0.5
    )  # half-way to the mean of a fall
    true = np.random.default_rng(0).normal([0.0, 0.1, 0.3], 0.01, (30, 3))
    half, whole = (
        Spent(true, true > 0, np.tile(cost * steps, (30, 1)), np.zeros((30, 3))) for cost in (1, 2)
    )
    found = steps_ratio(half, whole, 1, resamples=50)
    assert (found.estimate, found.low, found.high) == pytest.approx((0.5, 0.5, 0.5))
