"""The page of a comparison, where there is little to show."""

from __future__ import annotations

from metarl.optimizer_search.reports.comparison_report import score_charts


def test_who_stands_alone_is_beside_nobody():
    """`metarl compare adam --references adam` ended in an error, and so did its resume."""
    alone = {"adam": {"relative_loss": {"estimate": 1.0, "low": 1.0, "high": 1.0}}}
    assert score_charts({"scores": alone, "details": {"beale": {}}}) == []
