"""bench: measure the speed of a search, or of a training, on this machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import tyro

from metarl.rl_squared import WorldConfig

from .machine import Machine

_OF_SEARCH = {
    "ratio_to_fixed_adam": "rules through the interpreter over hard-coded Adam, same steps",
    "compile_speedup": "compiling 1,000 rules one by one over compiling the interpreter once",
    "speedup_over_compiling": "compiling and running each rule over the interpreter, first rules included",
    "rules_per_second": "rules a second, early stopping off",
    "compile_seconds": "seconds to compile the interpreter",
    "peak_memory_mb": "peak memory of the process, MB",
    "steps_executed": "optimizer steps executed a round",
}
_OF_TRAINING = {
    "training_steps_per_second": "environment steps a second of training, all in all",
    "floor_steps_per_second": "of the network passes of training alone",
    "ratio_to_floor": "training over that floor",
    "rollout_steps_per_second": "environment steps a second of acting and recording",
    "environment_steps_per_second": "environment steps a second without a network",
    "compile_seconds": "seconds to compile the training",
    "peak_memory_mb": "peak memory of the process, MB",
}


@dataclass(frozen=True)
class Arguments:
    """Measures the speed of the search, beside hard-coded Adam and beside compiling each rule; or of a training.

    A training is measured beside the network passes that it cannot do without.
    """

    what: Annotated[Literal["search", "train"], tyro.conf.Positional] = "search"
    """What to measure."""
    problem: str = "digits-mlp"
    """Search: the problem that rules are trained on."""
    rules: int = 64
    """Search: random valid rules of depth 2."""
    repeats: int = 5
    """Rounds; each measures all ways in turn, and medians are printed."""
    world: Annotated[WorldConfig, tyro.conf.arg(name="")] = field(default_factory=WorldConfig)
    hidden: int = 64
    """Training: units of the GRU."""
    machine: Annotated[Machine, tyro.conf.arg(name="")] = field(default_factory=Machine)
    json: bool = False
    """Print one JSON document on standard output, and nothing else there."""


def run(arguments: Arguments) -> dict[str, Any]:
    """Measures and returns the figures."""
    arguments.machine.start()
    from metarl.runs import progress_on_stderr

    say = progress_on_stderr().message
    if arguments.what == "search":
        from metarl.optimizer_search import measure_search

        return measure_search(arguments.problem, arguments.rules, arguments.repeats, say)
    from metarl.rl_squared import NetworkConfig, TrainConfig, measure_training

    config = TrainConfig(world=arguments.world, network=NetworkConfig(hidden=arguments.hidden))
    return measure_training(config, arguments.repeats, say)


def show(document: dict[str, Any]) -> None:
    """Prints one line a figure, then the seconds behind them."""
    from metarl.reporting import Column, Table, number_text, print_table

    lines = _OF_SEARCH if "rules" in document else _OF_TRAINING
    rows = [
        {"figure": name, "value": number_text(document[name]), "meaning": meaning}
        for name, meaning in lines.items()
    ]
    columns = [Column("figure"), Column("value"), Column("meaning")]
    seconds = ", ".join(
        f"{name} {number_text(value)}" for name, value in document["seconds"].items()
    )
    print_table(Table(_title(document), columns, rows, [f"Median seconds: {seconds}."]))
    if "extrapolated" in document:
        print(f"Compiling one rule: {document['extrapolated']['compile_one_rule']}.")


def _title(document: dict[str, Any]) -> str:
    if "rules" in document:
        return f"{document['problem']}: {document['rules']} rules, {document['threads']} threads"
    environment = document["environment"]
    return (
        f"{environment['name']}, trials of {environment['trial_steps']} steps: {document['network']}, "
        f"{document['batch_steps']:,} steps an update, {document['devices']} devices"
    )
