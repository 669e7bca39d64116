"""SOAP, MARS, Adan and caution: step by step as their papers say, and wherever optax's own optimizers work."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from metarl import optimizers
from metarl.errors import InvalidInput
from metarl.optimizers import eigenbasis
from metarl.optimizers.matrices import convolution, from_matrices, resolved, to_matrices

STEPS, FREQUENCY = 12, 4
MAKERS = {
    "soap": functools.partial(optimizers.soap, precondition_frequency=FREQUENCY),
    "mars": optimizers.mars,
    "adan": optimizers.adan,
    "cautious_adamw": optimizers.cautious_adamw,
    "cautious": lambda learning_rate: optimizers.cautious(optax.sgd(learning_rate, momentum=0.9)),
}
MATRICES = {"matrix": convolution(2), "kernel": convolution(4), "wide": None, "bias": None}
SHAPES = {"matrix": (4, 4), "kernel": (2, 1, 3, 6), "wide": (2, 5), "bias": (3,)}


def gradients_of(steps: int = STEPS) -> list[dict[str, np.ndarray]]:
    """Returns gradients whose products have eigenvalues far apart, so that eigenvectors are well defined."""
    rng = np.random.default_rng(0)
    trees = []
    for _ in range(steps):
        tree = {name: rng.normal(size=shape) for name, shape in SHAPES.items()}
        tree["matrix"] = np.diag([4.0, 2.0, 1.0, 0.5]) + 0.1 * tree["matrix"]
        square = np.diag([5.0, 3.0, 2.0, 1.0, 0.5, 0.2]) + 0.05 * rng.normal(size=(6, 6))
        tree["kernel"] = square.reshape(SHAPES["kernel"])
        trees.append({name: leaf.astype(np.float32) for name, leaf in tree.items()})
    return trees


class NaiveSoap:
    """Algorithm 3 for one leaf, read from the paper; the bases are set at the first call, which moves nothing."""

    b1, b2, eps = 0.95, 0.95, 1e-8

    def __init__(self, is_matrix: bool):
        self.is_matrix, self.t, self.m, self.v = is_matrix, 0, 0.0, 0.0

    def __call__(self, g: np.ndarray) -> np.ndarray:
        g = g.astype(float)
        shape = g.shape
        g = g.reshape(-1, shape[-1]) if self.is_matrix else g
        first = self.t == 0
        if first:
            self.left = np.zeros((len(g), len(g)))
            self.right = np.zeros((g.shape[-1], g.shape[-1]))
        else:
            u = self.direction(g)
        if self.is_matrix:
            self.left = self.b2 * self.left + (1 - self.b2) * g @ g.T
            self.right = self.b2 * self.right + (1 - self.b2) * g.T @ g
            if first:
                self.p, self.q = (np.linalg.eigh(x)[1][:, ::-1] for x in (self.left, self.right))
            elif self.t % FREQUENCY == 0:
                self.p = np.linalg.qr(self.left @ self.p)[0]
                self.q = np.linalg.qr(self.right @ self.q)[0]
        self.t += 1
        return np.zeros(shape) if first else u.reshape(shape)

    def direction(self, g: np.ndarray) -> np.ndarray:
        self.m = self.b1 * self.m + (1 - self.b1) * g
        turned, mean = (self.p.T @ x @ self.q if self.is_matrix else x for x in (g, self.m))
        self.v = self.b2 * self.v + (1 - self.b2) * turned**2
        mean = mean / (1 - self.b1**self.t)
        u = mean / (np.sqrt(self.v / (1 - self.b2**self.t)) + self.eps)
        return self.p @ u @ self.q.T if self.is_matrix else u


class NaiveMars:
    """Algorithm 2 for one leaf, with the gradient before in place of the second gradient."""

    b1, b2, gamma, eps = 0.95, 0.99, 0.025, 1e-8

    def __init__(self, is_matrix: bool):
        self.t, self.m, self.v = 0, 0.0, 0.0

    def __call__(self, g: np.ndarray) -> np.ndarray:
        g = g.astype(float)
        before = g if self.t == 0 else self.before
        c = g + self.gamma * self.b1 / (1 - self.b1) * (g - before)
        if np.linalg.norm(c) > 1:
            c = c / np.linalg.norm(c)
        self.t, self.before = self.t + 1, g
        self.m = self.b1 * self.m + (1 - self.b1) * c
        self.v = self.b2 * self.v + (1 - self.b2) * c**2
        mean, square = self.m / (1 - self.b1**self.t), self.v / (1 - self.b2**self.t)
        return mean / (np.sqrt(square) + self.eps)


class NaiveAdan:
    """Algorithm 1 for one leaf, in the paper's own letters: its betas are one less ours."""

    b1, b2, b3, eps = 1 - 0.98, 1 - 0.92, 1 - 0.99, 1e-8

    def __init__(self, is_matrix: bool):
        self.t, self.m, self.v, self.n = 0, 0.0, 0.0, 0.0

    def __call__(self, g: np.ndarray) -> np.ndarray:
        g = g.astype(float)
        before = g if self.t == 0 else self.before
        self.t, self.before = self.t + 1, g
        self.m = (1 - self.b1) * self.m + self.b1 * g
        self.v = (1 - self.b2) * self.v + self.b2 * (g - before)
        self.n = (1 - self.b3) * self.n + self.b3 * (g + (1 - self.b2) * (g - before)) ** 2
        m, v, n = (
            x / (1 - (1 - b) ** self.t)
            for x, b in ((self.m, self.b1), (self.v, self.b2), (self.n, self.b3))
        )
        return (m + (1 - self.b2) * v) / (np.sqrt(n) + self.eps)


class NaiveCautiousAdam:
    """Adam, masked and scaled leaf by leaf."""

    b1, b2, eps = 0.9, 0.999, 1e-8

    def __init__(self, is_matrix: bool):
        self.t, self.m, self.v = 0, 0.0, 0.0

    def __call__(self, g: np.ndarray) -> np.ndarray:
        g = g.astype(float)
        self.t += 1
        self.m = self.b1 * self.m + (1 - self.b1) * g
        self.v = self.b2 * self.v + (1 - self.b2) * g**2
        u = self.m / (1 - self.b1**self.t) / (np.sqrt(self.v / (1 - self.b2**self.t)) + self.eps)
        kept = np.array([x * y > 0 for x, y in zip(u.ravel(), g.ravel(), strict=True)])
        return u * kept.reshape(g.shape) / max(kept.mean(), 1e-3)


class NaiveCautiousMomentum:
    """Heavy-ball momentum, masked and scaled leaf by leaf."""

    def __init__(self, is_matrix: bool):
        self.m = 0.0

    def __call__(self, g: np.ndarray) -> np.ndarray:
        self.m = 0.9 * self.m + g.astype(float)
        kept = self.m * g > 0
        return self.m * kept / max(kept.mean(), 1e-3)


NAIVE = {
    "soap": NaiveSoap,
    "mars": NaiveMars,
    "adan": NaiveAdan,
    "cautious_adamw": NaiveCautiousAdam,
    "cautious": NaiveCautiousMomentum,
}


def make(name: str, learning_rate: Any = 0.1, **settings: Any) -> Any:
    if name == "soap":
        settings["weight_dimension_numbers"] = MATRICES
    return MAKERS[name](learning_rate, **settings)


@functools.cache
def stepper(name: str) -> Any:
    """Returns the compiled (learning rate, state, gradients) -> updates, state, one program for all tests."""

    def step(rate: Any, state: Any, gradients: Any) -> Any:
        return make(name, rate).update(gradients, state, gradients)

    return jax.jit(step)


def all_updates(name: str, rate: float = 1.0) -> list[Any]:
    state, found = make(name).init(gradients_of(1)[0]), []
    for gradients in gradients_of():
        updates, state = stepper(name)(rate, state, gradients)
        found.append(updates)
    return found


def close(actual: Any, expected: Any, rtol: float = 1e-4, atol: float = 1e-4) -> None:
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(
            np.asarray(x, float), np.asarray(y, float), rtol=rtol, atol=atol
        ),
        actual,
        expected,
    )


@pytest.mark.parametrize("name", MAKERS)
def test_every_step_is_that_of_the_paper(name):
    naive = {leaf: NAIVE[name](MATRICES[leaf] is not None) for leaf in SHAPES}
    for number, (updates, gradients) in enumerate(
        zip(all_updates(name), gradients_of(), strict=True)
    ):
        expected = {leaf: -naive[leaf](g) for leaf, g in gradients.items()}
        assert number == 0 or any(np.abs(u).max() > 0.1 for u in expected.values())
        close(updates, expected, rtol=2e-3, atol=2e-3 if name == "soap" else 1e-4)


def test_soap_takes_matrices_for_matrices_unless_it_is_told_more():
    params = {"matrix": jnp.ones((3, 2)), "kernel": jnp.ones((2, 2, 2)), "bias": jnp.ones(3)}
    state: Any = optimizers.scale_by_soap().init(params)
    assert state.left["kernel"] is None and state.left["bias"] is None
    assert state.left["matrix"].basis.shape == (1, 3, 3)
    assert state.right["matrix"].basis.shape == (1, 2, 2)
    told: Any = optimizers.scale_by_soap(
        weight_dimension_numbers=lambda tree: jax.tree.map(
            lambda leaf: convolution(leaf.ndim) if leaf.ndim == 3 else None, tree
        )
    ).init(params)
    assert told.left["matrix"] is None and told.left["kernel"].basis.shape == (1, 4, 4)


def test_a_side_that_is_too_long_keeps_its_axes(monkeypatch):
    monkeypatch.setattr(eigenbasis, "_LONGEST_SIDE", 3)
    transform = optimizers.scale_by_soap()
    state: Any = transform.init(jnp.ones((4, 3)))
    assert state.left is None and state.right.basis.shape == (1, 3, 3)
    gradients = jnp.asarray(np.random.default_rng(0).normal(size=(4, 3)), jnp.float32)
    _, state = transform.update(gradients, state)
    updates: Any = transform.update(gradients, state)[0]
    assert np.isfinite(updates).all() and np.abs(updates).max() > 0.1


def test_a_stack_of_matrices_is_each_by_itself():
    numbers = optax.contrib.MuonDimensionNumbers(reduction_axis=2, output_axis=0)
    stack = jnp.asarray(np.random.default_rng(0).normal(size=(4, 3, 2)), jnp.float32)
    matrices = to_matrices(stack, numbers)
    assert matrices.shape == (3, 2, 4)
    np.testing.assert_array_equal(matrices[1], stack[:, 1, :].T)
    np.testing.assert_array_equal(from_matrices(matrices, stack.shape, numbers), stack)
    assert resolved({"a": numbers, "b": None}, {"a": stack, "b": {"c": stack, "d": stack}}) == [
        numbers,
        None,
        None,
    ]


def test_matrices_are_told_in_lists_and_tuples_too():
    """Networks keep their blocks in lists."""
    one, stack = convolution(2), np.zeros((2, 3))
    tree = {"blocks": [{"w": stack, "b": stack[0]}, {"w": stack, "b": stack[0]}], "pair": (stack,)}
    numbers = {"blocks": [{"w": one, "b": None}, {"w": one, "b": None}], "pair": (None,)}
    expected = [None, one, None, one, None]  # in the order of leaves: "b" before "w"
    assert resolved(numbers, tree) == expected
    assert resolved({"blocks": [None, one], "pair": None}, tree) == [None, None, one, one, None]


def test_soap_of_a_basis_that_is_the_axes_is_adam():
    """The products of diagonal gradients have the axes for eigenvectors."""
    soap = optimizers.scale_by_soap(b1=0.9, b2=0.99)
    adam = optax.scale_by_adam(b1=0.9, b2=0.99)
    first = jnp.diag(jnp.array([3.0, 2.0, 1.0]))
    states: Any = [soap.init(first), adam.init(first)]
    _, states[0] = soap.update(first, states[0])
    for factor in (1.0, -0.5, 2.0):
        updates, states[0] = soap.update(factor * first, states[0])
        expected, states[1] = adam.update(factor * first, states[1])
        close(updates, expected, 1e-5, 1e-5)


@pytest.mark.parametrize("name", MAKERS)
def test_many_learning_rates_at_once_are_one_after_another(name):
    rates = jnp.array([0.1, 1.0, 3.0])
    start = make(name).init(gradients_of(1)[0])

    @jax.jit
    def last(rate):
        state = start
        for gradients in gradients_of(3):
            updates, state = make(name, rate).update(gradients, state, gradients)
        return updates

    together = jax.jit(jax.vmap(last))(rates)
    alone = [last(rate) for rate in rates]
    close(together, jax.tree.map(lambda *x: jnp.stack(x), *alone), 1e-3, 1e-3)


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32])
def test_updates_and_state_keep_their_types(name, dtype):
    params = jax.tree.map(lambda x: jnp.asarray(x, dtype), gradients_of(1)[0])
    optimizer = make(name)
    state = optimizer.init(params)
    updates, after = jax.eval_shape(optimizer.update, params, state, params)
    assert {leaf.dtype for leaf in jax.tree.leaves(updates)} == {jnp.dtype(dtype)}
    assert jax.tree.map(lambda x: (x.shape, x.dtype), after) == jax.tree.map(
        lambda x: (x.shape, x.dtype), state
    )


@pytest.mark.parametrize("name", MAKERS)
def test_multi_steps_and_masked_take_it_as_their_own(name):
    four = gradients_of(4)
    one, optimizer = four[0], make(name)
    means = [jax.tree.map(lambda x, y: (x + y) / 2, *pair) for pair in (four[:2], four[2:])]
    _, state = stepper(name)(0.1, optimizer.init(one), means[0])
    expected, _ = stepper(name)(0.1, state, means[1])
    steps = optax.MultiSteps(optimizer, every_k_schedule=2)
    state, update = steps.init(one), jax.jit(steps.update)
    for gradients in four:
        updates, state = update(gradients, state, gradients)
    close(updates, expected, 1e-3, 1e-4)
    if name == "soap":
        optimizer = MAKERS[name](0.1)  # its numbers are those of the whole tree
    masked = optax.masked(optimizer, {**dict.fromkeys(SHAPES, True), "bias": False})
    updates: Any = masked.update(one, masked.init(one), one)[0]
    np.testing.assert_array_equal(updates["bias"], one["bias"])


@pytest.mark.parametrize("name", ["soap", "mars", "adan", "cautious_adamw"])
def test_weight_decay_is_decoupled(name):
    one = gradients_of(1)[0]
    plain, decayed = make(name, 0.1), make(name, 0.1, weight_decay=0.5)
    updates, _ = plain.update(one, plain.init(one), one)
    more, _ = decayed.update(one, decayed.init(one), one)
    close(more, jax.tree.map(lambda u, w: u - 0.05 * w, updates, one), 1e-5, 1e-6)


@pytest.mark.parametrize("name", MAKERS)
def test_it_is_the_same_on_two_devices(name):
    mesh = jax.sharding.Mesh(jax.devices()[:2], "x")
    one, two, *_ = gradients_of(2)
    state = make(name).init(one)
    _, state = stepper(name)(0.1, state, one)
    expected, _ = stepper(name)(0.1, state, two)
    split = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(None, "x"))
    whole = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    spread = {
        leaf: jax.device_put(x, split if leaf == "matrix" else whole) for leaf, x in two.items()
    }
    state = jax.device_put(state, whole)
    updates, _ = stepper(name)(0.1, state, spread)
    close(updates, expected, 1e-4, 1e-5)


TARGETS = {
    "parabola": jnp.array([1.0, -1.0, 1.0]),
    "matrix": jnp.array([[3.0, -2.0], [1.0, 4.0]]),
}


@pytest.mark.parametrize(
    ("name", "rate"),
    [
        ("soap", 0.1),
        ("mars", 0.1),
        ("adan", 0.1),
        ("cautious_adamw", 0.1),
        ("cautious", 0.05),
    ],
)
def test_it_finds_the_minimum_of_a_parabola(name, rate):
    optimizer = MAKERS[name](optax.linear_schedule(rate, 0.0, 400))

    def loss(params):
        parts = jax.tree.map(lambda x, y: jnp.sum(jnp.square(x - y)), params, TARGETS)
        return sum(jax.tree.leaves(parts))

    def step(carry, _):
        params, state = carry
        updates, state = optimizer.update(jax.grad(loss)(params), state, params)
        return (optax.apply_updates(params, updates), state), None

    start = jax.tree.map(jnp.zeros_like, TARGETS)
    (params, state), _ = jax.jit(lambda carry: jax.lax.scan(step, carry, length=400))(
        (start, optimizer.init(start))
    )
    close(params, TARGETS, 3e-2, 3e-2)
    assert optax.tree.map_params(optimizer, lambda v: v, state) is not None


@pytest.mark.slow
@pytest.mark.parametrize("name", MAKERS)
def test_it_goes_down_the_valley_of_rosenbrock(name):
    optimizer = MAKERS[name](1e-3 if name == "cautious" else 1e-2)

    def loss(w):
        return jnp.square(1.0 - w[0]) + 100.0 * jnp.square(w[1] - w[0] ** 2)

    def step(carry, _):
        params, state = carry
        updates, state = optimizer.update(jax.grad(loss)(params), state, params)
        return (optax.apply_updates(params, updates), state), None

    start = jnp.zeros(2)
    run = jax.jit(lambda carry: jax.lax.scan(step, carry, length=30_000))
    (params, _), _ = run((start, optimizer.init(start)))
    close(params, jnp.ones(2), 3e-2, 3e-2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: optimizers.soap(0.1, b2=1.0), "0 <= b2 < 1; received 1.0"),
        (
            lambda: optimizers.soap(0.1, precondition_frequency=0),
            "precondition_frequency is a number of steps, at least 1; received 0",
        ),
        (lambda: optimizers.mars(0.1, gamma=-1.0), "gamma is a number, 0 or more; received -1.0"),
        (lambda: optimizers.adan(0.1, b3=-0.1), "0 <= b3 < 1; received -0.1"),
        (lambda: optimizers.cautious_adamw(0.1, b1=2.0), "0 <= b1 < 1; received 2.0"),
        (
            lambda: optimizers.soap("0.1"),  # pyright: ignore[reportArgumentType]
            "learning_rate is a finite number, or a schedule",
        ),
        (
            lambda: optimizers.cautious("adam"),  # pyright: ignore[reportArgumentType]
            "takes an optimizer of optax.*; received 'adam'",
        ),
    ],
)
def test_what_is_out_of_range_is_named(call, message):
    with pytest.raises(InvalidInput, match=message):
        call()
