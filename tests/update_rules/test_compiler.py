"""The compiler: its laws, its state, and every place where optax puts a transform."""

from __future__ import annotations

import doctest
import importlib
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from metarl import update_rules
from metarl.errors import InvalidInput
from metarl.update_rules import (
    NAMED_RULES,
    Grammar,
    Rule,
    ScaleByRuleState,
    parse,
    reference_update,
)

# Types of trees are too wide for a checker to follow a test through them.
scale_by_rule: Any = update_rules.scale_by_rule
to_optax: Any = update_rules.to_optax

TWINS = {
    "g": lambda rate: optax.sgd(rate),
    "adam": lambda rate: optax.adam(rate),
    "m": lambda rate: optax.chain(optax.ema(0.9, debias=True), optax.scale_by_learning_rate(rate)),
    "rmsprop": lambda rate: optax.rmsprop(
        rate, decay=0.999, bias_correction=True, eps_in_sqrt=False
    ),
}
EVERYTHING = "adam + y * 1e-2 * w + drop(g, 0.3) * ld + annealed_noise"


def params(dtype=jnp.float32):
    return {
        "a": jnp.array([[1.0, -2.0, 3.0]], dtype),
        "b": (jnp.array(0.5, dtype), jnp.zeros((0,), dtype)),
    }


def gradients_of(tree):
    return jax.tree.map(lambda x: jnp.sin(3.0 * x) + 0.1 * x, tree)


def run(optimizer, steps, start=None):
    weights = params() if start is None else start
    state = optimizer.init(weights)
    for _ in range(steps):
        updates, state = optimizer.update(gradients_of(weights), state, weights)
        weights = optax.apply_updates(weights, updates)
    return weights, state


def assert_close(actual, expected, rtol=1e-6):
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-7), actual, expected
    )


def random_rules(n, depth, space="arxiv", seed=0):
    grammar = Grammar(space, depth)
    return [grammar.to_rule(tokens) for tokens in grammar.sample(np.random.default_rng(seed), n)]


def without_chance(rules):
    return [rule for rule in rules if "random" not in rule.needs]


@pytest.mark.parametrize("rule", TWINS)
def test_a_rule_equals_its_twin_in_optax_over_twenty_steps(rule):
    assert_close(run(to_optax(rule, 1e-2), 20)[0], run(TWINS[rule](1e-2), 20)[0])


def test_a_decay_in_the_rule_and_one_beside_it_add_up():
    both = to_optax("adam + 0.01 * w", 1e-2, weight_decay=0.1)
    assert_close(run(both, 5)[0], run(optax.adamw(1e-2, weight_decay=0.11), 5)[0])


def test_weight_decay_is_that_of_adamw():
    mask = {"a": True, "b": (False, False)}
    ours = to_optax("adam", 1e-2, weight_decay=0.1, mask=mask)
    assert_close(run(ours, 5)[0], run(optax.adamw(1e-2, weight_decay=0.1, mask=mask), 5)[0])


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_a_random_rule_does_in_one_step_what_its_formula_says(depth):
    rng = np.random.default_rng(depth)
    compared = total = 0
    rules = random_rules(25, depth, seed=depth) + random_rules(15, depth, "constants", seed=depth)
    for rule in without_chance(rules):
        g, w, mu, xi = (rng.standard_normal(16).astype(np.float32) for _ in range(4))
        nu = np.square(rng.standard_normal(16)).astype(np.float32)
        count = int(rng.integers(1, 90))
        held = {"mu": ("m", mu), "nu": ("v", nu), "xi": ("y", xi)}
        state = ScaleByRuleState(
            count=jnp.int32(count),
            key=None,
            **{
                name: jnp.asarray(value) if need in rule.needs else None
                for name, (need, value) in held.items()
            },
        )
        updates, _ = scale_by_rule(rule, total_steps=100).update(
            jnp.asarray(g), state, jnp.asarray(w)
        )
        moments = {
            "m": (0.9 * mu + 0.1 * g) / (1 - 0.9 ** (count + 1)),
            "v": (0.999 * nu + 0.001 * g**2) / (1 - np.float32(0.999) ** (count + 1)),
            "y": (0.999 * xi + 0.001 * g**3) / (1 - np.float32(0.999) ** (count + 1)),
        }
        arguments: dict[str, Any] = moments | {"w": w, "t": count, "total_steps": 100}
        single = reference_update(rule, g, **arguments)
        double = reference_update(rule, g.astype(np.float64), **arguments)
        # Where single and double precision disagree, rounding decides, and there is nothing to compare.
        steady = np.isfinite(single) & np.isclose(single, double, rtol=1e-5, atol=0.0)
        np.testing.assert_allclose(
            np.asarray(updates)[steady], double[steady], rtol=2e-4, err_msg=str(rule)
        )
        compared, total = compared + steady.sum(), total + g.size
    assert compared > 0.7 * total


@pytest.mark.parametrize(
    ("rule", "buffers"),
    [("g", 0), ("powersign", 1), ("v", 1), ("y", 1), ("adam", 2), ("adam + y", 3), ("noise", 0)],
)
def test_only_the_moments_that_a_rule_needs_are_held(rule, buffers):
    state = scale_by_rule(rule).init(jnp.zeros(100))
    held = [moment for moment in (state.mu, state.nu, state.xi) if moment is not None]
    assert len(held) == buffers
    assert sum(leaf.nbytes for leaf in held) == 400 * buffers
    assert (state.key is None) == (rule != "noise")


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32])
def test_updates_and_state_keep_their_types_so_that_scan_accepts_them(dtype):
    weights = params(dtype)
    optimizer = to_optax(
        EVERYTHING, optax.linear_schedule(0.1, 0.0, 10), mu_dtype=jnp.float32, total_steps=10
    )
    state = optimizer.init(weights)
    assert state[0].mu["a"].dtype == jnp.float32
    assert state[0].nu["a"].dtype == dtype

    def step(carry, _):
        weights, state = carry
        updates, state = optimizer.update(gradients_of(weights), state, weights)
        return (optax.apply_updates(weights, updates), state), updates

    (_, state), updates = jax.lax.scan(step, (weights, state), length=3)
    assert {leaf.dtype for leaf in jax.tree.leaves(updates)} == {jnp.dtype(dtype)}
    assert state[0].count == 3


def test_the_second_step_is_not_compiled_again():
    traces = []
    optimizer = to_optax(EVERYTHING, 0.1, total_steps=10, weight_decay=0.1)

    @jax.jit
    def step(weights, state):
        traces.append(1)
        updates, state = optimizer.update(gradients_of(weights), state, weights)
        return optax.apply_updates(weights, updates), state

    weights, state = params(), optimizer.init(params())
    for _ in range(3):
        weights, state = step(weights, state)
    assert len(traces) == 1


WRAPPERS = {
    "chain": lambda tx: optax.chain(optax.clip_by_global_norm(1.0), tx),
    "multi_transform": lambda tx: optax.multi_transform(
        {"x": tx, "y": optax.sgd(0.1)}, {"a": "x", "b": ("y", "x")}
    ),
    "masked": lambda tx: optax.masked(tx, {"a": True, "b": (False, True)}),
    "MultiSteps": lambda tx: optax.MultiSteps(tx, 2),
    "apply_if_finite": lambda tx: optax.apply_if_finite(tx, 3),
}


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_a_rule_works_inside_what_optax_wraps_around_it(wrapper):
    optimizer = WRAPPERS[wrapper](to_optax(EVERYTHING, 0.1, total_steps=10))

    @jax.jit
    def step(weights, state):
        updates, state = optimizer.update(gradients_of(weights), state, weights)
        return optax.apply_updates(weights, updates), state

    weights, state = params(), optimizer.init(params())
    for _ in range(4):
        weights, state = step(weights, state)
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(weights))
    assert not jnp.array_equal(weights["a"], params()["a"])


def test_hyperparameters_can_be_injected_and_changed():
    injected: Any = optax.inject_hyperparams(to_optax)(
        rule=EVERYTHING, learning_rate=0.1, total_steps=10
    )
    weights, state = params(), injected.init(params())
    # An injected 0.999 is rounded to float32 before it is taken from 1.
    assert_close(
        run(injected, 3)[0], run(to_optax(EVERYTHING, 0.1, total_steps=10), 3)[0], rtol=1e-3
    )
    state.hyperparams["learning_rate"] = jnp.float32(0.0)
    updates, _ = jax.jit(injected.update)(gradients_of(weights), state, weights)
    assert all((leaf == 0.0).all() for leaf in jax.tree.leaves(updates))


def test_vmap_over_runs_equals_the_loop():
    optimizer = to_optax("adam * exp(m) + ld * w", 0.1, total_steps=10)
    starts = jnp.arange(8.0).reshape(2, 4)

    def end(start) -> Any:
        return run(optimizer, 3, start)[0]

    assert_close(jax.vmap(end)(starts), jnp.stack([end(start) for start in starts]), rtol=1e-5)


def test_sharded_parameters_get_the_updates_of_whole_ones():
    mesh = jax.sharding.Mesh(jax.devices(), "device")
    sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("device"))
    optimizer = to_optax(EVERYTHING, 0.1, total_steps=10)
    weights = jnp.linspace(-1.0, 1.0, 8)

    @jax.jit
    def step(weights):
        return optimizer.update(gradients_of(weights), optimizer.init(weights), weights)[0]

    sharded = step(jax.device_put(weights, sharding))
    assert len(sharded.sharding.device_set) == 2
    assert_close(np.asarray(sharded), np.asarray(step(weights)))


def test_the_state_names_its_parts_for_optax():
    optimizer = to_optax("adam", 0.1)
    marked: Any = optax.tree.map_params(optimizer, lambda leaf: "moment", optimizer.init(params()))
    assert marked[0].mu == {"a": "moment", "b": ("moment", "moment")}
    assert optax.tree.get(optimizer.init(params()), "count") == 0


def test_a_restored_state_goes_on_as_if_never_stopped():
    optimizer = to_optax(EVERYTHING, 0.1, total_steps=10)
    weights, state = run(optimizer, 2)
    restored = jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)), state)
    expected, _ = optimizer.update(gradients_of(weights), state, weights)
    actual, _ = optimizer.update(gradients_of(weights), restored, weights)
    jax.tree.map(np.testing.assert_array_equal, actual, expected)


def test_noise_differs_by_leaf_by_step_and_by_seed():
    ones = {"a": jnp.ones(5000), "b": jnp.ones(5000)}

    def draws(seed):
        optimizer, rows = scale_by_rule("noise", seed=seed), []
        state = optimizer.init(ones)
        for _ in range(2):
            updates, state = optimizer.update(ones, state)
            rows += [updates["a"], updates["b"]]
        return rows

    rows = np.stack(draws(0) + draws(1))
    np.testing.assert_allclose(np.cov(rows), 0.01 * np.eye(8), atol=6e-4)
    np.testing.assert_array_equal(np.stack(draws(0)), rows[:4])


def test_drop_keeps_the_promised_share_unscaled():
    optimizer = scale_by_rule("drop(g, 0.3) + 10 * drop(g, 0.5)")
    updates, _ = optimizer.update(jnp.ones(20_000), optimizer.init(jnp.ones(20_000)))
    values, counts = np.unique(updates, return_counts=True)
    np.testing.assert_array_equal(values, [0.0, 1.0, 10.0, 11.0])
    np.testing.assert_allclose(counts / 20_000, [0.15, 0.35, 0.15, 0.35], atol=0.01)


def test_annealed_noise_has_the_variance_of_its_step():
    optimizer = scale_by_rule("annealed_noise")
    state = optimizer.init(jnp.ones(50_000))._replace(count=jnp.int32(99))
    updates, _ = optimizer.update(jnp.ones(50_000), state)
    assert np.var(updates) == pytest.approx(100**-0.55, rel=0.03)


def test_decays_follow_the_progress_and_stop_at_its_end():
    optimizer = scale_by_rule("ld", total_steps=4)
    state, seen = optimizer.init(jnp.ones(1)), []
    for _ in range(6):
        updates, state = optimizer.update(jnp.ones(1), state)
        seen.append(float(updates[0]))
    assert seen == [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]


def test_a_negative_base_fails_unless_the_exponent_is_whole():
    g = jnp.array([-2.0, 2.0])
    for text, expected in (
        ("g^3", [-8, 8]),
        ("g^0.5", [np.nan, 2**0.5]),
        ("g^-2", [0.25, 0.25]),
        ("g^g", [0.25, 4]),
    ):
        updates, _ = scale_by_rule(text).update(g, scale_by_rule(text).init(g))
        np.testing.assert_allclose(updates, expected, rtol=1e-6)


def test_a_rule_without_arrays_is_spread_over_the_parameters():
    for text in ("1", "ld", "1 / 0", "2^0.5"):
        updates, _ = run(to_optax(text, 0.1, total_steps=10), 1)
        assert jax.tree.map(jnp.shape, updates) == jax.tree.map(jnp.shape, params())


@pytest.mark.parametrize("tree", [(), {}, None, {"a": None}])
def test_an_empty_tree_stays_empty(tree):
    optimizer = to_optax("adam + noise", 0.1)
    updates, _ = optimizer.update(tree, optimizer.init(tree), tree)
    assert updates == tree


def test_extra_arguments_of_update_are_ignored():
    optimizer = to_optax("g", 0.1)
    updates, _ = optimizer.update(jnp.ones(1), optimizer.init(jnp.ones(1)), value=jnp.float32(3.0))
    assert updates[0] == pytest.approx(-0.1)


@pytest.mark.parametrize("name", NAMED_RULES)
def test_every_named_rule_compiles_and_moves(name):
    optimizer = to_optax(name, 1e-3, total_steps=10)
    state = optimizer.init(jnp.ones(2))
    for gradients in (jnp.array([1.0, -2.0]), jnp.array([-0.5, -1.0])):
        updates, state = optimizer.update(gradients, state, jnp.ones(2))
    assert jnp.isfinite(updates).all()
    assert (updates != 0.0).any()


@pytest.mark.parametrize(
    ("rule", "arguments", "message"),
    [
        ("g * ld + cd10", {}, r"\(ld, cd10\): pass total_steps"),
        ("ld", {"total_steps": 0}, "positive number of steps, at most 107,374,182; received 0"),
        ("ld", {"total_steps": 2.5}, "positive number of steps, at most 107,374,182; received 2.5"),
        (
            "ld",
            {"total_steps": np.int64(0)},
            "positive number of steps, at most 107,374,182; received 0",
        ),
        (
            "ld",
            {"total_steps": np.float32(2.5)},
            "positive number of steps, at most .* received 2.5",
        ),
        (
            "ld",
            {"total_steps": jnp.float32(0)},
            "positive number of steps, at most .* received 0.0",
        ),
        ("ld", {"total_steps": "10"}, "positive number of steps, at most .* received 10"),
        ("m", {"b1": 1.0}, "0 <= b1 < 1; received 1.0"),
        ("adam", {"eps": -1.0}, "eps must not be negative; received -1.0"),
        ("powersgin", {}, "Did you mean 'powersign'"),
    ],
)
def test_a_mistake_is_named_when_the_optimizer_is_made(rule, arguments, message):
    with pytest.raises(InvalidInput, match=message):
        to_optax(rule, 0.1, **arguments)


@pytest.mark.parametrize(
    "rate", ["0.1", None, math.nan, np.float32("inf"), 1j, [0.1], jnp.array(1j)]
)
def test_what_is_no_learning_rate_is_refused_when_the_optimizer_is_made(rate):
    """A text was met in the first step, NaN never; None is one to optax, and led uphill."""
    with pytest.raises(InvalidInput, match="learning_rate is a finite number, or a schedule"):
        to_optax("adam", rate)
    if rate is not None:
        with pytest.raises(InvalidInput, match="weight_decay is a finite number, or a schedule"):
            to_optax("adam", 0.1, weight_decay=rate)


@pytest.mark.parametrize(
    "rate", [0, 1, -0.1, np.float32(0.1), np.array(0.1), jnp.bfloat16(0.1), lambda count: 0.1]
)
def test_whatever_optax_takes_for_a_learning_rate_is_taken(rate):
    optimizer = to_optax("adam", rate, weight_decay=rate)
    optimizer.update(jnp.ones(2), optimizer.init(jnp.ones(2)), jnp.ones(2))


def test_an_unknown_argument_is_refused():
    with pytest.raises(TypeError, match="beta1"):
        to_optax("adam", 0.1, beta1=0.9)


def test_a_rule_that_reads_the_parameters_says_so():
    optimizer = to_optax("g + 1e-2 * w", 0.1)
    with pytest.raises(
        InvalidInput, match=r"depends on the parameters w: call update\(gradients, state, params\)"
    ):
        optimizer.update(jnp.ones(1), optimizer.init(jnp.ones(1)))


@pytest.mark.parametrize("dtype", [jnp.complex64, jnp.int32])
def test_what_is_no_real_number_is_refused_by_name(dtype):
    with pytest.raises(InvalidInput, match=rf"leaf '\['a'\]' is {jnp.dtype(dtype)}"):
        to_optax("g", 0.1).init({"a": jnp.ones(1, dtype)})


def test_leaves_may_be_numbers_of_python_as_in_optax():
    weights, gradients = {"scale": 1.5}, {"scale": 0.3}
    for rule, twin in (("adam", optax.adam(0.1)), ("g + 0 * w", optax.sgd(0.1))):
        optimizer = to_optax(rule, 0.1)
        updates, _ = optimizer.update(gradients, optimizer.init(weights), weights)
        expected: Any = twin.update(gradients, twin.init(weights), weights)[0]
        assert float(updates["scale"]) == pytest.approx(float(expected["scale"]), rel=1e-6)


def test_labels_and_shards_with_a_seed_of_their_own_draw_their_own():
    ones = {"a": jnp.ones(64), "b": jnp.ones(64)}

    def masks(first: int, second: int) -> Any:
        labelled = optax.multi_transform(
            {
                "x": to_optax("drop(g, 0.5)", 1.0, seed=first),
                "y": to_optax("drop(g, 0.5)", 1.0, seed=second),
            },
            {"a": "x", "b": "y"},
        )
        return labelled.update(ones, labelled.init(ones))[0]

    same, other = masks(0, 0), masks(0, 1)
    assert jnp.array_equal(same["a"], same["b"])  # what the docstring warns of
    assert not jnp.array_equal(other["a"], other["b"])

    mesh = jax.sharding.Mesh(jax.devices(), "shard")
    spec = jax.sharding.PartitionSpec("shard")

    def sharded(own: bool) -> Any:
        def update(g: jax.Array) -> Any:
            key = jax.random.key(0)
            own_key = jax.random.fold_in(key, jax.lax.axis_index("shard")) if own else key
            optimizer = to_optax("drop(g, 0.5)", 1.0, seed=own_key)
            return optimizer.update(g, optimizer.init(g))[0]

        run = jax.jit(jax.shard_map(update, mesh=mesh, in_specs=spec, out_specs=spec))
        return np.split(np.asarray(run(jnp.ones(128))), 2)

    assert np.array_equal(*sharded(own=False))
    assert not np.array_equal(*sharded(own=True))


def test_a_rule_may_come_as_itself_as_text_or_as_a_name():
    rules: list[Rule | str] = [
        parse("exp(sign(g) * sign(m)) * g"),
        "exp(sign(g)*sign(m))*g",
        "powersign",
    ]
    first, *others = [run(to_optax(rule, 0.1), 2)[0] for rule in rules]
    for other in others:
        assert_close(other, first, rtol=0.0)


def test_the_examples_of_the_docstrings_run():
    for module in (
        importlib.import_module(to_optax.__module__),
        importlib.import_module(update_rules.to_json.__module__),
    ):
        results = doctest.testmod(module)
        assert results.attempted > 0
        assert results.failed == 0
