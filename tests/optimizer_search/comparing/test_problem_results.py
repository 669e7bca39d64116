"""What measurements say: targets, ratios and Adam-equivalent steps against naive loops."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from made_up_measurements import measured

from metarl.errors import InvalidInput
from metarl.optimizer_search.comparing.measurements import Measured, Record, load, save
from metarl.optimizer_search.comparing.problem_results import (
    analyse,
    best_reference,
    geometric_iqm,
    relative_losses,
)

INF = math.inf


def test_half_of_adams_loss_is_worth_four_times_its_steps_where_its_loss_falls_with_the_root():
    entries: dict[str, Any] = analyse(measured()).entries
    assert entries["adam"].speed_up.estimate == pytest.approx(1.0, rel=1e-6)
    rule = entries["rule"].speed_up
    assert rule.estimate == pytest.approx(4.0, rel=0.1) and rule.low > 3.0


def test_without_adams_lengths_there_is_no_speed_up():
    assert analyse(measured(adam=None)).entries["rule"].speed_up is None


def test_where_adams_loss_does_not_fall_with_length_nobody_has_a_speed_up():
    whole = measured()
    lengths = whole.adam.losses * whole.adam.horizons**0.5
    found = analyse(whole._replace(adam=whole.adam._replace(losses=lengths))).entries
    assert {entry.speed_up for entry in found.values()} == {None}


def test_the_target_is_the_median_of_the_reference_that_tuned_best():
    whole = measured()
    result = analyse(whole)
    assert best_reference(whole) == result.target_of == "momentum"
    assert result.target == np.median(whole.records["momentum"].losses[:20, -1])
    entries: dict[str, Any] = result.entries
    rule, adam = entries["rule"], entries["adam"]
    assert rule.steps_to_target.estimate == 30.0
    assert rule.seconds_to_target == pytest.approx(30.0 * whole.records["rule"].seconds_per_step)
    assert adam.reached_target == np.mean(whole.records["adam"].losses[:, -1] <= result.target)


def test_ratios_are_clipped_and_divergence_is_the_worst():
    ours, adams = (
        np.array([1.0, INF, 1.0, INF, 0.0, 50.0]),
        np.array([2.0, 1.0, INF, INF, 0.0, 1.0]),
    )
    np.testing.assert_allclose(relative_losses(ours, adams), [0.5, 10.0, 0.1, 1.0, 1.0, 10.0])


def ending(**finals) -> Any:
    """Returns measurements of these final losses, Adam's among them."""
    whole = measured()
    records = {
        label: whole.records["momentum"]._replace(losses=np.tile(np.array(row)[:, None], (1, 3)))
        for label, row in finals.items()
    }
    return whole._replace(records=records, references=("adam",), adam=None, metric=None)


def test_a_verdict_is_that_of_the_ratio_beside_it_and_not_of_the_mean_difference():
    """Most runs are better by half; two that Adam wins are so long that the mean says the opposite."""
    adam = np.array([1.0] * 18 + [100.0] * 2)
    rule = np.array([0.5] * 18 + [200.0] * 2) * np.linspace(0.99, 1.01, 20)
    entry = analyse(ending(adam=adam, rule=rule)).entries["rule"]
    assert np.mean(rule - adam) > 5 and entry.verdict == "better"
    assert entry.relative_loss is not None and entry.relative_loss.high < 0.6


@pytest.mark.parametrize(
    ("ours", "adams", "ratio", "verdict"),
    [
        ([0.0] * 9, [0.0] * 9, 1.0, "unclear"),  # both solved it
        ([0.0] * 9, [1e-9] * 9, 0.1, "better"),
        ([INF] * 9, [INF] * 9, 1.0, "unclear"),
        ([INF] * 9, [0.0] * 9, 10.0, "worse"),
        ([1.0] * 6 + [INF] * 3, [1.0] * 9, math.exp(math.log(10) / 5), "unclear"),
        ([0.5] * 7, [1.0] * 7, 0.5, "unclear"),  # too few
    ],
)
def test_losses_that_are_zero_or_infinite_have_a_ratio(ours, adams, ratio, verdict):
    entry = analyse(ending(adam=adams, rule=ours)).entries["rule"]
    assert entry.relative_loss is not None and entry.verdict == verdict
    assert entry.relative_loss.estimate == pytest.approx(ratio)
    assert not np.isnan([*entry.relative_loss, *entry.difference_to_adam, *entry.final_loss]).any()


def test_losses_below_zero_are_compared_by_their_differences():
    noise = np.linspace(-0.1, 0.1, 12)
    found = analyse(ending(adam=noise - 1.0, rule=noise[::-1] - 3.0, worse=noise + 2.0)).entries
    assert [found[x].relative_loss for x in ("rule", "worse")] == [None, None]
    assert [found[x].verdict for x in ("rule", "adam", "worse")] == ["better", "unclear", "worse"]
    assert found["rule"].difference_to_adam.estimate == pytest.approx(-2.0)


def test_halving_and_doubling_cancel():
    assert float(geometric_iqm(np.array([0.5, 2.0]))) == pytest.approx(1.0)
    assert float(geometric_iqm(np.array([0.1, 0.5, 2.0, 10.0]))) == pytest.approx(1.0)


def test_measurements_survive_their_file(tmp_path):
    whole = measured()
    save(tmp_path / "one", whole)
    again: Any = load(tmp_path / "one")
    for name in Measured._fields:
        if name not in ("records", "adam"):
            np.testing.assert_array_equal(getattr(again, name), getattr(whole, name), name)
    assert list(again.records) == list(whole.records)
    for label, record in whole.records.items():
        for name in set(Record._fields) - {"finer", "choices"}:
            np.testing.assert_array_equal(
                getattr(again.records[label], name), getattr(record, name)
            )
        assert again.records[label].setting == record.setting
        assert again.records[label].finer.settings == record.finer.settings
        np.testing.assert_array_equal(again.records[label].finer.losses, record.finer.losses)
    assert [again.records[x].choices for x in ("adam", "momentum")] == [None, None]
    kept, written = again.records["rule"].choices, whole.records["rule"].choices
    assert (kept.settings, kept.other_seeds) == (written.settings, written.other_seeds)
    np.testing.assert_array_equal(kept.tuning, written.tuning)
    np.testing.assert_array_equal(kept.losses, written.losses)
    np.testing.assert_array_equal(again.adam.losses, whole.adam.losses)
    assert load(tmp_path / "one")._replace(adam=None).adam is None


def test_a_damaged_file_of_measurements_is_refused(tmp_path):
    save(tmp_path / "one", measured())
    content = (tmp_path / "one").read_bytes()
    (tmp_path / "one").write_bytes(content[: len(content) // 2])
    with pytest.raises(InvalidInput):
        load(tmp_path / "one")
