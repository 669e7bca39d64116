"""Animations: pictures side by side with words below them, frame after frame, as a GIF.

The pictures of a frame keep their pixels; lower ones are centred. GIF knows 256 colours: the same for
all frames, chosen from some of them, so that what stands still is stored once. The bytes are the same
for the same frames.

Letters: H x W pixels.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from metarl.errors import require

from .files import write_file

MARGIN = 8  # pixels around and between pictures
LINE = 20  # pixels of a line of words
TEXT_SIZE = 15
SAMPLES = 16  # frames, about, from which the colours are chosen
PAPER, INK = (255, 255, 255), (40, 40, 40)


@dataclass(frozen=True)
class Frame:
    """A moment.

    Attributes:
      pictures: side by side, each [H, W, 3] uint8.
      words: lines below them.
      seconds: how long it is shown; GIF counts hundredths.
    """

    pictures: Sequence[np.ndarray]
    words: Sequence[str] = ()
    seconds: float = 0.1


def write_animation(path: str | os.PathLike[str], frames: Sequence[Frame]) -> Path:
    """Writes frames as a GIF that repeats for ever.

    Args:
      path: ending in .gif; its directory must exist.
      frames: at least one; all of one layout.

    Returns:
      The path.

    Raises:
      InvalidInput: the path does not end in .gif, or there are no frames.
      OSError: it could not be written; nothing is left behind then.
    """
    require(Path(path).suffix.lower() == ".gif", f"An animation ends in .gif, not {str(path)!r}.")
    require(len(frames) > 0, "An animation needs at least one frame.")
    drawn = _with_common_colours([_draw(frame) for frame in frames])
    buffer = io.BytesIO()
    drawn[0].save(
        buffer,
        "GIF",
        save_all=True,
        append_images=drawn[1:],
        duration=[max(2, round(100 * frame.seconds)) * 10 for frame in frames],
        loop=0,
    )
    return write_file(path, buffer.getvalue())


def compose(frame: Frame) -> np.ndarray:
    """Returns a frame as one picture [H, W, 3] uint8, without its words."""
    high = max(picture.shape[0] for picture in frame.pictures)
    wide = sum(picture.shape[1] for picture in frame.pictures)
    wide += MARGIN * (len(frame.pictures) + 1)
    extent = (high + 2 * MARGIN + LINE * len(frame.words), wide, 3)
    page = np.full(extent, PAPER, np.uint8)
    left = MARGIN
    for picture in frame.pictures:
        top = MARGIN + (high - picture.shape[0]) // 2
        page[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
        left += picture.shape[1] + MARGIN
    return page


def _draw(frame: Frame) -> Any:
    """Returns the PIL image of a frame, in full colour."""
    from PIL import Image, ImageDraw, ImageFont

    page = Image.fromarray(compose(frame))
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(TEXT_SIZE)
    top = page.height - LINE * len(frame.words) - MARGIN // 2
    for line in frame.words:
        pen.text((MARGIN, top), line, fill=INK, font=font)
        top += LINE
    return page


def _with_common_colours(pages: Sequence[Any]) -> list[Any]:
    """Returns PIL images of one size in 256 colours that fit all of them."""
    from PIL import Image

    some = pages[:: -(-len(pages) // SAMPLES)]
    strip = Image.new("RGB", (pages[0].width, pages[0].height * len(some)))
    for number, page in enumerate(some):
        strip.paste(page, (0, number * page.height))
    colours = strip.quantize(256, method=Image.Quantize.FASTOCTREE)
    return [page.quantize(palette=colours, dither=Image.Dither.NONE) for page in pages]
