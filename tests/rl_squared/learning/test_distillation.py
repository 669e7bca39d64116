"""Distillation: what is learnt from histories, from whom, and what comes of it."""

from __future__ import annotations

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

from metarl.environments import Trial, load, make_agent
from metarl.errors import InvalidInput
from metarl.policy_gradient import ValueConfig
from metarl.rl_squared import (
    ImitationConfig,
    NetworkConfig,
    TrainConfig,
    TrainJob,
    WorldConfig,
    make_job,
    resume_training,
    train,
)
from metarl.rl_squared import load as load_agent
from metarl.rl_squared.agent.inputs import make_encoder
from metarl.rl_squared.agent.network import make_policy
from metarl.rl_squared.learning.imitation import collect_lessons
from metarl.rl_squared.learning.teachers import Teaching, find_teaching
from metarl.runs import SilentProgress

ARMS = 2
TINY = TrainConfig(
    world=WorldConfig(arms=2, episodes=5),
    network=NetworkConfig(hidden=8),
    distil="algorithm",
    teacher="thompson",
    env_steps=1_600,
    imitation=ImitationConfig(batch_steps=400),
    validation_tasks=20,
    validation_every=800,
)


def init(key, trial, task):
    return jnp.zeros((), jnp.int32)


def act(key, state, observation):
    return state % 3, state


def observe(state, observation, action, reward, terminated, truncated, next_observation):
    return state + 1


COUNTER = make_agent(init, act, observe)  # arms 0, 1, 2, 0, ... whatever happens


def collected(trial, teaching, count):
    """Returns lessons of a student that has learnt nothing."""
    policy = make_policy(trial.environment, NetworkConfig(hidden=8), acting=True)
    encoder = make_encoder(trial.environment, NetworkConfig())
    keys = jax.random.split(jax.random.key(3), count)

    @jax.jit
    def collect(keys):
        params = policy.init(jax.random.key(0))
        return collect_lessons(policy, params, encoder, trial, teaching, keys)

    return jax.device_get(collect(keys))


def done_before(lessons, arms):
    """Returns the arm that inputs tell was pulled before each step but the first."""
    return np.argmax(lessons.inputs.seen[:, 1:, 1 : 1 + arms], axis=-1)


def test_of_a_history_every_so_many_th_episode_is_shown_as_if_the_others_had_not_been():
    trial = Trial(load("bandit", arms=3), episodes=6)
    longer = Trial(trial.environment, episodes=11)  # the last one shown is the last one played
    lessons = collected(trial, Teaching(longer, COUNTER, skip=2), 4)
    labels = np.arange(0, 11, 2) % 3
    np.testing.assert_array_equal(lessons.labels, np.tile(labels, (4, 1)))
    np.testing.assert_array_equal(done_before(lessons, 3), np.tile(labels[:-1], (4, 1)))
    assert lessons.mask.all() and not lessons.own.any()


def probability_that_the_first_is_best(wins, losses):
    """Returns P(θ0 > θ1 | pulls) for arms with means from Beta(1, 1), by quadrature."""
    (w0, w1), (n0, n1) = wins, losses
    density, below = stats.beta.pdf, stats.beta.cdf
    return integrate.quad(lambda x: density(x, 1 + w0, 1 + n0) * below(x, 1 + w1, 1 + n1), 0, 1)[0]


def counted(lessons):
    """Returns the wins and losses of both arms before each step but the first [B, T-1, 2]."""
    done, won = done_before(lessons, ARMS), lessons.inputs.seen[:, 1:, 1 + ARMS] > 0.5
    pulled = np.eye(ARMS, dtype=int)[done]
    wins = np.cumsum(pulled * won[..., None], axis=1)
    return wins, np.cumsum(pulled, axis=1) - wins


def test_given_a_history_the_arm_said_to_be_best_is_that_of_exact_thompson_sampling():
    """Binomial tests of 14 histories at 1e-6 each: wrong by chance less than once in 70,000 runs."""
    config = TrainConfig(distil="decision", teacher="random")
    trial = Trial(load("bandit", arms=ARMS), episodes=3)
    teaching = find_teaching(config, trial)
    assert teaching is not None
    lessons = collected(trial, teaching, 4_000)
    assert 0.5 < lessons.own.mean() < 0.9  # the student acts in most trials, the teacher in others
    told = np.concatenate([*counted(lessons), lessons.labels[:, 1:, None]], axis=-1).reshape(-1, 5)
    histories = np.unique(told[:, :4], axis=0)
    assert len(histories) == 14  # 4 of one pull and 10 of two
    for history in histories:
        said = told[(told[:, :4] == history).all(axis=1), 4] == 0
        p = probability_that_the_first_is_best(history[:2], history[2:])
        assert stats.binomtest(int(said.sum()), len(said), p).pvalue > 1e-6, history


@pytest.mark.slow
def test_a_student_told_what_is_best_samples_as_exact_thompson_sampling_does(tmp_path):
    """Its probability of the first of two arms, over all histories of ten pulls that it meets itself."""
    config = TrainConfig(
        world=WorldConfig(arms=2, episodes=10),
        network=NetworkConfig(hidden=32),
        distil="decision",
        teacher="thompson",
        env_steps=1_500_000,
        imitation=ImitationConfig(batch_steps=6_400, learning_rate=1e-2),
        validation_tasks=100,
    )
    agent = train(config, tmp_path / "run", progress=SilentProgress())
    trial, policy = (
        agent.trial,
        make_policy(agent.trial.environment, config.network, acting=True),
    )
    encoder = make_encoder(trial.environment, NetworkConfig())
    teaching = find_teaching(config, trial)
    assert teaching is not None
    params = {"policy": agent.params}
    lessons = jax.device_get(
        collect_lessons(
            policy, params, encoder, trial, teaching, jax.random.split(jax.random.key(9), 300)
        )
    )
    logits, _ = policy.apply(params, lessons.inputs)
    ours = np.asarray(jax.nn.softmax(logits)[:, 1:, 0])
    wins, losses = (tuple(map(tuple, counts.reshape(-1, 2))) for counts in counted(lessons))
    exact = functools.cache(probability_that_the_first_is_best)
    errors = np.abs(ours.ravel() - [exact(*history) for history in zip(wins, losses, strict=True)])
    assert np.mean(errors) < 0.03
    assert np.quantile(errors, 0.99) < 0.15


def test_all_updates_of_what_is_distilled_are_imitation_and_what_is_left_out_is_counted():
    skipping = dataclasses.replace(TINY, imitation=ImitationConfig(batch_steps=400, skip=4))
    plain, fast = make_job(TINY).sizes, make_job(skipping).sizes
    assert (plain.imitation_updates, plain.imitation_steps, plain.reinforces) == (4, 400, False)
    assert (fast.lessons, fast.imitation_steps) == (80, 80 * 17)  # episodes 0, 4, 8, 12, 16
    assert plain.env_steps == 1_600 and fast.env_steps == 2 * 80 * 17


def test_no_return_is_logged_of_a_student_that_acts_in_no_trial():
    for distil, logs in (("algorithm", False), ("decision", True)):
        job = TrainJob(dataclasses.replace(TINY, distil=distil, teacher="random"))
        rows = job.imitation_rows(0, 1)
        metrics = jax.eval_shape(
            lambda job=job, rows=rows: job.imitation_chunk(job.init().learner, *rows)[1]
        )
        assert ("return" in metrics) == logs


@pytest.mark.slow
@pytest.mark.slow
def test_what_was_cut_off_goes_on_to_the_same_agent_and_is_marked(tmp_path, monkeypatch):
    monkeypatch.setattr("metarl.rl_squared.learning.train_job.CHUNK_STEPS", 400)
    whole = train(TINY, tmp_path / "whole", progress=SilentProgress())
    assert whole.scores["env_steps"] == 1_600
    assert whole.distilled == "algorithm distillation: thompson" and not whole.warm_started
    update, updates = TrainJob.update, []

    def stopping(job, state):
        updates.append(state.progress)
        if len(updates) == 3:
            raise KeyboardInterrupt
        return update(job, state)

    monkeypatch.setattr(TrainJob, "update", stopping)
    with pytest.raises(KeyboardInterrupt):
        train(TINY, tmp_path / "cut", progress=SilentProgress())
    monkeypatch.setattr(TrainJob, "update", update)
    resumed = resume_training(tmp_path / "cut", progress=SilentProgress())
    assert resumed.scores == whole.scores
    for a, b in zip(jax.tree.leaves(resumed.params), jax.tree.leaves(whole.params), strict=True):
        np.testing.assert_array_equal(a, b)
    assert load_agent(tmp_path / "cut").distilled == whole.distilled


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"teacher": "gittins", "world": WorldConfig("mdp")}, "'gittins' is for bandits"),
        ({"teacher": "q-lerning"}, "Unknown agent 'q-lerning'. Did you mean 'q-learning'?"),
        ({"teacher": "oracle"}, "--teacher oracle is shown the task, so there is no learning"),
        (
            {"distil": "decision", "teacher": "random", "world": WorldConfig("pendulum")},
            "learns the best actions, which nobody knows here: Agent 'oracle' is for",
        ),
        ({"teacher": None}, "give both --distil algorithm or decision and --teacher NAME"),
        ({"distil": "none"}, "give both --distil algorithm or decision and --teacher NAME"),
        ({"warm_start": "gittins"}, "give --warm-start to reinforce after imitation, or --distil"),
        ({"env_steps": None, "minutes": 1.0}, "--distil needs --env-steps"),
        ({"value": ValueConfig(loss="hl-gauss")}, "which has none; leave --value.loss out"),
        ({"optimizer": "muon"}, "which learns by Adam; leave --optimizer out"),
        (
            {"average_weights": 0.9},
            "no updates of reinforcement to average over; leave --average-w",
        ),
        (
            {"imitation": ImitationConfig(skip=2), "distil": "decision"},
            "only --distil algorithm leaves out episodes",
        ),
        (
            {"imitation": ImitationConfig(skip=2), "world": WorldConfig(trial_steps=4)},
            "--imitation.skip 2 leaves out whole episodes of equal length",
        ),
    ],
)
def test_what_cannot_be_distilled_is_refused(changes, message):
    with pytest.raises(InvalidInput) as caught:
        make_job(dataclasses.replace(TINY, **changes))
    assert message in str(caught.value)
