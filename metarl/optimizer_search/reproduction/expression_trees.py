"""expression trees: update rules as the controller sees them, operands below and functions above.

Reference: Bello et al. (2017), figure 2.
"""

from __future__ import annotations

from dataclasses import dataclass

from metarl.reading import Count, check_fields
from metarl.reporting import Column, Table, Tree, tree_chart
from metarl.update_rules import OPERANDS, Binary, Expression, Number, Operand, Rule, Unary
from metarl.update_rules import to_latex as latex_of

from ..reports.chart import Chart
from .titled_rules import titled_rules
from .work import Findings, Work

_SYMBOLS = {"*": "×", "/": "÷", "-": "−", "sqrt": "√", "^": "power"}


@dataclass(frozen=True)
class Settings:
    """What is drawn."""

    rules: tuple[str, ...]
    """Each "TITLE = RULE"."""
    columns: Count = 4
    """Trees in a row."""

    def __post_init__(self) -> None:
        check_fields(self)


def draw_trees(work: Work) -> Findings:
    """Draws the tree of each rule."""
    rules = titled_rules(work.settings.rules)
    titles = [f"{title}\n${rule.to_latex()}$" for title, rule in rules.items()]
    trees = [expression_tree(rule) for rule in rules.values()]
    drawing = tree_chart(
        titles,
        trees,
        work.settings.columns,
        f"Update rules as trees: {', '.join(f'{title}: {rule}' for title, rule in rules.items())}.",
    )
    caption = (
        "Update rules as trees. Tinted boxes are operands, circles functions; the value on top, times minus the "
        "learning rate, moves the parameters. Hats mark moving averages corrected for their start at zero."
    )
    return Findings(
        claims=[_sizes(rules)],
        tables={"rules": _table(rules)},
        charts=[Chart("expression-trees", drawing, caption)],
        numbers={title: {"size": rule.size, "depth": rule.depth} for title, rule in rules.items()},
    )


def expression_tree(rule: Rule) -> Tree:
    """Returns a rule as a tree to draw."""
    return _tree(rule.expression)


def _tree(node: Expression) -> Tree:
    match node:
        case Operand(name=name):
            latex = OPERANDS[name].latex
            return Tree(name if latex.startswith(r"\frac") else f"${latex}$")
        case Number():
            return Tree(f"${latex_of(Rule(node))}$")
        case Unary(name=name, argument=argument, constant=constant):
            symbol = _SYMBOLS.get(name, name)
            return Tree(
                symbol if constant is None else f"{symbol}\n{constant:g}", (_tree(argument),)
            )
        case Binary(name=name, left=left, right=right):
            return Tree(_SYMBOLS.get(name, name), (_tree(left), _tree(right)))
    raise TypeError(f"not an expression: {node!r}")


def _table(rules: dict[str, Rule]) -> Table:
    columns = [
        Column("title", "optimizer"),
        Column("rule"),
        Column("size", "operands and functions"),
        Column("depth", "levels"),
    ]
    rows = [
        {"title": title, "rule": str(rule), "size": rule.size, "depth": rule.depth}
        for title, rule in rules.items()
    ]
    return Table("Rules", columns, rows)


def _sizes(rules: dict[str, Rule]) -> str:
    sizes = ", ".join(f"{title} {rule.size}" for title, rule in rules.items())
    return f"Operands and functions of each rule: {sizes}."
