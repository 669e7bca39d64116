"""What every learner from scratch promises: it fits, it learns alone as in company, it says what it cannot."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium import spaces

from metarl.environments import Trial, from_gymnasium, load, play, record
from metarl.errors import InvalidInput
from metarl.rl_baselines import (
    fitting,
    grid,
    learn_split,
    make,
    names,
    offline_rows,
    parse,
    rows,
    settings_of,
)

QUICK = {
    "q-learning": "q-learning",
    "dqn": "dqn:hidden=4,learn_after=4,learn_every=2,gradient_steps=1,batch_size=4,target_every=4",
    "reinforce": "reinforce:hidden=4,steps=4",
    "ppo": "ppo:hidden=4,steps=4,epochs=2,minibatches=2",
    "muzero": "muzero:hidden=4,latent=4,bins=5,simulations=2,learn_after=4,learn_every=2,gradient_steps=1,"
    "batch_size=4,target_every=4",
    "iris": "iris:hidden=8,heads=2,layers=1,codes=2,code_size=2,bins=3,horizon=2,batch_size=2,learn_after=2,"
    "dream_after=4,learn_every=2,gradient_steps=1",
    "go-explore": "go-explore",
    "trpo": "trpo:hidden=4,steps=4,value_epochs=1,value_minibatches=2,conjugate_gradient_steps=2",
}
WORLDS = {
    "bandit": lambda: Trial(load("bandit", arms=3), episodes=9),
    "mdp": lambda: Trial(load("mdp", states=3, actions=2, horizon=3), episodes=3),
    "cartpole": lambda: Trial(load("cartpole", horizon=5), episodes=2),
    "pendulum": lambda: Trial(load("pendulum", horizon=5), episodes=2),
    "pictures": lambda: Trial(load("gridworld", size=2, pixels=1, horizon=3), episodes=3),
}


# Their code is PPO's but for the update, which has tests of its own.
LIKE_PPO = ("reinforce", "trpo")
SLOW = (*LIKE_PPO, "muzero")  # the quick form of muzero's: test_muzero.py
NO_LAWS = (
    "iris",
    "go-explore-robust",
)  # weights of the one, a simulator of the other: their own tests
SEEING_NUMBERS = [name for name in names() if name not in NO_LAWS]
NAMES = [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in SEEING_NUMBERS]
WITH_WEIGHTS = [name for name in NAMES if name != "go-explore"]
# Every learner, every kind of space.
PAIRS = [("mdp", "q-learning"), ("pendulum", "ppo"), ("cartpole", "dqn")]
PAIRS += [pytest.param("mdp", name, marks=pytest.mark.slow) for name in ("dqn", "ppo", *SLOW)]
PAIRS += [pytest.param("pictures", "iris", marks=pytest.mark.slow)]  # the quick form: test_iris.py


@pytest.mark.parametrize(("world", "name"), PAIRS)
def test_what_is_learnt_in_a_task_does_not_depend_on_the_others(world, name):
    trial = WORLDS[world]()
    agent = make(QUICK[name], trial)
    tasks = trial.environment.sample_tasks(jax.random.key(0), 5)
    company = jax.tree.map(lambda x: x[:3], tasks)
    others = jax.tree.map(lambda x: x[::2], tasks)
    in_company, with_others = (
        record(agent, trial, jax.random.key(1), t) for t in (company, others)
    )
    pairs = zip(jax.tree.leaves(in_company), jax.tree.leaves(with_others), strict=True)
    for ours, theirs in pairs:
        np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-5, atol=1e-5)
    space = trial.environment.action_space
    if isinstance(space, spaces.Discrete):
        assert set(np.asarray(in_company.actions).ravel().tolist()) <= set(range(int(space.n)))


@pytest.mark.parametrize("name", WITH_WEIGHTS)
def test_the_weights_change_where_learning_is_due_and_nowhere_else(name):
    trial = WORLDS["mdp"]()
    agent = make(QUICK[name], trial)
    memory = jax.jit(lambda key: agent.init(key, trial, None))(jax.random.key(0))
    observe = jax.jit(agent.observe)
    changed = []
    for step in range(1, 10):
        before = learnt(memory)
        done = jnp.asarray(step % 3 == 0)
        state = jnp.int32(step % 3)
        memory = observe(memory, state, jnp.int32(step % 2), jnp.float32(step), done, ~done, state)
        after = learnt(memory)
        pairs = zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True)
        changed.append(any(not np.array_equal(x, y) for x, y in pairs))
    due = {
        "q-learning": set(range(1, 10)),
        "dqn": {4, 6, 8},
        "muzero": {4, 6, 8},
        "reinforce": {6},  # whole episodes of three steps
        "ppo": {4, 8},
        "trpo": {4, 8},
    }[name]
    assert {step for step, moved in enumerate(changed, start=1) if moved} == due


def learnt(memory):
    """Returns what acts: a table or the parameters of a network."""
    if hasattr(memory, "values"):
        return memory.values
    return memory.network.params if hasattr(memory, "network") else memory.learner.params


@pytest.mark.parametrize("name", ["dqn", "ppo"])
def test_worlds_in_lock_step_compute_an_update_only_where_one_is_due(name):
    trial = WORLDS["mdp"]()
    agent = make(QUICK[name], trial)
    tasks = trial.environment.sample_tasks(jax.random.key(0), 3)
    program = jax.jit(lambda tasks: play(agent, trial, jax.random.key(1), tasks).returns)
    text = program.lower(tasks).as_text()
    assert "stablehlo.case" in text or "stablehlo.if" in text  # a select would compute both sides


@pytest.mark.parametrize(
    "name", ["q-learning", *(pytest.param(n, marks=pytest.mark.slow) for n in SEEING_NUMBERS[1:])]
)
def test_a_learner_learns_in_worlds_on_the_host_too(name):
    gymnasium = pytest.importorskip("gymnasium")

    def make_env(slippery):
        return gymnasium.make("FrozenLake-v1", is_slippery=slippery)

    family = from_gymnasium(make_env, lambda generator, split: {"slippery": False}, horizon=4)
    trial = Trial(family, episodes=3)
    played = learn_split(make(QUICK[name], trial), trial, 0, 2, "test")
    assert played.lengths.shape == (2, 3)
    assert (np.asarray(played.lengths) >= 1).all()


# What is typed ---------------------------------------------------------------------------------


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.name)
def test_every_row_says_what_it_is_and_has_a_grid_of_nine(row):
    assert row.caption and row.paper
    texts = grid(row.name)
    assert len(texts) == len(set(texts)) == 9
    assert any(parse(text)[1] == row.config for text in texts), "the default is a member"
    for text in texts:
        assert parse(text)[0] == row


def settings(text: str) -> Any:
    """Returns the settings that a text names."""
    return parse(text)[1]


def test_settings_are_read_by_their_types_those_of_the_algorithm_too():
    changed = dataclasses.replace(settings("dqn"), double=False, hidden=8)
    assert settings("dqn:double=false,hidden=8") == changed
    changed = settings("ppo:steps=64,learning_rate=3e-3,max_kl=none,max_gradient_norm=2")
    assert (changed.steps, changed.update.learning_rate, changed.update.max_kl) == (64, 3e-3, None)
    assert changed.update.max_gradient_norm == 2.0
    assert changed.update.epochs == settings("ppo").update.epochs
    assert {"steps", "hidden", "clip"} <= set(settings_of(parse("ppo")[0]))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dpn", "Unknown agent 'dpn'. Did you mean 'dqn'?"),
        ("dqn:hiden=3", "Unknown setting of agent 'dqn' 'hiden'. Did you mean 'hidden'?"),
        ("dqn:", "after the colon settings are missing"),
        ("dqn:hidden", "'hidden' is not of the form name=value"),
        ("dqn:hidden=2,hidden=3", "'hidden' is given twice"),
        ("dqn:hidden=many", "hidden is 'many'; it must be a whole number."),
        ("dqn:hidden=2.5", "hidden is '2.5'; it must be a whole number."),
        ("dqn:double=perhaps", "double is 'perhaps'; it must be true or false."),
        ("dqn:learning_rate=-1", "dqn: learning_rate is -1.0; it must be positive."),
        ("dqn:learning_rate=inf", "learning_rate is 'inf'; it must be a number."),
        ("dqn:target_every=7", "give a multiple"),
        ("q-learning:discount=2", "discount is 2.0; it must lie between 0 and 1."),
        ("ppo:steps=10", "minibatches is 4 and steps 10; a rollout is cut into equal minibatches"),
        ("ppo:clip=0", "ppo: clip is 0.0; it must be positive."),
        ("trpo:steps=0", "steps is 0; it must be at least 1."),
        ("dqn:hidden=1000000000", "dqn: hidden is 1000000000; it must be from 1 to 4096."),
        ("ppo:layers=1000000", "ppo: layers is 1000000; it must be from 1 to 64."),
        ("decision-transformer:hidden=5000", "hidden is 5000; it must be from 1 to 4096."),
    ],
)
def test_what_cannot_be_used_is_refused_with_words(text, message):
    with pytest.raises(InvalidInput) as refused:
        parse(text)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("name", "world", "message"),
    [
        ("dqn", "pendulum", "dqn needs Discrete actions; those of 'pendulum' are Box."),
        ("q-learning", "pendulum", "What can learn there: reinforce, ppo, trpo."),
        ("q-learning", "cartpole", "q-learning needs Discrete observations; those of 'cartpole'"),
        ("q-learning", "cartpole", "What can learn there: dqn, reinforce, ppo, trpo, muzero."),
    ],
)
def test_a_learner_says_where_it_cannot_learn_and_who_can(name, world, message):
    with pytest.raises(InvalidInput) as refused:
        make(name, WORLDS[world]())
    assert message in str(refused.value)


DISCRETE = [row.name for row in (*rows(), *offline_rows()) if row.actions == ("Discrete",)]


@pytest.mark.parametrize("name", DISCRETE)
def test_continuous_actions_are_refused_by_all_who_choose_among_finitely_many(name):
    with pytest.raises(InvalidInput) as refused:
        make(name, WORLDS["pendulum"]())
    assert str(refused.value) == (
        f"{name} needs Discrete actions; those of 'pendulum' are Box. What can learn there: reinforce, ppo, trpo."
    )


def test_who_can_learn_where():
    able = {world: fitting(trial().environment) for world, trial in WORLDS.items()}
    assert able["bandit"] == able["mdp"] == (*SEEING_NUMBERS, "go-explore-robust")
    assert able["pictures"] == (*able["cartpole"], "iris")
    assert able["cartpole"] == ("dqn", "reinforce", "ppo", "trpo", "muzero")
    assert able["pendulum"] == ("reinforce", "ppo", "trpo")


def test_who_sets_states_is_not_named_where_they_cannot_be_set(frozen_lake):
    with pytest.raises(InvalidInput, match=r"What can learn there: .*muzero, go-explore\.$"):
        make("iris", Trial(frozen_lake, episodes=2))


def test_actions_that_do_not_begin_at_0_are_refused():
    family = dataclasses.replace(load("bandit", arms=3), action_space=spaces.Discrete(3, start=1))
    with pytest.raises(InvalidInput, match="start at 1; they are counted from 0"):
        make("dqn", Trial(family, episodes=2))
