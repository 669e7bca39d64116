"""One rate: the others follow tuned Adam at one multiple of its learning rate, found on the search problems."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.optimizer_search.comparing import one_rate
from metarl.optimizer_search.comparing.comparison import compare
from metarl.optimizer_search.comparing.entrants import entrant
from metarl.optimizer_search.comparing.one_rate import found_multiples_of_adam, one_rate_multiples
from metarl.optimizer_search.settings.compare_config import CompareConfig

CONFIG = CompareConfig(
    problem=("toy_problem:logistic",), track="one-rate", references=(), horizons=(), steps=12, seeds=8,
    tuning_seeds=2, seed=3, schedules=("constant",), time_compilation=False,
)  # fmt: skip


class Court:
    """A search problem on which the loss of all is the distance of the rate from one that is best for each."""

    def __init__(self, adam: float, bests: dict[str, float]):
        self.adams, self.bests = adam, bests

    def at(self, one: Any, settings: Any, seeds: Any, device: Any) -> np.ndarray:
        rates = np.array([setting.learning_rate for setting in settings])
        return np.abs(np.log10(rates / self.bests[one.label]))[:, None]


def test_a_multiple_is_the_best_one_over_all_problems(monkeypatch):
    """On the first the best rate is 10 times Adam's, on the second a tenth; the third decides."""
    courts = iter(
        [
            Court(1e-2, {"sgd": 1e-1, "prodigy": 1.0}),
            Court(1e-1, {"sgd": 1e-2, "prodigy": 1.0}),
            Court(1e-3, {"sgd": 1e-3 * 10**0.75, "prodigy": 1.0}),
        ]
    )

    def tuned_court(name: str, *rest: Any) -> Any:
        found = next(courts)
        setting = one_rate.Setting(found.adams)
        return one_rate.Court(found, setting, 1.0)  # type: ignore[arg-type]

    monkeypatch.setattr(one_rate, "tuned_court", tuned_court)
    monkeypatch.setattr(one_rate, "log_losses_at", lambda court, *rest: court.contest.at(*rest))
    field = [entrant(name) for name in ("sgd", "adam", "prodigy")]
    found = found_multiples_of_adam(field, ["a", "b", "c"], CONFIG, lambda text: None)
    assert found["adam"] == 1.0
    assert found["sgd"] == pytest.approx(10**0.75)
    assert found["prodigy"] == pytest.approx(100.0, rel=0.2)  # 10 to 1,000 times Adam's


def test_the_others_run_at_their_multiple_of_adams_rate_in_adams_doubt(toy, monkeypatch, tmp_path):
    multiples = {"adam": 1.0, "sgd": 31.6}
    monkeypatch.setattr(one_rate, "found_multiples_of_adam", lambda *given: multiples)
    result = compare([entrant("sgd")], CONFIG, place=tmp_path).problems["toy"]
    assert one_rate_multiples([], CONFIG, print, tmp_path) == multiples
    adam, sgd = (result.measured.records[x].choices for x in ("adam", "sgd"))
    assert adam is not None and sgd is not None
    rates = [[x.learning_rate for x in one.settings] for one in (adam, sgd)]
    np.testing.assert_allclose(rates[1], 31.6 * np.array(rates[0]))
    np.testing.assert_array_equal(adam.tuning, sgd.tuning)
    assert len(result.learning_rates) == 0 and result.entries["sgd"].relative_loss is not None


def test_extra_points_are_of_the_track_tuned_alone():
    with pytest.raises(
        InvalidInput, match="extra_points is 2 on the track 'one-rate', on which nobody"
    ):
        CompareConfig(track="one-rate", extra_points=2).validate()
