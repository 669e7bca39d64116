"""What MuZero learns for its steps, beside DQN and PPO, and what networks that commute with rotations carry over.

    python muzero.py steps          # each writes NAME.csv, NAME.svg and NAME.png
    python muzero.py rotations

What is in NAME.csv already is not measured again, so a command that was stopped goes on where it was.

  steps       every learner at its defaults, in tasks of the test split: the mean return of the episodes that ended
              in each tenth of the real steps, mean over tasks and 95 % intervals over tasks
  rotations   grids of 5 x 5 where place and goal are seen. A learner meets goals in one quadrant alone, from any
              start; every so many steps what it learnt is played, without noise and without learning, with goals in
              that quadrant and in the three it never met. The share of episodes that reach the goal, mean over seeds
              and 95 % intervals over seeds (Student's t)

Letters: N tasks or seeds; D cells along a side; Q quadrants.
"""

from __future__ import annotations

import argparse
import csv
import functools
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

HERE = Path(__file__).parent
PARTS = 10  # tenths of the steps
STEPS = {"gridworld": 1800, "key-to-door": 4000, "cartpole": 4000}
TASKS = 8
LEARNERS = ("muzero", "dqn", "ppo")

SIDE, LIMIT = 5, 10  # D; steps of an episode
TRAINED = 3  # the quadrant of training, at the upper right
SEEDS, ROTATION_STEPS, LOOKS, PLAYED = 10, 9600, 8, 25
TINY = (
    "discount=0.95,hidden=32,latent=16,bins=11,value_limit=2,simulations=8,batch_size=16,unroll=3,"
    "n_steps=3,reanalyse=2,learn_after=128"
)
NETWORKS = {
    "plain": f"muzero:{TINY}",
    "equivariant": f"muzero:equivariant=true,{TINY}",
}
Rows = list[dict[str, Any]]


def main() -> None:
    """Measures what was not measured, and writes table and figure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("name", choices=tuple(PLANS))
    parser.add_argument("--output", type=Path, default=HERE)
    parser.add_argument(
        "--draw", action="store_true", help="the figure of what is measured, no more"
    )
    parser.add_argument("--seeds", type=int, default=None, help="N, instead of the usual")
    parser.add_argument("--steps", type=int, default=None, help="of learning, instead of the usual")
    arguments = parser.parse_args()
    file = arguments.output / f"{arguments.name}.csv"
    rows = read(file)
    if not arguments.draw:
        from metarl.cli import configure

        configure(threads=1)
        for world, agent in PLANS[arguments.name]:
            if not any((row["world"], row["agent"]) == (world, agent) for row in rows):
                measure = steps_of if arguments.name == "steps" else rotations_of
                began = time.process_time()
                rows += measure(world, agent, arguments.seeds, arguments.steps)
                write(file, rows)
                spent = time.process_time() - began
                print(f"{world} {agent}: {spent:.0f} seconds of processor time", flush=True)
    say(arguments.name, rows)
    draw(arguments.name, rows, arguments.output)


PLANS = {
    "steps": [(world, agent) for world in STEPS for agent in LEARNERS],
    "rotations": [("quadrants", network) for network in NETWORKS],
}


# Return against real steps -----------------------------------------------------------------------


def steps_of(world: str, agent: str, tasks: int | None, steps: int | None) -> Rows:
    """Returns the mean return of the episodes that ended in each tenth of the steps."""
    from metarl.environments import Trial, load
    from metarl.rl_baselines import learn_split, make

    settings = {"horizon": 100} if world == "cartpole" else {}
    trial = Trial(load(world, **settings), steps=steps or STEPS[world])
    played = learn_split(make(agent, trial), trial, 0, tasks or TASKS, "test")
    ends = np.cumsum(played.lengths, axis=1)  # [N, E]
    whole = (played.lengths > 0) & (ends < trial.length)
    part = np.minimum(ends * PARTS // trial.length, PARTS - 1)
    rows = []
    for number in range(PARTS):
        here = whole & (part == number)
        means = [row[mask].mean() for row, mask in zip(played.returns, here, strict=True)]
        middle = (number + 0.5) * trial.length / PARTS
        rows.append({"world": world, "agent": agent, "steps": middle, **summed_up(np.array(means))})
    return rows


# Rotated worlds ----------------------------------------------------------------------------------


class Quadrant(NamedTuple):
    """A task: in which quadrant goals lie, 0 to 3; odd ones at the right, 2 and 3 above."""

    number: Any  # [] int32


class Place(NamedTuple):
    """Where an episode stands."""

    place: Any  # [2] int32, column and row
    goal: Any  # [2]
    time: Any  # [] int32


@functools.cache
def quadrants() -> Any:
    """Returns grids of D x D where place and goal are seen; each episode has a goal in the task's quadrant."""
    import jax
    import jax.numpy as jnp
    from gymnasium import spaces

    from metarl.environments import Environment, Step, square_symmetries

    moves = np.array([[0, 1], [1, 0], [0, -1], [-1, 0], [0, 0]])
    half = SIDE // 2  # cells along a quadrant's side: the row and column in the middle are in none

    def see(state: Place) -> Any:
        return jnp.concatenate([state.place, state.goal])

    def draw_task(key: Any, split: str) -> Quadrant:
        others = jnp.array([q for q in range(4) if q != TRAINED])
        other = others[jax.random.randint(key, (), 0, 3)]
        return Quadrant(jnp.int32(TRAINED) if split == "train" else other)

    def reset(key: Any, task: Quadrant) -> tuple[Any, Place]:
        goal_key, place_key = jax.random.split(key)
        corner = jnp.stack([task.number % 2, task.number // 2]) * (half + 1)
        goal = corner + jax.random.randint(goal_key, (2,), 0, half)
        cell = jax.random.randint(place_key, (), 0, SIDE**2 - 1)
        cell += cell >= goal[1] * SIDE + goal[0]  # any but the goal
        state = Place(jnp.stack([cell % SIDE, cell // SIDE]).astype(jnp.int32), goal, jnp.int32(0))
        return see(state), state

    def step(key: Any, state: Place, action: Any, task: Quadrant) -> Any:
        del key, task
        place = jnp.clip(state.place + jnp.asarray(moves, jnp.int32)[action], 0, SIDE - 1)
        following = Place(place, state.goal, state.time + 1)
        there = jnp.all(place == state.goal)
        late = (following.time >= LIMIT) & ~there
        return Step(see(following), following, there.astype(jnp.float32), there, late, {})

    sizes = [SIDE] * 4
    return Environment(
        name="quadrants", settings={}, observation_space=spaces.MultiDiscrete(sizes, dtype=np.int32),
        action_space=spaces.Discrete(len(moves)), horizon=LIMIT, draw_task=draw_task, reset=reset,
        step=step, symmetries=square_symmetries(sizes, ((0, 1), (2, 3)), SIDE, moves),
    )  # fmt: skip


def rotations_of(world: str, network: str, seeds: int | None, steps: int | None) -> Rows:
    """Returns how often what was learnt after so many steps reaches the goal, by quadrant trained in or not."""
    import jax

    from metarl.environments import Trial
    from metarl.rl_baselines import make

    seeds, steps = seeds or SEEDS, steps or ROTATION_STEPS
    trial = Trial(quadrants(), steps=steps)
    learner = make(NETWORKS[network], trial)
    once = Trial(quadrants(), episodes=PLAYED)
    player = make(
        f"{NETWORKS[network].replace(',reanalyse=2', '')},gumbel_scale=0,reanalyse=0", once
    )
    begin, go_on, play_all = programs(learner, player, trial, once)
    carry = jax.tree.map(
        lambda *leaves: jax.numpy.stack(leaves),
        *[begin(key) for key in jax.random.split(jax.random.key(0), seeds)],
    )
    rows = []
    for look in range(LOOKS + 1):
        if look:
            keys = jax.random.split(jax.random.key(look), seeds)
            carry = go_on(keys, carry, steps // LOOKS)
        reached = np.asarray(play_all(jax.random.key(100), carry[0]))  # [N, Q]
        kinds = {"trained": reached[:, TRAINED], "rotated": np.delete(reached, TRAINED, 1).mean(1)}
        for kind, shares in kinds.items():
            about = {
                "world": world,
                "agent": network,
                "goals": kind,
                "steps": look * steps // LOOKS,
            }
            rows.append({**about, **summed_up(shares)})
            print(rows[-1], flush=True)
    return rows


def programs(learner: Any, player: Any, trial: Any, once: Any) -> tuple[Any, Any, Any]:
    """Returns three compiled functions of all seeds: begin, learn for some steps, play in every quadrant."""
    import jax
    import jax.numpy as jnp

    from metarl.environments import make_agent, play

    task = Quadrant(jnp.int32(TRAINED))

    @jax.jit
    def begin(key: Any) -> Any:
        init_key, reset_key = jax.random.split(key)
        return learner.init(init_key, trial, None), trial.reset(reset_key, task)

    @functools.partial(jax.jit, static_argnums=2)
    def go_on(keys: Any, carry: Any, count: int) -> Any:
        def advance(carry: Any, key: Any) -> tuple[Any, None]:
            memory, state = carry
            act_key, world_key = jax.random.split(key)
            action, memory = learner.act(act_key, memory, state.observation)
            following, t = trial.step(world_key, state, action, task)
            seen = state.observation, action, t.reward, t.terminated, t.truncated
            return (learner.observe(memory, *seen, t.next_observation), following), None

        def one(key: Any, carry: Any) -> Any:
            return jax.lax.scan(advance, carry, jax.random.split(key, count))[0]

        return jax.vmap(one)(keys, carry)

    def init(learnt: Any, key: Any, trial: Any, task: None) -> Any:
        del key, trial, task
        return learnt

    def act(learnt: Any, key: Any, memory: Any, observation: Any) -> Any:
        return player.act(key, memory, observation)[0], learnt

    def observe(learnt: Any, memory: Any, *what_happened: Any) -> Any:
        del memory, what_happened
        return learnt

    tasks = Quadrant(jnp.arange(4, dtype=jnp.int32))

    @jax.jit
    def play_all(key: Any, learnt: Any) -> Any:
        def one(learnt: Any) -> Any:
            returns = play(make_agent(init, act, observe, learnt), once, key, tasks).returns
            return jnp.mean(returns, axis=1)  # [Q]

        return jax.vmap(one)(learnt)

    return begin, go_on, play_all


# Tables and figures ------------------------------------------------------------------------------


def summed_up(values: np.ndarray) -> dict[str, float]:
    """Returns number, mean, and half the 95 % interval by Student's t."""
    from scipy import stats

    values = values[np.isfinite(values)]
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return {
        "n": len(values),
        "mean": round(float(values.mean()), 4),
        "half": round(float(half), 4),
    }


def read(file: Path) -> Rows:
    """Returns the rows of a table that was written before."""
    if not file.is_file():
        return []
    words = ("world", "agent", "goals")
    with file.open(newline="") as lines:
        return [
            {k: v if k in words else float(v) for k, v in row.items()}
            for row in csv.DictReader(lines)
        ]


def write(file: Path, rows: Rows) -> None:
    """Writes the table."""
    from metarl.reporting import Column, Table, write_csv

    write_csv(file, Table(file.stem, [Column(name) for name in rows[0]], rows))


def say(name: str, rows: Rows) -> None:
    """Prints the last line of each curve, and how many seeds or tasks it is of."""
    last: dict[Any, Any] = {(r["world"], r["agent"], r.get("goals", "")): r for r in rows}
    for (world, agent, goals), row in last.items():
        what = "return" if name == "steps" else f"share of {goals} goals reached"
        count = f"{row['n']:.0f} {'tasks' if name == 'steps' else 'seeds'}"
        print(
            f"{world} {agent}, {row['steps']:.0f} steps: {what} {row['mean']:.3f} ± {row['half']:.3f}, {count}"
        )

    if name == "rotations":
        for goals in ("trained", "rotated"):
            ours = {agent: last["quadrants", agent, goals] for agent in NETWORKS}
            if len(ours) == 2:
                print(f"{goals} goals: {_difference(ours['equivariant'], ours['plain'])}")


def _difference(one: dict[str, Any], other: dict[str, Any]) -> str:
    """Returns the difference of two means of seeds in words, with Welch's interval and test."""
    from scipy import stats

    (n, mean, error), (m, base, noise) = (
        (r["n"], r["mean"], r["half"] / stats.t.ppf(0.975, r["n"] - 1)) for r in (one, other)
    )
    both = np.hypot(error, noise)
    freedom = both**4 / (error**4 / (n - 1) + noise**4 / (m - 1))
    reach = stats.t.ppf(0.975, freedom) * both
    p = 2 * stats.t.sf(abs(mean - base) / both, freedom)
    low, high = mean - base - reach, mean - base + reach
    return f"equivariant less plain {mean - base:+.3f} [{low:+.3f}, {high:+.3f}], Welch p = {p:.2g}"


def draw(name: str, rows: Rows, output: Path) -> None:
    """Writes the figure: return, or share of goals reached, against real steps."""
    from metarl.reporting import Curve, curve_panels

    panels: dict[str, list[Any]] = {}
    panel_of = {"trained": "goals in the quadrant of training", "rotated": "goals in the others"}
    for row in rows:
        panel = panel_of[row["goals"]] if "goals" in row else row["world"]
        panels.setdefault(panel, [])
    for panel, curves in panels.items():
        own = [r for r in rows if panel in (r["world"], panel_of.get(r.get("goals", ""), ""))]
        for agent in dict.fromkeys(r["agent"] for r in own):
            points = [r for r in own if r["agent"] == agent]
            x, y, half = (np.array([r[k] for r in points]) for k in ("steps", "mean", "half"))
            curves.append(
                Curve(
                    agent, x, y, y - half, y + half, foreground=agent in ("muzero", "equivariant")
                )
            )
    label = "return of an episode" if name == "steps" else "share of goals reached"
    chart = curve_panels(panels, "real steps", label, height=2.8)
    chart.write_svg(output / f"{name}.svg")
    chart.write_png(output / f"{name}.png")


if __name__ == "__main__":
    main()
