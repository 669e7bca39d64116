"""Formulas: LaTeX as SVG outlines, set by matplotlib's own mathtext, without TeX and without fonts in the page."""

from __future__ import annotations

import html

from metarl.errors import InvalidInput

UNITS_PER_EM = 20.0  # of the viewBox
MARGIN = 1.0


def formula_svg(latex: str, text: str = "") -> str:
    """Returns a formula as an `<svg>` element in the page's ink, sized in em and standing on the line.

    Args:
      latex: the formula without dollar signs, in the subset of LaTeX that mathtext knows.
      text: what to read aloud; the LaTeX itself if empty.

    Returns:
      The element.

    Raises:
      InvalidInput: if mathtext cannot set the formula.
    """
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    font = FontProperties(family="DejaVu Sans", math_fontfamily="stix")
    try:
        outline = TextPath((0, 0), f"${latex}$", size=UNITS_PER_EM, prop=font)
    except ValueError as error:
        reason = str(error).strip().splitlines()[-1]
        raise InvalidInput(f"The formula {latex[:100]!r} cannot be set: {reason}.") from error
    box = outline.get_extents().padded(MARGIN)
    width, height = box.width / UNITS_PER_EM, box.height / UNITS_PER_EM
    return (
        f'<svg class="formula" role="img" aria-label="{html.escape(text or latex)}" '
        f'viewBox="{box.x0:.2f} {-box.y1:.2f} {box.width:.2f} {box.height:.2f}" '
        f'style="width:{width:.3f}em;height:{height:.3f}em;vertical-align:{box.y0 / UNITS_PER_EM:.3f}em">'
        f'<path fill="currentColor" d="{_path_data(outline)}"/></svg>'
    )


def _path_data(outline) -> str:
    """Returns the `d` attribute of an SVG path, whose y axis points down."""
    letters = {1: "M", 2: "L", 3: "Q", 4: "C", 79: "Z"}  # matplotlib's codes of path segments
    parts = []
    for points, code in outline.iter_segments(simplify=False, curves=True):
        pairs = [] if code == 79 else points.reshape(-1, 2)
        parts.append(letters[int(code)] + " ".join(f"{x:.2f} {-y:.2f}" for x, y in pairs))
    return "".join(parts)
