"""IRIS: its codes are the nearest, its dreams are those of whole lines, its credit that of a loop; what it learns."""

from __future__ import annotations

import dataclasses
import functools
import io
from types import SimpleNamespace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from gymnasium import spaces

from metarl.controller import Categorical
from metarl.environments import Environment, Step, Trial, load
from metarl.errors import InvalidInput
from metarl.policy_gradient.normalisation import RunningMoments
from metarl.rl_baselines import fitting, make, parse
from metarl.rl_baselines.config import IRISConfig
from metarl.rl_baselines.discrete_autoencoder import (
    joined,
    nearest,
    renewed,
    square_side,
    squares,
    straight_through,
)
from metarl.rl_baselines.experience import Experience
from metarl.rl_baselines.iris import (
    Learner,
    LearntCodes,
    Parts,
    as_lived,
    begin,
    in_line,
    inputs_of,
    iris,
    learn_pictures,
    learn_to_act,
    learn_world,
    make_parts,
    pixels,
    seen_in,
)
from metarl.rl_baselines.novelty import Done, bonus, recalled
from metarl.rl_baselines.policy_learner import credited
from metarl.rl_baselines.usual_picture import DECAY, different, followed, no_picture
from metarl.rl_baselines.world_model import Dreams, Walks, dream, loss, tell, world_model

# Codes -----------------------------------------------------------------------------------------


def test_a_token_is_the_nearest_code_and_the_gradient_goes_straight_through():
    generator = np.random.default_rng(0)
    latents = generator.normal(size=(4, 5, 3)).astype(np.float32)
    codes, pull = (generator.normal(size=s).astype(np.float32) for s in ((7, 3), latents.shape))

    @jax.jit
    def everything(latents, codes):
        tokens = nearest(latents, codes)

        def pulled(latents, codes):
            return jnp.sum(pull * straight_through(latents, codes[tokens]))

        gradient = jax.grad(pulled, argnums=(0, 1))(latents, codes)
        return tokens, straight_through(latents, codes[tokens]), gradient

    tokens, told, (onwards, to_codes) = jax.device_get(everything(latents, codes))
    for row in range(4):
        for number in range(5):
            away = [((latents[row, number] - code) ** 2).sum() for code in codes]
            assert tokens[row, number] == np.argmin(away)
    np.testing.assert_allclose(told, codes[tokens], atol=1e-6)
    np.testing.assert_array_equal(onwards, pull)
    assert not to_codes.any()


def test_the_oldest_code_begins_anew_where_squares_are_far_from_theirs_and_nowhere_else():
    generator = np.random.default_rng(0)
    near, far = generator.normal(size=(60, 2)) * 0.01, generator.normal(size=(2, 2)) * 0.01 + 5
    latents = np.concatenate([near, far]).astype(np.float32)
    codes = np.array([[0, 0], [-9, 0], [0, -9], [-9, -9]], np.float32)
    ages = np.array([7, 3, 2, 5], np.int32)
    once = jax.jit(functools.partial(renewed, after=3))
    one, later = once(jax.random.key(0), codes, ages, latents)
    np.testing.assert_array_equal(one[:3], codes[:3])  # taken; and not the oldest
    assert any((one[3] == latent).all() for latent in latents[60:])
    assert later.tolist() == [0, 4, 3, 0]
    two, last = once(jax.random.key(1), one, later, latents)
    np.testing.assert_array_equal(two, one)  # all are near now
    assert last.tolist() == [0, 5, 4, 0]
    young, _ = once(jax.random.key(0), codes, np.array([7, 2, 2, 2], np.int32), latents)
    np.testing.assert_array_equal(young, codes)


def test_pictures_are_cut_into_squares_row_by_row_and_joined_again():
    pictures = np.arange(2 * 4 * 6 * 3).reshape(2, 4, 6, 3)
    cut = np.asarray(squares(jnp.asarray(pictures), 2))
    naive = [
        [picture[y : y + 2, x : x + 2].ravel() for y in (0, 2) for x in (0, 2, 4)]
        for picture in pictures
    ]
    np.testing.assert_array_equal(cut, naive)
    np.testing.assert_array_equal(joined(jnp.asarray(cut), (4, 6, 3), 2), pictures)


class Counting:
    """An autoencoder whose one number falls by the mean of the pictures of each gradient step."""

    @staticmethod
    def renew(key: Any, params: Any, ages: Any, pictures: Any) -> Any:
        return params, ages + 1

    @staticmethod
    def loss(params: Any, pictures: Any) -> Any:
        return params * jnp.mean(pictures)


def test_each_share_of_a_batch_of_pictures_gives_the_autoencoder_a_step_and_no_picture_two():
    parts: Any = SimpleNamespace(autoencoder=Counting(), picture_optimizer=optax.sgd(3.0), shares=3)
    nothing = LearntCodes(jnp.zeros(()), optax.sgd(3.0).init(jnp.zeros(())), jnp.zeros(2, int))
    pictures = 2.0 ** jnp.arange(10).reshape(10, 1, 1, 1)
    codes = jax.jit(functools.partial(learn_pictures, parts))(jax.random.key(0), nothing, pictures)
    assert codes.ages.tolist() == [3, 3]
    taken = f"{-int(codes.params):b}"  # a sum of different powers of two has as many ones
    assert taken.count("1") == 9


# What policy and value are shown -----------------------------------------------------------------


def test_what_is_alike_in_all_pictures_is_shown_as_nothing_and_what_differs_in_units_of_its_deviation():
    generator = np.random.default_rng(0)
    batches = generator.normal(size=(3, 5, 4)).astype(np.float32) * [0, 0, 0, 2] + [9, 0, 9, 9]
    usual = functools.reduce(jax.jit(followed), batches.astype(np.float32), no_picture(4))
    weights = np.array([DECAY**2, DECAY, 1])
    mean = weights @ batches.mean(axis=1) / weights.sum()
    np.testing.assert_allclose(usual.mean, mean, rtol=1e-5)
    shown = np.asarray(different(usual, jnp.asarray(batches[-1], jnp.float32)))
    np.testing.assert_allclose(shown[:, :3], 0, atol=1e-4)
    np.testing.assert_allclose(
        shown[:, 3], (batches[-1, :, 3] - mean[3]) / np.sqrt(usual.variance), rtol=1e-4
    )
    alone = jax.jit(followed)(no_picture(4), batches[0].astype(np.float32))
    np.testing.assert_allclose(alone.variance, batches[0].var(axis=0).mean(), rtol=1e-5)
    alike = jax.jit(followed)(no_picture(4), np.ones((5, 4), np.float32))
    assert np.isfinite(different(alike, jnp.ones((1, 4)))).all()


def test_a_line_of_pictures_goes_on_to_what_was_seen_and_what_was_not_yet_is_no_picture():
    generator = np.random.default_rng(0)
    seen = generator.normal(size=(2, 4, 2, 2, 1)).astype(np.float32)
    later = generator.normal(size=(2, 4, 2, 2, 1)).astype(np.float32)
    columns: Any = seen, *[np.zeros((2, 4))] * 4, later
    there = np.array([[1, 1, 1, 1], [1, 1, 0, 0]], bool)
    line = np.asarray(jax.jit(in_line)(Experience(*columns), there))
    np.testing.assert_array_equal(line[0], [seen[0, 0], *later[0]])
    np.testing.assert_array_equal(line[1], [seen[1, 0], *later[1, :2], seen[1, 0], seen[1, 0]])


# Novelty ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("step", "capacity"), [(7, 12), (12, 12), (30, 12), (5000, 3000)])
def test_what_was_done_where_is_counted_among_what_is_remembered(step, capacity):
    generator = np.random.default_rng(0)
    seen, actions = generator.integers(3, size=(capacity, 1)), generator.integers(2, size=capacity)
    columns: Any = seen, actions, np.zeros(capacity, np.float32), actions, actions, seen
    asked = generator.integers(3, size=(4, 5, 1)), generator.integers(2, size=(4, 5))

    @jax.jit
    def found(key, experience, step):
        return bonus(recalled(key, experience, step, jnp.asarray), *map(jnp.asarray, asked))

    experience = jax.tree.map(jnp.asarray, Experience(*columns))
    new = np.asarray(found(jax.random.key(0), experience, jnp.int32(step)))
    known = min(step, capacity)
    for row, column in np.ndindex(4, 5):
        same = (seen[:known, 0] == asked[0][row, column, 0]) & (
            actions[:known] == asked[1][row, column]
        )
        # above 1,024 steps a third of them stands for all
        assert new[row, column] == pytest.approx(
            1 / np.sqrt(1 + same.sum()), rel=1e-5 if known < 1000 else 0.1
        )


@pytest.mark.slow  # the quick form: what was done where is counted
def test_novelty_is_paid_in_dreams_and_a_policy_learns_from_it_alone():
    config = dataclasses.replace(SMALL, novelty=2.0)
    parts = make_parts(corridor(), config)
    known = Done(
        tokens=jnp.stack(jnp.meshgrid(*[jnp.arange(8)] * 3), axis=-1).reshape(-1, 3),
        actions=jnp.zeros(512, jnp.int32),
        weights=jnp.full(512, 99.0),
    )  # action 0 was taken often wherever one can be, and 1 never

    @functools.partial(jax.jit, static_argnums=1)
    def right(key, paid):
        begin_key, key = jax.random.split(key)
        learner = begin(parts, jax.random.split(begin_key, 3))

        def descend(learner, key):
            key, first_key = jax.random.split(key)
            first = jax.random.randint(first_key, (16, 3), 0, 8)
            player = learn_to_act(parts, config, key, learner, first, known if paid else None)
            return learner._replace(player=player), None

        learner, _ = jax.lax.scan(descend, learner, jax.random.split(key, 60))
        return ask(parts, learner).right

    assert (np.asarray(right(jax.random.key(0), True)) > 0.8).all()
    assert (np.asarray(right(jax.random.key(0), False)) < 0.8).all()


# Credit of dreams ------------------------------------------------------------------------------


class Linear:
    """A policy of no preference whose value is a number that it is shown."""

    distribution = Categorical()

    @staticmethod
    def apply(params: Any, inputs: Any) -> Any:
        return jnp.zeros((*inputs.shape[:2], 2)), params * inputs[..., 0]


class Player(NamedTuple):
    params: Any
    returns: RunningMoments


def test_returns_of_dreams_are_those_of_a_loop():
    count, steps, discount, trace = 40, 5, 0.9, 0.7
    generator = np.random.default_rng(0)
    values = generator.normal(size=(count, steps + 1)).astype(np.float32)
    rewards = generator.normal(size=(count, steps)).astype(np.float32)
    ended = generator.random((count, steps)) < 0.2
    nothing = jnp.zeros((count, steps), jnp.int32)
    unit = RunningMoments(jnp.float32(0.5), jnp.float32(4.0), jnp.float32(1.0))

    @jax.jit
    def returns(values, rewards, ended):
        dreams = Dreams(jnp.zeros((count, steps + 1, 1), jnp.int32), nothing, rewards, ended)
        lived = as_lived(values[..., None], dreams)
        policy: Any = Linear()
        batch = credited(policy, Player(jnp.float32(1.0), unit), lived, discount, trace)
        return batch.rewards, batch.mask

    found, mask = (np.asarray(x).reshape(count, steps) for x in returns(values, rewards, ended))
    said = 0.5 + 2 * values
    for row in range(count):
        over = np.flatnonzero(ended[row])
        length = over[0] + 1 if len(over) else steps
        assert mask[row].tolist() == [step < length for step in range(steps)]
        later = 0.0 if len(over) else said[row, steps]
        for step in reversed(range(length)):
            going_on = discount * (not ended[row, step])
            mixed = (
                later if step == length - 1 else (1 - trace) * said[row, step + 1] + trace * later
            )
            later = rewards[row, step] + going_on * mixed
            assert found[row, step] == pytest.approx(later, rel=1e-4, abs=1e-5)


# Dreams ----------------------------------------------------------------------------------------

TINY = IRISConfig(horizon=3, codes=3, hidden=8, heads=2, layers=1, bins=5, reward_limit=2)


def test_a_dream_that_holds_keys_and_values_is_one_that_reads_the_whole_line_each_time():
    model, count = world_model(2, 2, TINY), 3
    params = jax.eval_shape(model.network.init, jax.random.key(0))
    generator = np.random.default_rng(0)
    params = jax.tree.map(lambda x: generator.normal(size=x.shape).astype(np.float32), params)
    first = jnp.asarray(generator.integers(3, size=(count, 2)), jnp.int32)

    def act(key, step, tokens):
        return jax.random.randint(key, (count,), 0, 2) ^ (tokens[:, 0] + step & 1)

    program = jax.jit(lambda params, key: dream(model, params, key, first, act, TINY.horizon))
    read = jax.jit(functools.partial(tell, model))
    found = jax.device_get(program(params, jax.random.key(1)))

    tokens, actions = np.zeros((count, 4, 2), np.int32), np.zeros((count, 3), np.int32)
    tokens[:, 0] = first
    for step, key in enumerate(jax.random.split(jax.random.key(1), TINY.horizon)):
        act_key, end_key, draw_key = jax.random.split(key, 3)
        actions[:, step] = act(act_key, step, jnp.asarray(tokens[:, step]))
        told = read(params, tokens, actions)
        ended = jax.random.categorical(end_key, told.end[:, step, 0]) == 1
        np.testing.assert_array_equal(found.ended[:, step], ended)
        bins = jax.nn.softmax(told.reward[:, step, 0])
        height = np.sqrt(3) - 1 + 2e-3  # of the largest reward, 2, on the scale of the bins
        scaled = np.abs(bins @ np.linspace(-height, height, 5))
        # what h of the mean reward is, to the third digit: its slope is 1 / 1000
        of_found = np.sqrt(np.abs(found.rewards[:, step]) + 1) - 1
        np.testing.assert_allclose(of_found, scaled, atol=4e-3)
        for place, key in enumerate(jax.random.split(draw_key, 2)):
            logits = read(params, tokens, actions).tokens[:, step, place]
            tokens[:, step + 1, place] = jax.random.categorical(key, logits)
    np.testing.assert_array_equal(found.tokens, tokens)
    np.testing.assert_array_equal(found.actions, actions)
    assert len(np.unique(found.tokens)) == 3 and found.ended.any() and not found.ended.all()


# What is learnt --------------------------------------------------------------------------------


class Corridor(NamedTuple):
    """Where an episode stands."""

    cell: jax.Array
    time: jax.Array


CELLS = 3


def look(cell: jax.Array) -> jax.Array:
    """Returns the picture of a cell."""
    levels = jnp.where(jnp.arange(2 * CELLS) // 2 == cell, 255, 0).astype(jnp.uint8)
    return jnp.broadcast_to(levels[None, :, None], (2, 2 * CELLS, 1))


def corridor() -> Environment:
    """Three cells in a row, seen as 2 x 6 pixels: action 1 goes right, 0 left; the right end pays 1 and ends."""

    def reset(key, task):
        cell = jax.random.randint(key, (), 0, CELLS - 1)
        return look(cell), Corridor(cell, jnp.int32(0))

    def step(key, state, action, task):
        cell = jnp.clip(state.cell + 2 * action - 1, 0, CELLS - 1)
        there, time = cell == CELLS - 1, state.time + 1
        reward = jnp.where(there, 1.0, -0.5)
        return Step(look(cell), Corridor(cell, time), reward, there, (time >= 5) & ~there, {})

    return Environment(
        name="corridor", settings={}, observation_space=spaces.Box(0, 255, (2, 6, 1), np.uint8),
        action_space=spaces.Discrete(2), horizon=5, draw_task=lambda key, split: jnp.zeros(()),
        reset=reset, step=step,
    )  # fmt: skip


SMALL = IRISConfig(
    discount=0.9, patch=2, horizon=3, codes=8, code_size=4, hidden=16, layers=1, heads=2, bins=11, reward_limit=2,
    batch_size=16, picture_hidden=32, picture_steps=1, learn_after=24, dream_after=48, learn_every=8, gradient_steps=16,
    model_learning_rate=1e-2, picture_learning_rate=3e-3, renew_after=20,
)  # fmt: skip
HALF = 64  # of the real steps of an agent
LESSONS = 128  # gradient steps of half of a world model's learning


def restored(tree: Any) -> Any:
    """Returns what is on disk after it was written there."""
    leaves, structure = jax.tree.flatten(tree)
    is_key = [jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) for leaf in leaves]
    plain = as_numbers(leaves)
    file = io.BytesIO()
    np.savez(file, *plain)
    file.seek(0)
    stored = np.load(file, allow_pickle=False)
    back = [
        jax.random.wrap_key_data(stored[name]) if key else jnp.asarray(stored[name])
        for name, key in zip(stored.files, is_key, strict=True)
    ]
    return jax.tree.unflatten(structure, back)


def is_the_same(one: Any, other: Any) -> bool:
    """Tells whether two trees hold the same bits."""
    sides = ([np.asarray(x) for x in jax.tree.leaves(as_numbers(tree))] for tree in (one, other))
    return all(np.array_equal(x, y) for x, y in zip(*sides, strict=True))


def as_numbers(tree: Any) -> Any:
    """Returns a tree whose random keys are numbers."""
    return jax.tree.map(
        lambda x: jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x,
        tree,
    )


def walks_at_random(generator: np.random.Generator, count: int) -> tuple[Experience, np.ndarray]:
    """Returns steps of walks in the corridor [count, B, L], from any cell but the last, and which were taken."""
    shape = (count, SMALL.batch_size, SMALL.horizon)
    actions = generator.integers(2, size=shape)
    cells = np.zeros((*shape, 2), int)
    cells[..., 0, 0] = generator.integers(CELLS - 1, size=shape[:-1])
    for step in range(SMALL.horizon):
        cells[..., step, 1] = np.clip(
            cells[..., step, 0] + 2 * actions[..., step] - 1, 0, CELLS - 1
        )
        if step + 1 < SMALL.horizon:
            begun = generator.integers(CELLS - 1, size=shape[:-1])  # anew, where an episode ended
            there = cells[..., step, 1] == CELLS - 1
            cells[..., step + 1, 0] = np.where(there, begun, cells[..., step, 1])
    pictures = np.stack([np.asarray(look(jnp.int32(cell))) for cell in range(CELLS)])
    ended = cells[..., 1] == CELLS - 1
    before, after = pictures[cells[..., 0]], pictures[cells[..., 1]]
    rewards = np.where(ended, 1.0, -0.5).astype(np.float32)
    columns: Any = before, actions.astype(np.int32), rewards, ended, ended, after
    return Experience(*columns), np.ones(shape, bool)


class Known(NamedTuple):
    """What is said of each cell but the last and of each action there, and what is so."""

    loss: jax.Array  # []
    missed: jax.Array  # [] of the pixels that are shown
    following: jax.Array  # [4, M] the likeliest tokens
    rewards: jax.Array  # [4]
    ends: jax.Array  # [4] probabilities
    right: jax.Array  # [4] probability that the policy goes right
    walks: Walks


def ask(parts: Parts, learner: Learner) -> Known:
    """Returns what is known of the corridor."""
    cells, actions = jnp.repeat(jnp.arange(CELLS - 1), 2), jnp.tile(jnp.arange(2), CELLS - 1)
    later = jnp.maximum(cells + 2 * actions - 1, 0)
    there = later == CELLS - 1
    shown = jax.vmap(jax.vmap(look))(jnp.stack([cells, later], axis=1))  # [4, 2, H, W, C]
    pictures = pixels(corridor().observation_space, shown)
    flat = pictures.reshape(-1, *pictures.shape[2:])
    tokens = parts.autoencoder.encode(learner.autoencoder.params, flat).reshape(4, 2, -1)
    rewards = jnp.where(there, 1.0, -0.5)
    walks = Walks(
        tokens, actions[:, None], rewards[:, None], there[:, None], jnp.ones((4, 1), bool)
    )
    told = tell(parts.world, learner.world.params, tokens, walks.actions)
    seen = seen_in(parts, learner, tokens)
    state = parts.policy.initial_state(4)
    shown = inputs_of(parts, learner, tokens[:, 0])
    _, policy, _ = parts.policy.step(learner.player.params, state, shown)
    return Known(
        loss=loss(parts.world, learner.world.params, walks),
        missed=jnp.mean(jnp.abs(seen.reshape(pictures.shape) - pictures)),
        following=jnp.argmax(told.tokens[:, 0, :-1], axis=-1),
        rewards=parts.world.reward_bins.told_by(told.reward[:, 0, 0]),
        ends=jax.nn.softmax(told.end[:, 0, 0])[:, 1],
        right=jax.nn.softmax(policy)[:, 1],
        walks=walks,
    )


@pytest.fixture(scope="module")
def taught():
    """Returns learners after none, half and all of their lessons, the last again after a stop; and what is known."""
    environment = corridor()
    parts = make_parts(environment, SMALL)

    @jax.jit
    def go_on(learner, batches):
        def one(learner, now):
            key, batch = now
            space = environment.observation_space
            return learn_world(parts, space, key, learner, *batch)[0], None

        before = ask(parts, learner)
        keys = jax.random.split(jax.random.key(3), LESSONS)
        learner, _ = jax.lax.scan(one, learner, (keys, batches))
        return learner, (before, ask(parts, learner))

    generator = np.random.default_rng(0)
    one, two = (walks_at_random(generator, LESSONS) for _ in range(2))
    first = jax.jit(lambda key: begin(parts, jax.random.split(key, 3)))(jax.random.key(0))
    middle, (before, _) = go_on(first, one)
    last, (_, after) = go_on(middle, two)
    again, _ = go_on(restored(middle), two)
    return (first, middle, last, again), jax.device_get((before, after))


def test_the_loss_of_the_world_model_falls_and_it_tells_next_tokens_rewards_and_ends(taught):
    _, (before, after) = taught
    tells_what_is_so(before, after)


def tells_what_is_so(before: Known, after: Known) -> None:
    """Checks what is known of the world."""
    assert after.missed < 0.1 < before.missed, "what the decoder shows of tokens"
    assert after.loss < before.loss / 4
    np.testing.assert_array_equal(after.following, after.walks.tokens[:, 1])
    np.testing.assert_allclose(after.ends, after.walks.ended[:, 0], atol=0.2)
    np.testing.assert_allclose(after.rewards, after.walks.rewards[:, 0], atol=0.2)


def test_a_restored_world_model_goes_on_as_if_never_stopped(taught):
    (first, middle, last, again), _ = taught
    assert is_the_same(last, again) and not is_the_same(middle.world, last.world)
    assert is_the_same(first.player, last.player), "no dream, no policy learnt"


@pytest.fixture(scope="module")
def lived():
    """Returns memories after none, half and all of a trial, the last again after a stop, and when learners changed."""
    trial = Trial(corridor(), steps=2 * HALF)
    agent = iris(trial.environment, SMALL)

    @jax.jit
    def start(key):
        agent_key, world_key = jax.random.split(key)
        return agent.init(agent_key, trial, None), trial.reset(world_key, jnp.zeros(()))

    def weight(tree):
        return sum(jnp.sum(jnp.abs(x)) for x in jax.tree.leaves(tree))

    @jax.jit
    def live(carry, key):
        def advance(carry, key):
            memory, state = carry
            act_key, world_key = jax.random.split(key)
            action, memory = agent.act(act_key, memory, state.observation)
            following, t = trial.step(world_key, state, action, jnp.zeros(()))
            seen = state.observation, action, t.reward, t.terminated, t.truncated
            memory = agent.observe(memory, *seen, t.next_observation)
            learner = memory.learner
            parts = learner.autoencoder, learner.world, learner.player.params
            return (memory, following), jnp.stack([weight(part) for part in parts])

        return jax.lax.scan(advance, carry, jax.random.split(key, HALF))

    first = start(jax.random.key(0))
    middle, one = live(first, jax.random.key(1))
    last, two = live(middle, jax.random.key(2))
    again, _ = live(restored(middle), jax.random.key(2))
    changed = np.diff(np.concatenate([one, two]), axis=0) != 0
    memories = [carry[0] for carry in (first, last, again)]
    return memories, [np.flatnonzero(column) + 2 for column in changed.T]


@pytest.mark.slow  # the quick form: a restored world model goes on
def test_a_restored_agent_goes_on_as_if_never_stopped(lived):
    (_, last, again), _ = lived
    assert is_the_same(last, again)


@pytest.mark.slow  # the quick form, of other learners: test_laws.py
def test_each_part_changes_where_its_learning_is_due_and_nowhere_else(lived):
    _, (autoencoder, world, player) = lived
    assert autoencoder.tolist() == world.tolist() == list(range(24, 2 * HALF + 1, 8))
    assert player.tolist() == list(range(48, 2 * HALF + 1, 8))


@pytest.mark.slow  # the quick form, of its world model: it tells next tokens, rewards and ends
def test_who_learnt_in_dreams_alone_goes_to_what_pays(lived):
    (first, last, _), _ = lived
    parts = make_parts(corridor(), SMALL)
    before, after = (
        jax.device_get(jax.jit(functools.partial(ask, parts))(memory.learner))
        for memory in (first, last)
    )
    tells_what_is_so(before, after)
    assert (before.right < 0.6).all() and (after.right > 0.75).all()


# What is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("iris:horizon=0", "iris: horizon is 0; it must be at least 1."),
        (
            "iris:codes=1",
            "codes is 1; a token that can be one thing tells nothing, so give 2 or more.",
        ),
        ("iris:bins=20", "bins is 20; give an odd number of at least 3"),
        ("iris:hidden=10", "hidden is 10 and heads 4; give a multiple of twice the heads."),
        (
            "iris:picture_steps=145",
            "picture_steps is 145; a batch has 144 pictures (batch_size · (horizon + 1)), so give at most that.",
        ),
        ("iris:novelty=-1", "iris: novelty is -1.0; it must not be negative."),
        ("iris:patch=0", "iris: patch is 0; it must be at least 1, or None."),
        ("iris:gae_lambda=2", "gae_lambda is 2.0; it must lie between 0 and 1."),
        ("iris:learning_rate=0", "iris: learning_rate is 0.0; it must be positive."),
        ("iris:horizont=3", "Unknown setting of agent 'iris' 'horizont'. Did you mean 'horizon'?"),
    ],
)
def test_settings_of_no_use_are_refused(text, message):
    with pytest.raises(InvalidInput) as refused:
        parse(text)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("text", "world", "settings", "message"),
    [
        ("iris", "pendulum", {}, "iris needs Discrete actions; those of 'pendulum' are Box."),
        ("iris", "cartpole", {}, "iris needs pictures: a Box of height, width and at most four channels; "
         "observations of 'cartpole' are Box("),
        ("iris", "gridworld", {}, "observations of 'gridworld' are Discrete(25). What can learn there: q-learning"),
        ("iris:patch=4", "gridworld", {"pixels": 2}, "iris: patch is 4, and pictures of 'gridworld' have 10 x 10 "
         "pixels; they are cut into squares of 1 or 2 or 5 or 10."),
        ("iris", "maze", {"size": 3, "width": 31, "height": 23}, "iris: pictures of 'maze' have 23 x 31 pixels, "
         "which are not cut into at most 16 equal squares"),
    ],
)  # fmt: skip
def test_worlds_it_cannot_see_or_act_in_are_refused(text, world, settings, message):
    with pytest.raises(InvalidInput) as refused:
        make(text, Trial(load(world, **settings), steps=3))
    assert message in str(refused.value)


def test_it_takes_the_least_squares_of_which_sixteen_make_a_picture_and_is_named_where_there_are_pictures():
    grid = load("gridworld", pixels=3)
    assert (
        square_side(grid, None) == 5 and square_side(load("gridworld", size=4, pixels=1), None) == 1
    )
    assert square_side(load("maze", size=3, width=16, height=12), None) == 4
    assert "iris" in fitting(grid) and "iris" not in fitting(load("gridworld"))
