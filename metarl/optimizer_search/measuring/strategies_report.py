"""What strategies are worth on tables of rules, as tables, figures, CSV and a page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from metarl.reporting import (
    Column,
    Curve,
    Drawing,
    Figure,
    Paragraph,
    Section,
    Table,
    counted,
    curve_panels,
    html_page,
    write_csv,
    write_file,
    write_json,
)
from metarl.statistics import Interval, interval_from_json

FILES = (
    *("strategies.json", "strategies.csv", "curves.csv", "report.html"),
    *("rules.svg", "rules.png", "steps.svg", "steps.png"),
)
_INTERVALS = {
    "true_score": "mean",
    "difference_to_random": "mean",
    "regret": "mean",
    "elsewhere": "mean",
    "in_top_percent": "share",
    "rules_random_needs": "ratio",
}
_COLUMNS = (
    Column("strategy"),
    Column("searches", essential=False),
    Column("true_score", "true score"),
    Column("difference_to_random", "less random search's", better="higher"),
    Column("regret", "regret", essential=False),
    Column("in_top_percent", "share in the best 1 %"),
    Column("rules_random_needs", "random needs, times", better="higher", neutral=1.0),
    Column("elsewhere", "on held-out problems", essential=False),
    Column("sampled", "rules proposed", essential=False),
    Column("steps", "optimizer steps", essential=False),
    Column("seconds", "CPU-seconds", digits=2),
)
_CAPTIONS = {
    "rules": "True score of the rule that a search would hand over, against rules trained; mean over searches with its "
    "95 % interval. Random search goes on beyond the budget.",
    "steps": "The same against optimizer steps: rules that diverge are cheap.",
}


def strategies_table(name: str, document: Mapping[str, Any]) -> Table:
    """Returns a row for each strategy on one table.

    Args:
      name: of the table.
      document: of the table, see `measure_strategies`.
    """
    largest = document["max_size"]
    extent = "" if largest is None else f", up to size {largest}"
    title = (
        f"{name}: {document['rules']:,} rules of space {document['space']}, depth {document['depth']}{extent}; "
        f"{document['budget']:,} trained in a search"
    )
    rows = [_row(row) for row in document["strategies"]]
    return Table(title, _columns(rows), rows, _notes(document))


def strategies_chart(document: Mapping[str, Any], by: str) -> Drawing:
    """Returns true scores by "rules" trained or optimizer "steps", one panel a table."""
    panels = {
        name: [
            Curve(strategy, curve[by], curve["mean"], curve["low"], curve["high"])
            for strategy, curve in table["curves"].items()
        ]
        for name, table in document["tables"].items()
    }
    label = {"rules": "rules trained", "steps": "optimizer steps"}[by]
    return curve_panels(panels, label, "true score", x_scale="log", height=3.2)


def write_strategies(place: Path, document: Mapping[str, Any]) -> list[Path]:
    """Writes document, tables, figures and a page into a directory, and returns the paths.

    Raises:
      OSError: it could not be written.
    """
    place.mkdir(parents=True, exist_ok=True)
    drawings = {by: strategies_chart(document, by) for by in ("rules", "steps")}
    pictures = [
        path
        for by, drawing in drawings.items()
        for path in (drawing.write_svg(place / f"{by}.svg"), drawing.write_png(place / f"{by}.png"))
    ]
    return [
        write_json(place / "strategies.json", document),
        write_csv(place / "strategies.csv", _all_rows(document)),
        write_csv(place / "curves.csv", _curve_rows(document)),
        *pictures,
        write_file(place / "report.html", _page(document, drawings)),
    ]


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        column.name: _interval(row[column.name], _INTERVALS[column.name])
        if column.name in _INTERVALS
        else row[column.name]
        for column in _COLUMNS
    }


def _interval(value: Mapping[str, Any] | None, estimate: str) -> Interval | None:
    """Returns an interval of a document; a bound that is not known is null in JSON read back, and infinite here."""
    if value is None or value["low"] is not None:
        return interval_from_json(value, estimate)
    return Interval(value[estimate], -float("inf"), float("inf"))


def _columns(rows: list[dict[str, Any]]) -> list[Column]:
    return [c for c in _COLUMNS if c.name != "elsewhere" or rows[0]["elsewhere"] is not None]


def _notes(document: Mapping[str, Any]) -> list[str]:
    shown = document["replicates"]
    judges, held_out = ", ".join(document["judges"]), ", ".join(document["held_out"])
    elsewhere = f" Held-out problems: {held_out}." if held_out else ""
    best = document["best_true_score"]["mean"]
    return [
        "True score: of the rule that a search hands over by its own choice, minus the log of the test loss over tuned "
        f"Adam's, on {shown['truth']} replicates that it has not seen ({judges}); 0 is tuned Adam, 0.1 is 10 % less "
        f"loss. Regret: to the rule of the highest true score, {best:.3g}, whose luck is in it. Intervals: 95 % over "
        "searches, paired where they are compared; they say nothing of other tables."
        f"{elsewhere}",
        "Random needs: rules that random search trains for the same mean true score, over those trained here; better: "
        "above 1. CPU-seconds: of ask and tell, a search; the median, so without compiling. "
        f"{_too_few(document)}".rstrip(),
        *_ends(document),
    ]


def _ends(document: Mapping[str, Any]) -> list[str]:
    largest = document["max_size"]
    if largest is None:
        return []
    return [
        f"The table ends at {counted(largest, 'node')}; larger rules are filtered (--filters.max-size {largest}), so "
        "no strategy trains what the table lacks."
    ]


def _too_few(document: Mapping[str, Any]) -> str:
    few = [row["strategy"] for row in document["strategies"] if row["searches"] < 8]
    return f"Fewer than 8 searches have no intervals: {', '.join(few)}." if few else ""


def _all_rows(document: Mapping[str, Any]) -> Table:
    rows = [
        {"table": name, **_row(row)}
        for name, table in document["tables"].items()
        for row in table["strategies"]
    ]
    return Table("strategies", [Column("table"), *_COLUMNS], rows)


def _curve_rows(document: Mapping[str, Any]) -> Table:
    names = ("rules", "steps", "mean", "low", "high")
    rows = [
        {"table": name, "strategy": strategy, **dict(zip(names, point, strict=True))}
        for name, table in document["tables"].items()
        for strategy, curve in table["curves"].items()
        for point in zip(*(curve[column] for column in names), strict=True)
    ]
    return Table("curves", [Column(n) for n in ("table", "strategy", *names)], rows)


def _page(document: Mapping[str, Any], drawings: Mapping[str, Drawing]) -> str:
    figures = [Figure(drawing, _CAPTIONS[by]) for by, drawing in drawings.items()]
    tables = [
        Section(name, [strategies_table(name, table), _handed_over(table)])
        for name, table in document["tables"].items()
    ]
    lead = Paragraph(
        "Searches replayed on tables of rules: every rule of a small space was trained once, so a search takes a "
        "second, and the best rule is known."
    )
    sections = [Section("At a glance", [lead, *figures]), *tables]
    return html_page("Strategies of search", sections, f"seed {document['seed']}")


def _handed_over(table: Mapping[str, Any]) -> Table:
    rows = [
        {"strategy": row["strategy"], "rule": one["rule"], "share": one["share"]}
        for row in table["strategies"]
        for one in row["handed_over"]
    ]
    columns = [Column("strategy"), Column("rule"), Column("share", "share of searches")]
    return Table("Rules handed over most often", columns, rows)
