"""All problems together: scores, profiles and tables against naive loops."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from made_up_measurements import HORIZONS, measured

from metarl.optimizer_search.comparing.comparison import Comparison
from metarl.optimizer_search.comparing.problem_results import analyse
from metarl.optimizer_search.comparing.rederived import rederived
from metarl.optimizer_search.comparing.scores import performance_profiles, score
from metarl.optimizer_search.reports.score_tables import score_table
from metarl.optimizer_search.settings.compare_config import PROTOCOL_VERSION, CompareConfig
from metarl.optimizer_search.settings.config import to_dict
from metarl.statistics import infinities_to_json, iqm

INF = float("inf")


@pytest.fixture
def problems():
    """Returns three problems; on the last the rule diverges in every run."""
    first, second, third = measured(), measured(), measured()
    rule = third.records["rule"]
    third.records["rule"] = rule._replace(losses=np.full_like(rule.losses, INF), choices=None)
    weaker = second.records["rule"]
    second.records["rule"] = weaker._replace(losses=weaker.losses * 1.9, choices=None)
    return {name: analyse(x) for name, x in (("a", first), ("b", second), ("c", third))}


def test_a_relative_loss_is_the_iqm_of_logarithms_twice(problems):
    """Each tuned to one setting; for what is in doubt see test_tuning_noise.py."""
    for result in problems.values():
        result.measured.records["rule"] = result.measured.records["rule"]._replace(choices=None)
    found = score(problems)
    for label in ("adam", "momentum", "rule"):
        logs = []
        for result in problems.values():
            ours, adams = (result.entries[x].curves[:, -1] for x in (label, "adam"))
            ratios = [
                10.0 if np.isinf(x) else min(max(x / y, 0.1), 10)
                for x, y in zip(ours, adams, strict=True)
            ]
            logs.append(float(iqm(np.log(ratios))))
        assert found[label].relative_loss.estimate == pytest.approx(np.exp(iqm(logs)), rel=1e-9)
    assert list(found) == sorted(found, key=lambda x: found[x].relative_loss.estimate)


def test_wins_and_losses_are_those_of_the_paired_intervals(problems):
    found: Any = score(problems)["rule"]
    assert found.wins == ("a", "b") and found.losses == ("c",) and found.unclear == ()
    assert found.diverged == pytest.approx(1 / 3)
    adam = score(problems)["adam"]
    assert adam.unclear == ("a", "b", "c") and adam.relative_loss == (1.0, 1.0, 1.0)


def test_problems_with_losses_below_zero_are_won_and_lost_and_enter_nothing_else(problems):
    whole = measured()
    for label, record in whole.records.items():
        whole.records[label] = record._replace(losses=record.losses - 5.0, choices=None)
    below = analyse(whole)
    both: Any = score({**problems, "d": below})["rule"]
    alone: Any = score(problems)["rule"]
    assert both.wins == ("a", "b", "d")
    assert (both.relative_loss, both.speed_up) == (alone.relative_loss, alone.speed_up)
    only = score({"d": below})["rule"]
    assert only.relative_loss == (1.0, 0.0, INF) and only.speed_up is None


def test_a_stored_comparison_is_given_the_statistics_of_today(problems):
    """Of one that took its verdicts from mean differences; written by today's it does not change."""
    comparison = Comparison(problems)
    document = {
        "details": comparison.to_document(),
        "scores": infinities_to_json(
            {label: one.to_json() for label, one in score(problems).items()}
        ),
    }
    assert rederived(document) == document
    old = copy.deepcopy(document)
    for problem in old["details"].values():
        for entry in problem["entries"].values():
            del entry["verdict"], entry["relative_loss"]
            entry["difference_to_adam"] = {"mean": 1.0, "low": 0.5, "high": 1.5}
    for one in old["scores"].values():
        one |= {"wins": [], "losses": ["a", "b"], "unclear": []}
    assert rederived(old) == document


def test_a_stored_comparison_of_few_seeds_loses_its_intervals(problems):
    document = {"details": Comparison(problems).to_document(), "scores": {}}
    for problem in document["details"].values():
        for entry in problem["entries"].values():
            entry["final_losses"] = entry["final_losses"][:5]
            for choice in entry.get("choices", ()):
                choice["final_losses"] = choice["final_losses"][:5]
    found = rederived(document)["details"]["a"]["entries"]["rule"]
    assert found["verdict"] == "unclear" and found["relative_loss"]["high"] == "inf"
    assert (found["speed_up"]["low"], found["final_loss"]["low"]) == ("-inf", "-inf")


def test_problems_are_redrawn_too_where_there_are_eight(problems):
    one = next(iter(problems.values()))
    many = {str(place): one for place in range(8)}
    found: Any = score(many)["rule"]
    assert found.problems_redrawn.estimate == found.relative_loss.estimate
    assert 0.0 < found.problems_redrawn.low < found.problems_redrawn.high < 1.0
    few: Any = score(problems)["rule"]
    assert few.problems_redrawn == (few.relative_loss.estimate, 0.0, INF)


def test_a_speed_up_over_problems_is_the_geometric_mean(problems):
    """Each tuned to one setting; redraws of tuning are others on each problem."""
    for result in problems.values():
        result.measured.records["rule"] = result.measured.records["rule"]._replace(choices=None)
    results: Any = {name: analyse(result.measured) for name, result in problems.items()}
    found: dict[str, Any] = score(results)
    for label in ("momentum", "rule"):
        own = [result.entries[label].speed_up.estimate for result in results.values()]
        assert found[label].speed_up.estimate == pytest.approx(np.prod(own) ** (1 / 3), rel=1e-9)
        assert found[label].speed_up.low <= found[label].speed_up.estimate
    assert (
        found["rule"].speed_up.estimate < 4.0
    )  # it diverged once, which counts as the least horizon


def test_a_problem_without_a_speed_up_is_left_out_of_their_mean(problems):
    flat = measured()
    lengths = flat.adam.losses * flat.adam.horizons**0.5
    flat = flat._replace(adam=flat.adam._replace(losses=lengths))
    part = {**problems, "c": analyse(flat)}
    found: Any = score(part)["momentum"].speed_up
    both = {name: problems[name] for name in "ab"}
    assert found == score(both)["momentum"].speed_up
    assert score({"c": part["c"]})["momentum"].speed_up is None
    document = {
        "protocol": {**to_dict(CompareConfig()), "version": PROTOCOL_VERSION},
        "details": Comparison(part).to_document(),
        "scores": infinities_to_json(
            {label: {**one.to_json(), "rules_trained": None} for label, one in score(part).items()}
        ),
    }
    note = next(note for note in notes(document) if note.startswith("Speed-up"))
    assert "over the 2 of 3 problems on which Adam's loss falls" in note
    assert note.endswith("each between 0.25 and 4; left out: c.")
    assert any(text.startswith("Ratios and speed-ups are averaged") for text in notes(document))
    six = {**document, "protocol": {**document["protocol"], "version": 6}}
    assert any(text.endswith("in that; those of speed-ups do not.") for text in notes(six))
    older = {**document, "protocol": {**document["protocol"], "version": 3}}
    note = next(note for note in notes(older) if note.startswith("Speed-up"))
    assert note.endswith("where runs are noisy or the loss does not fall with length.")


def notes(document):
    return score_table(document).notes


def test_profiles_are_shares_of_problems(problems):
    details = Comparison(problems).to_document()
    shares = performance_profiles(details, ["rule", "momentum", "adam"], [1.0, 1.5, 3.0])
    assert list(shares) == ["rule", "momentum", "adam"]
    assert shares["rule"].tolist() == pytest.approx([1 / 3, 2 / 3, 2 / 3], abs=0.34)
    for label, row in shares.items():
        costs = {
            n: {x: float(iqm(r.entries[x].curves[:, -1])) for x in r.entries}
            for n, r in problems.items()
        }
        for factor, share in zip([1.0, 1.5, 3.0], row, strict=True):
            within = [costs[n][label] <= factor * min(costs[n].values()) for n in costs]
            assert share == pytest.approx(np.mean(within))


def test_the_horizons_bound_every_speed_up():
    one = measured()
    rule = one.records["rule"]
    one.records["rule"] = rule._replace(losses=rule.losses / 1e3, choices=None)
    alone, twice = {"a": analyse(one)}, {"a": analyse(one), "b": analyse(one)}
    assert score(twice)["rule"].speed_up == (HORIZONS[-1],) * 3
    assert score(alone)["rule"].speed_up == (HORIZONS[-1], HORIZONS[-1], INF)
