"""Drawings: matplotlib figures as files and as SVG that takes its ink from the page.

Text is drawn as paths, so that no font need be installed; ink becomes `currentColor`, so that a
dark page gets light axes; ids are prefixed with a hash of the drawing, so that several stand in one
page. The bytes are the same for the same data.
"""

from __future__ import annotations

import hashlib
import html
import io
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .files import write_file
from .palette import INK

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PIXELS_PER_INCH = 200
NAMESPACE = "http://www.w3.org/2000/svg"
STYLE: dict[Any, Any] = {
    "svg.fonttype": "path",
    "svg.hashsalt": "metarl",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # shipped with matplotlib: the same everywhere
    "font.size": 9.0,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


@dataclass(frozen=True)
class Drawing:
    """A finished figure and what it shows, in words, for those who cannot see it."""

    figure: Figure
    description: str

    @property
    def svg(self) -> str:
        """The `<svg>` element to put in a page: transparent, in the page's own ink."""
        return as_inline_svg(self._render("svg").decode(), self.description)

    def write_svg(self, path: str | os.PathLike[str]) -> Path:
        """Writes a standalone SVG file; returns the path."""
        return write_file(path, self.svg.replace("<svg ", f'<svg xmlns="{NAMESPACE}" ', 1) + "\n")

    def write_png(self, path: str | os.PathLike[str]) -> Path:
        """Writes a PNG file with dark ink on white; returns the path."""
        return write_file(path, self._render("png"))

    def _render(self, kind: str) -> bytes:
        from matplotlib import rc_context

        buffer = io.BytesIO()
        silent = {"Creator": None, "Date": None, "Format": None, "Type": None}
        with rc_context(STYLE):
            self.figure.savefig(
                buffer,
                format=kind,
                dpi=PIXELS_PER_INCH if kind == "png" else "figure",
                transparent=kind == "svg",
                metadata=silent if kind == "svg" else {"Software": None},
            )
        return buffer.getvalue()


def as_inline_svg(document: str, description: str) -> str:
    """Returns matplotlib's SVG document as an element to put in a page.

    Args:
      document: the whole file, prologue included.
      description: what it shows, in words.

    Returns:
      One `<svg role="img">` element: without prologue, namespaces and metadata, with unique ids,
      ink as `currentColor`.
    """
    element = document[document.index("<svg") :].strip()
    element = re.sub(r"<metadata>.*?</metadata>\s*", "", element, flags=re.DOTALL)
    element = re.sub(r'\s(xmlns|xmlns:xlink|version)="[^"]*"', "", element)
    element = element.replace("xlink:href=", "href=").replace(INK, "currentColor")
    prefix = "d" + hashlib.sha256(element.encode()).hexdigest()[:10] + "-"
    element = re.sub(r'(\bid="|href="#|url\(#)', lambda match: match[1] + prefix, element)
    label = html.escape(description)
    return element.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)
