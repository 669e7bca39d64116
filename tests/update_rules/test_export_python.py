"""The exporter to optax: the file does what the compiler does, reads well, and holds no surprises."""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import inspect
import subprocess
import sys
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
    Provenance,
    parse,
    to_python,
    to_torch,
)

to_optax: Any = update_rules.to_optax  # types of trees are too wide for a checker to follow

AWKWARD = (
    "1",
    "ld",
    "-(-g)^2",
    "2^g * -1",
    "exp(2)^0.5 * g",
    "1 / (2 / 3)",
    "0 - g^-2",
    "g^20",
    "clip(ld, 0.5)^m",
)


def at_random(state, rng):
    """Returns the state of a rule with random numbers in its moments."""
    moments = {
        name: jnp.asarray(rng.standard_normal(8) ** (2 if name == "nu" else 1), jnp.float32)
        for name in ("mu", "nu", "xi")
        if getattr(state, name, None) is not None
    }
    return state._replace(count=jnp.int32(rng.integers(0, 90)), **moments)


def assert_same_step(ours, theirs, rng):
    g, w = (jnp.asarray(rng.standard_normal(8), jnp.float32) for _ in range(2))
    (first, *rest), (other, *others) = ours.init(w), theirs.init(w)
    seed = int(rng.integers(1000))
    first = at_random(first, np.random.default_rng(seed))
    other = at_random(other, np.random.default_rng(seed))
    expected, after = ours.update(g, (first, *rest), w)
    actual, after_other = theirs.update(g, (other, *others), w)
    np.testing.assert_allclose(actual, expected, rtol=1e-6)
    for leaf, other_leaf in zip(jax.tree.leaves(after), jax.tree.leaves(after_other), strict=True):
        np.testing.assert_allclose(other_leaf, leaf, rtol=1e-6)


@pytest.mark.parametrize("name", NAMED_RULES)
def test_a_named_rule_takes_the_compilers_step(name, load):
    steps = {"total_steps": 100} if "progress" in NAMED_RULES[name].rule.needs else {}
    module = load(to_python(name))
    function = getattr(module, name.replace("-", "_"))
    assert_same_step(to_optax(name, 0.1, **steps), function(0.1, **steps), np.random.default_rng(0))


@pytest.mark.parametrize("share", [4, pytest.param(1, marks=pytest.mark.slow)])
def test_random_rules_take_the_compilers_step_random_draws_included(
    share, load, rules_of_every_depth
):
    """Two hundred of them, or a share."""
    rng = np.random.default_rng(1)
    rules = [
        *rules_of_every_depth(160 // share),
        *rules_of_every_depth(40 // share, "constants"),
        *map(parse, AWKWARD),
    ]
    for number, rule in enumerate(rules):
        steps = {"total_steps": 100} if "progress" in rule.needs else {}
        module = load(to_python(rule, name="rule"), f"exported_{number}")
        assert_same_step(to_optax(rule, 0.1, **steps), module.rule(0.1, **steps), rng)


def test_arguments_mean_what_they_mean_to_the_compiler(load):
    text = "adam + y * noise"
    arguments = {
        "b1": 0.8,
        "b2": 0.9,
        "b3": 0.7,
        "eps": 1e-2,
        "weight_decay": 0.1,
        "seed": 3,
        "mu_dtype": jnp.bfloat16,
    }
    module = load(to_python(text))
    schedule = optax.linear_schedule(0.1, 0.0, 10)
    ours, theirs = to_optax(text, schedule, **arguments), module.found_rule(schedule, **arguments)
    assert_same_step(ours, theirs, np.random.default_rng(2))
    assert theirs.init(jnp.ones(2))[0].mu.dtype == jnp.bfloat16


def test_the_file_trains_a_small_model_as_its_usage_shows(load):
    module = load(to_python("powersign"))
    params = {"w": jnp.array([1.0, -2.0]), "b": jnp.array(3.0)}

    def loss(params):
        return jnp.sum(params["w"] ** 2) + params["b"] ** 2

    optimizer = module.powersign(learning_rate=0.1)
    state = optimizer.init(params)

    @jax.jit
    def step(params, state):
        updates, state = optimizer.update(jax.grad(loss)(params), state, params)
        return optax.apply_updates(params, updates), state

    for _ in range(20):
        params, state = step(params, state)
    assert loss(params) < 1e-2


@pytest.mark.parametrize("text", ["g", "powersign", "adam + y", "ld * w", "noise + drop(g, 0.3)"])
def test_there_is_one_public_function_with_the_arguments_that_matter(text, load):
    module = load(to_python(text, name="rule"))
    public = [
        name
        for name, value in vars(module).items()
        if inspect.isfunction(value)
        and value.__module__ == module.__name__
        and not name.startswith("_")
    ]
    assert public == ["rule"]
    rule = parse(NAMED_RULES[text].text if text in NAMED_RULES else text)
    expected = {"learning_rate", "weight_decay", "mask"}
    expected |= {"b1", "mu_dtype"} if "m" in rule.needs else set()
    expected |= {"b2"} if "v" in rule.needs else set()
    expected |= {"b3"} if "y" in rule.needs else set()
    expected |= {"eps"} if "adam" in text else set()
    expected |= {"total_steps"} if "progress" in rule.needs else set()
    expected |= {"seed"} if "random" in rule.needs else set()
    assert set(inspect.signature(module.rule).parameters) == expected
    tree = ast.parse(inspect.getsource(module))
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert imported == {"jax", "jax.numpy", "optax"}


def test_the_head_tells_formula_origin_learning_rate_and_use():
    provenance = Provenance(
        found_in="a search of 3 minutes",
        problem="digits-mlp",
        seed=7,
        metarl_version="0.1.0",
        learning_rate=0.03,
        adam_learning_rate=0.01,
        tuned_on="digits-mlp",
    )
    head = ast.get_docstring(ast.parse(to_python("exp(m) * g", name="mine", provenance=provenance)))
    for line in (
        "mine: an update rule for neural networks, as an optax transform.",
        "    update = exp(m) · g",
        "- m: bias-corrected moving average of g",
        r"LaTeX: e^{\hat{m}} \cdot g",
        "Found in: a search of 3 minutes",
        "Found on: digits-mlp",
        "Seed: 7",
        "Found with metarl: 0.1.0",
        "Learning rate: 0.03 on digits-mlp, where Adam's is 0.01.",
        "    optimizer = mine(learning_rate=0.03)",
    ):
        assert line in (head or "").splitlines()


def test_a_named_rule_brings_its_own_name_and_source():
    source = to_python(parse(NAMED_RULES["powersign"].text))
    assert "def powersign(" in source
    assert f"Found in: {NAMED_RULES['powersign'].source}" in source


def test_the_formula_is_written_as_a_person_would():
    assert "update = jnp.exp(jnp.sign(g) * jnp.sign(m)) * g\n" in to_python("powersign")
    source = to_python("adam * exp(g^2) - ld")
    assert "adam = m / (jnp.sqrt(v) + eps)\n" in source
    progress = "progress = jnp.where(t < total_steps, 1.0 * t / total_steps, 1.0)\n"
    assert progress + "            ld = 1.0 - progress\n" in source
    assert "update = adam * jnp.exp(g**2) - ld\n" in source
    assert "cd10 = 0.5 * (1.0 + jnp.cos(20.0 * jnp.pi * progress))" in to_python("cd10 * g")


@pytest.mark.skipif(importlib.util.find_spec("ruff") is None, reason="ruff is not installed")
def test_files_are_formatted_and_the_same_every_time(tmp_path, rules_of_every_depth):
    rules = [
        *rules_of_every_depth(40),
        *map(parse, AWKWARD),
        parse("drop(m, 0.3) * noise + w / cd10"),
    ]
    for number, rule in enumerate(rules):
        for language, export in (("python", to_python), ("torch", to_torch)):
            (tmp_path / f"{language}_{number}.py").write_text(export(rule), encoding="utf-8")
        assert to_python(rule) == to_python(parse(str(rule)))
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--isolated", "--diff", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


HOSTILE = (
    '"""\nraise SystemExit\n"""',
    "ends in a backslash \\",
    "\\N{BULLET} \\u0041 \\x",
    "a\x00b\u202ec\r\nd",
    "{g}",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_of_the_provenance_can_leave_the_docstring(text, load):
    provenance = Provenance(found_in=text, problem=text, metarl_version=text, note=text)
    source = to_python("g", name="rule", provenance=provenance)
    reference = to_python("g", name="rule", provenance=Provenance())
    bodies = [ast.dump(ast.Module(ast.parse(code).body[1:], [])) for code in (source, reference)]
    assert bodies[0] == bodies[1]
    assert load(source).rule(0.1)


@pytest.mark.parametrize(
    "name", ["two words", "class", "_hidden", "jnp", "1st", "", 'x"""', "naïve", "f(): pass\ndef g"]
)
def test_a_name_that_is_no_identifier_is_refused(name):
    with pytest.raises(InvalidInput, match="is an identifier of Python"):
        to_python("g", name=name)


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["learning_rate", "adam_learning_rate"])
def test_a_learning_rate_is_positive(name, rate):
    with pytest.raises(InvalidInput, match=f"^{name} is a positive number"):
        Provenance(**{name: rate})


def test_a_head_says_the_learning_rate_that_the_table_knows_and_no_mark_without_words():
    text = " ".join(to_python("adam-step-back").split())
    assert (
        "Learning rate: 0.0316 on all search problems of metarl together, which are short," in text
    )
    assert "adam_step_back(learning_rate=0.0316228)" in text
    assert "Learning rate: not measured" in to_python("powersign")
    for name in NAMED_RULES:
        for source in (to_python(name), to_torch(name)):
            assert "[?]" not in source and "[v]" not in source and "[r]" not in source, name
    assert "92.8 %, quoted from memory" in " ".join(to_python("powersign").split())


def test_the_head_names_no_newer_optax_than_metarl_itself_asks_for():
    requirements = importlib.metadata.requires("metarl") or []
    least = next(line for line in requirements if line.startswith("optax>="))
    numbers = tuple(int(x) for x in least.removeprefix("optax>=").split("."))
    assert numbers >= (0, 2, 5)  # the first with `optax.tree`, which the file calls
    assert "needs jax and optax >= 0.2.5 alone." in to_python("adam")


@pytest.mark.parametrize("text", ["g", "adam", "g + 1e-2 * w"])
@pytest.mark.parametrize("dtype", [jnp.complex64, jnp.int32])
def test_the_file_refuses_what_is_no_real_number_as_the_compiler_does(text, dtype, load):
    module = load(to_python(text, name="rule"))
    wrong, right = {"a": jnp.ones(1, dtype)}, {"a": jnp.ones(1)}
    for make in (lambda: to_optax(text, 0.1), lambda: module.rule(0.1)):
        with pytest.raises(ValueError) as init:
            make().init(wrong)
        with pytest.raises(ValueError) as update:
            make().update(wrong, make().init(right), right)
        for raised, what in ((init, "parameters"), (update, "gradients")):
            assert str(raised.value) == (
                f"Update rules work on real floating-point {what}; leaf '['a']' is {jnp.dtype(dtype)}. "
                "Leave it out with optax.masked, or cast it."
            )


def test_the_file_takes_numbers_of_python_for_leaves(load):
    module = load(to_python("adam + 0 * w", name="rule"))
    optimizer, weights = module.rule(0.1), {"scale": 1.5}
    updates, _ = optimizer.update({"scale": 0.3}, optimizer.init(weights), weights)
    twin = optax.adam(0.1)
    expected: Any = twin.update({"scale": 0.3}, twin.init(weights), weights)[0]
    assert float(updates["scale"]) == pytest.approx(float(expected["scale"]), rel=1e-6)


def test_the_file_works_inside_inject_hyperparams_under_jit(load):
    rate = optax.linear_schedule(0.1, 0.0, 4)
    module, gradients = load(to_python("adam-powersign")), jnp.array([1.0, -2.0])
    ours = to_optax("adam-powersign", rate)
    optimizer = optax.inject_hyperparams(module.adam_powersign)(learning_rate=rate)

    @jax.jit
    def step(state, expected_state):
        return optimizer.update(gradients, state), ours.update(gradients, expected_state)

    (updates, _), (expected, _) = step(optimizer.init(gradients), ours.init(gradients))
    np.testing.assert_allclose(
        updates, expected, rtol=1e-3
    )  # 0.999 is rounded before it is taken from 1
    small = gradients.astype(jnp.bfloat16)

    def coarse_update(dtype: Any) -> Any:
        tx = optax.inject_hyperparams(module.adam_powersign, hyperparam_dtype=dtype)(
            learning_rate=0.1
        )
        return tx.update(small, tx.init(small), small)[0]

    assert jnp.isnan(coarse_update(None)).all()
    assert jnp.isfinite(coarse_update(jnp.float32)).all()
    said = " ".join((module.adam_powersign.__doc__ or "").split())
    assert "give it `hyperparam_dtype=jnp.float32`" in said


def test_the_file_draws_from_a_seed_or_from_a_typed_key_of_any_kind(load):
    module, ones = load(to_python("drop(g, 0.5)", name="rule")), jnp.ones(64)

    def mask(seed: Any) -> Any:
        optimizer, ours = module.rule(1.0, seed=seed), to_optax("drop(g, 0.5)", 1.0, seed=seed)
        updates = optimizer.update(ones, optimizer.init(ones))[0]
        np.testing.assert_array_equal(updates, ours.update(ones, ours.init(ones))[0])
        return updates

    drawn = [mask(0), mask(1), mask(jax.random.key(0, impl="rbg"))]
    assert len({tuple(np.asarray(updates).tolist()) for updates in drawn}) == 3
    np.testing.assert_array_equal(mask(jax.random.key(0)), drawn[0])
