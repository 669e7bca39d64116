"""Animations and grids of pictures: every frame there, pixels as they are, bad places refused."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from metarl.errors import InvalidInput
from metarl.reporting import Frame, picture_grid, write_animation
from metarl.reporting.animations import LINE, MARGIN, compose


def plain(height, width, *colour) -> np.ndarray:
    return np.full((height, width, 3), colour, np.uint8)


RED_AND_BLUE = [plain(40, 30, 200, 0, 0), plain(20, 50, 0, 0, 200)]


def test_pictures_stand_side_by_side_and_low_ones_in_the_middle():
    page = compose(Frame(RED_AND_BLUE, ["a", "b"]))
    assert page.shape == (40 + 2 * MARGIN + 2 * LINE, 30 + 50 + 3 * MARGIN, 3)
    red = page[MARGIN : MARGIN + 40, MARGIN : MARGIN + 30]
    blue = page[MARGIN + 10 : MARGIN + 30, 30 + 2 * MARGIN : 80 + 2 * MARGIN]
    assert (red == (200, 0, 0)).all() and (blue == (0, 0, 200)).all()
    assert (page[MARGIN + 9, 30 + 2 * MARGIN] == 255).all()


def test_a_gif_has_every_frame_for_its_time_and_words_leave_ink(tmp_path):
    frames = [Frame(RED_AND_BLUE, [f"step {i}"], 0.08) for i in range(4)]
    frames.append(Frame(RED_AND_BLUE, ["the end"], 1.5))
    path = write_animation(tmp_path / "a.gif", frames)
    durations, bottoms = [], set()
    with Image.open(path) as gif:
        assert gif.n_frames == 5 and gif.info["loop"] == 0  # type: ignore[attr-defined]
        for number in range(5):
            gif.seek(number)
            durations.append(gif.info["duration"])
            pixels = np.asarray(gif.convert("RGB"))
            bottoms.add(pixels[-LINE:].tobytes())
            assert (pixels[-LINE:] < 100).any()
            assert tuple(pixels[MARGIN + 5, MARGIN + 5]) == (200, 0, 0)
    assert durations == [80, 80, 80, 80, 1500]
    assert len(bottoms) == 5
    again = write_animation(tmp_path / "b.gif", frames)
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("name", "frames", "message"),
    [
        ("a.mp4", [Frame(RED_AND_BLUE)], r"An animation ends in \.gif, not '.*a\.mp4'"),
        ("a.gif", [], "An animation needs at least one frame"),
    ],
)
def test_what_is_no_animation_is_refused(tmp_path, name, frames, message):
    with pytest.raises(InvalidInput, match=message):
        write_animation(tmp_path / name, frames)


def test_a_directory_that_is_not_there_is_an_error_and_nothing_is_left(tmp_path):
    with pytest.raises(OSError):
        write_animation(tmp_path / "no" / "a.gif", [Frame(RED_AND_BLUE)])
    assert not list(tmp_path.iterdir())


def test_a_grid_shows_each_picture_under_its_title(tmp_path):
    drawing = picture_grid(
        [{"one": plain(9, 9, 255, 0, 0), "two": plain(9, 9, 0, 0, 255)}, {}], "x"
    )
    titles = [axes.get_title() for axes in drawing.figure.axes]
    assert titles == ["one", "two", "", ""] and drawing.description == "x"
    with Image.open(drawing.write_png(tmp_path / "grid.png")) as image:
        colours = {colour for _, colour in image.convert("RGB").getcolors(10**6) or ()}
    assert {(255, 0, 0), (0, 0, 255)} <= colours
    with pytest.raises(InvalidInput, match="A grid needs at least one picture"):
        picture_grid([{}], "x")
