"""Pictures in a grid, each with a title: what an agent sees, a maze from above, a way that was gone.

Pixels are kept: a picture is drawn without smoothing.

Letters: H x W pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from metarl.errors import require

from .axes import with_style
from .drawing import Drawing

INCHES = 1.9  # of the height of a row


@with_style
def picture_grid(rows: Sequence[Mapping[str, np.ndarray]], description: str) -> Drawing:
    """Returns a grid of pictures.

    Args:
      rows: of titles and pictures [H, W, 3] uint8; shorter rows end early.
      description: what is shown, for those who cannot see it.

    Raises:
      InvalidInput: there are no pictures.
    """
    from matplotlib.figure import Figure

    require(any(rows), "A grid needs at least one picture.")
    columns = max(map(len, rows))
    figure = Figure(figsize=(INCHES * 1.15 * columns, INCHES * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for axes in grid.ravel():
        axes.set_axis_off()
    for line, row in zip(grid, rows, strict=True):
        for axes, (title, picture) in zip(line, row.items(), strict=False):
            axes.imshow(picture, interpolation="nearest")
            axes.set_title(title, fontsize=8)
    return Drawing(figure, description)
