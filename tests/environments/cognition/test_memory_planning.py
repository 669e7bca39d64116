"""The memory and planning game: steps by a loop, the best there is, maps of the splits, and who maps."""

from __future__ import annotations

import functools

import jax
import numpy as np
import pytest

from metarl.classical_agents import make
from metarl.environments import SPLITS, MemoryPlanningTask, Trial, load, record
from metarl.environments.cognition.memory_planning import MemoryPlanningState
from metarl.environments.contract.canvas import BODY, GOAL
from metarl.errors import InvalidInput

SIZE, HORIZON, EPISODES, TASKS = 3, 20, 3, 200
CELLS = SIZE * SIZE
MOVES = [(0, 1), (1, 0), (0, -1), (-1, 0), (0, 0)]
COLLECT = 4
AGENTS = ["mapper", *(pytest.param(name, marks=pytest.mark.slow) for name in ("oracle", "random"))]


@pytest.fixture(scope="module")
def played():
    """Returns what an agent did, in which tasks, and the best return."""
    family = load("memory-planning", size=SIZE, horizon=HORIZON)
    trial = Trial(family, episodes=EPISODES)
    optimal_return = family.optimal_return
    assert optimal_return is not None

    @functools.cache
    def play(name):
        @jax.jit
        def run():
            tasks = family.sample_tasks(jax.random.key(0), TASKS, "test")
            best = optimal_return(jax.tree.map(lambda leaf: leaf[0], tasks))
            return record(make(name, trial), trial, jax.random.key(1), tasks), tasks, best

        return jax.device_get(run())

    return play


def steps_between(a: int, b: int) -> int:
    """On the torus."""
    return sum(
        min((p - q) % SIZE, (q - p) % SIZE)
        for p, q in zip(divmod(a, SIZE), divmod(b, SIZE), strict=True)
    )


@pytest.mark.parametrize("name", AGENTS)
def test_every_step_is_that_of_a_loop(played, name):
    recording, tasks, _ = played(name)
    happened, goals = recording.transitions, np.zeros(CELLS)
    for n in range(TASKS):
        cell_of = {int(symbol): cell for cell, symbol in enumerate(tasks.symbols[n])}
        for t in range(HORIZON * EPISODES):
            place, goal = (cell_of[symbol] for symbol in recording.observations[n, t].tolist())
            assert t % HORIZON or place == tasks.start[n]
            action = int(recording.actions[n, t])
            dx, dy = MOVES[action]
            then = (place // SIZE + dy) % SIZE * SIZE + (place % SIZE + dx) % SIZE
            got = action == COLLECT and place == goal
            there, wanted = (cell_of[s] for s in happened.next_observation[n, t].tolist())
            assert (there, happened.reward[n, t]) == (then, got)
            assert wanted != there if got else wanted == goal
            goals[(wanted - there) % CELLS] += got
            assert happened.terminated[n, t] == (t % HORIZON == HORIZON - 1)
    if name != "random":  # a new goal is any other cell: five standard errors
        expected = goals.sum() / (CELLS - 1)
        assert (np.abs(goals[1:] - expected) < 5 * np.sqrt(expected)).all()


@pytest.mark.slow  # the quick form: who maps goes them too
def test_who_knows_the_map_goes_the_shortest_ways_and_earns_the_best_return(played):
    """To five standard errors."""
    recording, tasks, best = played("oracle")
    rewards = recording.transitions.reward
    for n in range(TASKS):
        cell_of = {int(symbol): cell for cell, symbol in enumerate(tasks.symbols[n])}
        left = 0
        for t in range(HORIZON * EPISODES):
            if t % HORIZON == 0 or rewards[n, t - 1]:
                left = 1 + steps_between(
                    *(cell_of[s] for s in recording.observations[n, t].tolist())
                )
            left -= 1
            assert rewards[n, t] == (left == 0)
    returns = rewards.reshape(-1, HORIZON).sum(axis=1)
    assert abs(returns.mean() - best) < 5 * returns.std() / np.sqrt(returns.size)


def test_who_maps_passes_no_cell_twice_before_it_must_and_later_goes_the_shortest_ways(played):
    recording, tasks, _ = played("mapper")
    shortest = 0
    rewards = recording.transitions.reward
    for n in range(TASKS):
        cell_of = {int(symbol): cell for cell, symbol in enumerate(tasks.symbols[n])}
        passed, left = set(), None
        for t in range(HORIZON * EPISODES):
            symbol, goal = recording.observations[n, t].tolist()
            passed.add(symbol)
            if left is None and goal in passed:
                left = 1 + steps_between(cell_of[symbol], cell_of[goal])
            if left is None:
                dearest = min(
                    steps_between(cell_of[symbol], cell)
                    for s, cell in cell_of.items()
                    if s not in passed
                )
                after = recording.transitions.next_observation[n, t, 0]
                assert dearest > 1 or after not in passed
            else:
                left -= 1
                assert rewards[n, t] == (left == 0)
                shortest += left == 0
            if rewards[n, t] or t % HORIZON == HORIZON - 1:
                left = None
        assert len(passed) > CELLS // 2
    assert shortest > 5 * TASKS


def test_no_map_is_in_two_splits_and_they_hold_their_shares():
    family = load("memory-planning", size=SIZE)

    @jax.jit
    def draw():
        return {split: family.sample_tasks(jax.random.key(0), 3000, split) for split in SPLITS}

    drawn = jax.device_get(draw())
    maps = {split: set(map(bytes, tasks.symbols)) for split, tasks in drawn.items()}
    assert sum(map(len, maps.values())) == len(set.union(*maps.values()))
    for tasks in drawn.values():
        assert (np.sort(tasks.symbols, axis=1) == np.arange(CELLS)).all()
        assert (tasks.symbols[:, 0] == 0).all() and set(tasks.start.tolist()) == set(range(CELLS))
        assert len(np.unique(tasks.symbols[:, 1])) == CELLS - 1
    # of 8! maps 3,000 draws meet as many different ones as they should, to 5 standard errors
    for split, share in (("train", 0.7), ("validation", 0.15), ("test", 0.15)):
        many = share * 40320
        expected = many * (1 - np.exp(-3000 / many))
        assert abs(len(maps[split]) - expected) < 5 * np.sqrt(3000 * 3000 / many) + 0.03 * 3000


def test_one_is_where_one_is_and_the_goal_is_red():
    (draw,) = load("memory-planning").views.values()
    task = MemoryPlanningTask(np.arange(16), np.int32(0))  # pyright: ignore
    state = MemoryPlanningState(np.array([0, 3, 7]), np.array([8, 8, 8]), np.arange(3))  # pyright: ignore
    picture = draw(task, state)[::-1]
    for colour, cell in ((BODY, (3, 1)), (GOAL, (0, 2))):
        rows, columns = np.nonzero((picture == colour).all(axis=-1))
        assert rows.size and (columns // 60 == cell[0]).all() and (rows // 60 == cell[1]).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 2}, "size is 2; it must be a whole number of at least 3"),
        ({"size": 17}, "size is 17; at most 16 are accepted"),
        ({"horizon": 0.5}, "horizon is 0.5; it must be a whole number of at least 1"),
    ],
)
def test_settings_that_make_no_map_are_refused(settings, message):
    with pytest.raises(InvalidInput, match=message):
        load("memory-planning", **settings)
