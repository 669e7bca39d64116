"""A picture of a world for people: rectangles, discs and lines on an array, by numpy alone.

Coordinates are pixels, x to the right and y upwards, from the lower left corner.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Point = Sequence[float] | np.ndarray

GROUND, WALL = np.array([245, 243, 238], np.uint8), np.array([70, 65, 85], np.uint8)
START, GOAL = np.array([120, 175, 110], np.uint8), np.array([230, 50, 35], np.uint8)
WAY, BODY = np.array([110, 150, 215], np.uint8), np.array([25, 70, 160], np.uint8)
PALE = np.array([205, 202, 196], np.uint8)


class Canvas:
    """What is drawn on; whatever lies beyond the edges is left out."""

    def __init__(self, width: int, height: int) -> None:
        """Makes a blank canvas of so many pixels."""
        self._pixels = np.empty((height, width, 3), np.uint8)
        self._pixels[:] = GROUND

    def rectangle(self, low: Point, high: Point, colour: np.ndarray) -> None:
        """Fills a rectangle between its lower left and its upper right corner."""
        (left, bottom), (right, top) = (np.maximum(np.round(p), 0).astype(int) for p in (low, high))
        self._pixels[bottom:top, left:right] = colour

    def disc(self, middle: Point, radius: float, colour: np.ndarray) -> None:
        """Fills a disc."""
        height, width = self._pixels.shape[:2]
        low = np.maximum(np.floor(np.subtract(middle, radius)), 0).astype(int)
        high = np.minimum(np.ceil(np.add(middle, radius)), (width, height)).astype(int)
        x = np.arange(low[0], high[0])[None] + 0.5 - middle[0]
        y = np.arange(low[1], high[1])[:, None] + 0.5 - middle[1]
        if x.size and y.size:
            part = self._pixels[low[1] : high[1], low[0] : high[0]]
            part[x**2 + y**2 < radius**2] = colour

    def line(self, start: Point, end: Point, colour: np.ndarray, thickness: int = 1) -> None:
        """Draws a straight line, as a row of squares of so many pixels."""
        height, width = self._pixels.shape[:2]
        count = int(np.max(np.abs(np.subtract(end, start)))) + 2
        places = np.floor(np.linspace(start, end, count)).astype(int)  # [P, 2]
        brush = np.arange(thickness) - thickness // 2
        columns = (places[:, 0, None, None] + brush[None, :, None] + 0 * brush).ravel()
        rows = (places[:, 1, None, None] + brush[None, None, :] + 0 * brush[:, None]).ravel()
        inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
        self._pixels[rows[inside], columns[inside]] = colour

    def picture(self) -> np.ndarray:
        """Returns the picture [height, width, 3] uint8, its uppermost row first."""
        return self._pixels[::-1].copy()
