"""Functions of whole tensors, and the averages `s` and `c`: what they mean, in every executor."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax import lax

from metarl import update_rules
from metarl.errors import InvalidInput
from metarl.update_rules import (
    Grammar,
    Interpreter,
    Space,
    exact_updates,
    parse,
    reference_update,
    to_python,
    to_torch,
)

scale_by_rule: Any = update_rules.scale_by_rule  # types of trees are too wide for a checker
to_optax: Any = update_rules.to_optax

SHAPES = {"b": (5,), "k": (3, 3, 2, 4), "m": (7, 4), "n": (4, 6), "s": ()}  # in jax's order
NAMES = ("ortho", "rms", "rownorm", "colnorm", "cautious")
STEPS = 7
P = sum(math.prod(shape) for shape in SHAPES.values())


def tree_of(flat):
    """The tree of a flat vector, [..., P]."""
    leaves, first = {}, 0
    for name, shape in SHAPES.items():
        last = first + math.prod(shape)
        leaves[name] = flat[..., first:last].reshape((*flat.shape[:-1], *shape))
        first = last
    return leaves


def flat_of(tree, batch=0):
    """The vector of a tree, [..., P]."""
    leaves = jax.tree.leaves(tree)
    return np.concatenate([np.asarray(x).reshape(*x.shape[:batch], -1) for x in leaves], axis=-1)


# --- what each means -------------------------------------------------------------------------------------------------


def root_mean_square(x):
    return math.sqrt(sum(float(entry) ** 2 for entry in x) / len(x))


def by_loops(name, x, g):
    """A function of one leaf, entry by entry."""
    if name == "cautious":
        kept = [float(a) * float(b) > 0 for a, b in zip(x.ravel(), g.ravel(), strict=True)]
        share = max(sum(kept) / len(kept), 1e-3)
        value = [a / share if keep else 0.0 for a, keep in zip(x.ravel(), kept, strict=True)]
        return np.reshape(value, x.shape)
    if name == "rms" or x.ndim < 2:
        return x / root_mean_square(x.ravel())
    matrix = x.reshape(-1, x.shape[-1])
    if name == "ortho":
        return muon_by_singular_values(matrix).reshape(x.shape)
    value = matrix.copy()
    for i, j in np.ndindex(*matrix.shape):
        value[i, j] /= root_mean_square(matrix[i] if name == "rownorm" else matrix[:, j])
    return value.reshape(x.shape)


def muon_by_singular_values(matrix):
    """The odd polynomial, five times, of the singular values of a matrix over its Frobenius norm."""
    u, values, v = np.linalg.svd(matrix, full_matrices=False)
    values = values / np.linalg.norm(matrix)
    for _ in range(5):
        values = 3.4445 * values - 4.7750 * values**3 + 2.0315 * values**5
    return math.sqrt(max(1.0, matrix.shape[1] / matrix.shape[0])) * (u * values) @ v


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [*SHAPES.values(), (1, 6), (6, 1), (2, 3, 4), (2, 2, 2, 3, 2)])
def test_a_function_of_a_tensor_is_what_loops_over_its_entries_say(name, shape):
    rng = np.random.default_rng(0)
    x, g = rng.standard_normal(shape), rng.standard_normal(shape)
    got = reference_update(f"{name}(w)", g, w=x, epsilon=0.0)
    np.testing.assert_allclose(got, by_loops(name, x, g), rtol=1e-10, atol=1e-12)


def test_entries_of_ortho_have_one_size_for_a_number_of_inputs_and_a_vector_has_one():
    rng = np.random.default_rng(1)
    for inputs, outputs in ((64, 8), (8, 64), (16, 16), (1, 9)):
        value = reference_update("ortho(g)", rng.standard_normal((inputs, outputs)))
        assert 0.65 < root_mean_square(value.ravel()) * math.sqrt(inputs) < 1.2
    vector = reference_update("ortho(g)", rng.standard_normal(9))
    np.testing.assert_allclose(root_mean_square(vector), 1.0)


@pytest.mark.parametrize("name", NAMES)
def test_zeros_stay_zeros_numbers_count_as_full_tensors_and_failures_stay_failures(name):
    zeros, broken = np.zeros((3, 4)), np.array([[1.0, np.nan], [2.0, -1.0]])
    np.testing.assert_array_equal(reference_update(f"{name}(g)", zeros), zeros)
    assert np.isnan(reference_update(f"{name}(g)", broken)).any()
    full = reference_update(f"{name}(g)", np.full((3, 4), 2.0))
    g = np.ones((3, 4), np.float32)
    for text in (f"{name}(2)", f"{name}(ld + 1)"):
        optimizer = scale_by_rule(text, total_steps=9)
        np.testing.assert_allclose(optimizer.update(g, optimizer.init(g))[0], full, rtol=1e-5)


def dimensions(params):
    """Which leaves are matrices, as optax's Muon takes it."""

    def of(leaf):
        if leaf.ndim < 2:
            return None
        return optax.contrib.MuonDimensionNumbers(tuple(range(leaf.ndim - 1)), leaf.ndim - 1)

    return jax.tree.map(of, params)


def test_ortho_of_m_takes_the_direction_of_muon_on_matrices():
    ours: Any = scale_by_rule("ortho(m)", b1=0.95)
    theirs: Any = optax.contrib.muon(-1.0, nesterov=False, muon_weight_dimension_numbers=dimensions)
    gradients = tree_of(jnp.asarray(history()))

    def over(optimizer):
        def step(state, g):
            updates, state = optimizer.update(g, state, g)
            return state, updates

        start = optimizer.init(jax.tree.map(lambda x: x[0], gradients))
        return jax.jit(lambda g: lax.scan(step, start, g)[1])(gradients)

    got, expected = over(ours), over(theirs)
    for name in ("k", "m", "n"):
        np.testing.assert_allclose(got[name], expected[name], atol=1e-5)


# --- one law in every executor ---------------------------------------------------------------------------------------


def history(seed=0):
    """Gradients of a run, [N, P]: a lasting part and noise."""
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(P) + rng.standard_normal((STEPS, P))).astype(np.float32)


def averages_by_hand(gradients, slow_b=0.9999, b1=0.9, b2=0.99):
    """m, v, y, s and c after the last gradient, in double precision."""
    m, v, y, lion = (np.zeros(P) for _ in range(4))
    total, c = np.zeros(P), np.zeros(P)
    for t, g in enumerate(gradients.astype(float)):
        m, v, y = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2, 0.999 * y + 0.001 * g**3
        total = total + g
        c = (b1 * lion + (1 - b1) * g) / (1 - b1 * b2**t)
        lion = b2 * lion + (1 - b2) * g
    n = len(gradients)
    assert n < 1 / (1 - slow_b)
    corrected = {"m": m / (1 - 0.9**n), "v": v / (1 - 0.999**n), "y": y / (1 - 0.999**n)}
    return {**corrected, "s": total / n, "c": c}


TEXTS = (
    *("s", "c", "sign(c)", "adam + s", "ortho(m)", "ortho(c)", "rms(adam)", "cautious(adam)"),
    *("rownorm(m)", "colnorm(m)", "cautious(ortho(m))", "ortho(rms(m)) + 1e-2 * w"),
    *("cautious(rownorm(s)) * sign(g)", "ortho(cautious(m)) - colnorm(c)", "rms(exp(m)) * g"),
)


@pytest.fixture(scope="module")
def rules():
    """A grammar, rules of it that are told and rules drawn, and their tokens."""
    grammar = Grammar("modern", 2)
    drawn = grammar.sample(np.random.default_rng(3), 8)
    tokens = np.stack([*(grammar.to_tokens(parse(text)) for text in TEXTS), *drawn])
    return grammar, [grammar.to_rule(row) for row in tokens], tokens


def after_the_history(optimizers):
    """The updates of optax transforms at the last step of a history, [K, P], compiled as one program."""
    gradients, w = tree_of(jnp.asarray(history())), tree_of(jnp.asarray(weights()))

    def step(states, g):
        pairs = [o.update(g, s, w) for o, s in zip(optimizers, states, strict=True)]
        return [state for _, state in pairs], [update for update, _ in pairs]

    start = [optimizer.init(w) for optimizer in optimizers]
    updates = jax.jit(lambda g: lax.scan(step, start, g)[1])(gradients)
    return np.stack([flat_of(jax.tree.map(lambda x: x[-1], update)) for update in updates])


def weights():
    return np.random.default_rng(9).standard_normal(P).astype(np.float32)


def interpreted(grammar, tokens, executor):
    """The interpreter's updates at the last step of the history, [K, P]."""
    interpreter = Interpreter(grammar, shapes=tuple(SHAPES.values()))
    gradients, w = jnp.asarray(history()), jnp.asarray(weights())
    tables = interpreter.randomness(P)

    def last(rows, gradients):
        moments, _ = lax.scan(
            lambda moments, g: (interpreter.moments(moments, g), None),
            interpreter.init(P),
            gradients,
        )

        def one(row):
            t, total, seed = jnp.int32(STEPS - 1), jnp.int32(50), jnp.int32(0)
            return interpreter.update(row, moments, gradients[-1], w, t, total, seed, tables)

        return jax.vmap(one)(rows) if executor == "select" else lax.map(one, rows)

    return np.asarray(jax.jit(last)(jnp.asarray(tokens), gradients))


def test_a_step_is_the_same_interpreted_compiled_exported_and_by_hand(rules, load):
    """On one step from states that a history of gradients leaves, of a tree that has leaves of every kind.

    Where single and double precision of the reference are apart, rounding decides (the sign of a difference), and there
    is nothing to compare.
    """
    grammar, texts, tokens = rules
    exact = the_same_in_every_executor(grammar, texts, tokens, load, "rule")
    # one rule, leaf by leaf, without anything flat
    g, w = history()[-1].astype(float), weights().astype(float)
    for name, leaf in tree_of(g).items():
        own = {key: tree_of(x)[name] for key, x in averages_by_hand(history()).items()}
        value = reference_update("ortho(rms(m)) + 1e-2 * w", leaf, w=tree_of(w)[name], **own)
        row = TEXTS.index("ortho(rms(m)) + 1e-2 * w")
        np.testing.assert_allclose(tree_of(exact[row])[name], value, rtol=1e-12)


def test_a_normalised_rule_is_divided_by_its_size_in_each_tensor_and_is_what_it_is_written_as(load):
    plain = Grammar("sign", 2)
    tokens = [plain.to_tokens(parse(text)) for text in ("g", "adam + g", "exp(sign(g)) * m")]
    tokens = np.stack([*tokens, *plain.sample(np.random.default_rng(4), 5)])
    grammar = Grammar("sign", 2, normalised=True)
    rules = [grammar.to_rule(row) for row in tokens]
    assert str(rules[1]) == "rms(adam + g)"
    exact = the_same_in_every_executor(grammar, rules, tokens, load, "normalised")
    assert (np.isfinite(exact).all(axis=1)).sum() > 4
    for row, update in zip(tokens, exact, strict=True):
        for name, leaf in tree_of(update).items():
            own = {key: tree_of(x)[name] for key, x in averages_by_hand(history()).items()}
            leaves = (tree_of(x.astype(float))[name] for x in (history()[-1], weights()))
            g, w = leaves
            bare = reference_update(plain.to_rule(row), g, w=w, t=STEPS - 1, total_steps=50, **own)
            size = root_mean_square(bare.ravel())
            np.testing.assert_allclose(leaf * (size + 1e-8), bare, rtol=1e-9, atol=1e-12)


def the_same_in_every_executor(grammar, texts, tokens, load, title):
    """The updates of rules in double precision, [K, P], after a look at everybody else's."""
    g, w = history()[-1].astype(float), weights().astype(float)
    states = {**averages_by_hand(history()), "g": g, "w": w}
    shapes = tuple(SHAPES.values())
    t: dict[str, Any] = {"t": np.array([[STEPS - 1]]), "total_steps": 50, "epsilon": 1e-8}
    exact = exact_updates(
        grammar, tokens, shapes, **{name: x[None] for name, x in states.items()}, **t
    )[:, 0]
    files = [
        load(to_python(rule, name="rule"), f"{title}_{number}").rule(-1.0, **length(rule))
        for number, rule in enumerate(texts)
    ]
    compiled = [to_optax(rule, -1.0, **length(rule)) for rule in texts]
    seen = {
        "compiler": after_the_history(compiled),
        "file": after_the_history(files),
        "interpreter": interpreted(grammar, tokens, "switch"),
        "selecting interpreter": interpreted(grammar, tokens, "select"),
    }
    shaken = {name: x * (1 + 1e-6) for name, x in states.items()}
    shaken = exact_updates(
        grammar, tokens, shapes, **{name: x[None] for name, x in shaken.items()}, **t
    )[:, 0]
    certain = np.isfinite(exact) & np.isclose(shaken, exact, rtol=1e-3, atol=1e-6)
    assert certain.mean() > 0.9
    for executor, values in seen.items():
        for rule, value, by_hand, sure in zip(texts, values, exact, certain, strict=True):
            np.testing.assert_allclose(
                value[sure], by_hand[sure], rtol=2e-3, atol=2e-5, err_msg=f"{executor}: {rule}"
            )
    return exact


def length(rule):
    """What a rule wants to know of its run."""
    return {"total_steps": 50} if "progress" in rule.needs else {}


def test_the_sign_of_c_is_lion_at_every_step(rules):
    gradients = np.random.default_rng(4).standard_normal((60, P)).astype(np.float32)
    # so that signs hang on the averages
    gradients[1::2] *= 0.05
    start = tree_of(jnp.zeros(P))
    ours, theirs = scale_by_rule("sign(c)"), optax.scale_by_lion()

    def over(optimizer):
        def step(state, g):
            updates, state = optimizer.update(tree_of(g), state)
            return state, updates

        return jax.jit(lambda g: lax.scan(step, optimizer.init(start), g)[1])(gradients)

    expected = flat_of(over(theirs), batch=1)
    np.testing.assert_array_equal(flat_of(over(ours), batch=1), expected)
    grammar, _, _ = rules
    interpreter = Interpreter(grammar, shapes=tuple(SHAPES.values()))

    def step(moments, g):
        after: Any = interpreter.moments(moments, g)
        return after, jnp.sign(after.c)

    got = jax.jit(lambda g: lax.scan(step, interpreter.init(P), g)[1])(gradients)
    np.testing.assert_array_equal(got, expected)
    assert (expected != np.sign(gradients)).mean() > 0.1


def test_the_slow_average_is_the_mean_until_its_rate_is_reached():
    gradients = np.random.default_rng(5).standard_normal((30, P)).astype(np.float32)
    optimizer = scale_by_rule("s", slow_b=0.9)
    interpreter = Interpreter(Grammar("modern", 1), slow_b=0.9)
    state: Any = optimizer.init(jnp.zeros(P))
    moments: Any = interpreter.init(P)
    update, by_hand = jax.jit(optimizer.update), np.zeros(P)
    for t, g in enumerate(gradients):
        share = max(1 / (t + 1), 0.1)
        by_hand = (1 - share) * by_hand + share * g
        if t < 10:
            np.testing.assert_allclose(by_hand, gradients[: t + 1].mean(0), atol=1e-6)
        updates, state = update(jnp.asarray(g), state)
        moments = interpreter.moments(moments, jnp.asarray(g))
        np.testing.assert_allclose(updates, by_hand, atol=1e-5)
        np.testing.assert_allclose(moments.s, by_hand, atol=1e-5)


def test_rates_mean_the_same_to_the_compiler_and_to_the_file(load):
    text = "s + c"
    rates = {"slow_b": 0.5, "lion_b1": 0.7, "lion_b2": 0.6, "mu_dtype": jnp.bfloat16}
    theirs = load(to_python(text, name="rule")).rule(-1.0, **rates)
    ours, plain = to_optax(text, -1.0, **rates), to_optax(text, -1.0)
    one, other, default = after_the_history([ours, theirs, plain])
    np.testing.assert_allclose(one, other, rtol=1e-6)
    assert abs(one - default).max() > 0.1
    state: Any = ours.init(jnp.zeros(3))[0]
    assert state.slow.dtype == state.lion.dtype == jnp.bfloat16
    with pytest.raises(
        InvalidInput, match=r"slow_b is the rate of a moving average.*received 1\.5"
    ):
        to_optax(text, 1.0, slow_b=1.5)


@pytest.mark.parametrize(
    ("rule", "held"), [("s", ["slow"]), ("c", ["lion"]), ("ortho(m)", ["mu"]), ("rms(g)", [])]
)
def test_only_the_averages_that_a_rule_needs_are_held(rule, held):
    state = scale_by_rule(rule).init(jnp.zeros(3))
    fields = ("mu", "nu", "xi", "key", "slow", "lion")
    assert [name for name in fields if getattr(state, name) is not None] == held
    bare = Interpreter(Grammar("arxiv", 1)).init(3)
    assert len(jax.tree.leaves(bare)) == 4


# --- under the transforms of jax and optax ---------------------------------------------------------------------------

EVERYTHING = "cautious(ortho(m)) + rownorm(c) * rms(s) + colnorm(g)"


def test_vmap_takes_each_lane_for_itself():
    optimizer = scale_by_rule(EVERYTHING)
    many = tree_of(jnp.asarray(history()))  # [N, ...] as lanes

    def one(g):
        return optimizer.update(g, optimizer.init(g))[0]

    together = jax.jit(jax.vmap(one))(many)
    for lane in range(2):
        alone = jax.jit(one)(jax.tree.map(lambda x, lane=lane: x[lane], many))
        np.testing.assert_allclose(
            flat_of(jax.tree.map(lambda x, lane=lane: x[lane], together)), flat_of(alone), atol=1e-5
        )


def test_sharded_arrays_give_what_whole_ones_do():
    mesh = jax.sharding.Mesh(np.array(jax.devices()[:2]), ("d",))
    spread = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("d"))
    g = jnp.asarray(np.random.default_rng(6).standard_normal((8, 6)), jnp.float32)
    optimizer = scale_by_rule(EVERYTHING)
    step = jax.jit(lambda g: optimizer.update(g, optimizer.init(g))[0])
    np.testing.assert_allclose(step(jax.device_put(g, spread)), step(g), atol=1e-5)


def test_multisteps_masks_and_injected_numbers_leave_the_step_as_it_is():
    rng = np.random.default_rng(7)
    gradients = [
        {"m": jnp.asarray(rng.standard_normal((4, 3))), "b": jnp.asarray(rng.standard_normal(3))}
        for _ in range(2)
    ]
    mean = jax.tree.map(lambda *x: sum(x) / 2, *gradients)
    plain = to_optax(EVERYTHING, -1.0)
    doubled = optax.MultiSteps(plain, 2)
    injected = optax.inject_hyperparams(to_optax, static_args=("rule",))(EVERYTHING, -1.0)
    matrices = optax.masked(plain, {"m": True, "b": False})

    @jax.jit
    def first_updates(mean, gradients):
        state = doubled.init(mean)
        for g in gradients:
            updates, state = doubled.update(g, state)
        rest = [o.update(mean, o.init(mean))[0] for o in (injected, matrices, plain)]
        return updates, *rest

    *seen, masked, expected = first_updates(mean, gradients)
    for updates in seen:
        np.testing.assert_allclose(flat_of(updates), flat_of(expected), atol=1e-5)
    np.testing.assert_allclose(masked["m"], expected["m"], atol=1e-5)
    np.testing.assert_array_equal(masked["b"], mean["b"])


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32])
def test_updates_keep_the_types_of_the_leaves_and_empty_leaves_stay_empty(dtype, load):
    g = {"m": jnp.ones((3, 2), dtype), "none": jnp.zeros((0, 4), dtype), "b": jnp.ones(3, dtype)}
    file = load(to_python(EVERYTHING, name="rule")).rule(-1.0)
    for optimizer in (to_optax(EVERYTHING, -1.0), file):
        updates, state = jax.jit(optimizer.update)(g, optimizer.init(g))
        assert jax.tree.map(lambda x: (x.shape, x.dtype), updates) == jax.tree.map(
            lambda x: (x.shape, x.dtype), g
        )
        assert all(np.isfinite(np.asarray(x, float)).all() for x in jax.tree.leaves(updates))
        again = jax.eval_shape(optimizer.update, g, state)[1]
        assert jax.tree.map(lambda x: x.dtype, again) == jax.tree.map(lambda x: x.dtype, state)


# --- where nobody knows the tensors ----------------------------------------------------------------------------------


def test_an_interpreter_that_does_not_know_the_tensors_says_so():
    grammar, zeros = Grammar("modern", 1), jnp.zeros(12)

    def update(**shapes):
        interpreter = Interpreter(grammar, **shapes)
        moments, tables = interpreter.init(12), interpreter.randomness(12)
        tokens = jnp.zeros(5, jnp.int32)
        return interpreter.update(
            tokens, moments, zeros, zeros, jnp.int32(0), jnp.int32(9), jnp.int32(0), tables
        )

    says = (
        r"The space 'modern' has functions of whole tensors \(ortho, rms, rownorm, colnorm, cautious\), and nothing "
        r"says which tensors the vector of 12 entries joins: give their shapes, shapes=\(\(64, 10\), \(10,\)\) say."
    )
    with pytest.raises(InvalidInput, match=says):
        update()
    with pytest.raises(InvalidInput, match="have 10 entries together, but the vector has 12"):
        update(shapes=((2, 5),))
    with pytest.raises(InvalidInput, match="nothing says which"):
        exact_updates(grammar, np.zeros((1, 5), np.int32), g=np.zeros((1, 12)))
    says = r"Normalised rules of the space 'sign' have functions of whole tensors \(rms\)"
    with pytest.raises(InvalidInput, match=says):
        Grammar("sign", 1, normalised=True).require_shapes(None, 3)
    # an operand may be one too; a space without any asks for nothing
    space = Space("own", ("g", "ortho(m)"), ("x",), ("keep",), "")
    with pytest.raises(InvalidInput, match=r"'own' has functions of whole tensors \(ortho\)"):
        Grammar(space, 1).require_shapes(None, 3)
    Grammar("arxiv", 1).require_shapes(None, 3)


def test_a_space_without_tensors_says_which_part_of_a_rule_it_cannot_write():
    with pytest.raises(
        InvalidInput, match=r"space 'arxiv' at depth 2: no slot offers 'ortho\(m\)'"
    ):
        Grammar("arxiv", 2).to_tokens(parse("ortho(m) + g"))


# --- torch -----------------------------------------------------------------------------------------------------------


@pytest.mark.extras
def test_a_step_is_the_same_in_torch_whose_weights_are_transposed(load):
    """Seven steps with each rule from the same gradients; weights are [outputs, inputs, ...] there."""
    torch = pytest.importorskip("torch")

    def there(leaf):
        axes = {2: (1, 0), 4: (3, 2, 0, 1)}.get(leaf.ndim, tuple(range(leaf.ndim)))
        return torch.tensor(np.ascontiguousarray(leaf.transpose(axes)))

    def back(tensor):
        leaf = tensor.detach().numpy()
        return leaf.transpose({2: (1, 0), 4: (2, 3, 1, 0)}.get(leaf.ndim, tuple(range(leaf.ndim))))

    expected = after_the_history([to_optax(text, -1.0) for text in TEXTS])
    for number, (text, row) in enumerate(zip(TEXTS, expected, strict=True)):
        Rule = load(to_torch(text, name="Rule"), f"torch_{number}").Rule
        params = {n: torch.nn.Parameter(there(x)) for n, x in tree_of(weights()).items()}
        optimizer = Rule(list(params.values()), lr=1.0)
        for g in history():
            for name, leaf in tree_of(g).items():
                with torch.no_grad():
                    params[name].copy_(there(tree_of(weights())[name]))
                params[name].grad = there(leaf)
            optimizer.step()
        got = {n: tree_of(weights())[n] - back(p) for n, p in params.items()}
        np.testing.assert_allclose(flat_of(got), row, rtol=2e-3, atol=2e-5, err_msg=text)


@pytest.mark.extras
def test_the_torch_class_saves_and_restores_its_averages(load, tmp_path):
    torch = pytest.importorskip("torch")
    Rule = load(to_torch("ortho(s) + c", name="Rule")).Rule

    def steps(p, optimizer):
        for _ in range(3):
            p.grad = torch.sin(p.detach())
            optimizer.step()

    p = torch.nn.Parameter(torch.arange(6.0).reshape(2, 3))
    optimizer = Rule([p], lr=0.1, slow_b=0.5)
    steps(p, optimizer)
    torch.save(optimizer.state_dict(), tmp_path / "state.pt")
    q = torch.nn.Parameter(p.detach().clone())
    restored = Rule([q], lr=0.7)
    restored.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    steps(p, optimizer)
    steps(q, restored)
    assert torch.equal(p, q)
    with pytest.raises(ValueError, match=r"0\.0 <= lion_b1 < 1\.0 is needed; got 1\.0"):
        Rule([p], lion_b1=1.0)
