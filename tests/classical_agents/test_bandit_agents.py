"""Bandit agents at play: exact expectations in tiny bandits, and one program for a whole grid.

The exact expectation of an agent over U(0, 1) bandits is a sum over what may happen: with s
successes and f failures seen of an arm, its next pull succeeds with probability (1 + s) / (2 + s + f).
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.classical_agents import grid, make
from metarl.classical_agents.scoring_agent import Memory
from metarl.environments import Bandit, Trial, bayes_optimal_value, load, play, play_split

pytestmark = pytest.mark.usefixtures("keys_checked")

ARMS, PULLS = 2, 5

# Those that act without luck, but for ties.
CERTAIN = (
    "greedy",
    "ucb1:c=0.2",
    "ucb1:c=1",
    "kl-ucb",
    "whittle",
    "whittle:discount=0.9",
    "gittins",
    "gittins:discount=0.9",
    "gittins:discount=0.9,horizon=infinite",
    "bayes-optimal",
)


def trial_of(arms: int = ARMS, pulls: int = PULLS, **settings) -> Trial:
    return Trial(load("bandit", arms=arms, **settings), episodes=pulls)


def expected_return(text: str, trial: Trial, discount: float = 1.0) -> float:
    """Returns what an agent without luck earns on average, by enumeration."""
    agent = make(text, trial)
    start, numbers = agent.act.args  # pyright: ignore[reportAttributeAccessIssue]
    arms = trial.environment.action_space.n  # pyright: ignore[reportAttributeAccessIssue]

    @jax.jit
    def scores(memory: Memory) -> jax.Array:
        return _score_of(agent)(numbers, jax.random.key(0), memory)

    @functools.cache
    def value(seen: tuple[tuple[int, int], ...]) -> float:
        taken = sum(map(sum, seen))
        if taken == trial.length:
            return 0.0
        counts = np.array(seen, np.float32).T
        posterior = type(start.prior)(*(x + n for x, n in zip(start.prior, counts, strict=True)))
        left = jnp.int32(trial.length - taken)
        marks = np.asarray(scores(Memory(posterior, jnp.int32(taken), left)))
        best = np.flatnonzero(marks == marks.max())
        return float(np.mean([pull(seen, int(arm)) for arm in best]))

    def pull(seen: tuple[tuple[int, int], ...], arm: int) -> float:
        s, f = seen[arm]
        chance = (1 + s) / (2 + s + f)
        after = [(*seen[:arm], pair, *seen[arm + 1 :]) for pair in ((s + 1, f), (s, f + 1))]
        success, failure = (value(seen) for seen in after)
        return chance * (1 + discount * success) + (1 - chance) * discount * failure

    return value(((0, 0),) * int(arms))


def _score_of(agent):
    """Returns the score function that an agent's `act` closes over."""
    return agent.act.func.__closure__[0].cell_contents


def optimum(arms: int, pulls: int, discount: float) -> float:
    """Returns the best expected discounted return, by plain recursion over counts."""

    @functools.cache
    def value(seen: tuple[tuple[int, int], ...]) -> float:
        if sum(map(sum, seen)) == pulls:
            return 0.0
        values = []
        for arm, (s, f) in enumerate(seen):
            rest = (*seen[:arm], *seen[arm + 1 :])
            success, failure = (
                value(tuple(sorted((*rest, pair)))) for pair in ((s + 1, f), (s, f + 1))
            )
            chance = (1 + s) / (2 + s + f)
            values.append(chance * (1 + discount * success) + (1 - chance) * discount * failure)
        return max(values)

    return value(((0, 0),) * arms)


@pytest.mark.parametrize("text", CERTAIN)
def test_none_is_expected_to_earn_more_than_the_bayes_optimum(text):
    best = bayes_optimal_value(ARMS, PULLS)
    assert best == pytest.approx(optimum(ARMS, PULLS, 1.0), abs=1e-5)
    earned = expected_return(text, trial_of())
    assert 0.5 * PULLS < earned < best + 1e-5
    if text == "bayes-optimal":
        assert earned == pytest.approx(best, abs=1e-5)


def test_greedy_and_ucb1_fall_short_of_the_bayes_optimum():
    best = bayes_optimal_value(ARMS, PULLS)
    assert expected_return("greedy", trial_of()) < best - 0.004
    assert expected_return("ucb1:c=1", trial_of()) < best - 0.1


def test_the_discounted_gittins_agent_is_optimal_for_its_discount():
    trial, discount = trial_of(pulls=9), 0.7
    best = optimum(ARMS, 9, discount)
    text = f"gittins:discount={discount},horizon=infinite"
    # It does not know that the trial ends, which matters little: 0.7 ** 9 is 0.04.
    assert expected_return(text, trial, discount) == pytest.approx(best, abs=2e-4)
    assert expected_return("greedy", trial, discount) < best - 1e-3


@pytest.mark.parametrize("text", ["gittins", "ucb1:c=0.2"])
def test_at_play_agents_earn_what_enumeration_says(text):
    trial = trial_of()
    totals = play_split(make(text, trial), trial, 0, 4000, "test").totals
    error = totals.std() / np.sqrt(len(totals))
    assert abs(totals.mean() - expected_return(text, trial)) < 4 * error


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("optimistic-thompson", marks=pytest.mark.slow),
        "gittins",
        "bayes-optimal",
        "oracle",
    ],
)
def test_a_batch_of_tasks_is_the_loop_over_them(text):
    trial = trial_of(3, 6)
    agent, tasks = make(text, trial), trial.environment.sample_tasks(jax.random.key(1), 2)
    batch = play(agent, trial, jax.random.key(2), tasks)
    alone = play(agent, trial, jax.random.key(2), jax.tree.map(lambda leaf: leaf[:1], tasks))
    np.testing.assert_array_equal(batch.returns[:1], alone.returns)


@pytest.mark.parametrize("name", ["ucb1", "epsilon-greedy", "optimistic-thompson"])
def test_a_grid_is_played_by_one_compiled_program(name):
    trial, traced = trial_of(3, 4), []

    @jax.jit
    def play_it(agent):
        traced.append(name)
        key = jax.random.key(0)
        tasks = trial.environment.sample_tasks(jax.random.key(1), 2)
        return play(agent, trial, key, tasks).returns

    texts = [*grid(name, "bandit", "paper"), *grid(name, "bandit", "matched")]
    earned = [np.asarray(play_it(make(text, trial))) for text in texts]
    assert traced == [name]
    assert len(texts) > 20 and any(np.any(one != earned[0]) for one in earned)


def test_equal_scores_go_to_the_first_arm_where_that_is_asked_for():
    trial = trial_of(4, 1)
    tasks = Bandit(jnp.broadcast_to(jnp.array([1.0, 0.0, 0.0, 0.0]), (200, 4)))
    first = play(make("greedy:ties=first", trial), trial, jax.random.key(0), tasks).totals
    at_random = play(make("greedy", trial), trial, jax.random.key(0), tasks).totals
    assert first.mean() == 1.0
    assert abs(float(at_random.mean()) - 0.25) < 0.13


def test_the_oracle_pulls_a_best_arm_and_random_pulls_any():
    trial = trial_of(3, 30)
    tasks = Bandit(jnp.broadcast_to(jnp.array([0.0, 1.0, 1.0]), (50, 3)))
    assert play(make("oracle", trial), trial, jax.random.key(0), tasks).totals.min() == 30
    share = play(make("random", trial), trial, jax.random.key(0), tasks).totals.mean() / 30
    assert abs(float(share) - 2 / 3) < 4 * np.sqrt(2 / 9 / 1500)


def test_gaussian_agents_rank_as_their_knowledge_does():
    trial = trial_of(5, 40, rewards="gaussian")
    earned = [
        play_split(make(text, trial), trial, 0, 500, "test").totals.mean()
        for text in ("random", "greedy", "oracle")
    ]
    assert earned == sorted(earned) and earned[0] < 5 < earned[1]
