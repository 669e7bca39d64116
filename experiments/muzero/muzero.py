"""What MuZero learns for its steps, beside DQN and PPO, and what networks that commute with rotations carry over.

    python muzero.py steps          # each writes NAME.csv, and a figure but for tuning, NAME.svg and NAME.png
    python muzero.py tuning
    python muzero.py rotations

What is in NAME.csv already is not measured again, so a command that was stopped goes on where it was.

  steps       every learner at its defaults, in tasks of the test split: the mean return of the episodes that ended
              in each tenth of the real steps, mean over tasks and 95 % intervals over tasks
  rotations   grids of 5 x 5 where place and goal are seen. A learner meets goals in one quadrant alone, from any
              start; every so many steps what it learnt is played, without noise and without learning, with goals in
              that quadrant and in the three it never met. The share of episodes that reach the goal, of each seed;
              mean over seeds and 95 % intervals over seeds (Student's t). All networks have the same seeds
  tuning      the same, shorter, for each setting of a grid that is the same for both networks, by other seeds:
              the mean over all looks of the share where it was trained tells which is best

Letters: N tasks or seeds; D cells along a side; Q quadrants; P episodes played in each.
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
SEEDS, ROTATION_STEPS, LOOKS, PLAYED = range(10), 4800, 16, 50  # N; P
TUNING_SEEDS, TUNING_STEPS, TUNING_LOOKS, TUNING_PLAYED = range(100, 103), 3000, 6, 100
THRESHOLD = 0.8  # share of goals reached, until which steps are counted
SMALL = (
    "discount=0.95,hidden=32,bins=11,value_limit=2,simulations=8,batch_size=16,unroll=3,"
    "n_steps=3,reanalyse=2,learn_after=128"
)
KINDS = {"plain": "muzero", "equivariant": "muzero:equivariant=true"}
GRID = [
    "latent=16,learning_rate=0.002",
    "latent=16,learning_rate=0.006",
    "latent=16,learning_rate=0.006,least_spread=0.3",
    "latent=64,learning_rate=0.006,least_spread=0.3",
]
ROTATED = {  # kind and setting, by tuning.csv: of latent=16 the best of each, and plain ones by that of the other;
    # and of latent=64 the equivariant one, the best of all
    "plain": f"plain {GRID[1]}",
    "plain, set as equivariant": f"plain {GRID[2]}",
    "equivariant": f"equivariant {GRID[2]}",
    "equivariant, latent=64": f"equivariant {GRID[3]}",
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
                measure = MEASURES[arguments.name]
                began = time.process_time()
                rows += measure(world, agent, arguments.seeds, arguments.steps)
                write(file, rows)
                spent = time.process_time() - began
                print(f"{world} {agent}: {spent:.0f} seconds of processor time", flush=True)
    say(arguments.name, rows)
    draw(arguments.name, rows, arguments.output)


PLANS = {
    "steps": [(world, agent) for world in STEPS for agent in LEARNERS],
    "tuning": [("quadrants", f"{kind} {setting}") for setting in GRID for kind in KINDS],
    "rotations": [("quadrants", name) for name in ROTATED],
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


def rotations_of(world: str, name: str, seeds: int | None, steps: int | None) -> Rows:
    """Returns how often what was learnt after so many steps reaches the goal, by quadrant trained in or not."""
    numbers, steps = SEEDS[:seeds] if seeds else SEEDS, steps or ROTATION_STEPS
    return shares_of(world, name, ROTATED[name], numbers, steps, LOOKS, PLAYED)


def tuning_of(world: str, name: str, seeds: int | None, steps: int | None) -> Rows:
    """Returns the same of one setting, by the seeds of tuning."""
    numbers = TUNING_SEEDS[:seeds] if seeds else TUNING_SEEDS
    steps = steps or TUNING_STEPS
    return shares_of(world, name, name, numbers, steps, TUNING_LOOKS, TUNING_PLAYED)


MEASURES = {"steps": steps_of, "tuning": tuning_of, "rotations": rotations_of}


def shares_of(
    world: str, name: str, learner_name: str, seeds: range, steps: int, looks: int, played: int
) -> Rows:
    """Returns the share of goals that each seed reaches after each part of the steps."""
    import jax

    from metarl.environments import Trial
    from metarl.rl_baselines import make

    kind, setting = learner_name.split()
    spec = f"{KINDS[kind]}{',' if ':' in KINDS[kind] else ':'}{setting},{SMALL}"
    trial, once = Trial(quadrants(), steps=steps), Trial(quadrants(), episodes=1)
    learner = make(spec, trial)
    player = make(f"{spec.replace(',reanalyse=2', '')},gumbel_scale=0,reanalyse=0", once)
    begin, go_on, play_all = programs(learner, player, trial, once, played)
    keys = jax.vmap(jax.random.key)(np.array(seeds))
    turns = jax.vmap(functools.partial(jax.random.split, num=looks + 2))(keys)  # [N, looks + 2]
    carry, rows = begin(turns[:, 0]), []
    for look in range(looks + 1):
        if look:
            carry = go_on(turns[:, look], carry, steps // looks)
        reached = np.asarray(play_all(turns[:, -1], carry[0]))  # [N, Q]
        shares = {"trained": reached[:, TRAINED], "rotated": np.delete(reached, TRAINED, 1).mean(1)}
        about = {"world": world, "agent": name, "steps": look * steps // looks}
        for goals, of_seeds in shares.items():
            rows += [
                {**about, "goals": goals, "seed": seed, "share": round(float(share), 4)}
                for seed, share in zip(seeds, of_seeds, strict=True)
            ]
        means = ", ".join(f"{goals} {values.mean():.3f}" for goals, values in shares.items())
        print(f"{name}, {about['steps']} steps: {means}", flush=True)
    return rows


def programs(learner: Any, player: Any, trial: Any, once: Any, played: int) -> tuple[Any, Any, Any]:
    """Returns three compiled functions of all seeds: begin, learn for some steps, play in every quadrant."""
    import jax
    import jax.numpy as jnp

    from metarl.environments import make_agent, play

    task = Quadrant(jnp.int32(TRAINED))

    @jax.jit
    @jax.vmap
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

    tasks = Quadrant(jnp.repeat(jnp.arange(4, dtype=jnp.int32), played))

    @jax.jit
    @jax.vmap
    def play_all(key: Any, learnt: Any) -> Any:
        returns = play(make_agent(init, act, observe, learnt), once, key, tasks).returns  # [Q P, 1]
        return jnp.mean(returns.reshape(4, played), axis=1)  # [Q]

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
    """Prints what the rows say: the last line of each curve, and comparisons."""
    if name == "tuning":
        say_tuning(rows)
        return
    last: dict[Any, Any] = {
        (r["world"], r["agent"], r.get("goals", "")): r for r in over_seeds(rows)
    }
    for (world, agent, goals), row in last.items():
        what = "return" if name == "steps" else f"share of {goals} goals reached"
        count = f"{row['n']:.0f} {'tasks' if name == 'steps' else 'seeds'}"
        print(
            f"{world} {agent}, {row['steps']:.0f} steps: {what} {row['mean']:.3f} ± {row['half']:.3f}, {count}"
        )
    if name == "rotations":
        measured = list(dict.fromkeys(row["agent"] for row in rows))
        plain = [name for name in measured if name.startswith("plain")]
        for ours in measured:
            for theirs in plain if ours not in plain else []:
                say_pairs(rows, ours, theirs)


def say_tuning(rows: Rows) -> None:
    """Prints the mean share of every setting over seeds and looks, after the first look."""
    for name in dict.fromkeys(row["agent"] for row in rows):
        own = [r for r in rows if r["agent"] == name and r["steps"] > 0]
        ends = [r for r in own if r["steps"] == own[-1]["steps"]]
        means = [
            np.mean([r["share"] for r in some if r["goals"] == goals])
            for some in (own, ends)
            for goals in ("trained", "rotated")
        ]
        print(
            f"{name}: over all looks trained {means[0]:.3f}, rotated {means[1]:.3f}; "
            f"at {own[-1]['steps']:.0f} steps {means[2]:.3f}, {means[3]:.3f}"
        )


def say_pairs(rows: Rows, ours: str, plain: str) -> None:
    """Prints differences and ratios of equivariant and plain networks over the seeds, which they share."""
    from metarl.statistics import mean_interval

    shares = {  # [seeds, looks]
        (kind, goals): np.array(
            [
                [
                    r["share"]
                    for r in rows
                    if (r["agent"], r["goals"], r["seed"]) == (kind, goals, s)
                ]
                for s in sorted({r["seed"] for r in rows})
            ]
        )
        for kind in (plain, ours)
        for goals in ("trained", "rotated")
    }
    steps = np.array(sorted({row["steps"] for row in rows}))
    for goals in ("trained", "rotated"):
        one, other = shares[ours, goals], shares[plain, goals]
        for text, differences in (
            (f"at {steps[-1]:,.0f} steps", one[:, -1] - other[:, -1]),
            ("over all steps", (one - other).mean(axis=1)),
        ):
            mean = mean_interval(differences)
            print(
                f"{goals} goals {text}: {ours} less {plain} {mean.mean:+.3f} "
                f"[{mean.low:+.3f}, {mean.high:+.3f}]"
            )
        print(f"{goals} goals, steps until {THRESHOLD:.0%} are reached:")
        until = {kind: _steps_until(shares[kind, goals], steps) for kind in (plain, ours)}
        for kind, (counts, never) in until.items():
            mean = mean_interval(counts)
            print(
                f"  {kind}: {mean.mean:,.0f} [{mean.low:,.0f}, {mean.high:,.0f}], "
                f"{never} of {len(counts)} seeds never"
            )
        if not any(never for _, never in until.values()):
            logs = mean_interval(np.log(until[ours][0] / until[plain][0]))
            ratio, low, high = np.exp([logs.mean, logs.low, logs.high])
            print(f"  {ours} to {plain}: {ratio:.2f} [{low:.2f}, {high:.2f}] times as many")


def _steps_until(shares: np.ndarray, steps: np.ndarray) -> tuple[np.ndarray, int]:
    """Returns the steps of each seed until `THRESHOLD`, the last for who never gets there; and how many do not.

    Args:
      shares: [N, looks].
      steps: [looks], of each look.
    """
    there = shares >= THRESHOLD
    first = np.where(there.any(axis=1), there.argmax(axis=1), len(steps) - 1)
    return steps[first], int((~there.any(axis=1)).sum())


def over_seeds(rows: Rows) -> Rows:
    """Returns rows of single seeds summed up over these; others as they are."""
    if not rows or "seed" not in rows[0]:
        return rows
    shares: dict[Any, list[float]] = {}
    for row in rows:
        about = tuple(row[name] for name in ("world", "agent", "goals", "steps"))
        shares.setdefault(about, []).append(row["share"])
    return [
        {"world": world, "agent": agent, "goals": goals, "steps": steps, **summed_up(np.array(of))}
        for (world, agent, goals, steps), of in shares.items()
    ]


def draw(name: str, rows: Rows, output: Path) -> None:
    """Writes the figure: return, or share of goals reached, against real steps; none of tuning."""
    from metarl.reporting import Curve, curve_panels

    if name == "tuning":
        return
    rows = over_seeds(rows)
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
