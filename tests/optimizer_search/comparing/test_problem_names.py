"""Problems by name: groups, namesakes, and files."""

from __future__ import annotations

import pytest

from metarl import problems
from metarl.errors import InvalidInput
from metarl.optimizer_search.comparing.comparison import check_comparison
from metarl.optimizer_search.comparing.problem_names import (
    file_stem,
    require_different_names,
    suite_names,
)
from metarl.optimizer_search.running.pipeline import check
from metarl.optimizer_search.settings.compare_config import CompareConfig
from metarl.optimizer_search.settings.config import FinalistConfig, SearchConfig

TWINS = ("toy_problem:logistic", "toy_problem:namesake")


def test_groups_are_written_out_once():
    held_out = problems.suite("held-out")
    assert "wine-mlp" not in held_out and "wine-mlp" in problems.suite()  # it tells nobody apart
    assert suite_names(["held-out"]) == list(held_out)
    assert suite_names([held_out[0], "quadratic", "held-out"])[:2] == [held_out[0], "quadratic"]
    assert sorted(suite_names(["all", "quadratic"])) == sorted(problems.suite())


def test_two_problems_of_one_name_are_refused_in_a_comparison_and_in_a_search(toy):
    wanted = "Two different problems have the same name; received toy, toy. Rename one."
    with pytest.raises(InvalidInput) as refusal:
        check_comparison([], CompareConfig(problem=TWINS))
    assert str(refusal.value) == wanted
    with pytest.raises(InvalidInput) as refusal:
        check(SearchConfig(problem=TWINS[:1], final=FinalistConfig(held_out=TWINS[1:])))
    assert str(refusal.value) == wanted


def test_two_problems_whose_files_would_be_the_same_are_refused():
    names = ("toy_problem:without_metric", "toy_problem:nearly_without_metric")
    with pytest.raises(InvalidInput, match=r"would have the same name; received without-metric, w"):
        check_comparison([], CompareConfig(problem=names))


def test_one_problem_under_two_texts_is_no_namesake(toy):
    require_different_names([toy, problems.load("quadratic"), toy])


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("digits-mlp", "digits-mlp"),
        ("toy@0.5", "toy-0.5"),
        ("../up: two", "up-two"),
        ("ψ", "problem"),
    ],
)
def test_a_file_has_a_name_that_every_file_system_takes(name, stem):
    assert file_stem(name) == stem
