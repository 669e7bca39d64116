"""What a search is shown of a table, and the truth that is kept from it, against loops over the raw arrays."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from made_up_table import made_up_table

from metarl.errors import InvalidInput
from metarl.optimizer_search.measuring.views import TableViews, draw_replicates

WHOLE = (1, 3, 5, 7, 9, 11, 13)  # places of the whole decades


def one_score(losses, adam):
    """The mean over runs of -log(loss / Adam's), clipped; None if one diverged."""
    if not all(math.isfinite(x) for x in losses):
        return None
    return float(
        np.mean(
            [
                max(-5.0, min(5.0, math.log(a) - math.log(x)))
                for x, a in zip(losses, adam, strict=True)
            ]
        )
    )


def search_of(table, judge, rule, draw):
    """Returns the place of the rate, the score of the full runs and the steps, as a search would run one rule."""
    losses = table.losses(judge)[rule]  # [R, S, C]
    ends = judge.checkpoint_steps

    def taken(run, until):
        for loss, step in zip(run, ends, strict=True):
            if step > until or not math.isfinite(loss):
                return step if step <= until else until
        return until

    def short(rate):
        return float(np.mean([losses[rate, s, 2] for s in draw.short]))

    best = min(WHOLE, key=short)
    swept = [*WHOLE, best - 1, best + 1]
    steps = sum(taken(losses[rate, s], ends[2]) for rate in swept for s in draw.short)
    first, second = sorted(swept, key=short)[:2]
    if not short(first) < np.mean([judge.start[s] for s in draw.short]):
        return first, None, steps
    steps += sum(taken(losses[rate, s], ends[-1]) for rate in (first, second) for s in draw.full)
    full = {rate: [float(losses[rate, s, -1]) for s in draw.full] for rate in (first, second)}
    rate = min((first, second), key=lambda r: float(np.mean(full[r])))
    adams = [[run[s, -1] for s in draw.full] for run in judge.adam_runs["search"]]
    return rate, one_score(full[rate], min(adams, key=np.mean)), steps


def score_at(losses, judge, split, replicates):
    """Returns the score of runs at one rate, [S]; -5 where one of them diverged."""
    score = one_score([losses[s] for s in replicates], [judge.adam[split][s] for s in replicates])
    return -5.0 if score is None else score


def choice_of(table, judge, rule, rate, draw):
    """Returns the rate that the choice takes, and the rule's score there."""
    losses = table.choice(judge)[rule]
    around = [r for r in range(rate - 2, rate + 3) if 0 <= r < len(table.rates)]
    scores = {r: score_at(losses[r], judge, "choice", draw.choice) for r in around}
    tuned = max(around, key=lambda r: scores[r])
    return tuned, scores[tuned]


@pytest.mark.parametrize("replicates", [4, 8])
def test_what_is_shown_and_what_is_true_equal_loops_over_the_losses(replicates):
    table = made_up_table(rules=60, replicates=replicates, diverging=0.1)
    draw = draw_replicates(np.random.default_rng(3), replicates)
    view = TableViews(table).view(draw)
    judges = [judge for judge in table.judges if judge.role == "search"]
    for rule in range(60):
        found = [search_of(table, judge, rule, draw) for judge in judges]
        scores = [score for _, score, _ in found if score is not None]
        lasting = len(scores) == len(judges)
        assert view.lasting[rule] == lasting
        assert view.rewards[rule] == pytest.approx(np.mean(scores) if lasting else -5.0, abs=1e-5)
        assert view.steps[rule] == sum(steps for *_, steps in found)
        chosen = [
            choice_of(table, j, rule, r, draw) for j, (r, *_) in zip(judges, found, strict=True)
        ]
        assert view.choice[rule] == pytest.approx(np.mean([score for _, score in chosen]), abs=1e-5)
        true = [
            score_at(table.test(j)[rule, r], j, "test", draw.truth)
            for j, (r, _) in zip(judges, chosen, strict=True)
        ]
        assert view.truth[rule] == pytest.approx(np.mean(true), abs=1e-5)


def test_on_held_out_problems_a_rule_is_tuned_on_choice_data_and_measured_on_test_data():
    table = made_up_table(rules=40, diverging=0.1)
    draw = draw_replicates(np.random.default_rng(3), 8)
    view = TableViews(table).view(draw)
    judge = table.judges[-1]
    assert judge.role == "held-out"
    for rule in range(40):
        losses = table.choice(judge)[rule]
        scores = [
            score_at(losses[r], judge, "choice", draw.choice) for r in range(len(table.rates))
        ]
        rate = int(np.argmax(scores))
        true = score_at(table.test(judge)[rule, rate], judge, "test", draw.truth)
        assert view.elsewhere is not None
        assert view.elsewhere[rule] == pytest.approx(true, abs=1e-5)


@pytest.mark.parametrize("replicates", [4, 5, 8, 13])
def test_no_replicate_serves_two_stages_and_all_serve_one(replicates):
    for seed in range(50):
        draw = draw_replicates(np.random.default_rng(seed), replicates)
        search = set(draw.short) | set(draw.full)
        stages = [search, set(draw.choice), set(draw.truth)]
        assert sum(len(stage) for stage in stages) == replicates == len(set.union(*stages))
        assert len(draw.short) == 1 and len(draw.truth) >= len(draw.choice) >= 1
        assert replicates < 8 or not set(draw.short) & set(draw.full)


def test_the_truth_is_not_in_what_a_search_sees():
    """Other losses on the replicates and data that are kept from the search change nothing that it sees."""
    table, other = made_up_table(), made_up_table()
    draw = draw_replicates(np.random.default_rng(0), 8)
    for judge in other.judges:
        judge._losses["test"][:] = 7.0
        for split in ("search", "choice"):
            judge._losses[split][:, :, draw.truth] = 7.0
    one, two = TableViews(table).view(draw), TableViews(other).view(draw)
    for name in ("rewards", "lasting", "steps", "choice"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    assert not np.array_equal(one.truth, two.truth)


def test_a_table_of_three_replicates_is_refused():
    with pytest.raises(InvalidInput, match=r"at least 4 replicates is needed .* not 3"):
        draw_replicates(np.random.default_rng(0), 3)


def test_a_search_may_see_any_judges_and_those_that_it_sees_are_not_held_out():
    views = TableViews(made_up_table(), ["three", "one"])
    assert [judge.name for judge in views.judges] == ["three", "one"]
    assert views.held_out == []
    assert [judge.name for judge in TableViews(made_up_table(), ["two"]).held_out] == ["three"]
    with pytest.raises(InvalidInput, match="judge of table"):
        TableViews(made_up_table(), ["four"])


def test_judges_of_short_runs_show_a_search_nothing_unless_they_are_named():
    whole = made_up_table()
    two, three = (
        dataclasses.replace(whole.judge(name), document={"horizon": 0.25})
        for name in ("two", "three")
    )
    table = dataclasses.replace(whole, judges=(whole.judge("one"), two, three))
    views = TableViews(table)
    assert [judge.name for judge in views.judges] == ["one"] and views.held_out == []
    assert [judge.name for judge in TableViews(table, ["two"]).judges] == ["two"]
