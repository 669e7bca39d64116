"""Control variates: the expected policy gradient stays what it is, exactly, and varies less.

Every history of a tiny trial is enumerated with its probability: actions, rewards and next states. The
policy looks at all of it, as a recurrent one does.

Letters: N histories; T steps; F features; A actions.
"""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.environments import Bandit, MDPState, TabularMDP, Trial, load
from metarl.errors import InvalidInput
from metarl.policy_gradient.returns import discounted_returns
from metarl.rl_squared import NetworkConfig, TrainConfig, WorldConfig, make_job
from metarl.rl_squared.agent.inputs import make_encoder
from metarl.rl_squared.agent.network import make_policy
from metarl.rl_squared.learning.control_variates import ControlVariate
from metarl.rl_squared.learning.rollout import collect

DISCOUNT = 0.9
REDUCTIONS = ("none", "mean", "regret")


def gradients(weights, actions, rewards, places):
    """Returns each history's Σ_t ∇ log π(a_t | history) as a function of returns, and log π [N].

    The logits are linear in the step, where one is, the sum of rewards so far, and the sum of those that
    followed action 0.
    """
    steps = actions.shape[1]
    before = np.cumsum(rewards, axis=1) - rewards
    of_first = np.cumsum(rewards * (actions == 0), axis=1) - rewards * (actions == 0)
    clock = np.broadcast_to(np.arange(steps), actions.shape)
    features = np.stack(
        [np.ones_like(before), clock, places, before, of_first], axis=-1
    )  # [N, T, F]
    logits = features @ weights  # [N, T, A]
    p = np.exp(logits - logits.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    chosen = np.eye(weights.shape[1])[actions]
    score = features[..., :, None] * (chosen - p)[..., None, :]  # [N, T, F, A]
    log_probs = np.log((p * chosen).sum(-1)).sum(-1)
    return lambda returns: np.einsum("nt,ntfa->nfa", returns, score), log_probs


def moments(estimates, probabilities):
    """Returns the expected estimate, and its total variance."""
    mean = np.einsum("n,nfa->fa", probabilities, estimates)
    return mean, np.einsum("n,nfa->", probabilities, (estimates - mean) ** 2)


def reduced_returns(environment, task, states, actions, rewards, ended, reduction):
    """Returns the discounted returns [N, T] of the rewards that training would learn from."""
    count, steps = actions.shape
    variate = ControlVariate(Trial(environment, steps=steps), reduction)
    tasks = jax.tree.map(lambda x: jnp.broadcast_to(x, (count, *x.shape)), task)
    solutions = variate.solve(tasks)
    known = [
        variate.know(solutions, jax.tree.map(lambda x, t=t: x[:, t], states), actions[:, t], tasks)
        for t in range(steps)
    ]
    known = jax.tree.map(lambda *parts: jnp.stack(parts, axis=1), *known)
    valid = jnp.ones((count, steps), bool)
    over = jnp.zeros((count, steps), bool).at[:, -1].set(True)
    learnt_from = variate.apply(
        jnp.asarray(rewards), known, jnp.asarray(ended), over, valid, DISCOUNT
    )
    discounts = np.full((count, steps), DISCOUNT, np.float32)
    discounts[:, -1] = 0
    return np.asarray(discounted_returns(learnt_from, jnp.asarray(discounts)), np.float64)


def compare(per_reduction, capsys, label):
    """Asserts equal expectations over tasks; returns by how much each reduction divides the variance."""
    expected = sum(mean for mean, _ in per_reduction["none"])
    assert np.abs(expected).max() > 0.05
    for reduction in REDUCTIONS[1:]:
        found = sum(mean for mean, _ in per_reduction[reduction])
        np.testing.assert_allclose(found, expected, atol=2e-5)
    variances = {name: sum(var for _, var in rows) for name, rows in per_reduction.items()}
    factors = {name: variances["none"] / variances[name] for name in REDUCTIONS[1:]}
    with capsys.disabled():
        told = ", ".join(f"{name} {factor:.2f}" for name, factor in factors.items())
        print(f"\n{label}: variance of the policy gradient divided by: {told}")
    return factors


def test_in_a_bandit_the_expected_gradient_stays_and_its_variance_falls(capsys):
    environment, steps = load("bandit", arms=2), 4
    histories = np.array(list(itertools.product([0, 1], repeat=2 * steps)))
    actions, rewards = histories[:, :steps], histories[:, steps:].astype(np.float32)
    weights = np.random.default_rng(3).normal(size=(5, 2))
    score, log_probs = gradients(weights, actions, rewards, np.zeros(actions.shape))
    ended = np.ones(actions.shape, bool)
    found = {name: [] for name in REDUCTIONS}
    for means in ([0.9, 0.7], [0.2, 0.5], [0.6, 0.1]):
        p = np.array(means)[actions]
        probabilities = np.exp(log_probs) * np.prod(np.where(rewards == 1, p, 1 - p), axis=1)
        np.testing.assert_allclose(probabilities.sum(), 1)
        for name in REDUCTIONS:
            returns = reduced_returns(
                environment, Bandit(jnp.array(means)), (), actions, rewards, ended, name
            )
            found[name].append(moments(score(returns), probabilities))
    factors = compare(found, capsys, "bandit, 2 arms, 4 pulls")
    assert factors["mean"] > 1.1 and factors["regret"] > 5


@pytest.mark.parametrize("steps", [4, 3])
def test_in_an_mdp_the_expected_gradient_stays_and_its_variance_falls(steps, capsys):
    """Episodes of two steps, rewards of mean ± 1; a trial of three steps ends amid an episode."""
    environment, horizon = load("mdp", states=2, actions=2, horizon=2), 2
    rng = np.random.default_rng(5)
    task = TabularMDP(
        jnp.array(rng.dirichlet([1, 1], size=(2, 2)), jnp.float32),
        jnp.array(1 + rng.normal(size=(2, 2)), jnp.float32),
    )
    table, mean = (
        np.asarray(task.transitions, np.float64),
        np.asarray(task.mean_rewards, np.float64),
    )
    histories = np.array(list(itertools.product([0, 1], repeat=3 * steps)))
    actions, luck, following = np.split(histories, 3, axis=1)
    times = np.broadcast_to(np.arange(steps) % horizon, actions.shape)
    places = np.where(times == 0, 0, np.roll(following, 1, axis=1))
    rewards = mean[places, actions] + (2 * luck - 1)
    ended = np.broadcast_to(times == horizon - 1, actions.shape).copy()
    ended[:, -1] = True
    score, log_probs = gradients(0.5 * rng.normal(size=(5, 2)), actions, rewards, places)
    worlds = 0.5 * table[places, actions, following]
    probabilities = np.exp(log_probs) * np.prod(worlds, axis=1)
    np.testing.assert_allclose(probabilities.sum(), 1)
    states = MDPState(jnp.asarray(places, jnp.int32), jnp.asarray(times, jnp.int32))
    found = {
        name: [
            moments(
                score(
                    reduced_returns(
                        environment, task, states, actions, rewards.astype(np.float32), ended, name
                    )
                ),
                probabilities,
            )
        ]
        for name in REDUCTIONS
    }
    factors = compare(found, capsys, f"MDP, 2 states, {steps} steps")
    assert factors["mean"] > 1.1 and factors["regret"] > (7 if steps == 4 else 1.15)


def roll(environment, reduction, count=4, **budget):
    policy = make_policy(environment, NetworkConfig(hidden=4))
    params, encoder = (
        jax.jit(policy.init)(jax.random.key(0)),
        make_encoder(environment, NetworkConfig()),
    )
    trial = Trial(environment, **(budget or {"episodes": 3}))
    keys = jax.random.split(jax.random.key(7), count)
    first = jax.vmap(lambda key: jax.random.split(key, 3)[0])
    tasks = jax.vmap(environment.sample_task)(first(jax.random.clone(keys)))
    run = jax.jit(
        lambda keys: collect(policy, params, encoder, trial, keys, DISCOUNT, True, reduction)
    )
    return tasks, run(keys)


def test_a_rollout_takes_out_what_a_naive_loop_does_and_leaves_all_else():
    environment = load("mdp", states=3, actions=2, horizon=4)
    tasks, raw = roll(environment, "none")
    _, mean = roll(environment, "mean")
    _, regret = roll(environment, "regret")
    for other in (mean, regret):
        same = other._replace(batch=other.batch._replace(rewards=raw.batch.rewards))
        jax.tree.map(np.testing.assert_array_equal, same, raw)
    batch = raw.batch
    places = np.argmax(batch.inputs.seen[..., :3], axis=-1)
    for b in range(4):
        transitions, rewards = tasks.transitions[b], tasks.mean_rewards[b]
        values = np.zeros((5, 3))
        for t in reversed(range(4)):
            values[t] = np.max(rewards + transitions @ values[t + 1], axis=1)
        for step in range(12):
            t, place, action = step % 4, places[b, step], batch.actions[b, step]
            np.testing.assert_allclose(
                mean.batch.rewards[b, step], rewards[place, action], rtol=1e-5
            )
            after = 0 if t == 3 else values[t + 1][places[b, step + 1]]
            expected = rewards[place, action] + DISCOUNT * after - values[t][place]
            np.testing.assert_allclose(regret.batch.rewards[b, step], expected, atol=1e-4)


@pytest.mark.parametrize(
    ("environment", "budget"),
    [
        (load("dark-maze", size=3, horizon=20, slip=0.2), {"episodes": 3}),
        pytest.param(
            load("maze", size=3, horizon=20, width=2, height=2, frame_skip=12),
            {"steps": 37},
            marks=pytest.mark.slow,
        ),
    ],
    ids=["dark-maze", "maze"],
)
def test_where_episodes_end_sooner_what_is_added_over_a_trial_does_not_depend_on_actions(
    environment, budget
):
    """With γ < 1 that is so only if it runs through the ends of episodes, which actions move."""
    tasks, mean = roll(environment, "mean", count=40, **budget)
    _, regret = roll(environment, "regret", count=40, **budget)
    lengths = np.asarray(mean.batch.mask).sum(axis=1)
    assert len(set(lengths)) > 3 or "steps" in budget
    solutions = jax.vmap(environment.oracle.solve)(tasks)
    states = jax.vmap(lambda task: environment.reset(jax.random.key(0), task)[1])(tasks)
    best = np.asarray(jax.vmap(environment.oracle.value)(solutions, states))
    added = np.asarray(regret.batch.rewards - mean.batch.rewards, np.float64)
    discounted = np.sum(added * DISCOUNT ** np.arange(added.shape[1]), axis=1)
    np.testing.assert_allclose(discounted, -best * budget.get("episodes", 1), atol=1e-5)


@pytest.mark.parametrize(
    ("world", "reduction", "message"),
    [
        (WorldConfig("cartpole"), "mean", "'mean_reward', which 'cartpole'"),
        (
            WorldConfig("bandit", setting=("rewards=restless",)),
            "regret",
            "'oracle', which 'bandit'",
        ),
    ],
)
def test_a_world_that_does_not_know_is_refused(world, reduction, message):
    with pytest.raises(InvalidInput, match=f"--variance-reduction {reduction} needs .*{message}"):
        make_job(TrainConfig(world=world, variance_reduction=reduction))
