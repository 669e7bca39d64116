"""bench: measure the speed of the search on this machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import tyro

from .machine import Machine

_LINES = {
    "ratio_to_fixed_adam": "rules through the interpreter over hard-coded Adam, same steps",
    "compile_speedup": "compiling 1,000 rules one by one over compiling the interpreter once",
    "speedup_over_compiling": "compiling and running each rule over the interpreter, first rules included",
    "rules_per_second": "rules a second, early stopping off",
    "compile_seconds": "seconds to compile the interpreter",
    "peak_memory_mb": "peak memory of the process, MB",
    "steps_executed": "optimizer steps executed a round",
}


@dataclass(frozen=True)
class Arguments:
    """Measures the speed of the search: the interpreter beside hard-coded Adam and beside compiling each rule."""

    what: Annotated[Literal["search"], tyro.conf.Positional] = "search"
    """What to measure."""
    problem: str = "digits-mlp"
    """The problem that rules are trained on."""
    rules: int = 64
    """Random valid rules of depth 2."""
    repeats: int = 5
    """Rounds; each measures all ways in turn, and medians are printed."""
    machine: Annotated[Machine, tyro.conf.arg(name="")] = field(default_factory=Machine)
    json: bool = False
    """Print one JSON document on standard output, and nothing else there."""


def run(arguments: Arguments) -> dict[str, Any]:
    """Measures and returns the figures."""
    arguments.machine.start()
    from metarl.optimizer_search import measure_search
    from metarl.runs import progress_on_stderr

    say = progress_on_stderr().message
    return measure_search(arguments.problem, arguments.rules, arguments.repeats, say)


def show(document: dict[str, Any]) -> None:
    """Prints one line a figure, then the seconds behind them."""
    from metarl.reporting import Column, Table, number_text, print_table

    rows = [
        {"figure": name, "value": number_text(document[name]), "meaning": meaning}
        for name, meaning in _LINES.items()
    ]
    columns = [Column("figure"), Column("value"), Column("meaning")]
    title = f"{document['problem']}: {document['rules']} rules, {document['threads']} threads"
    seconds = ", ".join(
        f"{name} {number_text(value)}" for name, value in document["seconds"].items()
    )
    notes = [
        f"Median seconds: {seconds}.",
        "Compiling one rule: " + document["extrapolated"]["compile_one_rule"] + ".",
    ]
    print_table(Table(title, columns, rows, notes))
