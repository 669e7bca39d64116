"""Blocks of a page: what can stand in a section, as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .drawing import Drawing
from .tables import Table


@dataclass(frozen=True)
class Paragraph:
    """Running text."""

    text: str


@dataclass(frozen=True)
class Formula:
    """A formula on a line of its own, over the text that a user would type."""

    latex: str
    text: str = ""
    """The same as source text, shown below and read aloud."""
    caption: str = ""


@dataclass(frozen=True)
class Figure:
    """A drawing with its caption."""

    drawing: Drawing
    caption: str


@dataclass(frozen=True)
class Facts:
    """Names and values, such as the provenance of a run."""

    values: Mapping[str, Any]


@dataclass(frozen=True)
class Code:
    """Text to be typed or copied as it stands."""

    text: str


@dataclass(frozen=True)
class Folded:
    """Blocks that stay hidden until their summary is opened."""

    summary: str
    blocks: Sequence[Block]


Block = Paragraph | Formula | Figure | Facts | Code | Folded | Table


@dataclass(frozen=True)
class Section:
    """A headed part of a page; its heading appears in the page's list of contents."""

    heading: str
    blocks: Sequence[Block]
