"""Trees: expressions drawn with their value on top and what it is made of below.

Leaves stand side by side in their order, a parent over the middle of its children. Leaves are
tinted boxes, functions are circles, so that neither colour nor size is needed to tell them apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from metarl.errors import require

from .axes import WIDTH, with_style
from .drawing import Drawing
from .palette import HUES, INK, tint

_LEVEL = 0.62  # inches from a node to its children
_HEADROOM = 0.75  # inches above the root, for the title
_FEET = 0.3  # inches below the lowest leaf
_TIGHT, _WIDE = 1.0, 1.3  # room of a leaf; that of the least wide tree


class Tree(NamedTuple):
    """A node and what it is made of."""

    label: str  # text, or mathtext between dollar signs
    children: tuple[Tree, ...] = ()


class Node(NamedTuple):
    """A node in its place: x in leaves from the left, depth in levels from the root."""

    label: str
    x: float
    depth: int
    parent: int | None  # its index among the nodes
    is_leaf: bool


def laid_out(tree: Tree) -> list[Node]:
    """Returns the nodes of a tree, parents before their children, leaves at x = 0, 1, 2 ..."""
    nodes: list[Node] = []
    leaves = 0

    def place(part: Tree, depth: int, parent: int | None) -> float:
        nonlocal leaves
        index = len(nodes)
        nodes.append(Node(part.label, 0.0, depth, parent, not part.children))
        if part.children:
            below = [place(child, depth + 1, index) for child in part.children]
            x = (below[0] + below[-1]) / 2
        else:
            x, leaves = float(leaves), leaves + 1
        nodes[index] = nodes[index]._replace(x=x)
        return x

    place(tree, 0, None)
    return nodes


@with_style
def tree_chart(
    titles: Sequence[str], trees: Sequence[Tree], columns: int = 4, description: str = ""
) -> Drawing:
    """Returns trees side by side, each under its title.

    Args:
      titles: one for each tree; a line break begins a second, lighter line.
      trees: what to draw.
      columns: trees in a row.
      description: for those who cannot see it; made from the titles if empty.

    Raises:
      InvalidInput: if there are no trees, or not one for each title.
    """
    require(
        len(titles) == len(trees) > 0,
        f"A chart needs one tree per title; received {len(titles)} and {len(trees)}.",
    )
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    placed = [laid_out(tree) for tree in trees]
    rows = [
        range(first, min(first + columns, len(trees))) for first in range(0, len(trees), columns)
    ]
    heights = [max(_height(placed[i]) for i in row) for row in rows]
    figure = Figure(figsize=(WIDTH, sum(heights)))
    FigureCanvasAgg(figure)
    top = 1.0
    for row, height in zip(rows, heights, strict=True):
        share = height / sum(heights)
        widths = [max(_WIDE, _TIGHT * sum(node.is_leaf for node in placed[i])) for i in row]
        left = 0.0
        for i, width in zip(row, widths, strict=True):
            part = width / sum(widths)
            axes = figure.add_axes((left, top - share, part, share))
            _draw_tree(axes, titles[i], placed[i], part * WIDTH, height)
            left += part
        top -= share
    return Drawing(figure, description or f"Expression trees: {', '.join(titles)}.")


def _height(nodes: Sequence[Node]) -> float:
    return _HEADROOM + _FEET + _LEVEL * max(node.depth for node in nodes)


def _draw_tree(axes: Any, title: str, nodes: Sequence[Node], width: float, height: float) -> None:
    """Draws one tree on axes of that size in inches; a unit of the axes is an inch."""
    axes.set_xlim(0, width)
    axes.set_ylim(0, height)
    axes.axis("off")
    leaves = sum(node.is_leaf for node in nodes)
    gap = width / (leaves + 0.6)
    places = [
        (width / 2 + gap * (node.x - (leaves - 1) / 2), height - _HEADROOM - _LEVEL * node.depth)
        for node in nodes
    ]
    head, _, tail = title.partition("\n")
    axes.text(
        width / 2, height - 0.12, head, ha="center", va="center", fontsize=9, parse_math=False
    )
    axes.text(
        width / 2, height - 0.36, tail, ha="center", va="center", fontsize=9, math_fontfamily="stix"
    )
    drawn = [_draw_node(axes, place, node) for place, node in zip(places, nodes, strict=True)]
    for place, node, text in zip(places, nodes, drawn, strict=True):
        if node.parent is None:
            continue
        # the arrow points up, from what a value is made of to the value
        axes.annotate(
            "",
            xy=places[node.parent],
            xytext=place,
            arrowprops={
                "arrowstyle": "-|>,head_length=0.25,head_width=0.12",
                "color": INK,
                "linewidth": 0.8,
                "patchA": text.get_bbox_patch(),
                "patchB": drawn[node.parent].get_bbox_patch(),
                "shrinkA": 1.5,
                "shrinkB": 1.5,
            },
        )


def _draw_node(axes: Any, place: tuple[float, float], node: Node) -> Any:
    colour = HUES[0] if node.is_leaf else INK
    shape = "round,pad=0.35" if node.is_leaf else "circle,pad=0.25"
    text = axes.text(
        *place,
        node.label,
        ha="center",
        va="center",
        fontsize=9,
        bbox={
            "boxstyle": shape,
            "edgecolor": colour,
            "facecolor": tint(colour) if node.is_leaf else "none",
            "linewidth": 1.0,
        },
    )
    return text
