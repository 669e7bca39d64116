"""bench: measure a search's speed and overhead, a table, a training, mazes, adapters, scaling, strategies, problems."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from metarl.errors import require
from metarl.optimizer_search import StrategiesConfig
from metarl.reading import Bounds, Count
from metarl.rl_squared import TrainConfig, WorldConfig, preset

from .machine import Machine
from .output_file import check_output_folder

_OF_SEARCH = {
    "ratio_to_fixed_adam": "rules through the interpreter over hard-coded Adam, same steps",
    "ratio_to_fixed_muon": "`ortho(m)` through the interpreter over hard-coded Muon, same steps",
    "compile_speedup": "compiling 1,000 rules one by one over compiling the interpreter once",
    "speedup_over_compiling": "compiling and running each rule over the interpreter, first rules included",
    "rules_per_second": "rules a second, early stopping off",
    "racing_speedup": "a search's generation with every rule run in full over one that races",
    "compile_seconds": "seconds to compile the interpreter",
    "peak_memory_mb": "peak memory of the process, MB",
    "steps_executed": "optimizer steps executed a round",
}
_OF_TRAINING = {
    "training_steps_per_second": "environment steps a second of training, all in all",
    "whole_minibatches_steps_per_second": "the same, each minibatch's gradient computed at once",
    "inner_values_steps_per_second": "the same, shown the values of an inner learner (--network.inner-values)",
    "cost_of_inner_values": "seconds of training with them over those without",
    "floor_steps_per_second": "of the network passes of training alone",
    "ratio_to_floor": "training over that floor",
    "rollout_steps_per_second": "environment steps a second of acting and recording",
    "inner_values_rollout_steps_per_second": "the same, shown the values of an inner learner",
    "environment_steps_per_second": "environment steps a second without a network",
    "compile_seconds": "seconds to compile the training",
    "peak_memory_mb": "peak memory of the process, MB",
}
_OF_MAZES = {
    "steps_per_second": "steps of mazes a second, each with its picture",
    "pictures_per_second": "pictures a second",
    "ratio_to_vizdoom": "steps a second over those of ViZDoom, a process a core",
}

_OF_ADAPTERS = (
    "steps a second in our trials over those of the library's own step with its own resets"
)

_MOST_DEVICES = 512  # on one machine
_ALL_OF_WORLD = tuple(field.name for field in dataclasses.fields(WorldConfig))
_TRAINED = (*_ALL_OF_WORLD, "preset", "hidden", "batch_steps")
# The flags that each measurement goes by; --json and those of the machine are for all.
_FLAGS = {
    "search": ("problem", "rules", "repeats"),
    "train": (*_TRAINED, "inner_values", "repeats"),
    "scaling": (*_TRAINED, "devices", "repeats", "output", "force"),
    "maze": ("size", "worlds", "repeats"),
    "adapters": (
        *(name for name in _ALL_OF_WORLD if name not in ("episodes", "trial_steps")),
        "worlds",
        "repeats",
    ),
    "strategies": ("table", "strategy", "searches", "budget", "seed", "output", "force"),
    "table": ("table", "strategy", "budget", "seed", "repeats"),
    "overhead": ("problem", "strategy", "budget", "seed"),
    "problems": ("problem", "seeds", "tuning_seeds", "seed", "output", "force"),
}


@dataclass(frozen=True)
class Arguments:
    """Measures the speed of the search, beside hard-coded Adam and beside compiling each rule; or of a training.

    A training is measured beside the network passes that it cannot do without. "scaling" measures it on one device
    and on several, weak (the same batch on each) and strong (the same batch in all). "maze" measures steps and
    pictures of mazes, beside ViZDoom where it is installed; "adapters" those of gymnax, navix, XLand-MiniGrid and
    brax in our trials, beside a bare scan of the library's own step, or of one world, --environment
    gymnax:CartPole-v1. "strategies" measures no speed: it replays hundreds of searches of each strategy on tables of
    rules that were all trained before, and says which finds the better rule, and by how much. "table" measures what one
    such search costs, journal and choice included. "problems" measures how far tuned optimizers lie apart on each
    problem, against the noise of a run.
    """

    what: Annotated[
        Literal[
            "search",
            "train",
            "scaling",
            "maze",
            "adapters",
            "strategies",
            "table",
            "overhead",
            "problems",
        ],
        tyro.conf.Positional,
    ] = "search"
    """What to measure."""
    problem: tuple[str, ...] = ()
    """Search, overhead: the problem that rules are trained on, digits-mlp if not given. Problems: names,
    my_module:factory, or search, held-out, all; all if not given."""
    rules: Count = 64
    """Search: random valid rules of depth 2."""
    repeats: Count = 5
    """Rounds, of a table searches; each measures all ways in turn, and medians are printed."""
    world: Annotated[WorldConfig, tyro.conf.arg(name="")] = field(default_factory=WorldConfig)
    preset: str = "laptop"
    """Training: settings of `metarl train --preset`: laptop, bandit, mdp, paper or smoke."""
    hidden: Count | None = None
    """Training: units of the network; those of the preset if not given."""
    batch_steps: Count | None = None
    """Training: environment steps of an update, of scaling on one device; those of the preset, of scaling 6,400, if not
    given."""
    inner_values: bool = False
    """Training: measure beside it, in turns, the same with the values of an inner learner among the inputs
    (`metarl train --network.inner-values`)."""
    worlds: Count = 256
    """Mazes, adapters: how many are stepped together; the --size of mazes is 5 if not given."""
    devices: str | None = None
    """Scaling: how many devices, with commas between; those of 1,2,4,8 that there are if not given. Without an
    accelerator they are forced CPU devices, more than cores if need be."""
    strategies: Annotated[StrategiesConfig, tyro.conf.arg(name="")] = field(
        default_factory=StrategiesConfig
    )
    seeds: Annotated[int, Bounds(least=8)] = 8
    """Problems: seeds of each tuned optimizer that the numbers are of."""
    tuning_seeds: Count = 2
    """Problems: seeds that learning rates are chosen on; half-decades are tried on half of them."""
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="DIR")] = None
    """Scaling, strategies, problems: also write the document, tables as CSV and figures into this directory."""
    force: bool = False
    """Replace what is at --output."""
    machine: Annotated[Machine, tyro.conf.arg(name="")] = field(default_factory=Machine)
    json: bool = False
    """Print one JSON document on standard output, and nothing else there."""


def run(arguments: Arguments) -> dict[str, Any]:
    """Measures and returns the figures."""
    _check_flags(arguments)
    check_output_folder(arguments.output, arguments.force)
    if arguments.what == "scaling":
        return _scaling(arguments)
    arguments.machine.start()
    from metarl.runs import progress_on_stderr

    if arguments.what == "strategies":
        return _strategies(arguments)
    if arguments.what == "problems":
        return _problems(arguments)
    say = progress_on_stderr().message
    if arguments.what == "search":
        from metarl.optimizer_search import measure_search

        problem = _one_problem(arguments.problem)
        say(
            f"Measuring the search: {arguments.rules} rules on {problem}, compiled in several ways, then "
            f"{arguments.repeats} rounds; some minutes. Also: metarl bench train, scaling, maze, adapters, strategies, "
            "table, overhead, problems."
        )
        return measure_search(problem, arguments.rules, arguments.repeats, say)
    if arguments.what == "table":
        return _table(arguments, say)
    if arguments.what == "overhead":
        return _overhead(arguments, say)
    if arguments.what == "maze":
        from metarl.environments import measure_mazes

        return measure_mazes(
            arguments.world.size or 5,
            worlds=arguments.worlds,
            repeats=arguments.repeats,
            say=say,
        )
    if arguments.what == "adapters":
        return _adapters(arguments, say)
    from metarl.rl_squared import measure_training

    return measure_training(_training(arguments), arguments.repeats, say, arguments.inner_values)


def _check_flags(arguments: Arguments) -> None:
    """Refuses flags of another measurement, which would be given for nothing."""
    usual = Arguments(arguments.what)
    given = [
        name
        for part, default in (
            (arguments, usual),
            (arguments.world, usual.world),
            (arguments.strategies, usual.strategies),
        )
        for name in (field.name for field in dataclasses.fields(part))
        if name not in ("what", "world", "strategies", "machine", "json")
        and getattr(part, name) != getattr(default, name)
    ]
    for name in given:
        takers = [what for what, names in _FLAGS.items() if name in names]
        require(
            arguments.what in takers,
            f"metarl bench {arguments.what} has no use for --{name.replace('_', '-')}, which is of metarl bench "
            f"{', '.join(takers)}. Leave it out.",
        )


def _adapters(arguments: Arguments, say: Callable[[str], None]) -> dict[str, Any]:
    """Measures the usual worlds, or the one that is named."""
    from metarl.environments import measure_adapters

    world = arguments.world
    named = {} if world.environment == WorldConfig.environment else {"names": [world.environment]}
    return measure_adapters(
        **named,
        settings=world.settings(),
        worlds=arguments.worlds,
        repeats=arguments.repeats,
        say=say,
    )


def _training(arguments: Arguments, batch_steps: int | None = None) -> TrainConfig:
    config = preset(arguments.preset, arguments.world)  # type: ignore[arg-type]
    hidden = arguments.hidden or config.network.hidden
    return dataclasses.replace(
        config,
        network=dataclasses.replace(config.network, hidden=hidden),
        batch_steps=arguments.batch_steps or batch_steps or config.batch_steps,
    )


def _scaling(arguments: Arguments) -> dict[str, Any]:
    """Measures on as many devices as are named; of CPUs so many are made."""
    counts = _counts("1,2,4,8" if arguments.devices is None else arguments.devices)
    machine = arguments.machine
    dataclasses.replace(machine, threads=machine.threads or max(counts)).start()
    import jax

    from metarl.rl_squared import measure_scaling, write_scaling
    from metarl.runs import progress_on_stderr

    if arguments.devices is None:
        counts = [count for count in counts if count <= len(jax.devices())]
    say = progress_on_stderr().message
    config = _training(arguments, 6_400)
    document = measure_scaling(config, counts, repeats=arguments.repeats, say=say)
    if arguments.output is not None:
        for path in write_scaling(arguments.output, document):
            say(f"wrote {path}")
    return document


def _strategies(arguments: Arguments) -> dict[str, Any]:
    """Replays searches on tables of rules."""
    from metarl.optimizer_search import measure_strategies, write_strategies
    from metarl.runs import progress_on_stderr

    progress = progress_on_stderr()
    document = measure_strategies(arguments.strategies, progress)
    if arguments.output is not None:
        for path in write_strategies(arguments.output, document):
            progress.message(f"wrote {path}")
    return document


def _table(arguments: Arguments, say: Callable[[str], None]) -> dict[str, Any]:
    """Measures searches on one table, by random search and evolution if no strategy is named."""
    from metarl.optimizer_search import measure_table_search

    config, usual = arguments.strategies, StrategiesConfig.strategy
    require(
        len(config.table) <= 1,
        f"metarl bench table measures one table; received {', '.join(config.table)}.",
    )
    if config.strategy == usual:  # controllers take longer than all else, so they are asked for
        config = dataclasses.replace(config, strategy=("evolution",))
    return measure_table_search(config, arguments.repeats, say)


def _overhead(arguments: Arguments, say: Callable[[str], None]) -> dict[str, Any]:
    """Measures searches with the strategies that are named, or with all."""
    from metarl.optimizer_search import measure_beside_training

    config = arguments.strategies
    return measure_beside_training(
        _one_problem(arguments.problem, "overhead"),
        () if config.strategy == StrategiesConfig.strategy else config.strategy,
        config.budget,
        config.seed,
        say,
    )


def _one_problem(names: tuple[str, ...], what: str = "search") -> str:
    require(
        len(names) <= 1,
        f"metarl bench {what} measures one problem; received {', '.join(names)}. Several: metarl bench problems.",
    )
    return names[0] if names else "digits-mlp"


def _problems(arguments: Arguments) -> dict[str, Any]:
    """Measures how far apart optimizers lie on problems."""
    from metarl.optimizer_search import measure_problems, write_problems
    from metarl.runs import progress_on_stderr

    progress = progress_on_stderr()
    document = measure_problems(
        arguments.problem or ("all",),
        tuning_seeds=arguments.tuning_seeds,
        seeds=arguments.seeds,
        seed=arguments.strategies.seed,
        progress=progress,
    )
    if arguments.output is not None:
        for path in write_problems(arguments.output, document):
            progress.message(f"wrote {path}")
    return document


def _counts(text: str) -> list[int]:
    """Returns the numbers in "1,2,4"."""
    parts = text.split(",")
    require(
        all(part.strip().isdecimal() and 1 <= int(part) <= _MOST_DEVICES for part in parts),
        f"--devices takes numbers from 1 to {_MOST_DEVICES} with commas between, not {text[:100]!r}.",
    )
    return [int(part) for part in parts]


def show(document: dict[str, Any]) -> None:
    """Prints one line a figure, then the seconds behind them."""
    from metarl.reporting import Column, Table, number_text, print_table

    if "points" in document:
        from metarl.rl_squared import scaling_table

        return print_table(scaling_table(document))
    if "tables" in document:
        from metarl.optimizer_search import strategies_table

        for name, table in document["tables"].items():
            print_table(strategies_table(name, table))
        return None
    if "searches" in document:
        from metarl.optimizer_search import table_speed_table

        return print_table(table_speed_table(document))
    if "overhead" in document:
        from metarl.optimizer_search import overhead_table

        return print_table(overhead_table(document))
    if "measured_problems" in document:
        from metarl.optimizer_search import problems_table

        return print_table(problems_table(document))
    if "adapters" in document:
        return print_table(_adapters_table(document))
    lines = _lines(document)
    rows = [
        {"figure": name, "value": number_text(document[name]), "meaning": meaning}
        for name, meaning in lines.items()
        if document.get(name) is not None
    ]
    columns = [Column("figure"), Column("value"), Column("meaning")]
    seconds = ", ".join(
        f"{name} {number_text(value)}" for name, value in document.get("seconds", {}).items()
    )
    notes = [f"Median seconds: {seconds}."] if seconds else []
    print_table(Table(_title(document), columns, rows, notes))
    if "extrapolated" in document:
        print(f"Compiling one rule: {document['extrapolated']['compile_one_rule']}.")


def _adapters_table(document: dict[str, Any]) -> Any:
    """Returns one row a world."""
    from metarl.reporting import Column, Table, number_text

    rows = [
        {
            "world": f"{name} ({of['version']})",
            "ours": number_text(of["steps_per_second"]),
            "own": number_text(of["own_steps_per_second"]),
            "ratio": f"{of['ratio']:.2f} ({of['lowest_ratio']:.2f} to {of['highest_ratio']:.2f})",
            "processor": f"{of['processor_ratio']:.2f}",
        }
        for name, of in document["adapters"].items()
    ]
    columns = [
        Column("world"),
        Column("ours", "steps a second"),
        Column("own", "its own loop"),
        Column("ratio"),
        Column("processor", "by processor time"),
    ]
    title = (
        f"{document['worlds']} worlds together, {document['devices']} {document['platform']} devices, "
        f"{document['rounds']} rounds"
    )
    notes = [f"ratio: {_OF_ADAPTERS}; median of rounds (lowest to highest)."]
    notes += [f"{name} is left out: {why}" for name, why in document["missing"].items()]
    return Table(title, columns, rows, notes)


def _lines(document: dict[str, Any]) -> dict[str, str]:
    if "worlds" in document:
        return _OF_MAZES
    return _OF_SEARCH if "rules" in document else _OF_TRAINING


def _title(document: dict[str, Any]) -> str:
    if "worlds" in document:
        size, peer = document["size"], document["vizdoom"]
        beside = f", ViZDoom {peer['version']} at {peer['pixels']}" if peer else ""
        return (
            f"{document['worlds']} mazes of {size} x {size}, {document['width']} x "
            f"{document['height']} pixels, {document['devices']} devices{beside}"
        )
    if "rules" in document:
        return f"{document['problem']}: {document['rules']} rules, {document['threads']} threads"
    environment = document["environment"]
    return (
        f"{environment['name']}, trials of {environment['trial_steps']} steps: {document['network']}, "
        f"{document['batch_steps']:,} steps an update, {document['devices']} devices"
    )
