"""What a second of learning buys RL²: one way of training beside another, by the processor time of one thread.

    python rl2_learning.py                    # all ways and seeds of bandit.json, seed by seed, then table and figure
    python rl2_learning.py --way bandit       # one way; what has been trained is not trained again
    python rl2_learning.py --settings mdp     # those of mdp.json

Every training runs in this process on one thread. Counted is the processor time of acting, learning and
trying on validation tasks; compiling and the test tasks are not. What is compared is the agent that a
training hands over, the best on validation tasks, in test tasks that all share, or in other validation tasks
if a file of ways says so. Of mazes, what their two episodes were is told too.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from metarl.environments import Split
    from metarl.rl_squared import TrainConfig

HERE = Path(__file__).parent
WALKED = ("length_1", "length_2", "success_1", "success_2", "shorter_by")  # of mazes, by episode
POINT_STEPS = 100_000  # environment steps from one point of a curve to the next


def main() -> None:
    """Trains what has not been trained, and writes the table, the rows and the figure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--settings", default="bandit", help="which file of ways beside this one")
    parser.add_argument("--way", action="append", help="a way of that file; all if not given")
    parser.add_argument("--run-dir", type=Path, default=Path("runs/rl2_learning"))
    parser.add_argument("--output", type=Path, default=HERE)
    arguments = parser.parse_args()
    settings = json.loads((HERE / f"{arguments.settings}.json").read_text())
    from metarl.cli import configure

    configure(threads=1)
    runs, ways = arguments.run_dir / arguments.settings, settings["ways"]
    wanted = arguments.way or list(ways)
    runs.mkdir(parents=True, exist_ok=True)
    turns = itertools.zip_longest(*([(way, seed) for seed in ways[way]["seeds"]] for way in wanted))
    for way, seed in filter(None, itertools.chain.from_iterable(turns)):
        kept = runs / f"{way}-seed-{seed}.json"
        if not kept.is_file():
            found = train_way(settings, way, seed)
            kept.write_text(json.dumps(found, indent=2) + "\n")
            told = f"{found['validation_return']:.2f}, {found['cpu_seconds']:.0f} s"
            print(f"{way}, seed {seed}: on validation tasks {told}", flush=True)
    write(settings, runs, arguments.output / f"rl2-learning-{arguments.settings}")


def train_way(settings: dict[str, Any], way: str, seed: int) -> dict[str, Any]:
    """Returns what one training of a way cost, its returns on the way, and what its agent earns."""
    from metarl.rl_squared.learning import train_job
    from metarl.rl_squared.reproduction.scales import changed_config

    about = settings["ways"][way]
    own = {"world": settings["world"], "seed": seed}
    changes = (settings.get("every", {}), about.get("change", {}), own)
    config = changed_config(about["preset"], changes, f"way {way}")
    train_job.CHUNK_STEPS = POINT_STEPS
    split = settings.get("split", "test")
    return {"way": way, "seed": seed, **train_and_play(config, settings["tasks"], split)}


def train_and_play(config: TrainConfig, tasks: int, split: Split = "test") -> dict[str, Any]:
    """Returns what one training cost, its returns on the way, and what its agent earns in tasks of a split."""
    import numpy as np

    from metarl.environments import play_split
    from metarl.rl_squared import TrainedAgent, make_job
    from metarl.rl_squared.reproduction.maze_measures import measures

    job = make_job(config)
    state = job.init()
    began = time.process_time()
    warm_up(job, state)
    compiled, spent, curve, tried = time.process_time() - began, 0.0, [], []
    predicted: list[dict[str, float]] = []
    while not job.finished(state):
        began = time.process_time()
        state, metrics = job.update(state)
        spent += time.process_time() - began
        point = [state.progress.env_steps, round(spent, 2)]
        curve.append([*point, metrics["return"]])
        if "validation_return" in metrics:
            tried.append([*point, metrics["validation_return"]])
        predicted.append(
            {name: x for name, x in metrics.items() if name.startswith(("accuracy_", "auxiliary_"))}
        )
    agent = TrainedAgent(state.best, config)
    played = play_split(agent.as_agent(), agent.trial, 0, tasks, split)
    totals = np.asarray(played.totals)
    in_mazes = config.world.environment == "maze"
    return {
        **({"mazes": measures(played), "predicted": predicted} if in_mazes else {}),
        "env_steps": state.progress.env_steps,
        "cpu_seconds": round(spent, 2),
        "compile_cpu_seconds": round(compiled, 2),
        "validation_return": state.progress.best_score,
        "return": float(totals.mean()),
        "standard_error": float(totals.std() / np.sqrt(len(totals))),
        "curve": curve,
        "tried": tried,
    }


def warm_up(job: Any, state: Any) -> None:
    """Compiles what a training needs: a chunk of updates of which none is made, and a validation."""
    import jax

    rows = job.reinforcement_rows(0, 0, job.chunk_updates)
    jax.block_until_ready(job.reinforcement_chunk(state.learner, *rows))
    job.validate(state.best)


def write(settings: dict[str, Any], runs: Path, output: Path) -> None:
    """Writes what all trainings gave so far."""
    import numpy as np

    from metarl.reporting import (
        Column,
        Curve,
        Table,
        curve_chart,
        to_markdown,
        write_csv,
        write_file,
    )
    from metarl.statistics import mean_interval

    found = [
        json.loads(path.read_text())
        for way, about in settings["ways"].items()
        for path in (runs / f"{way}-seed-{seed}.json" for seed in about["seeds"])
        if path.is_file()
    ]
    names = ("way", "seed", "env_steps", "cpu_seconds", "compile_cpu_seconds", "validation_return")
    in_mazes = all("mazes" in row for row in found)
    told = WALKED if in_mazes else ()
    columns = [Column(name, name.replace("_", " ")) for name in (*names, "return", *told)]
    found = [{**row, **(walked(row["mazes"]) if in_mazes else {})} for row in found]
    each = [{name: row[name] for name in (column.name for column in columns)} for row in found]
    write_csv(output.with_suffix(".csv"), Table("trainings", columns, each))
    rows, curves = [], []
    for way in settings["ways"]:
        ones = [row for row in found if row["way"] == way]
        if not ones:
            continue
        returns = [row["return"] for row in ones]
        rows.append(
            {
                "way": way,
                "seeds": len(ones),
                "env_steps": f"{ones[0]['env_steps']:,}",
                "cpu_seconds": f"{np.mean([row['cpu_seconds'] for row in ones]):.0f}",
                "validation": f"{np.mean([row['validation_return'] for row in ones]):.2f}",
                "return": mean_interval(returns) if len(ones) >= 8 else f"{np.mean(returns):.2f}",
                "range": f"{min(returns):.2f} to {max(returns):.2f}",
                **{name: f"{np.mean([row[name] for row in ones]):.3g}" for name in told},
            }
        )
        seconds = np.mean([[point[1] for point in row["curve"]] for row in ones], axis=0)
        earned = np.array([[point[2] for point in row["curve"]] for row in ones])
        curves.append(Curve(way, seconds, earned.mean(axis=0)))
    table = Table(
        f"return of a trial in {settings.get('split', 'test')} tasks, sampled actions",
        [
            Column("way"),
            Column("seeds"),
            Column("env_steps", "environment steps"),
            Column("cpu_seconds", "CPU-seconds"),
            Column("validation", "on validation tasks"),
            Column("return", "return"),
            Column("range", "of the seeds"),
            *(Column(name, name.replace("_", " ")) for name in told),
        ],
        rows,
        [
            "Interval: 95 %, normal, over seeds; none below eight.",
            *(sooner(found) if settings.get("sooner", True) else ()),
        ],
    )
    write_file(output.with_suffix(".md"), to_markdown(table))
    chart = curve_chart(curves, "CPU-seconds of one thread", "return of a trial in training")
    chart.write_svg(output.with_suffix(".svg"))
    chart.write_png(output.with_suffix(".png"))
    print(to_markdown(table))


def walked(measured: dict[str, Any]) -> dict[str, float]:
    """Returns how long both episodes were, how many reached the goal, and by how much the second was shorter."""
    return dict(
        zip(
            WALKED, (*measured["length"], *measured["success"], measured["shorter_by"]), strict=True
        )
    )


def sooner(found: list[dict[str, Any]]) -> list[str]:
    """Returns, for each two ways, in how many CPU-seconds one is where the agents of the other end.

    It is there with the first chunk of updates in which the trials of training, of all seeds together, earn what
    those agents earn in test tasks. They were acted while less had been learnt, so this is no flattery.
    """
    import numpy as np

    ways: dict[str, list[dict[str, Any]]] = {}
    for row in found:
        ways.setdefault(row["way"], []).append(row)
    lines = []
    for (slow, others), (fast, ones) in itertools.permutations(ways.items(), 2):
        goal = np.mean([row["return"] for row in others])
        spent = np.mean([row["cpu_seconds"] for row in others])
        _, seconds, returns = np.mean([row["curve"] for row in ones], axis=0).T
        reached = np.flatnonzero(returns >= goal)
        if reached.size and seconds[reached[0]] < spent:
            lines.append(
                f"{fast} is after {seconds[reached[0]]:.1f} CPU-seconds where {slow} ends after {spent:.1f} "
                f"({goal:.2f}): {spent / seconds[reached[0]]:.1f} times fewer."
            )
    return lines


if __name__ == "__main__":
    main()
