"""The policy gradient on carts: an estimate without bias, and a judge that draws nothing anew."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl import problems
from metarl.problems import cartpole_policy as cartpole
from metarl.problems.cartpole_policy import HORIZON, Episodes, policy_surrogate


@pytest.fixture(scope="module")
def problem():
    return problems.load("cartpole-policy")


@pytest.fixture
def episodes():
    """Returns two episodes, of three steps and of one."""
    random = np.random.default_rng(0)
    running = np.zeros((2, HORIZON), np.float32)
    running[0, :3], running[1, :1] = 1, 1
    actions = random.integers(0, 2, size=(2, HORIZON))
    observations = random.normal(size=(2, HORIZON, 4)).astype(np.float32)
    return Episodes(*map(jnp.asarray, (observations, actions, running, running)))


def test_the_surrogate_equals_a_loop_over_episodes_and_steps(problem, episodes):
    params, _ = jax.jit(problem.init)(jax.random.key(0))
    w = jax.tree.map(np.asarray, params)
    total, to_go = 0.0, [[3, 2, 1], [1, 0, 0]]
    for b in range(2):
        for t in range([3, 1][b]):
            hidden = np.tanh(np.asarray(episodes.observations[b, t]) @ w["w0"] + w["b0"])
            right = 1 / (1 + np.exp(-(hidden @ w["w1"] + w["b1"])[0]))
            chosen = right if episodes.actions[b, t] == 1 else 1 - right
            total += np.log(chosen) * (to_go[b][t] - to_go[1 - b][t])
    received = policy_surrogate(params, episodes)
    assert float(received) == pytest.approx(-total / (2 * (HORIZON + 1)), rel=1e-4)


def test_the_gradient_of_the_loss_is_that_of_the_surrogate_and_its_value_the_shortfall(problem):
    params, model_state = jax.jit(problem.init)(jax.random.key(0))
    batch = {"seed": problem.examples("train")["seed"][:4]}
    (loss, _), gradient = jax.jit(jax.value_and_grad(problem.loss, has_aux=True))(
        params, model_state, batch, jax.random.key(1)
    )
    world = cartpole.environments.load(
        "cartpole", horizon=HORIZON, physics_range=cartpole.PHYSICS_RANGE
    )
    drawn = cartpole.draw_episodes(world, params, jax.random.split(jax.random.key(1), 4))
    mean_return = float(drawn.rewards.sum(axis=1).mean())
    assert float(loss) == pytest.approx(1 - mean_return / (HORIZON + 1), rel=1e-5)
    expected = jax.grad(policy_surrogate)(params, drawn)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5), gradient, expected
    )


@pytest.mark.slow
def test_the_policy_gradient_agrees_with_finite_differences_of_the_loss(problem):
    """A loss of draws cannot be differentiated in one run, so both sides are averages over many episodes."""
    params, model_state = jax.jit(problem.init)(jax.random.key(0))
    batch = {"seed": np.zeros(512, np.uint32)}
    step, repeats = 0.2, 12

    def loss(more, seed):  # of a policy that is surer of itself
        surer = {**params, "w1": params["w1"] * (1 + more)}
        return problem.loss(surer, model_state, batch, jax.random.key(seed))[0]

    value, gradient = jax.jit(loss), jax.jit(jax.grad(loss))
    slopes = [float(value(step, s) - value(-step, s)) / (2 * step) for s in range(repeats)]
    estimates = [float(gradient(0.0, 100 + s)) for s in range(repeats)]
    error = np.hypot(np.std(slopes), np.std(estimates)) / np.sqrt(repeats)
    assert abs(np.mean(slopes)) > 5 * error  # there is something to see
    assert np.mean(estimates) == pytest.approx(np.mean(slopes), abs=4 * error)


def test_an_episode_ends_once_and_earns_one_a_step(problem):
    world = cartpole.environments.load("cartpole", horizon=HORIZON, physics_range=2.0)
    params, _ = jax.jit(problem.init)(jax.random.key(0))
    drawn = jax.jit(lambda keys: cartpole.draw_episodes(world, params, keys))(
        jax.random.split(jax.random.key(2), 8)
    )
    running = np.asarray(drawn.running)
    assert (np.diff(running, axis=1) <= 0).all() and running[:, 0].all()
    np.testing.assert_array_equal(drawn.rewards, running)
    assert 1 < running.sum(axis=1).mean() < HORIZON


def test_a_policy_at_random_has_the_return_of_chance(problem):
    params, model_state = jax.jit(problem.init)(jax.random.key(0))
    coin = jax.tree.map(jnp.zeros_like, params)
    batch = {"seed": np.arange(3000, dtype=np.uint32)}
    scores = jax.jit(problem.evaluate)(coin, model_state, batch)
    assert float(scores["mean return"]) == pytest.approx(problem.chance, rel=0.05)
    expected = 1 - float(scores["mean return"]) / (HORIZON + 1)
    assert float(scores["loss"]) == pytest.approx(expected, rel=1e-5)


def test_no_seed_of_one_split_is_in_another(problem):
    seeds = np.concatenate([problem.examples(split)["seed"] for split in problems.SPLITS])
    assert len(seeds) == len(set(seeds.tolist()))
