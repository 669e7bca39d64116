"""What is said of how the finalists were chosen: of made-up rules that led."""

from __future__ import annotations

import pytest

from metarl.optimizer_search.reports.selection_report import selection_lines


@pytest.mark.parametrize(("count", "told"), [(2, False), (3, True)])
def test_an_agreement_is_told_of_three_rules_or_more(count, told):
    """Two orders of two rules are the same or opposite, which is no finding."""
    points = [
        {
            "rules_trained": 10 * (place + 1),
            "search_score": 0.1 * place,
            "choice": {"mean": -0.1 * place, "low": -1.0, "high": 1.0},
        }
        for place in range(count)
    ]
    correlation = {"choice": {"estimate": -1.0, "low": -1.0, "high": 1.0}}
    found = {"points": points, "problems": [], "rank_correlation": correlation}
    selection = {"stages": [], "simplification": [], "meta_overfitting": found}
    line = selection_lines(selection, None)[-1]
    last = f"{0.1 * (count - 1):+.3f}"
    assert f"from +0.000 to {last}; on choice data from -0.000 to {last.replace('+', '-')}" in line
    assert ("rank correlation" in line) == ("over 3 rules that led" in line) == told
