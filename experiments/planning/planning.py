"""What simulations buy a tree search: over beliefs in bandits and random MDPs, and in MDPs and grids that are known.

    python planning.py bandits          # each writes NAME.csv, NAME.svg and NAME.png
    python planning.py mdps
    python planning.py known

What is in NAME.csv already is not measured again, so a command that was stopped goes on where it was.

The luck of rewards is left out of what is reported. In a state of knowledge (bandits) or of a task (the others) an
action loses V - Q(action) by dynamic programming, and the loss of an agent is the mean over tasks of the sum over its
steps; in expectation that is what it earns less than who is never wrong. Of bandits that is the Bayes optimum, of the
others who knows the task. Seconds, of random MDPs, are processor time of one thread for one action in one task of 50
that are played together, without compiling.

Letters: N tasks; K arms; n pulls; T steps of a trial.
"""

from __future__ import annotations

import argparse
import csv
import functools
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
SIMULATIONS = {
    "bandits": (10, 100, 1000),
    "mdps": (10, 30, 100, 300),
    "known": (10, 30, 100, 300, 1000),
}
OF_MDPS = "depth=30,exploration=2"
Rows = list[dict[str, Any]]


def main() -> None:
    """Measures what was not measured, and writes table and figure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("name", choices=("bandits", "mdps", "known"))
    parser.add_argument("--output", type=Path, default=HERE)
    parser.add_argument(
        "--draw", action="store_true", help="the figure of what is measured, no more"
    )
    parser.add_argument("--tasks", type=int, default=None, help="N, instead of the usual")
    arguments = parser.parse_args()
    file = arguments.output / f"{arguments.name}.csv"
    rows = read(file)
    if not arguments.draw:
        from metarl.cli import configure

        configure(threads=1)
    for world, text, tasks in () if arguments.draw else PLANS[arguments.name]():
        tasks = arguments.tasks or tasks
        if not any(row["world"] == world and row["agent"] == text for row in rows):
            rows.append({"world": world, "agent": text, **measured(world, text, tasks)})
            print(rows[-1], flush=True)
            write(file, rows)
    draw(arguments.name, rows, arguments.output)


def bandit_plan() -> list[tuple[str, str, int]]:
    """Returns worlds, agents and numbers of tasks."""
    searches = [f"bayes-adaptive:simulations={n}" for n in SIMULATIONS["bandits"]]
    worlds = ("bandit 2x10", "bandit 5x10")
    agents = ("thompson", "greedy", *searches)
    at_random = [("bandit 2x10", f"{agent},rollout=random", 100) for agent in searches[:2]]
    return [*[(world, agent, 100) for world in worlds for agent in agents], *at_random]


def mdp_plan() -> list[tuple[str, str, int]]:
    """Returns the same of random MDPs."""
    greedy = "greedy:bonus=1,replan=step"
    searches = [f"bayes-adaptive:simulations={n},{OF_MDPS}" for n in SIMULATIONS["mdps"]]
    few = [("mdp 10", "psrl", 1000), ("mdp 10", greedy, 1000), ("mdp 25", greedy, 1000)]
    longer = [("mdp 25", agent, 100) for agent in searches[:3]]
    return [*few, *longer, *[("mdp 10", agent, 100) for agent in searches]]


def known_plan() -> list[tuple[str, str, int]]:
    """Returns the same of worlds that are known."""
    searches = [f"mcts:simulations={n}" for n in SIMULATIONS["known"]]
    return [
        (world, agent, 200)
        for world in ("known mdp", "known grid")
        for agent in ("random", *searches)
    ]


PLANS: dict[str, Callable[[], list[tuple[str, str, int]]]] = {
    "bandits": bandit_plan,
    "mdps": mdp_plan,
    "known": known_plan,
}


def measured(world: str, text: str, tasks: int, chunk: int = 50) -> dict[str, Any]:
    """Returns the mean loss of an agent in the first tasks of the test split, its interval, and its seconds."""
    import jax

    from metarl.classical_agents import make
    from metarl.environments import record

    trial, losses_of = worlds()[world]()
    agent, losses, seconds = make(text, trial), [], []
    chunk = min(chunk, tasks)
    for first in range(0, tasks, chunk):
        task_key, key = jax.random.split(jax.random.fold_in(jax.random.key(0), first))
        dealt = trial.environment.sample_tasks(task_key, chunk, "test")
        began = time.process_time()
        recording = jax.device_get(record(agent, trial, key, dealt))
        seconds.append((time.process_time() - began) / (chunk * trial.length))
        losses.append(losses_of(dealt, recording))
    lost = np.concatenate(losses)
    half = 1.96 * lost.std(ddof=1) / np.sqrt(len(lost))
    return {
        "tasks": len(lost),
        "loss": round(float(lost.mean()), 5),
        "half": round(float(half), 5),
        "best": round(float(best_of(world)), 4),
        "seconds": float(f"{min(seconds):.3g}"),
    }


def worlds() -> dict[str, Callable[[], tuple[Any, Callable[[Any, Any], np.ndarray]]]]:
    """Returns by name: the trial, and what is lost by what was done in tasks [N]."""
    from metarl.environments import Trial, load

    return {
        "bandit 2x10": lambda: (Trial(load("bandit", arms=2), episodes=10), bandit_losses),
        "bandit 5x10": lambda: (Trial(load("bandit", arms=5), episodes=10), bandit_losses),
        "mdp 10": lambda: (Trial(load("mdp"), episodes=10), mdp_losses),
        "mdp 25": lambda: (Trial(load("mdp"), episodes=25), mdp_losses),
        "known mdp": lambda: (Trial(load("mdp"), episodes=1), mdp_losses),
        "known grid": lambda: (Trial(load("gridworld", size=5), episodes=1), grid_losses),
    }


@functools.cache
def best_of(world: str) -> float:
    """Returns what who is never wrong earns on average."""
    import jax

    from metarl.environments import bayes_optimal_value

    trial, _ = worlds()[world]()
    if world.startswith("bandit"):
        return bayes_optimal_value(trial.environment.action_space.n, trial.length)
    tasks = trial.environment.sample_tasks(jax.random.key(1), 10_000, "test")
    return trial.episodes * float(np.mean(jax.vmap(trial.environment.optimal_return)(tasks)))


def bandit_losses(tasks: Any, recording: Any) -> np.ndarray:
    """Returns what pulls [N, n] lost by dynamic programming over counts [N]."""
    lost = np.zeros(len(recording.actions))
    pulled = zip(recording.actions, recording.transitions.reward, strict=True)
    for index, (actions, rewards) in enumerate(pulled):
        known = [(1, 1)] * tasks.means.shape[1]
        for pull, (action, reward) in enumerate(zip(actions, rewards, strict=True)):
            values = [pull_value(tuple(sorted(known)), pair, len(actions) - pull) for pair in known]
            lost[index] += max(values) - values[action]
            a, b = known[action]
            known[action] = (a + 1, b) if reward > 0.5 else (a, b + 1)
    return lost


@functools.cache
def pull_value(known: tuple[tuple[int, int], ...], pair: tuple[int, int], left: int) -> float:
    """Returns what the best of players earns who pulls first an arm of these counts."""
    others = list(known)
    others.remove(pair)
    a, b = pair
    chance = a / (a + b)
    if left == 1:
        return chance
    won, lost = (tuple(sorted([*others, p])) for p in ((a + 1, b), (a, b + 1)))
    return chance * (1 + best_value(won, left - 1)) + (1 - chance) * best_value(lost, left - 1)


def best_value(known: tuple[tuple[int, int], ...], left: int) -> float:
    """Returns what the best of players still earns."""
    return max(pull_value(known, pair, left) for pair in set(known))


def mdp_losses(tasks: Any, recording: Any) -> np.ndarray:
    """Returns what steps [N, T] lost by finite-horizon dynamic programming in the true MDP [N]."""
    import jax

    from metarl.environments import plan

    horizon = 10
    values = jax.vmap(lambda task: plan(task.transitions, task.mean_rewards, horizon).action_values)
    return lost_by(np.asarray(values(tasks)), recording)


def grid_losses(tasks: Any, recording: Any) -> np.ndarray:
    """Returns the same in grids, whose tables are made of their steps."""
    import jax
    import jax.numpy as jnp

    from metarl.environments import load, plan_backwards

    grid = load("gridworld", size=5)
    places = jnp.arange(25)
    actions = jnp.arange(5)

    def solve(task: Any) -> Any:
        fresh = grid.reset(jax.random.key(0), task)[1]

        def one(place: Any, action: Any) -> Any:
            step = grid.step(jax.random.key(0), fresh._replace(place=place), action, task)
            return step.observation, step.reward

        following, rewards = jax.vmap(lambda p: jax.vmap(lambda a: one(p, a))(actions))(places)
        return plan_backwards(
            lambda later, time: rewards + later[following], grid.horizon, len(places)
        ).action_values

    return lost_by(np.asarray(jax.vmap(solve)(tasks)), recording)


def lost_by(values: np.ndarray, recording: Any) -> np.ndarray:
    """Returns the sum over steps of V - Q of what was done [N]; values are Q [N, H, S, A]."""
    time_of = np.arange(recording.actions.shape[1]) % values.shape[1]
    rows = np.arange(len(values))[:, None]
    at = values[rows, time_of[None], recording.observations]  # [N, T, A]
    chosen = np.take_along_axis(at, recording.actions[..., None], axis=-1)[..., 0]
    return (at.max(axis=-1) - chosen).sum(axis=1)


def read(file: Path) -> Rows:
    """Returns the rows of a table that was written before."""
    if not file.is_file():
        return []
    with file.open(newline="") as lines:
        return [
            {k: v if k in ("world", "agent") else float(v) for k, v in row.items()}
            for row in csv.DictReader(lines)
        ]


def write(file: Path, rows: Rows) -> None:
    """Writes the table."""
    from metarl.reporting import Column, Table, write_csv

    columns = ["world", "agent", "tasks", "loss", "half", "best"]
    columns += ["seconds"] if file.stem == "mdps" else []
    kept = [{name: row[name] for name in columns} for row in rows]
    write_csv(file, Table(file.stem, [Column(name) for name in columns], kept))


def draw(name: str, rows: Rows, output: Path) -> None:
    """Writes the figure: what is lost, against simulations."""
    from metarl.reporting import curve_panels

    of_world = {
        world: [row for row in rows if row["world"] == world]
        for world in dict.fromkeys(row["world"] for row in rows)
    }
    of_world = {  # a world with one search measured makes no curve
        world: own
        for world, own in of_world.items()
        if sum("simulations=" in row["agent"] for row in own) > 1
    }
    chart = curve_panels(
        {world: curves_of(own) for world, own in of_world.items()},
        "simulations for an action",
        "lost of the optimum, %",
        x_scale="log",
        y_scale="log",
        height=2.8,
    )
    chart.write_svg(output / f"{name}.svg")
    chart.write_png(output / f"{name}.png")


def curves_of(rows: Sequence[dict[str, Any]]) -> list[Any]:
    """Returns a curve a kind of search, and lines for who does not search."""
    from metarl.reporting import Curve

    found: dict[str, list[tuple[float, dict[str, Any]]]] = {}
    for row in rows:
        before, _, after = row["agent"].partition("simulations=")
        count, _, others = after.partition(",")
        label = before.rstrip(":") + (f" ({others})" if others else "")
        found.setdefault(label, []).append((float(count) if count else np.nan, row))
    counts = sorted({c for points in found.values() for c, _ in points if np.isfinite(c)})
    curves = []
    for label, points in found.items():
        searches = np.isfinite(points[0][0])
        if searches:
            points.sort(key=lambda point: point[0])
        else:
            points = [(count, points[0][1]) for count in (counts[0], counts[-1])]
        x = [count for count, _ in points]
        y, half = (
            np.array([100 * row[name] / row["best"] for _, row in points])
            for name in ("loss", "half")
        )
        curves.append(Curve(label, x, y, np.maximum(y - half, 1e-3), y + half, foreground=searches))
    return curves


if __name__ == "__main__":
    main()
