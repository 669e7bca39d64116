"""Figures of the mazes: what is seen, how training went, and the ways of two episodes.

Reference: Duan et al. (2016), arXiv:1611.02779, figures 4, 5 and 6.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import jax
import numpy as np

from metarl.environments import Trial, follow
from metarl.reporting import Column, Curve, Table, curve_chart, picture_grid, write_csv
from metarl.runs import RunDirectory

from ..agent.agent import TrainedAgent

LAYOUTS = 3  # mazes of a kind in figure 4
CANDIDATES = 200  # of which one is shown from within
WAYS = 4  # mazes in figure 6
SEED = 0  # of the tasks that are drawn


def draw_observations(place: Path, name: str, trials: Mapping[str, Trial]) -> list[Path]:
    """Writes figure 4: for each kind of maze an observation, the same sharper, and layouts."""
    return _write(
        place,
        name,
        [_row_of_layouts(kind, trial) for kind, trial in trials.items()],
        f"What an agent sees at the start of a test maze, its goal in view; {LAYOUTS} from above: "
        f"{', '.join(trials)}.",
    )


def draw_ways(place: Path, name: str, agent: TrainedAgent, trial: Trial) -> list[Path]:
    """Writes figure 6: the ways of episodes 1 and 2 in the first test mazes of a seed."""
    tasks = trial.environment.sample_tasks(jax.random.key(SEED), WAYS, "test")
    player = agent.as_agent(trial.environment)
    rows: list[dict[str, np.ndarray]] = [{}, {}]
    for number in range(WAYS):
        task = jax.tree.map(lambda x, n=number: x[n], tasks)
        key = jax.random.fold_in(jax.random.key(SEED + 1), number)
        followed = jax.device_get(follow(player, trial, key, task))
        for episode, row in enumerate(rows):
            happened = followed.transitions
            taken = np.flatnonzero(happened.valid & (happened.episode == episode))
            if len(taken) == 0:
                continue
            states = jax.tree.map(lambda x, t=taken: x[t], followed.states)
            missed = "" if happened.terminated[taken[-1]] else ", goal not reached"
            title = f"maze {number + 1}, episode {episode + 1}\n{len(taken)} steps{missed}"
            row[title] = trial.environment.views["top"](jax.device_get(task), states)
    words = f"The ways of episodes 1 and 2 in {WAYS} test mazes, from above; the goal is red."
    return _write(place, name, rows, words)


def draw_training(place: Path, name: str, runs: Mapping[str, Sequence[RunDirectory]]) -> list[Path]:
    """Writes figure 5: the mean return of training trials, stage by stage, a curve a seed.

    Args:
      place: the directory.
      name: of the figure.
      runs: by stage of the curriculum, one for each seed.
    """
    curves, rows, begun = [], [], 0.0
    for stage, seeds in runs.items():
        last = begun
        for seed, run in enumerate(seeds):
            logged = [row for row in run.metrics.rows() if "return" in row]
            if not logged:
                continue
            steps = [begun + row["position"] for row in logged]
            returns = [row["return"] for row in logged]
            name_of_curve = stage if len(seeds) == 1 else f"{stage}, seed {seed}"
            curves.append(Curve(name_of_curve, steps, returns))
            rows += [
                {"stage": stage, "seed": seed, "env_steps": x, "return": y}
                for x, y in zip(steps, returns, strict=True)
            ]
            last = max(last, steps[-1])
        begun = last
    if not curves:
        return []
    columns = [Column(column) for column in ("stage", "seed", "env_steps", "return")]
    drawing = curve_chart(curves, "environment steps", "return of a trial in training")
    return [
        write_csv(place / f"{name}-curves.csv", Table(name, columns, rows)),
        drawing.write_svg(place / f"{name}.svg"),
        drawing.write_png(place / f"{name}.png"),
    ]


def _row_of_layouts(kind: str, trial: Trial) -> dict[str, np.ndarray]:
    """Returns the start at which most is seen of the goal, among some test mazes, then others."""
    environment = trial.environment
    tasks = environment.sample_tasks(jax.random.key(SEED), CANDIDATES, "test")
    keys = jax.random.split(jax.random.key(SEED), CANDIDATES)
    observations, states = jax.device_get(jax.vmap(environment.reset)(keys, tasks))
    tasks = jax.device_get(tasks)
    pictures = np.round((observations + 1) * 127.5).astype(np.uint8)
    red, blue = pictures[..., 0].astype(int), pictures[..., 2].astype(int)
    best = int(np.argmax((red > 3 * blue).sum(axis=(1, 2))))  # the goal alone is red
    row = {f"{kind}: what is seen": pictures[best]}
    for number, index in enumerate([best, *(i for i in range(LAYOUTS) if i != best)][:LAYOUTS]):
        task = jax.tree.map(lambda x, i=index: x[i], tasks)
        start = jax.tree.map(lambda x, i=index: x[i][None], states)
        if number == 0:
            row["the same, sharper"] = environment.views["first-person"](task, start)
        title = "the same from above" if number == 0 else f"another, {number}"
        row[title] = environment.views["top"](task, start)
    return row


def _write(
    place: Path, name: str, rows: Sequence[Mapping[str, np.ndarray]], description: str
) -> list[Path]:
    return [picture_grid(rows, description).write_png(place / f"{name}.png")]
