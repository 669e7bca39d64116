"""Inner training against a loop in plain Python, and what its replicates hold."""

from __future__ import annotations

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import toy_problem

from metarl.errors import InvalidInput
from metarl.optimizer_search.training.inner_training import (
    Spread,
    batch_sizes,
    check_start,
    check_widths,
    draw_fixture,
    factors,
    held_out_score,
    optax_learner,
    require_steady,
    settled,
    start,
    train,
    versions,
)
from metarl.problems import at_width

SEEDS = [11, 222, 3333]
SIZES = {"train": 40, "search": 24, "choice": 24, "test": 32}
BATCH = 8


@pytest.fixture(scope="module")
def drawn(toy):
    return draw_fixture(toy, "search", SEEDS)


@pytest.fixture(scope="module")
def trained(toy, drawn):
    """(rate, replicate, steps) -> the run, its held-out loss and metric; Adam, compiled once."""
    fixture, layout = drawn

    @jax.jit
    def program(rate, replicate, steps):
        learner = optax_learner(optax.adam(rate))
        place = (toy, layout, learner, fixture, replicate)
        run = train(*place, start(learner, fixture, replicate), steps)
        return run, *held_out_score(*place, run)

    return lambda rate, replicate, steps: program(*map(np.asarray, (rate, replicate, steps)))


def by_hand(toy, fixture, layout, replicate, transform, steps, size=BATCH):
    """The run that `train` should make: batches in order, round and round the training examples."""
    key = jax.random.key(SEEDS[replicate])
    params, state = toy.init(jax.random.key(SEEDS[replicate]))
    rows = layout.train + max(layout.batches, default=BATCH)
    order = np.asarray(fixture.order)[replicate * rows :][: layout.train]
    stream = jax.tree.map(lambda x: np.asarray(x)[order], fixture.pool)
    memory, losses = transform.init(params), []
    for t in range(steps):
        places = (t * size + np.arange(size)) % layout.train
        batch = jax.tree.map(lambda x, places=places: jnp.asarray(x[places]), stream)
        (loss, state), grads = jax.value_and_grad(toy.loss, has_aux=True)(
            params, state, batch, jax.random.fold_in(key, t)
        )
        updates, memory = transform.update(grads, memory, params)
        params = optax.apply_updates(params, updates)
        losses.append(float(loss))
    places = np.asarray(fixture.held)[replicate * layout.held :][: layout.held]
    held = jax.tree.map(lambda x: jnp.asarray(np.asarray(x)[places]), fixture.pool)
    return params, state, toy.evaluate(params, state, held), losses


def test_factors_of_replicates_depend_on_their_own_seed_and_fill_their_range_evenly():
    seeds = list(range(2000))
    drawn = factors(seeds, 1, 4.0)
    np.testing.assert_array_equal(factors(seeds[7:9], 1, 4.0), drawn[7:9])
    assert drawn.min() > 1 / 4 and drawn.max() < 4
    # four quarters of the logarithm's range: 500 each, deviation 19, six of them
    counts, _ = np.histogram(np.log(drawn) / np.log(4.0), bins=4, range=(-1, 1))
    assert abs(counts - 500).max() < 6 * 19
    other = factors(seeds, 2, 4.0)
    assert abs(np.corrcoef(np.log(drawn), np.log(other))[0, 1]) < 6 / np.sqrt(2000)


def test_replicates_that_are_all_alike_are_those_of_before(toy, drawn):
    fixture, layout = drawn
    again, its_layout = draw_fixture(toy, "search", SEEDS, Spread(1.0, 1.0, 1.0, 1.0))
    assert again.lengths is None and again.sizes is None and again.widths is None
    assert layout == its_layout and layout.batches == layout.widths == ()
    assert layout.batch == BATCH
    jax.tree.map(np.testing.assert_array_equal, again, fixture)
    other, _ = draw_fixture(toy, "search", SEEDS, Spread(2.0, 1.0))
    jax.tree.map(np.testing.assert_array_equal, other._replace(lengths=None), fixture)
    other, its_layout = draw_fixture(toy, "search", SEEDS, Spread(batch=4.0))
    orders = np.asarray(other.order).reshape(len(SEEDS), its_layout.row)
    np.testing.assert_array_equal(orders[:, its_layout.train :], orders[:, : 4 * BATCH])
    first = np.asarray(fixture.order).reshape(len(SEEDS), layout.row)
    np.testing.assert_array_equal(orders[:, : layout.row], first)
    jax.tree.map(
        np.testing.assert_array_equal,
        other._replace(order=None, sizes=None),
        fixture._replace(order=None),
    )


@pytest.mark.parametrize(
    ("usual", "most", "examples", "expected"),
    [
        (64, 2.0, 800, (32, 64, 128)),
        (64, 1.5, 800, (43, 64, 96)),  # so small a factor has its two ends too
        (64, 4.0, 800, (16, 32, 64, 128, 256)),
        (64, 4.0, 100, (16, 32, 64, 100)),  # never more than there are
        (1, 4.0, 100, (1, 2, 4)),
        (1, 1.2, 100, (1,)),
    ],
)
def test_batches_have_a_few_sizes_evenly_in_the_logarithm(usual, most, examples, expected):
    assert batch_sizes(usual, most, examples) == expected


def test_each_size_of_batches_is_as_likely_and_drawn_from_the_replicates_own_seed(toy):
    seeds = list(range(1000))
    spread = Spread(batch=4.0)
    fixture, layout = draw_fixture(toy, "choice", seeds, spread)
    assert layout.batches == (2, 4, 8, 16, 32) and layout.batch == BATCH
    # five sizes: 200 each, deviation 12.6, six of them
    counts = np.bincount(fixture.sizes, minlength=5)
    assert len(counts) == 5 and abs(counts - 200).max() < 6 * 12.6
    some, _ = draw_fixture(toy, "choice", seeds[7:9], spread)
    np.testing.assert_array_equal(some.sizes, fixture.sizes[7:9])
    capped, its_layout = draw_fixture(toy, "choice", seeds, Spread(batch=16.0))
    assert its_layout.batches == (
        1,
        2,
        4,
        8,
        16,
        32,
        40,
    )  # the largest two of nine are all examples
    share = np.mean(np.asarray(capped.sizes) == 6)
    assert abs(share - 2 / 9) < 6 * np.sqrt(2 / 9 * 7 / 9 / 1000)


def test_each_width_is_as_likely_and_a_replicate_begins_at_each_as_a_problem_of_that_width(
    perceptron,
):
    seeds = list(range(900))
    fixture, layout = draw_fixture(perceptron, "search", seeds, Spread(width=2.0))
    assert layout.widths == (0.5, 1.0, 2.0)
    # three widths: 300 each, deviation 14.1, six of them
    counts = np.bincount(fixture.widths, minlength=3)
    assert len(counts) == 3 and abs(counts - 300).max() < 6 * 14.1
    for place, factor in enumerate(layout.widths):
        wide = at_width(perceptron, factor)
        alone, its_layout = draw_fixture(wide, "search", seeds)
        assert alone.params["w0"].shape == (900, 2, (2, 4, 8)[place])
        problem, version = versions(perceptron, layout, fixture)[place]
        assert problem is wide
        jax.tree.map(np.testing.assert_array_equal, version._replace(widths=None), alone)
        assert its_layout == layout._replace(widths=())
    some, _ = draw_fixture(perceptron, "search", seeds[7:9], Spread(width=2.0))
    np.testing.assert_array_equal(some.widths, fixture.widths[7:9])


def test_a_problem_without_widths_has_no_replicates_of_several(toy):
    with pytest.raises(InvalidInput, match="'toy' has none that can be widened"):
        draw_fixture(toy, "search", SEEDS, Spread(width=2.0))


def test_a_problem_that_at_a_width_of_one_is_another_is_refused(perceptron):
    check_widths(perceptron, Spread(width=4.0))
    with pytest.raises(InvalidInput, match=r"'half-widened': its loss .* they must be one problem"):
        check_widths(toy_problem.half_widened(), Spread(width=4.0))


@pytest.mark.parametrize("rung", range(5))
def test_a_replicate_is_trained_on_batches_of_its_own_size_as_a_plain_loop_trains_it(toy, rung):
    drawn = draw_fixture(toy, "search", SEEDS, Spread(batch=4.0))
    fixture, layout = drawn[0]._replace(sizes=jnp.full(len(SEEDS), rung, jnp.int32)), drawn[1]
    size = layout.batches[rung]  # 16 and 32 do not divide 40: batches wrap around
    learner = optax_learner(optax.adam(0.05))

    @jax.jit
    def program(replicate):
        begin = start(learner, fixture, replicate)
        return train(toy, layout, learner, fixture, replicate, begin, jnp.int32(7))

    run = program(jnp.int32(1))
    by_loop = by_hand(toy, fixture, layout, 1, optax.adam(0.05), 7, size)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-6), run.packed, by_loop[0]
    )
    np.testing.assert_allclose(run.model_state["mean"], by_loop[1]["mean"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("replicate", [0, 2])
def test_training_equals_a_plain_loop(toy, drawn, trained, replicate):
    fixture, layout = drawn
    params, state, result, _ = by_hand(toy, fixture, layout, replicate, optax.adam(0.05), steps=7)
    run, loss, metric = trained(0.05, replicate, 7)
    assert int(run.t) == 7 and bool(run.alive)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-6), run.packed, params
    )
    np.testing.assert_allclose(run.model_state["mean"], state["mean"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(loss, result["loss"], rtol=1e-5)
    np.testing.assert_allclose(metric, result["accuracy"])


def test_a_run_in_two_parts_is_the_run_in_one(toy, drawn):
    fixture, layout = drawn
    learner = optax_learner(optax.adam(0.05))

    @jax.jit
    def program(stops):
        run = start(learner, fixture, jnp.int32(1))
        for stop in stops:
            run = train(toy, layout, learner, fixture, jnp.int32(1), run, stop)
        return run

    parts, whole = program(jnp.array([3, 9])), program(jnp.array([9, 9]))
    assert int(parts.t) == int(whole.t) == 9
    jax.tree.map(np.testing.assert_array_equal, parts.packed, whole.packed)


def numbers(x):
    return np.asarray(x["number"])


def test_every_replicate_splits_the_pool_for_itself(drawn):
    """Its training and held-out examples are disjoint and make up the pool, which holds no choice or test example."""
    fixture, layout = drawn
    assert (layout.train, layout.held, layout.batch) == (SIZES["train"], SIZES["search"], BATCH)
    assert not layout.shared
    pool_numbers = numbers(fixture.pool)
    streams = pool_numbers[fixture.order].reshape(len(SEEDS), layout.train + layout.batch)
    held = pool_numbers[fixture.held].reshape(len(SEEDS), layout.held)
    pool = set(range(SIZES["train"] + SIZES["search"]))
    for stream, rest in zip(streams, held, strict=True):
        seen = stream[: layout.train]
        assert len(set(seen)) == layout.train and not set(seen) & set(rest)
        assert set(seen) | set(rest) == pool
        np.testing.assert_array_equal(stream[layout.train :], stream[: layout.batch])
    assert len({tuple(sorted(row)) for row in held}) == len(SEEDS)


def test_choice_and_test_examples_are_in_no_pool_and_shared_by_all(toy):
    first = SIZES["train"] + SIZES["search"]
    for split in ("choice", "test"):
        fixture, layout = draw_fixture(toy, split, SEEDS)
        assert layout.shared and layout.held == SIZES[split]
        np.testing.assert_array_equal(numbers(fixture.held), np.arange(first, first + SIZES[split]))
        assert numbers(fixture.pool).max() < SIZES["train"] + SIZES["search"]
        first += SIZES[split]


def test_a_replicate_depends_on_its_own_seed_alone(toy, drawn):
    fixture, layout = drawn
    alone, _ = draw_fixture(toy, "search", [SEEDS[1]])
    rows = layout.train + layout.batch
    for name in ("params", "model_state"):
        many, one = getattr(fixture, name), getattr(alone, name)
        jax.tree.map(lambda a, b: np.testing.assert_array_equal(a[1], b[0]), many, one)
    np.testing.assert_array_equal(fixture.order[rows : 2 * rows], alone.order)
    np.testing.assert_array_equal(fixture.held[layout.held : 2 * layout.held], alone.held)
    jax.tree.map(np.testing.assert_array_equal, fixture.pool, alone.pool)
    starts = np.asarray(fixture.params["w"])
    assert len({tuple(row) for row in starts.tolist()}) == len(SEEDS)


def test_the_starts_of_as_many_seeds_are_compiled_once(toy):
    traced = []

    def init(key):
        traced.append(key)
        return toy.init(key)

    counted = dataclasses.replace(toy, init=init)
    draw_fixture(counted, "search", [7, 8, 9, 10, 11])
    times = len(traced)
    assert times > 0
    draw_fixture(counted, "search", [12, 13, 14, 15, 16])
    assert len(traced) == times
    draw_fixture(counted, "search", [17, 18, 19, 20])
    assert len(traced) > times


def test_a_small_training_set_makes_small_batches(toy):
    greedy = dataclasses.replace(toy, batch_size=1000)
    assert draw_fixture(greedy, "search", SEEDS)[1].batch == SIZES["train"]


def test_a_run_that_diverges_stops_early_with_an_infinite_loss(trained):
    run, loss, _ = trained(1e4, 0, 100)
    assert np.isposinf(loss) and not bool(run.alive)
    assert 1 <= int(run.t) < 100


def test_a_run_that_meets_nan_stops_at_once(toy, drawn):
    fixture, layout = drawn
    poison = optax.stateless(lambda updates, _: jax.tree.map(lambda g: g * jnp.nan, updates))
    learner = optax_learner(poison)

    @jax.jit
    def program(steps):
        run = start(learner, fixture, jnp.int32(0))
        run = train(toy, layout, learner, fixture, jnp.int32(0), run, steps)
        return run.t, held_out_score(toy, layout, learner, fixture, jnp.int32(0), run)[0]

    steps, loss = program(jnp.int32(1))  # the last update was never looked at by the loop
    assert int(steps) == 1 and np.isposinf(loss)
    steps, loss = program(jnp.int32(50))
    assert int(steps) == 2 and np.isposinf(loss)


def test_no_steps_leave_the_start_as_it_is(drawn, trained):
    fixture, _ = drawn
    run, loss, _ = trained(0.1, 2, 0)
    assert int(run.t) == 0 and np.isfinite(loss)
    np.testing.assert_array_equal(run.packed["w"], fixture.params["w"][2])


def test_a_problem_without_metric_has_nan_for_it(toy, drawn):
    plain = dataclasses.replace(toy, metric=None)
    fixture, layout = drawn
    learner = optax_learner(optax.identity())
    run = start(learner, fixture, jnp.int32(0))
    loss, metric = held_out_score(plain, layout, learner, fixture, jnp.int32(0), run)
    assert np.isfinite(loss) and np.isnan(metric)


def test_a_problem_that_starts_at_nan_is_refused(toy):
    import toy_problem

    check_start(toy)
    with pytest.raises(
        InvalidInput, match=r"Problem 'broken': the loss is nan before the first step"
    ):
        check_start(toy_problem.broken())


@pytest.mark.parametrize("make", [optax.contrib.prodigy, optax.contrib.schedule_free_adamw])
def test_optimizers_whose_state_becomes_finer_begin_with_the_finer_one(make):
    """Of coarse parameters and a rate that is data: optax's own begin in bfloat16 and go on in float32."""
    params = {"body": jnp.ones((3, 2), jnp.bfloat16), "head": jnp.ones(2)}

    def before_and_after(rate, begin):
        transform = make(rate)
        state = begin(transform)
        return state, transform.update(params, state, params)[1]

    rate = jnp.float32(0.1)
    settle = functools.partial(before_and_after, begin=lambda x: settled(x, params))
    require_steady(*jax.eval_shape(settle, rate))
    optaxs = functools.partial(before_and_after, begin=lambda x: x.init(params))
    with pytest.raises(InvalidInput, match="it must keep its shape and type"):
        require_steady(*jax.eval_shape(optaxs, rate))


def test_a_finer_first_state_holds_the_same_numbers():
    found = settled(optax.contrib.ademamix(0.1), jnp.ones(2, jnp.bfloat16))
    assert jax.tree.structure(found) == jax.tree.structure(
        optax.contrib.ademamix(0.1).init(jnp.ones(2))
    )
    assert all(np.all(leaf == 0) for leaf in jax.tree.leaves(found))
