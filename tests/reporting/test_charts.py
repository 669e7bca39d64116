"""Charts: what is drawn, in whose ink, and where the labels stand."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.text import Text

from metarl.errors import InvalidInput
from metarl.reporting import (
    Curve,
    bar_panels,
    curve_chart,
    curve_panels,
    formula_svg,
    interval_chart,
    learning_curves,
    learning_rate_sensitivity,
    search_curve,
)
from metarl.reporting.axes import shortened, spread_out
from metarl.reporting.palette import HUES, INK, strong_stroke
from metarl.statistics import Interval
from metarl.update_rules import NAMED_RULES

INF = float("inf")
STEPS = np.arange(1, 31)


def falling(label: str, level: float, **keywords) -> Curve:
    y = level + np.exp(-STEPS / 5)
    return Curve(label, STEPS, y, 0.9 * y, 1.1 * y, **keywords)


@pytest.fixture(scope="module")
def many():
    curves = [falling(f"rule <{i}> & $m$", 0.1 + 0.01 * i, foreground=i < 6) for i in range(16)]
    return learning_curves([*curves, Curve("diverged", STEPS, np.full(30, INF))], "test loss")


def test_an_inline_drawing_is_well_formed_and_takes_its_ink_from_the_page(many):
    root = ElementTree.fromstring(many.svg)
    assert root.attrib["role"] == "img" and "rule <3> & $m$" in root.attrib["aria-label"]
    assert "currentColor" in many.svg and INK not in many.svg
    assert not re.search(r"http|<metadata|#ffffff|#000000|<text", many.svg)
    assert all(hue in many.svg for hue in HUES)


def test_references_inside_a_drawing_resolve_and_two_drawings_share_no_id(many):
    other = curve_chart([falling("adam", 0.1)], "step", "loss")
    ids = [set(re.findall(r'\bid="([^"]+)"', drawing.svg)) for drawing in (many, other)]
    used = set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', many.svg))
    assert used and {name for pair in used for name in pair if name} <= ids[0]
    assert not ids[0] & ids[1]


def test_the_same_data_give_the_same_bytes():
    first, second = (curve_chart([falling("adam", 0.1)], "step", "loss").svg for _ in range(2))
    assert first == second


def test_drawings_are_written_as_svg_and_png(many, tmp_path: Path):
    root = ElementTree.parse(many.write_svg(tmp_path / "a.svg")).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert many.write_png(tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_millions_stand_at_their_ticks_and_not_in_the_corner():
    axes = curve_chart([Curve("a", [2e5, 5e6], [1, 2])], "environment steps", "return").figure.axes[
        0
    ]
    axes.figure.draw_without_rendering()
    assert [label.get_text() for label in axes.get_xticklabels()][1:6] == [
        "1M",
        "2M",
        "3M",
        "4M",
        "5M",
    ]
    assert axes.xaxis.get_offset_text().get_text() == ""


def test_large_numbers_are_grouped_or_told_in_millions_on_both_axes():
    (axes,) = curve_chart([Curve("a", [0, 2e5], [0, 5e6])], "steps", "return").figure.axes
    axes.figure.draw_without_rendering()
    assert "200,000" in [label.get_text() for label in axes.get_xticklabels()]
    assert "4M" in [label.get_text() for label in axes.get_yticklabels()]
    assert axes.yaxis.get_offset_text().get_text() == ""


def test_a_leader_line_begins_where_its_curve_ends():
    """A search that stopped early ends far from the right edge."""
    curves = [Curve("early", [0, 25], [0, 1]), Curve("late", [0, 100], [0, 2]), Curve("no", [], [])]
    (axes,) = curve_chart(curves, "step", "loss").figure.axes
    ends = [text.xy[0] for text in axes.texts]
    np.testing.assert_allclose(ends, [0.25, 1.0, 1.0], atol=1e-6)


@pytest.mark.parametrize(("height", "inside"), [(1.5, True), (0.5, False)])
def test_the_label_of_a_curve_that_ends_early_stands_beside_it_where_no_other_is(height, inside):
    """The other curve rises through the heights below 1 while the label would stand there."""
    curves = [Curve("early", [0, 20], [2, height]), Curve("late", [0, 50, 100], [0, 1, 1])]
    (axes,) = curve_chart(curves, "step", "loss").figure.axes
    axes.figure.draw_without_rendering()
    early, late = (Text.get_window_extent(label) for label in axes.texts)
    edge = axes.get_window_extent().x1
    assert late.x0 > edge and (early.x1 < edge if inside else early.x0 > edge)
    assert axes.texts[0].arrow_patch is None if inside else axes.texts[0].arrow_patch is not None


def test_no_declaration_of_a_drawing_is_empty(many):
    """A dash pattern without numbers is none in CSS: some readers of SVG then draw no line at all."""
    assert "stroke-dasharray: 5" in many.svg or "stroke-dasharray: 9" in many.svg
    assert not re.search(r":\s*[;\"]", " ".join(re.findall(r'style="[^"]*"', many.svg)))


def test_every_label_stands_outside_the_data_and_apart_from_the_others(many):
    (axes,) = many.figure.axes
    many.figure.draw_without_rendering()
    boxes = [Text.get_window_extent(label) for label in axes.texts]  # without the leader line
    assert len(boxes) == 17
    assert min(box.x0 for box in boxes) > axes.get_window_extent().x1
    for one, other in itertools.combinations(boxes, 2):
        assert one.y1 <= other.y0 + 1 or other.y1 <= one.y0 + 1


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.floats(0.001, 0.2))
def test_spread_labels_keep_their_order_their_distance_and_the_axes(heights, gap):
    placed = spread_out(np.array(heights), gap)
    order = np.argsort(heights, kind="stable")
    room = min(gap, 1 / max(len(heights) - 1, 1))
    assert np.all(np.diff(placed[order]) >= room - 1e-9)
    assert placed.min() >= -1e-9 and placed.max() <= 1 + 1e-9


def test_labels_with_room_to_spare_do_not_move():
    np.testing.assert_allclose(spread_out(np.array([0.9, 0.1, 0.5]), 0.1), [0.9, 0.1, 0.5])
    np.testing.assert_allclose(spread_out(np.array([0.5, 0.5]), 0.1), [0.45, 0.55])


def test_the_other_charts_draw_what_they_are_given():
    search = search_curve([10, 20, 30], [0.1, 0.2, 0.2], [0.0, 0.1, 0.1], [1.0, 0.9, 0.7])
    assert "30 rules" in search.description and len(search.figure.axes) == 2
    rates = 10.0 ** np.arange(-4, 2)
    losses = np.array([0.5, 0.2, 0.1, 0.3, INF, INF])
    curves = [Curve(name, rates, losses, chosen=2) for name in ("adam", "sgd", "m", "g", "y")]
    multiples = learning_rate_sensitivity(curves, reference="adam")
    panels = [axes for axes in multiples.figure.axes if axes.get_visible()]
    assert len(panels) == 5
    crosses = [line for line in panels[1].lines if line.get_marker() == "x"]
    assert list(crosses[0].get_xdata()) == [1.0, 10.0]
    dots = [line for line in panels[1].lines if line.get_marker() == "o"]
    assert [float(np.ravel(dot.get_xdata())[0]) for dot in dots] == [0.01]
    assert ElementTree.fromstring(multiples.svg).tag == "svg"


def test_intervals_that_exclude_the_reference_are_filled_and_infinite_ones_get_an_arrow():
    intervals = [Interval(-1, -2, -0.5), Interval(0.1, -1, 1), Interval(INF, 0.5, INF)]
    (axes,) = interval_chart(["a", "b", "c"], intervals, "difference").figure.axes
    faces = [line.get_markerfacecolor() for line in axes.lines if line.get_marker() == "o"]
    assert faces == [HUES[0], "none"]
    assert [line.get_marker() for line in axes.lines].count(">") == 1


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


@pytest.mark.parametrize("hue", HUES)
@pytest.mark.parametrize("page", ["#ffffff", "#14171b"])
def test_every_hue_has_a_contrast_of_three_on_light_and_dark_pages(hue, page):
    low, high = sorted([luminance(hue), luminance(page)])
    assert (high + 0.05) / (low + 0.05) >= 3


def test_no_two_of_twenty_four_strong_strokes_are_alike():
    assert len({strong_stroke(index)[:2] for index in range(24)}) == 24


def test_a_formula_is_an_outline_in_the_ink_of_the_page():
    svg = formula_svg(r"e^{\mathrm{sign}(g)} \frac{m}{\sqrt{v}}", 'exp(sign(g)) & "m"')
    root = ElementTree.fromstring(svg)
    assert root.attrib["aria-label"] == 'exp(sign(g)) & "m"'
    (path,) = root
    assert path.attrib["fill"] == "currentColor" and len(path.attrib["d"]) > 500
    x, y, width, height = map(float, root.attrib["viewBox"].split())
    numbers = [float(n) for n in re.findall(r"-?\d+\.\d+", path.attrib["d"])]
    assert min(numbers[::2]) >= x and max(numbers[::2]) <= x + width
    assert min(numbers[1::2]) >= y and max(numbers[1::2]) <= y + height


def test_bad_formulas_and_curves_are_refused():
    with pytest.raises(InvalidInput, match=r"cannot be set"):
        formula_svg(r"\frac{a")
    with pytest.raises(InvalidInput, match="one length"):
        Curve("adam", [1, 2], [1, 2, 3])
    with pytest.raises(InvalidInput, match="at least one curve"):
        curve_chart([], "step", "loss")
    with pytest.raises(InvalidInput, match="'adm' is none of"):
        learning_rate_sensitivity([falling("adam", 0.1)], reference="adm")
    with pytest.raises(InvalidInput, match="one interval per label"):
        interval_chart(["a"], [], "difference")


def test_drawing_leaves_no_global_state_behind_and_importing_loads_no_matplotlib():
    program = (
        "import sys, metarl.reporting as r\n"
        "r.Table('t', [r.Column('a')], [{'a': 1}]); r.Curve, r.Section, r.formula_svg\n"
        "assert 'matplotlib' not in sys.modules\n"
        "import matplotlib; settings = matplotlib.rcParams  # [...] of the backend loads pyplot\n"
        "read = lambda: {name: dict.__getitem__(settings, name) for name in settings}\n"
        "before = read()\n"
        "r.curve_chart([r.Curve('a', [1, 2], [1, 2])], 'x', 'y').svg\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "assert read() == before\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_bars_are_as_high_as_their_numbers_and_told_in_words():
    stays = {"common": [Interval(0.8, 0.7, 0.9), Interval(0.3, 0.2, 0.4)]}
    drawing = bar_panels({"agent": stays}, ("rewarded", "not"), "stays", y_top=1.0)
    (axes,) = drawing.figure.axes
    assert [bar.get_height() for bar in axes.patches] == [0.8, 0.3]
    assert "agent: rewarded common 0.8, not common 0.3" in drawing.description
    with pytest.raises(InvalidInput, match="needs 3 bars"):
        bar_panels({"agent": stays}, ("a", "b", "c"), "stays")


def test_the_names_of_named_rules_are_not_shortened_in_figures():
    assert all(shortened(name) == name for name in NAMED_RULES)
    assert len(shortened("x" * 35)) < 35


def test_one_optimizer_alone_has_a_chart_of_its_learning_rates():
    drawing = learning_rate_sensitivity([falling("adam", 0.1)], reference="adam")
    assert len(drawing.figure.axes) == 1


@pytest.mark.parametrize("words", ["Adam", "adam-step-back, tuned anew"])
def test_the_legend_below_panels_stays_within_the_figure(words):
    labels = [f"{words} {number}" for number in range(8)]
    curves = [Curve(label, [1, 2], [1, 2], [1, 2], [1, 2]) for label in labels]
    figure = curve_panels({"one": curves, "other": curves}, "x", "y").figure
    figure.canvas.draw()
    (legend,) = figure.legends
    edges = legend.get_window_extent()
    assert edges.x0 >= 0 and edges.x1 <= figure.bbox.width
    assert edges.y0 >= 0
