"""Grids of rules: steps and plans against loops, who holds which rule set, and who tries what."""

from __future__ import annotations

import functools
from collections import deque

import jax
import numpy as np
import pytest

from metarl.classical_agents import make
from metarl.environments import SPLITS, Trial, load, record
from metarl.environments.contract.canvas import BODY
from metarl.environments.mdps.rule_grid import RuleState, RuleTask
from metarl.environments.mdps.rule_picture import colour_of, rules_of
from metarl.errors import InvalidInput

SIZE, OBJECTS, PAIRS, HORIZON, EPISODES, TASKS = 3, 4, 2, 40, 2, 30
MOVES = [(0, 1), (1, 0), (0, -1), (-1, 0)]
ACT = 4
GOAL = -1
AGENTS = [
    "experimenter",
    *(pytest.param(name, marks=pytest.mark.slow) for name in ("oracle", "random")),
]


@pytest.fixture(scope="module")
def played():
    """Returns what an agent did, and in which tasks."""
    family = load("rule-grid", size=SIZE, objects=OBJECTS, pairs=PAIRS, horizon=HORIZON)
    trial = Trial(family, episodes=EPISODES)

    @functools.cache
    def play(name):
        @jax.jit
        def run():
            tasks = family.sample_tasks(jax.random.key(0), TASKS, "test")
            return record(make(name, trial), trial, jax.random.key(1), tasks), tasks

        return jax.device_get(run())

    return play


def rulebook(makes: np.ndarray) -> dict[tuple[int, int], int]:
    """What each hand and object make, by the words of the module."""
    book = {}
    for hand, other, made in rules_of(type("Task", (), {"makes": makes})):
        book[hand, other] = made
        if hand <= makes.shape[1]:
            book[other, hand] = made
    return book


def act(book, hand: int, place: tuple, things: dict) -> int:
    """What the hand holds after acting in a cell."""
    if place not in things:
        return 0
    return book.get((hand, things[place]), hand) if hand else things[place]


def read(observation: np.ndarray):
    """Hand, place, and what lies where."""
    corners = [tuple(corner) for corner in observation[1:].reshape(-1, 2).tolist()]
    return (
        int(observation[0]),
        corners[0],
        {corner: 1 + k for k, corner in enumerate(corners[1:])},
    )


def walked(place: tuple, action: int) -> tuple:
    dx, dy = MOVES[action] if action < ACT else (0, 0)
    return (min(max(place[0] + dx, 0), SIZE - 1), min(max(place[1] + dy, 0), SIZE - 1))


def fewest_steps(book, observation: np.ndarray) -> int:
    """Breadth first, over cells and hands."""
    hand, place, things = read(observation)
    queue, seen = deque([(place, hand, 0)]), {(place, hand)}
    while queue:
        place, hand, steps = queue.popleft()
        for action in range(5):
            held = act(book, hand, place, things) if action == ACT else hand
            if held == GOAL:
                return steps + 1
            following = walked(place, action), held
            if following not in seen:
                seen.add(following)
                queue.append((*following, steps + 1))
    raise AssertionError("there is no way to the goal")


@pytest.mark.parametrize("name", AGENTS)
def test_every_step_is_that_of_a_loop(played, name):
    recording, tasks = played(name)
    happened = recording.transitions
    for n in range(TASKS):
        book = rulebook(tasks.makes[n])
        for t in range(HORIZON * EPISODES):
            hand, place, things = read(recording.observations[n, t])
            assert len(things) == OBJECTS
            action = int(recording.actions[n, t])
            held = act(book, hand, place, things) if action == ACT else hand
            assert happened.reward[n, t] == (held == GOAL)
            after = read(happened.next_observation[n, t])
            if held == GOAL:
                assert after[0] == 0 and len(after[2]) == OBJECTS
            else:
                assert after == (held, walked(place, action), things)
            assert happened.truncated[n, t] == (t % HORIZON == HORIZON - 1)
            assert not happened.terminated[n, t]


def steps_between_goals(recording, n: int):
    """Of each time the goal was made within an episode: when that layout began, and the steps it took."""
    rewards = recording.transitions.reward[n]
    for first in range(0, HORIZON * EPISODES, HORIZON):
        began = first
        for t in range(first, first + HORIZON):
            if rewards[t]:
                yield began, t + 1 - began
                began = t + 1


@pytest.mark.slow  # the quick form: who has found them does so too
def test_who_knows_the_rules_makes_the_goal_in_the_fewest_steps(played):
    (recording, tasks), made = played("oracle"), 0
    for n in range(TASKS):
        book = rulebook(tasks.makes[n])
        for began, steps in steps_between_goals(recording, n):
            assert steps == fewest_steps(book, recording.observations[n, began])
            made += 1
    assert made > TASKS * EPISODES * 2


def test_who_experiments_tries_nothing_twice_and_repeats_what_made_the_goal(played):
    recording, tasks = played("experimenter")
    repeated = 0
    for n in range(TASKS):
        book, tried = rulebook(tasks.makes[n]), set()
        goals = list(steps_between_goals(recording, n))
        first = goals[0][0] + goals[0][1] if goals else HORIZON * EPISODES
        for t in range(first):
            hand, place, things = read(recording.observations[n, t])
            if recording.actions[n, t] == ACT and hand and place in things:
                pair = tuple(sorted((hand, things[place])))
                known = book.get((hand, things[place])) if pair in tried else None
                assert (
                    pair not in tried or known is not None
                )  # made again on the way to something new
                tried.add(pair)
        for began, steps in goals[1:]:
            assert steps == fewest_steps(book, recording.observations[n, began])
            repeated += 1
    assert repeated > TASKS


def canonical(makes: np.ndarray):
    """A rule set without the names of its products, and how many rules lead to the goal."""
    objects, book = makes.shape[1], rulebook(makes)
    pairs = {pair: made for pair, made in book.items() if pair[0] < pair[1] <= objects}
    ((hand, other),) = {tuple(sorted(pair)) for pair, made in book.items() if made == GOAL}
    added = []
    while other > objects or hand > objects:  # back from the goal to the pair of objects
        product, thing = max(hand, other), min(hand, other)
        added.append(thing)
        ((hand, other),) = {tuple(sorted(pair)) for pair, made in book.items() if made == product}
    return (frozenset(pairs), (hand, other), tuple(added)), 1 + len(added)


@pytest.mark.parametrize("depth", [*(pytest.param(d, marks=pytest.mark.slow) for d in (1, 2)), 3])
def test_no_rule_set_is_in_two_splits_whatever_its_products_are_called(depth):
    family = load("rule-grid", objects=4, pairs=2, depth=depth)

    @jax.jit
    def draw():
        return {
            split: family.sample_tasks(jax.random.key(0), 3000, split).makes for split in SPLITS
        }

    held = {}
    for split, makes in jax.device_get(draw()).items():
        found = [canonical(table) for table in np.unique(makes, axis=0)]
        assert {rules for _, rules in found} == {depth}
        held[split] = {rule_set for rule_set, _ in found}
    count = 15 * 2 * 4 ** (depth - 1)
    assert sum(map(len, held.values())) == len(set.union(*held.values()))
    assert len(held["test"]) == len(held["validation"]) == count * 15 // 100
    assert len(held["train"]) == count - 2 * (count * 15 // 100) or depth == 3


def test_objects_lie_where_they_do_and_one_is_where_one_is():
    (draw,) = load("rule-grid", size=4).views.values()
    makes = np.zeros((9, 5), int)
    makes[0], makes[1, 2], makes[3, 0], makes[6, 1] = 1 + np.arange(5), 6, 6, GOAL
    task = RuleTask(makes)  # pyright: ignore
    assert rules_of(task) == [(1, 3, 6), (6, 2, GOAL)]
    cells = np.array([[15, 1, 2, 3, 4]])
    state = RuleState(np.array([8]), np.array([2]), cells, np.zeros(1))  # pyright: ignore
    picture = draw(task, state)[::-1]
    hands = len(task.makes)
    for colour, cell in [
        (colour_of(1, hands), (3, 3)),
        (BODY, (0, 2)),
        (colour_of(2, hands), (0, 2)),
    ]:
        rows, columns = np.nonzero((picture[:240, :240] == colour).all(axis=-1))
        inside = (columns // 60 == cell[0]) & (rows // 60 == cell[1])
        assert inside.any() and (inside.all() or cell == (0, 2))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 1}, "size is 1; it must be a whole number of at least 2"),
        ({"size": 33}, "size is 33; at most 32 cells are accepted"),
        (
            {"size": 2, "objects": 4},
            "objects is 4; in a grid of 2 x 2 cells fewer than 4 are accepted",
        ),
        ({"depth": 4}, "depth is 4; it must be from 1 to 3"),
        ({"pairs": 11}, "pairs is 11; 5 objects have 10 pairs. Give no more, or more objects"),
        (
            {"objects": 2, "pairs": 1},
            "there are 2 rule sets to be dealt out; from 20 to 1,000,000 .* more objects",
        ),
        ({"objects": 12, "pairs": 5}, "rule sets to be dealt out; .* Give fewer objects"),
    ],
)
def test_settings_that_make_no_grid_of_rules_are_refused(settings, message):
    with pytest.raises(InvalidInput, match=message):
        load("rule-grid", **settings)
