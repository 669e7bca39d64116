"""How the page of a search says its rules were judged: as they were, whatever its options."""

from __future__ import annotations

import shlex
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from metarl.optimizer_search.reports.protocol import other_tracks, protocol
from metarl.optimizer_search.settings.config import (
    FinalistConfig,
    SearchConfig,
    TrainingConfig,
    preset,
)
from metarl.runs import RunDirectory

NOTHING = cast(Any, SimpleNamespace(comparison={}))


def told(**changes: Any) -> list[str]:
    return protocol(replace(SearchConfig(), **changes), NOTHING)


def test_a_usual_search_tells_of_half_decades_and_of_two_rates_in_full():
    assert told()[0] == (
        "Search: each rule was trained at 7 learning rates from 1e-05 to 10 on one seed for 50% of the steps, then at "
        "the half-decades beside the best, then, if it had learnt anything, in full at the two best of them on 4 other "
        "seeds, and judged on search data by the better. Its reward is minus the mean log of its loss relative to "
        "tuned Adam's on the same seeds: 0 is as good as Adam, 0.1 is about 10 % less loss."
    )


def test_the_papers_way_of_judging_is_told_as_it_is():
    assert protocol(preset("paper"), NOTHING)[0].startswith(
        "Search: each rule was trained at 7 learning rates from 1e-05 to 10 on one seed for 20% of the steps, then, if "
        "it had learnt anything, in full at the best of them on 1 other seed, and judged on search data. "
    )


def test_a_search_that_races_tells_of_short_runs_and_of_the_few_that_were_run_in_full():
    assert protocol(preset("demo"), NOTHING)[0].startswith(
        "Search: each rule was trained at the 3 of 7 cosine learning rates from 1e-05 to 10 nearest to what the size "
        "of its update predicts, on one seed for 25% of the steps, then at the half-decades beside the best. The best "
        "sixth of each generation was trained in full at the two best of them on 4 other seeds, and judged on search "
        "data by the better; all others were stopped there. "
    )


def test_a_race_tries_all_rates_where_the_space_has_no_adam_to_go_by(monkeypatch):
    monkeypatch.setattr(
        "metarl.optimizer_search.reports.protocol.adam_tokens", lambda grammar: None
    )
    assert "trained at 7 learning rates from" in told(racing=True)[0]


def test_lengths_a_hurdle_and_what_is_drawn_for_each_seed_stand_in_sentences_of_their_own():
    training = TrainingConfig(
        horizons=(0.5, 1.0, 4.0),
        hurdle=0.1,
        random_horizon=2.0,
        random_scale=4.0,
        random_batch=2.0,
        random_width=2.0,
    )
    search = told(training=training)[0]
    assert (
        "by the better. That was done at 0.5, 1 and 4 times the steps, at rates of its own each time, and rewards were "
        "averaged; a rule with no more than 0.1 at the shorter ones kept that reward, and was not trained for longer. "
        "Drawn for each seed: the number of steps by up to 2 times above or below, the scale of the start by up to 4 "
        "times above or below, the size of the batches by up to 2 times above or below and the width of the hidden "
        "layers by up to 2 times above or below. Its reward"
    ) in search
    assert ",," not in search
    raced = told(training=TrainingConfig(horizons=(0.5, 1.0)), racing=True)[0]
    assert "averaged; the shortest runs decided who went on. " in raced


@pytest.mark.parametrize(
    ("one_rate", "how"),
    [(True, "were ranked again at the same multiples"), (False, "were tuned and ranked again")],
)
def test_nothing_is_tuned_on_larger_problems_where_rules_come_with_one_multiple(one_rate, how):
    final = FinalistConfig(funnel=("wine-mlp",), funnel_horizons=(0.5, 1.0), funnel_seeds=1)
    found = told(training=TrainingConfig(one_rate=one_rate, horizons=(1.0, 2.0)), final=final)
    assert (
        f"The first 12 of them {how} on choice data of wine-mlp at 0.5 and 1 times the steps, with 1 fresh seed; "
    ) in found[1]
    assert found[1].count("that order counts. ") == 1
    assert ("at rates of its own each time" in found[0]) is not one_rate
    assert (
        "of tuned Adam's learning rate, the same for all problems, on one" in found[0]
    ) is one_rate


def test_it_is_told_when_the_lowest_score_of_all_problems_ranks():
    final = FinalistConfig(funnel=("wine-mlp",), funnel_order="worst")
    assert (
        "on choice data of wine-mlp, with 12 fresh seeds; the order of the lowest of the scores there and on the "
        "problems of the search counts. "
    ) in told(final=final)[1]


@pytest.mark.parametrize(
    ("training", "final", "said"),
    [
        ("constant", (), "e+00, on 5 seeds"),
        ("cosine", (), "e+00, of a cosine schedule, on 5 seeds"),
        (
            "cosine",
            ("constant", "linear"),
            "of each of the schedules constant and linear, on 5 seeds",
        ),
    ],
)
def test_the_schedule_of_the_comparison_is_told(training, final, said):
    config = {
        "training": TrainingConfig(schedule=training),
        "final": FinalistConfig(schedules=final),
    }
    assert said in told(**config)[2]


@pytest.mark.parametrize(
    ("track", "typed", "without"),
    [
        ("tuned", "powersign", "powersign"),
        ("tuned", "'sign(g) * m' --seeds 9 --run-dir here", "'sign(g) * m' --seeds 9"),
        ("one-rate", "--problem wine-mlp --track one-rate g", "g --problem wine-mlp"),
        ("default", "--force --track=default g -o a.csv", "g"),
        ("tuned", "g --extra_points 3 --references muon soap", "g --references muon soap"),
    ],
)
def test_a_comparison_names_the_commands_of_the_other_tracks(tmp_path, track, typed, without):
    command = ["metarl", "compare", *shlex.split(typed)]
    config = {"compare": {"track": track}}
    said = other_tracks(RunDirectory.create(tmp_path / "run", "compare", config, command))
    first, second = (x for x in ("tuned", "one-rate", "default") if x != track)
    begun = f"metarl compare {without} --track"
    assert said == f"On the other tracks: {begun} {first} or {begun} {second}"


def test_what_stands_behind_two_dashes_stays_there(tmp_path):
    command = shlex.split("metarl compare g --seeds 9 -- '-g * exp(m)'")
    config = {"compare": {"track": "tuned"}}
    said = other_tracks(RunDirectory.create(tmp_path / "run", "compare", config, command))
    assert said is not None
    assert "metarl compare g --seeds 9 --track one-rate -- '-g * exp(m)' or " in said


def test_a_comparison_that_no_command_began_names_none(tmp_path):
    config = {"compare": {"track": "tuned"}}
    run = RunDirectory.create(tmp_path / "run", "compare", config, ["mine.py"])
    assert other_tracks(run) is None
