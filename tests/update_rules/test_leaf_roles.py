"""Functions of matrices by the roles of leaves: one meaning in every executor, and none where no roles are given."""

from __future__ import annotations

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
    LEAF_ROLES,
    MATRIX_ROLES,
    OF_MATRICES,
    Grammar,
    Interpreter,
    exact_updates,
    parse,
    reference_update,
    to_python,
    to_torch,
)

scale_by_rule: Any = update_rules.scale_by_rule  # types of trees are too wide for a checker
to_optax: Any = update_rules.to_optax

SHAPES = {  # in jax's order
    "bias": (4,),
    "head": (4, 6),
    "kernel": (3, 3, 2, 4),
    "stack": (2, 3, 4),
    "table": (7, 4),
    "w": (4, 4),
}
ROLES: dict[str, Any] = {
    "bias": "vector",
    "head": "output",
    "kernel": "convolution",
    "stack": "embedding",
    "table": "embedding",
    "w": "matrix",
}
FLAGS = tuple(role in MATRIX_ROLES for role in ROLES.values())
P = sum(map(math.prod, SHAPES.values()))
EVERYTHING = "cautious(ortho(m)) + rownorm(g) * rms(g) - colnorm(m)"
TEXTS = (
    "ortho(m)",
    "rownorm(m)",
    "colnorm(m) * sign(g)",
    "ortho(rownorm(m)) + cautious(g)",
    "rms(m)",
)


def tree_of(flat):
    """The tree of a flat vector, [P]."""
    leaves, first = {}, 0
    for name, shape in SHAPES.items():
        leaves[name] = flat[first : first + math.prod(shape)].reshape(shape)
        first += math.prod(shape)
    return leaves


def flat_of(tree):
    """The vector of a tree, [P]."""
    return np.concatenate([np.asarray(x).ravel() for x in jax.tree.leaves(tree)])


def gradients(seed=0):
    """A tree of gradients, float32."""
    return tree_of(np.random.default_rng(seed).standard_normal(P).astype(np.float32))


def one_step(optimizer, g):
    """The first updates of a transform, under jit."""
    return jax.jit(lambda g: optimizer.update(g, optimizer.init(g), g)[0])(g)


# --- what it means ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OF_MATRICES)
def test_a_leaf_that_is_no_matrix_by_its_role_is_what_a_vector_is_to_a_function_of_matrices(name):
    x = np.random.default_rng(1).standard_normal((3, 5))
    by_shape = reference_update(f"{name}(g)", x)
    np.testing.assert_array_equal(reference_update(f"{name}(g)", x, role="matrix"), by_shape)
    as_vector = reference_update(f"{name}(g)", x.ravel()).reshape(x.shape)
    for role in set(LEAF_ROLES) - set(MATRIX_ROLES):
        np.testing.assert_array_equal(
            reference_update(f"{name}(g)", x, role=role), as_vector, err_msg=role
        )
    assert abs(by_shape - as_vector).max() > 0.1


@pytest.mark.parametrize("name", ["rms", "cautious"])
def test_functions_of_the_whole_tensor_know_no_roles(name):
    x = np.random.default_rng(1).standard_normal((3, 5))
    for role in (None, "embedding"):
        np.testing.assert_array_equal(
            reference_update(f"{name}(w)", x, w=x[::-1], role=role),
            reference_update(f"{name}(w)", x.ravel(), w=x[::-1].ravel()).reshape(x.shape),
        )


def test_ortho_of_m_by_roles_is_muon_with_the_same_leaves_and_the_rest_has_its_size():
    numbers: Any = {
        name: optax.contrib.MuonDimensionNumbers(tuple(range(len(shape) - 1)), len(shape) - 1)
        if ROLES[name] in MATRIX_ROLES
        else None
        for name, shape in SHAPES.items()
    }
    muon: Any = optax.contrib.muon(-1.0, nesterov=False, muon_weight_dimension_numbers=numbers)
    g = gradients()
    got = one_step(scale_by_rule("ortho(m)", b1=0.95, roles=ROLES), g)
    expected = one_step(muon, g)
    for name, role in ROLES.items():
        if role in MATRIX_ROLES:
            np.testing.assert_allclose(got[name], expected[name], atol=1e-5, err_msg=name)
        else:
            size = np.sqrt(np.mean(np.square(g[name])))
            np.testing.assert_allclose(got[name], g[name] / size, rtol=1e-5, err_msg=name)


@pytest.mark.parametrize("text", ["rownorm(-g)", "colnorm(-g)", "-rms(-g) + ortho(g * 1)"])
def test_a_canonical_form_keeps_the_bits_by_roles_too(text):
    x = np.random.default_rng(2).standard_normal((3, 5)).astype(np.float32)
    for role in ("matrix", "output"):
        plain, canonical = (
            reference_update(rule, x, role=role) for rule in (parse(text), parse(text).canonical())
        )
        np.testing.assert_array_equal(plain, canonical)


# --- one meaning in every executor -----------------------------------------------------------------------------------


def test_a_step_by_roles_is_the_same_interpreted_compiled_exported_and_by_hand(load):
    g, w = gradients(), gradients(3)
    grammar = Grammar("modern", 2)
    tokens = np.stack([grammar.to_tokens(parse(text)) for text in TEXTS])
    shapes = tuple(SHAPES.values())
    states: dict[str, Any] = {name: flat_of(g)[None].astype(float) for name in "gmsc"}
    states |= {"v": states["g"] ** 2, "y": states["g"] ** 3, "w": flat_of(w)[None].astype(float)}
    run: dict[str, Any] = {"t": np.zeros((1, 1)), "total_steps": 9, "epsilon": 1e-8}
    exact = exact_updates(grammar, tokens, shapes, FLAGS, **states, **run)[:, 0]
    interpreter = Interpreter(grammar, shapes=shapes, matrices=FLAGS)
    tables = interpreter.randomness(P)

    @jax.jit
    def interpreted(row):
        moments = interpreter.moments(interpreter.init(P), jnp.asarray(flat_of(g)))
        numbers = (jnp.int32(0), jnp.int32(9), jnp.int32(0))
        args = (jnp.asarray(flat_of(g)), jnp.asarray(flat_of(w)), *numbers, tables)
        return interpreter.update(row, moments, *args)

    for number, (text, expected) in enumerate(zip(TEXTS, exact, strict=True)):
        file = load(to_python(text, name="rule"), f"by_roles_{number}")
        named = {"roles": ROLES} if parse(text).of_matrices else {}
        seen = {
            "compiler": flat_of(one_step(to_optax(text, -1.0, roles=ROLES), g)),
            "file": flat_of(one_step(file.rule(-1.0, **named), g)),
            "interpreter": np.asarray(interpreted(jnp.asarray(tokens[number]))),
            "reference": flat_of(
                {
                    name: reference_update(
                        text,
                        leaf.astype(float),
                        m=leaf.astype(float),
                        v=leaf.astype(float) ** 2,
                        role=ROLES[name],
                    )
                    for name, leaf in g.items()
                }
            ),
        }
        for executor, value in seen.items():
            np.testing.assert_allclose(
                value, expected, rtol=2e-3, atol=2e-5, err_msg=f"{executor}: {text}"
            )
        by_shapes = flat_of(one_step(to_optax(text, -1.0), g))
        assert (abs(by_shapes - expected).max() > 0.1) == (text != "rms(m)"), text


def test_without_roles_and_by_roles_that_say_what_shapes_do_the_bits_are_the_same(load):
    as_shapes = {**ROLES, "head": "matrix", "stack": "convolution", "table": "matrix"}
    file = load(to_python(EVERYTHING, name="rule"), "off").rule
    g = gradients()
    plain = one_step(to_optax(EVERYTHING, -1.0), g)
    for optimizer in (to_optax(EVERYTHING, -1.0, roles=as_shapes), to_optax(EVERYTHING, -1.0)):
        jax.tree.map(np.testing.assert_array_equal, one_step(optimizer, g), plain)
    jax.tree.map(
        np.testing.assert_array_equal,
        one_step(file(-1.0), g),
        one_step(file(-1.0, roles=as_shapes), g),
    )


# --- how roles are given ---------------------------------------------------------------------------------------------


def test_roles_are_a_tree_a_prefix_of_one_or_a_function_for_the_file_too(load):
    g = {"embed": gradients(), "w": gradients(4)["w"]}
    file = load(to_python(EVERYTHING, name="rule"), "prefix").rule
    whole = {"embed": dict.fromkeys(SHAPES, "embedding"), "w": "matrix"}
    prefix = {"embed": "embedding", "w": "matrix"}
    for make in (lambda **x: to_optax(EVERYTHING, -1.0, **x), lambda **x: file(-1.0, **x)):
        expected = one_step(make(roles=whole), g)
        for roles in (prefix, lambda tree: whole):
            jax.tree.map(np.testing.assert_array_equal, one_step(make(roles=roles), g), expected)


def test_vmap_multisteps_masks_and_injected_numbers_leave_the_roles_as_they_are():
    g = gradients()
    plain = to_optax(EVERYTHING, -1.0, roles=ROLES)
    expected = one_step(plain, g)
    kept = {name: name != "head" for name in SHAPES}
    masked = one_step(optax.masked(plain, kept), g)
    for name, leaf in masked.items():
        np.testing.assert_allclose(leaf, expected[name] if kept[name] else g[name], atol=1e-5)
    inject = optax.inject_hyperparams(to_optax, static_args=("rule", "roles"))
    injected = one_step(inject(EVERYTHING, -1.0, roles=lambda tree: ROLES), g)
    repeated = optax.MultiSteps(plain, 2)
    state = repeated.init(g)
    for _ in range(2):
        accumulated, state = jax.jit(repeated.update)(g, state, g)
    lanes = jax.tree.map(lambda x, y: jnp.stack([jnp.asarray(x), jnp.asarray(y)]), g, gradients(5))
    together = jax.jit(jax.vmap(lambda g: plain.update(g, plain.init(g), g)[0]))(lanes)
    first = jax.tree.map(lambda x: x[0], together)
    for seen in (injected, accumulated, first):
        np.testing.assert_allclose(flat_of(seen), flat_of(expected), atol=2e-5)


def test_sharded_arrays_give_by_roles_what_whole_ones_do():
    mesh = jax.sharding.Mesh(np.array(jax.devices()[:2]), ("d",))
    spread = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("d"))
    g = jnp.asarray(np.random.default_rng(6).standard_normal((8, 6)), jnp.float32)
    optimizer = scale_by_rule(EVERYTHING, roles="output")
    step = jax.jit(lambda g: optimizer.update(g, optimizer.init(g))[0])
    np.testing.assert_allclose(step(jax.device_put(g, spread)), step(g), atol=1e-5)


BAD_ROLES = {
    "unknown": (
        {**ROLES, "table": "embeding"},
        r"Unknown role of leaf 'table' 'embeding'\. Did you mean 'embedding'\? Known: convolution, embedding, matrix",
    ),
    "no text": ({**ROLES, "table": 3}, r"Unknown role of leaf 'table' '3'"),
    "of no leaf": (
        {**ROLES, "tabel": "embedding"},
        r"roles must be a tree like the parameters' or a prefix of it, with a role at each place; received PyTreeDef",
    ),
    "missing": ({"w": "matrix"}, r"roles must be a tree like the parameters' or a prefix of it"),
    "one axis": (
        {**ROLES, "bias": "matrix"},
        r"leaf 'bias' of shape \[4\] cannot have the role matrix, which needs 2 axes\.",
    ),
    "two axes": (
        {**ROLES, "w": "convolution"},
        r"leaf 'w' of shape \[4, 4\] cannot have the role convolution, which needs at least 3 axes\.",
    ),
}


@pytest.mark.parametrize("case", BAD_ROLES)
def test_bad_roles_are_refused_by_what_they_are(case):
    roles, says = BAD_ROLES[case]
    g, optimizer = gradients(), to_optax("ortho(m)", -1.0, roles=roles)
    with pytest.raises(InvalidInput, match=says):
        optimizer.init(g)
    state = to_optax("ortho(m)", -1.0).init(g)
    with pytest.raises(InvalidInput, match=says):
        optimizer.update(g, state)


def test_the_file_and_the_reference_and_the_interpreter_refuse_them_too(load):
    file = load(to_python("ortho(g)", name="rule"), "refusing").rule
    with pytest.raises(
        ValueError, match=r"a role is one of matrix, convolution, .*; got 'embeding'"
    ):
        one_step(file(-1.0, roles={**ROLES, "table": "embeding"}), gradients())
    with pytest.raises(InvalidInput, match=r"the leaf of shape \[3\] cannot have the role matrix"):
        reference_update("ortho(g)", np.ones(3), role="matrix")
    says = "matrices says of 1 leaves whether they may be matrices, and there are 2"
    with pytest.raises(InvalidInput, match=says):
        Interpreter(Grammar("modern", 1), shapes=((2, 3), (3,)), matrices=(True,))


# --- torch -----------------------------------------------------------------------------------------------------------


@pytest.mark.extras
def test_groups_of_the_torch_class_have_roles(load):
    torch = pytest.importorskip("torch")
    Rule = load(to_torch("ortho(m) + rownorm(g)", name="Rule"), "torch_roles").Rule
    g = {name: gradients()[name] for name in ("w", "head")}
    params = {name: torch.nn.Parameter(torch.zeros(x.T.shape)) for name, x in g.items()}
    for name, p in params.items():
        p.grad = torch.tensor(np.ascontiguousarray(g[name].T))
    groups = [{"params": [params["head"]], "role": "output"}, {"params": [params["w"]]}]
    optimizer = Rule(groups, lr=1.0)
    optimizer.step()
    expected = one_step(
        to_optax("ortho(m) + rownorm(g)", -1.0, roles={"head": "output", "w": "matrix"}), g
    )
    for name, p in params.items():
        np.testing.assert_allclose(-p.detach().numpy().T, expected[name], rtol=2e-3, atol=2e-5)
    # a checkpoint of a file that knew no roles goes by shapes
    stored = optimizer.state_dict()
    for group in stored["param_groups"]:
        del group["role"]
    restored = Rule([{"params": [params["head"]]}, {"params": [params["w"]]}], lr=1.0)
    restored.load_state_dict(stored)
    assert [group["role"] for group in restored.param_groups] == [None, None]
    says = "role is one of matrix, convolution, embedding, output, vector or None; got 'embeding'"
    for roles in ({"role": "embeding"}, {}):
        with pytest.raises(ValueError, match=says):
            Rule([{"params": [params["w"]], **roles}], role="embeding" if not roles else None)
