"""Trees, sequences, landscapes and panels: where things stand, and what is refused."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.reporting import (
    Curve,
    Trajectory,
    Tree,
    View,
    WritingRow,
    WritingStep,
    curve_panels,
    interval_chart,
    landscape_chart,
    sequence_chart,
    tree_chart,
)
from metarl.reporting.curves import _isolated
from metarl.reporting.trees import laid_out
from metarl.statistics import Interval

PRODUCT = Tree("×", (Tree("exp", (Tree("+", (Tree("a"), Tree("b"))),)), Tree("g")))


def texts(drawing) -> dict[str, list]:
    """Returns the visible texts of a drawing and their boxes in pixels."""
    drawing.figure.draw_without_rendering()
    found: dict[str, list] = {}
    for axes in drawing.figure.axes:
        for text in axes.texts:
            if text.get_text():
                found.setdefault(text.get_text(), []).append(text.get_window_extent())
    return found


def test_leaves_stand_in_order_and_parents_over_the_middle_of_their_children():
    nodes = laid_out(PRODUCT)
    places = {node.label: (node.x, node.depth) for node in nodes}
    assert places == {
        "×": (1.25, 0), "exp": (0.5, 1), "+": (0.5, 2), "a": (0.0, 3), "b": (1.0, 3), "g": (2.0, 1),
    }  # fmt: skip
    parents = {node.label: node.parent and nodes[node.parent].label for node in nodes[1:]}
    assert parents["a"] == "+" and nodes[nodes[1].parent or 0].label == "×"
    assert [node.label for node in nodes if node.is_leaf] == ["a", "b", "g"]


def test_the_nodes_and_titles_of_trees_do_not_overlap():
    drawing = tree_chart(["one\n$g$", "two\n$e^{a + b} g$"], [Tree("g"), PRODUCT])
    boxes = [box for found in texts(drawing).values() for box in found]
    assert len(boxes) == 4 + 1 + 6
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
    with pytest.raises(InvalidInput, match="one tree per title; received 1 and 0"):
        tree_chart(["one"], [])


def test_a_sequence_shows_the_likeliest_options_the_choice_and_what_was_read():
    options = [(f"option {i}", 0.5 / 2**i) for i in range(9)] + [("chosen", 0.001)]
    steps = [
        WritingStep("operand 1", "start", options, "chosen"),
        WritingStep("binary", "chosen", [("x + y", 0.75), ("x * y", 0.25)], "x + y"),
    ]
    drawing = sequence_chart([WritingRow("group 1", steps)], "LSTM")
    shown = texts(drawing)
    assert {"option 0", "option 4", "chosen", "x + y", "75%", "start", "group 1"} <= set(shown)
    assert "option 5" not in shown and "and 4 more" in shown and len(shown["LSTM"]) == 2
    assert len(shown["chosen"]) == 2  # among the options, and where the next step reads it
    boxes = [box for found in shown.values() for box in found]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
    assert "chosen, x + y" in drawing.description
    with pytest.raises(InvalidInput, match="needs rows with steps"):
        sequence_chart([WritingRow("group 1", [])], "LSTM")


def test_paths_are_drawn_in_every_view_and_the_zoom_is_framed():
    points = np.array([[0.0, 0.0], [0.5, 0.5], [np.nan, 1.0], [1.0, 1.0]])
    views = [View("all", (-1, 2), (-1, 2)), View("end", (0.4, 1.2), (0.4, 1.2))]
    paths = [Trajectory("sgd", points), Trajectory("diverged", np.full((3, 2), np.inf))]
    drawing = landscape_chart(lambda x, y: x**2 + y**2, [0.1, 1.0], paths, views, (0.0, 0.0))
    whole, zoom = drawing.figure.axes
    assert zoom.get_xlim() == (0.4, 1.2) and whole.get_title(loc="left") == "all"
    assert len(whole.lines) == len(zoom.lines) + 1  # the frame
    path = next(line for line in whole.lines if line.get_label() == "sgd")
    assert path.get_xydata().tolist() == [[0.0, 0.0], [0.5, 0.5], [1.0, 1.0]]
    assert [text.get_text() for text in drawing.figure.legends[0].texts] == ["sgd", "diverged"]
    with pytest.raises(InvalidInput, match="needs a path and a view"):
        landscape_chart(lambda x, y: x, [1.0], [], views, (0.0, 0.0))


def test_equal_labels_have_equal_strokes_in_all_panels_and_one_legend():
    x = np.arange(3)
    panels = {
        "left": [Curve("a", x, x), Curve("b", x, x + 1)],
        "right": [Curve("b", x, 2 * x), Curve("c", x, x)],
    }
    drawing = curve_panels(panels, "steps", ["loss", "share"])
    left, right = drawing.figure.axes
    assert left.lines[1].get_color() == right.lines[0].get_color()  # b
    assert [text.get_text() for text in drawing.figure.legends[0].texts] == ["a", "b", "c"]
    assert (left.get_ylabel(), right.get_ylabel(), left.get_xlabel()) == ("loss", "share", "steps")
    drawing.figure.draw_without_rendering()
    legend = drawing.figure.legends[0].get_window_extent()
    assert not any(axes.xaxis.label.get_window_extent().overlaps(legend) for axes in (left, right))
    odd = curve_panels(panels | {"below": panels["left"]}, "steps", "loss").figure.axes
    assert [axes.get_xlabel() for axes in odd] == [
        "",
        "steps",
        "steps",
        "",
    ]  # none lies below "right"
    assert odd[1].xaxis.get_tick_params()["labelbottom"]
    apart = curve_panels(panels, ["steps", "minutes"], "loss")
    assert [axes.get_xlabel() for axes in apart.figure.axes] == ["steps", "minutes"]
    assert "against steps, minutes: a, b, c" in apart.description
    with pytest.raises(InvalidInput, match="every panel a curve"):
        curve_panels({"empty": []}, "steps", "loss")


def test_points_that_no_line_can_join_are_told():
    nan = np.nan
    assert _isolated(np.array([1.0, nan, 2.0, 3.0, nan])).tolist() == [True, *[False] * 4]
    assert _isolated(np.array([5.0])).tolist() == [True]


def test_ratios_stand_on_a_logarithmic_axis_as_far_to_either_side():
    intervals = [Interval(0.5, 0.25, 1.0), Interval(2.0, 1.0, 4.0)]
    drawing = interval_chart(["half", "double"], intervals, "ratio", 1.0, x_scale="log")
    (axes,) = drawing.figure.axes
    low, high = axes.get_xlim()
    assert low < 0.25 and high > 4.0 and low * high == pytest.approx(1.0)
    assert axes.get_xscale() == "log"


def test_a_ratio_of_which_nothing_is_known_runs_from_edge_to_edge():
    intervals = [Interval(1.2, 0.0, np.inf), Interval(0.9, 0.8, 1.0)]
    drawing = interval_chart(["few seeds", "many"], intervals, "ratio", 1.0, x_scale="log")
    (axes,) = drawing.figure.axes
    assert axes.get_xlim()[0] > 0.7 and axes.get_xlim()[1] < 1.3
    markers = [line.get_marker() for line in axes.lines]
    assert "<" in markers and ">" in markers


def test_a_short_logarithmic_axis_has_several_plain_numbers_to_read_it_by():
    intervals = [Interval(1.18, 1.13, 1.22), Interval(0.97, 0.95, 1.01)]
    drawing = interval_chart(["worse", "alike"], intervals, "ratio", 1.0, x_scale="log")
    drawing.figure.draw_without_rendering()
    (axes,) = drawing.figure.axes
    low, high = axes.get_xlim()
    ticks = zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)
    shown = [label.get_text() for tick, label in ticks if low <= tick <= high]
    assert shown == ["0.95", "1", "1.05", "1.1", "1.15", "1.2"]
