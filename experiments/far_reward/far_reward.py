"""Who ever finds one far reward, and hands over a policy that reaches it: Go-Explore beside DQN and PPO.

    python far_reward.py            # writes far_reward.csv, .svg and .png

What is in the table already is not measured again. In each world one reward lies far from where episodes begin and
nothing tells where; all agents have the same number of real steps in each of the same tasks:

  dark rooms        17 x 17 cells, hard; goals at least ten of an episode's 20 steps away
  mazes             dark mazes of 9 x 9 cells, the goal the farthest cell
  slippery mazes    the same, but every fifth action is any of the four instead
  walls             dark grids of 20 x 20 cells, in which half of the walls of a maze stand; the farthest cell
  key to door       rooms of 5 x 5 cells, four steps in the first and the last, ten in the second

Found is a reward when it was first earned, in episodes or in the simulator. What is handed over is the agent as it is
after all steps, in 20 more episodes: a learner from scratch goes on learning in them, go-explore walks what it
remembers and go-explore-robust acts by its policy. It reaches the reward if it does so in half of them.

Letters: N tasks; T real steps; M episodes more.
"""

from __future__ import annotations

import argparse
import csv
import functools
import time
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
TASKS, MORE = 12, 20
DEFAULTS = "dqn:hidden=32,batch_size=32,gradient_steps=2", "ppo:hidden=32,entropy_weight=0.01"
AGENTS = ("go-explore-robust", "go-explore:exploit=0.1", *DEFAULTS, "random")
WITH_STATES = (
    "go-explore-robust:state_cells=true"  # in key to door alone, where what is seen hides the key
)
NEAREST = 10  # in dark rooms
# name -> family, its settings, and T
WORLDS: dict[str, tuple[str, dict[str, Any], int]] = {
    "dark rooms": ("dark-room", {"size": 17, "horizon": 20, "hard": True}, 8_000),
    "mazes": ("dark-maze", {"size": 9}, 8_000),
    "slippery mazes": ("dark-maze", {"size": 9, "slip": 0.2}, 8_000),
    "walls": ("dark-maze", {"size": 20, "opened": 0.5, "horizon": 120}, 12_000),
    "key to door": ("key-to-door", {"size": 5, "room_steps": 4, "corridor": 10}, 8_000),
}
Rows = list[dict[str, Any]]
COLUMNS = ["world", "agent", "task", "found_after", "reached"]


def main() -> None:
    """Measures what was not measured, and writes table and figure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--output", type=Path, default=HERE)
    parser.add_argument("--tasks", type=int, default=TASKS, help="N")
    parser.add_argument("--steps", type=int, help="T, the same in all worlds")
    parser.add_argument("--worlds", nargs="+", choices=WORLDS, default=list(WORLDS))
    parser.add_argument("--draw", action="store_true", help="of what is measured, no more")
    arguments = parser.parse_args()
    if not arguments.draw:
        from metarl.cli import configure

        configure(threads=1)
    file = arguments.output / "far_reward.csv"
    rows = read(file)
    for world in () if arguments.draw else arguments.worlds:
        for agent in (*AGENTS, WITH_STATES) if world == "key to door" else AGENTS:
            if any(row["world"] == world and row["agent"] == agent for row in rows):
                continue
            began = time.process_time()
            steps = arguments.steps or WORLDS[world][2]
            found, reached = lived(world, agent, arguments.tasks, steps)
            rows += [
                {"world": world, "agent": agent, "task": n, "found_after": f, "reached": r}
                for n, (f, r) in enumerate(zip(found, reached, strict=True))
            ]
            write(file, rows)
            spent = time.process_time() - began
            print(f"{world}, {agent}: {spent:.0f} seconds of processor time", flush=True)
    say(rows)
    draw(rows, arguments.output)


def lived(world: str, agent: str, tasks: int, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns after how many steps an agent had found the reward, inf if never, and in which share of M episodes
    it then reached it; both [N].
    """
    import jax

    from metarl import classical_agents, rl_baselines
    from metarl.environments import Trial, load

    family, settings, _ = WORLDS[world]
    environment = load(family, **settings)
    trial = Trial(environment, steps=steps)
    makers = classical_agents if agent in classical_agents.names() else rl_baselines
    one = functools.partial(live_once, makers.make(agent, trial), trial)
    drawn = draw_tasks(environment, tasks)
    keys = jax.random.split(jax.random.key(0), tasks)
    found, reached = jax.device_get(jax.jit(jax.vmap(one))(keys, drawn))
    return found, reached


def live_once(agent: Any, trial: Any, key: Any, task: Any) -> Any:
    """Returns the step at which a reward was first earned [], and the share of M episodes after T that earned one.

    An agent that sees the task takes the T steps in its own simulator, when it begins.
    """
    import jax
    import jax.numpy as jnp

    environment = trial.environment
    init_key, reset_key, live_key = jax.random.split(key, 3)
    memory = agent.init(init_key, trial, task if agent.sees_task else None)
    observation, state = environment.reset(reset_key, task)

    def step(carry: Any, index: Any) -> Any:
        memory, observation, state = carry
        act_key, world_key, again_key = jax.random.split(jax.random.fold_in(live_key, index), 3)
        action, memory = agent.act(act_key, memory, observation)
        led = environment.step(world_key, state, action, task)
        what_happened = observation, action, led.reward, led.terminated, led.truncated
        memory = agent.observe(memory, *what_happened, led.observation)
        ended = led.terminated | led.truncated
        carry = jax.tree.map(
            lambda fresh, later: jnp.where(ended, fresh, later),
            environment.reset(again_key, task),
            (led.observation, led.state),
        )
        return (memory, *carry), (led.reward > 0, ended)

    def earned_at(carry: Any, first: int, count: int) -> Any:
        return jax.lax.scan(step, carry, first + jnp.arange(count))

    start = memory, observation, state
    if agent.sees_task:
        found_after, carry, first = memory.found_after, start, 0
    else:
        carry, (earned, _) = earned_at(start, 0, trial.steps)
        found_after = jnp.where(jnp.any(earned), jnp.argmax(earned) + 1.0, jnp.inf)
        # the episode that T steps cut short is no episode of those that are counted
        again = environment.reset(jax.random.fold_in(live_key, trial.steps), task)
        carry, first = (carry[0], *again), trial.steps + 1
    _, (earned, ended) = earned_at(carry, first, MORE * environment.horizon)
    episode = jnp.cumsum(ended) - ended  # to which each step belongs
    of_each = jnp.zeros(MORE * environment.horizon).at[episode].max(earned * 1.0)
    return found_after, jnp.mean(of_each[:MORE])


def draw_tasks(environment: Any, count: int) -> Any:
    """Returns test tasks; of dark rooms goals from all cells that are far enough away."""
    import jax
    import jax.numpy as jnp

    from metarl.environments import DarkRoomTask

    if environment.name != "dark-room":
        return environment.sample_tasks(jax.random.key(1), count, "test")
    side = environment.settings["size"]
    cells = np.arange(side * side)
    away = np.abs(cells % side - side // 2) + np.abs(cells // side - side // 2)
    drawn = np.random.default_rng(0).choice(cells[away >= NEAREST], count, replace=False)
    return DarkRoomTask(jnp.asarray(drawn[:, None], jnp.int32))


def say(rows: Rows) -> None:
    """Prints a table: where the reward was found, after how many steps, and where what is handed over reaches it."""
    print(
        "| world | agent | reward found in | median steps until then | handed over, reaches it in |"
    )
    print("|---|---|---|---|---|")
    for world, agent in dict.fromkeys((row["world"], row["agent"]) for row in rows):
        own = [row for row in rows if (row["world"], row["agent"]) == (world, agent)]
        steps = np.array([row["found_after"] for row in own])
        median = np.median(steps)
        after = f"{median:,.0f}" if np.isfinite(median) else "never"
        reached = np.array([row["reached"] for row in own]) >= 0.5
        print(f"| {world} | `{agent}` | {share(np.isfinite(steps))} | {after} | {share(reached)} |")


def share(flags: np.ndarray) -> str:
    """Returns how many of the flags are set, with the 95 % interval of their share (Wilson)."""
    from scipy import stats

    count = int(flags.sum())
    low, high = stats.binomtest(count, len(flags)).proportion_ci(method="wilson")
    return f"{count} of {len(flags)} [{low:.2f}, {high:.2f}]"


def read(file: Path) -> Rows:
    """Returns the rows of a table that was written before."""
    if not file.is_file():
        return []
    with file.open(newline="") as lines:
        return [
            {
                **row,
                "task": int(row["task"]),
                "found_after": float(row["found_after"]),
                "reached": float(row["reached"]),
            }
            for row in csv.DictReader(lines)
        ]


def write(file: Path, rows: Rows) -> None:
    """Writes the table."""
    with file.open("w", newline="") as lines:
        table = csv.DictWriter(lines, COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def draw(rows: Rows, output: Path) -> None:
    """Writes the figure: in which share of the tasks the reward was found, against steps, a panel for each world."""
    from metarl.reporting import Curve, curve_panels

    panels: dict[str, list[Curve]] = {}
    for world, agent in dict.fromkeys((row["world"], row["agent"]) for row in rows):
        own = [row for row in rows if (row["world"], row["agent"]) == (world, agent)]
        steps = np.array([row["found_after"] for row in own])
        at = np.linspace(0, WORLDS[world][2], 81)
        found = (steps[None] <= at[:, None]).mean(axis=1)
        label = agent.partition(":")[0]
        known = ", cells of states" * (agent == WITH_STATES)
        curve = Curve(f"{label}{known}", at, found, foreground=label.startswith("go-explore"))
        panels.setdefault(world, []).append(curve)
    chart = curve_panels(panels, "real steps", "share of tasks, reward found", height=2.8)
    chart.write_svg(output / "far_reward.svg")
    chart.write_png(output / "far_reward.png")


if __name__ == "__main__":
    main()
