"""Colours: six hues that stay apart for the colour-blind and readable on white and on black.

Every hue has a contrast of at least 3:1 against a light and a dark page, which leaves them close in
lightness; so a line is told from its neighbour by its dashes and its label as well, and beyond six
curves the hues repeat with other dashes. Ink (axes, text, grey lines) is one marked colour that
becomes `currentColor` in SVG.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

INK = "#1a1d21"
HUES = ("#1f7fd1", "#d55e00", "#0e9a76", "#b8559a", "#9a7b00", "#7a6ee6")
DASHES: tuple[Literal["solid"] | tuple, ...] = (
    "solid",
    (0, (5, 1.6)),
    (0, (1.2, 1.4)),
    (0, (6, 1.5, 1.2, 1.5)),
)
FAINT = 0.55  # opacity of lines that stay in the background
BAND = 0.16  # opacity of the bands around curves
GRID = 0.13  # opacity of grid lines


class Stroke(NamedTuple):
    """How a line is drawn."""

    colour: str
    dash: Literal["solid"] | tuple
    opacity: float
    width: float


def strong_stroke(index: int) -> Stroke:
    """Returns the stroke of the index-th curve in the foreground."""
    dash = DASHES[index // len(HUES) % len(DASHES)]
    return Stroke(HUES[index % len(HUES)], dash, 1.0, 1.8)


def faint_stroke(index: int) -> Stroke:
    """Returns the stroke of the index-th curve in the background, told apart by dashes alone."""
    return Stroke(INK, DASHES[index % len(DASHES)], FAINT, 0.9)


def tint(colour: str) -> tuple[float, float, float, float]:
    """Returns a colour as thin as a band, to fill a shape with."""
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue, BAND
