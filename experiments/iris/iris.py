"""What IRIS learns for its real steps, beside PPO and DQN; and a dream of it beside what really happens.

    python iris.py steps          # writes steps.csv, steps.svg and steps.png
    python iris.py tuning         # writes tuning.csv
    python iris.py tuning iris:novelty=0.1     # of other settings too
    python iris.py dream          # writes dream.svg and dream.png

What is in steps.csv or tuning.csv already is not measured again, so a command that was stopped goes on where it was.

  steps    every learner at its defaults, in the same tasks of the test split: grids of 5 x 5 that are seen as
           pictures, the goal not shown. The mean return of the episodes that ended in each part of the real steps;
           means over tasks with 95 % intervals (Student's t), and the difference in pairs of tasks of IRIS after a
           fifth of the steps and PPO after all of them
  tuning   the same of settings of IRIS, in tasks of the validation split, for a fifth of the steps; and the difference
           in pairs of tasks to the first of them
  dream    IRIS learns in one such task; then the same actions, which nobody chose, are taken in the world and in its
           world model, from the same picture: what is seen and paid, above, and what is dreamt, below

Letters: N tasks; L steps of a dream.
"""

from __future__ import annotations

import argparse
import csv
import time
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
WORLD = {"size": 5, "pixels": 2}
PART = 120  # real steps, eight episodes
STEPS = {"iris": 720, "ppo": 3600, "dqn": 3600}
FIFTH = 720  # of PPO's steps
TASKS, TOGETHER = 8, 4  # N, and how many are learnt at once
TRIED = (
    "iris:renew_after=20,picture_learning_rate=0.003",
    "iris:renew_after=100,picture_learning_rate=0.003",
    "iris:renew_after=100,picture_learning_rate=0.001",
)
TUNING_SEED = 1
DREAMT_AFTER, DREAM = 720, 8  # real steps, L
Rows = list[dict[str, Any]]


def main() -> None:
    """Measures what was not measured, and writes tables and figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("name", choices=("steps", "tuning", "dream"))
    parser.add_argument("settings", nargs="*", help="of IRIS, that tuning tries")
    parser.add_argument("--output", type=Path, default=HERE)
    parser.add_argument("--tasks", type=int, default=TASKS, help="N")
    parser.add_argument("--steps", type=int, default=None, help="of learning, instead of the usual")
    parser.add_argument(
        "--draw", action="store_true", help="the figure of what is measured, no more"
    )
    arguments = parser.parse_args()
    if not arguments.draw:
        from metarl.cli import configure

        configure(threads=1)
    if arguments.name == "dream":
        draw_dream(arguments.output, arguments.steps or DREAMT_AFTER)
        return
    file, tuning = arguments.output / f"{arguments.name}.csv", arguments.name == "tuning"
    rows = read(file)
    plan = dict.fromkeys(arguments.settings or TRIED, FIFTH) if tuning else STEPS
    luck: tuple[Any, int] = ("validation", TUNING_SEED) if tuning else ("test", 0)
    for agent, steps in {} if arguments.draw else plan.items():
        if not any(row["agent"] == agent for row in rows):
            began = time.process_time()
            rows += measured(agent, arguments.steps or steps, arguments.tasks, *luck)
            write(file, rows)
            spent = time.process_time() - began
            print(f"{agent}: {spent:.0f} seconds of processor time", flush=True)
    if tuning:
        say_tuning(rows)
        return
    say(rows)
    draw_steps(rows, arguments.output)


# Return against real steps -----------------------------------------------------------------------


def measured(agent: str, steps: int, tasks: int, split: Any, seed: int) -> Rows:
    """Returns the mean return of the episodes that ended in each part of the steps, task by task."""
    from metarl.environments import Trial, load, play_in_chunks
    from metarl.rl_baselines import make

    trial = Trial(load("gridworld", **WORLD), steps=steps)
    each = PART // trial.environment.horizon  # episodes
    rows = []
    for played in play_in_chunks(make(agent, trial), trial, seed, tasks, split, TOGETHER):
        returns = np.asarray(played.returns)  # [n, E]
        whole = returns[:, : returns.shape[1] // each * each]
        parts = whole.reshape(len(returns), -1, each).mean(axis=-1)
        first = len(rows) // parts.shape[1]
        rows += [
            {
                "agent": agent,
                "task": first + n,
                "steps": (part + 1) * PART,
                "mean": round(float(mean), 4),
            }
            for n, row in enumerate(parts)
            for part, mean in enumerate(row)
        ]
        print(
            f"{agent}, tasks {first} to {first + len(parts) - 1}: {parts.mean(axis=0).round(2)}",
            flush=True,
        )
    return rows


def of(rows: Rows, agent: str, steps: float) -> np.ndarray:
    """Returns the mean returns of an agent in the part that ends after so many steps [N]."""
    return np.array([r["mean"] for r in rows if r["agent"] == agent and r["steps"] == steps])


def say(rows: Rows) -> None:
    """Prints what each earns after a fifth of PPO's steps and in the end, and the difference that is asked for."""
    from metarl.statistics import mean_interval

    last = {agent: max(r["steps"] for r in rows if r["agent"] == agent) for agent in agents(rows)}
    for agent in agents(rows):
        for steps in sorted({FIFTH, last[agent]}):
            print(
                f"{agent}, up to {steps:.0f} steps: {in_words(mean_interval(of(rows, agent, steps)))}"
            )
    if {"iris", "ppo"} <= set(last):
        ahead = of(rows, "iris", FIFTH) - of(rows, "ppo", last["ppo"])
        said = in_words(mean_interval(ahead))
        earned = of(rows, "iris", FIFTH).mean()
        parts = sorted({r["steps"] for r in rows if r["agent"] == "ppo"})
        as_much = [steps for steps in parts if of(rows, "ppo", steps).mean() >= earned]
        when = f"first up to {as_much[0]:.0f} steps" if as_much else "never"
        print(f"ppo earns on average what iris earns after {FIFTH} steps {when}")
        print(f"iris after {FIFTH} steps less ppo after {last['ppo']:.0f}, in pairs: {said}")


def say_tuning(rows: Rows) -> None:
    """Prints what each setting earns in the end and in all of its steps, and the difference in pairs to the first."""
    from metarl.statistics import mean_interval

    def earned(agent: str) -> tuple[np.ndarray, np.ndarray]:
        parts = sorted({row["steps"] for row in rows if row["agent"] == agent})
        each = np.array([of(rows, agent, steps) for steps in parts])  # [parts, N]
        return each[-1], each.mean(axis=0)

    first = earned(agents(rows)[0])
    for agent in agents(rows):
        last, all_steps = earned(agent)
        ahead = in_words(mean_interval(last - first[0])) if agent != agents(rows)[0] else "-"
        print(
            f"{agent}: {in_words(mean_interval(last))}, of all steps {all_steps.mean():.2f}; more than the first "
            f"{ahead}; {', '.join(f'{x:.1f}' for x in last)}"
        )


def in_words(mean: Any) -> str:
    """Returns a mean with its interval."""
    return f"{mean.mean:.2f} [{mean.low:.2f}, {mean.high:.2f}]"


def agents(rows: Rows) -> list[str]:
    """Returns who was measured."""
    return list(dict.fromkeys(row["agent"] for row in rows))


def read(file: Path) -> Rows:
    """Returns the rows of a table that was written before."""
    if not file.is_file():
        return []
    with file.open(newline="") as lines:
        return [
            {"agent": row["agent"], **{k: float(row[k]) for k in ("task", "steps", "mean")}}
            for row in csv.DictReader(lines)
        ]


def write(file: Path, rows: Rows) -> None:
    """Writes the table."""
    from metarl.reporting import Column, Table, write_csv

    write_csv(file, Table(file.stem, [Column(name) for name in rows[0]], rows))


def draw_steps(rows: Rows, output: Path) -> None:
    """Writes the figure: return of an episode against real steps."""
    from metarl.reporting import Curve, curve_panels
    from metarl.statistics import mean_interval

    curves = []
    for agent in agents(rows):
        steps = sorted({row["steps"] for row in rows if row["agent"] == agent})
        means = [mean_interval(of(rows, agent, at)) for at in steps]
        middle = np.array(steps) - PART / 2
        parts = (np.array([getattr(m, k) for m in means]) for k in ("mean", "low", "high"))
        curves.append(Curve(agent, middle, *parts, foreground=agent == "iris"))
    panels = {"pictures of grids of 5 x 5": curves}
    chart = curve_panels(panels, "real steps", "return of an episode", height=2.8)
    chart.write_svg(output / "steps.svg")
    chart.write_png(output / "steps.png")


# A dream -----------------------------------------------------------------------------------------


def draw_dream(output: Path, steps: int) -> None:
    """Learns for so many steps, and writes the figure of a real walk beside a dreamt one."""
    import jax
    import jax.numpy as jnp

    from metarl.environments import Trial, load
    from metarl.reporting import picture_grid
    from metarl.rl_baselines import IRISConfig, parse
    from metarl.rl_baselines.iris import iris, make_parts, pixels, seen_in
    from metarl.rl_baselines.world_model import dream

    grid, config = load("gridworld", **WORLD), parse("iris")[1]
    trial = Trial(grid, steps=steps)
    assert isinstance(config, IRISConfig)
    agent, parts = iris(grid, config), make_parts(grid, config)
    task = grid.sample_task(jax.random.key(0), "test")
    actions = jnp.asarray(np.random.default_rng(0).integers(4, size=DREAM))

    @jax.jit
    def learnt(key: Any) -> Any:
        init_key, reset_key, steps_key = jax.random.split(key, 3)

        def advance(carry: Any, key: Any) -> tuple[Any, None]:
            memory, state = carry
            act_key, world_key = jax.random.split(key)
            action, memory = agent.act(act_key, memory, state.observation)
            following, t = trial.step(world_key, state, action, task)
            seen = state.observation, action, t.reward, t.terminated, t.truncated
            return (agent.observe(memory, *seen, t.next_observation), following), None

        begin = agent.init(init_key, trial, None), trial.reset(reset_key, task)
        return jax.lax.scan(advance, begin, jax.random.split(steps_key, steps))[0][0].learner

    @jax.jit
    def both(key: Any, learner: Any) -> Any:
        first, state = grid.reset(key, task)

        def walk(state: Any, action: Any) -> Any:
            step = grid.step(key, state, action, task)
            return step.state, (step.observation, step.reward)

        _, (seen, paid) = jax.lax.scan(walk, state, actions)
        shown = pixels(grid.observation_space, first)[None]
        told = parts.autoencoder.encode(learner.autoencoder.params, shown)
        dreamt = dream(
            parts.world, learner.world.params, key, told, lambda k, t, z: actions[t][None], DREAM
        )
        pictures = seen_in(parts, learner, dreamt.tokens[0]).reshape(-1, *shown.shape[1:])
        return (jnp.concatenate([first[None], seen]), paid), (pictures, dreamt.rewards[0])

    real, dreamt = jax.device_get(both(jax.random.key(2), learnt(jax.random.key(1))))
    words = ("up", "right", "down", "left")
    rows = []
    for kind, (pictures, rewards) in {"real": real, "dreamt": dreamt}.items():
        titles = [f"{kind}: start"]
        titles += [
            f"{words[a]}: {r:+.2f}" for a, r in zip(np.asarray(actions), rewards, strict=True)
        ]
        levels = np.clip((pictures + 1) * 127.5, 0, 255).round().astype(np.uint8)
        rows.append({f"{n}  {t}": p for n, (t, p) in enumerate(zip(titles, levels, strict=True))})
    chart = picture_grid(rows, "a real walk above, the same actions in a dream below")
    chart.write_svg(output / "dream.svg")
    chart.write_png(output / "dream.png")
    off = np.abs(real[0] - dreamt[0]).mean(), np.abs(real[1] - dreamt[1]).max()
    print(
        f"after {steps} real steps: pictures of {DREAM} steps differ by {off[0]:.3f} of 2 on average, "
        f"rewards by {off[1]:.3f} at most"
    )


if __name__ == "__main__":
    main()
