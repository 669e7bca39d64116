"""The aliases: each is the rule it names, known to users, to type checkers and to the table alike."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from metarl import optimizers
from metarl.errors import InvalidInput
from metarl.update_rules import NAMED_RULES, to_optax

# What PowerSign and AddSign, whose settings are their own, and optax have.
ELSEWHERE = {"sgd", "momentum", "adam", "rmsprop", "powersign", "addsign"}
ALIASES = [
    name
    for name, row in NAMED_RULES.items()
    if row.found_here or (row.accuracy and name not in ELSEWHERE)
]


def two_steps(optimizer: Any) -> Any:
    """Returns the updates of the second of two steps with fixed gradients."""
    weights = jnp.array([1.0, -2.0, 3.0, 0.5])
    state = optimizer.init(weights)
    _, state = optimizer.update(jnp.array([1.0, -1.0, 0.5, 2.0]), state, weights)
    return optimizer.update(jnp.array([-0.5, -2.0, 0.1, -3.0]), state, weights)[0]


def offered(path: Path) -> set[str]:
    """Returns the names that a stub of a package, or a module, gives a value, as a type checker sees them."""
    names: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            names |= {alias.asname for alias in node.names if alias.asname}
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return names


def test_every_rule_that_has_an_alias_has_it_in_the_source_and_in_the_stub():
    folder = Path(optimizers.__file__).parent
    expected = {name.replace("-", "_") for name in ALIASES}
    written = {name for name in offered(folder / "aliases.py") if not name.startswith("_")}
    assert written - {"Settings", "Optimizer"} == expected
    stub = offered(folder / "__init__.pyi")
    assert expected <= stub
    assert stub - {"__all__"} == set(optimizers.__all__)


def test_the_rules_with_an_alias_are_those_of_the_papers_table_and_those_found_here():
    assert len(ALIASES) == 15 + sum(row.found_here for row in NAMED_RULES.values())


@pytest.mark.parametrize("name", ALIASES)
def test_an_alias_is_the_named_rule(name):
    alias = getattr(optimizers, name.replace("-", "_"))
    np.testing.assert_array_equal(
        two_steps(alias(0.1, seed=3, total_steps=9)),
        two_steps(to_optax(name, 0.1, seed=3, total_steps=9)),
    )
    assert str(NAMED_RULES[name].rule) in (inspect.getdoc(alias) or "")


def test_all_ways_to_a_named_rule_take_the_same_arguments():
    def arguments(function: Any) -> list[inspect.Parameter]:
        return [*inspect.signature(function).parameters.values()]

    expected = arguments(to_optax)[1:]
    assert arguments(optimizers.named)[1:] == expected
    assert arguments(optimizers.adam_step_back) == expected
    with pytest.raises(TypeError, match="beta1"):
        optimizers.adam_step_back(0.1, beta1=0.9)  # pyright: ignore[reportCallIssue]


def test_every_rule_found_here_has_an_alias_that_says_where_it_is_from_and_what_it_is_worth():
    rows = {name: row.found for name, row in NAMED_RULES.items() if row.found is not None}
    assert rows and set(rows) <= set(ALIASES)
    for name, found in rows.items():
        text = " ".join((inspect.getdoc(getattr(optimizers, name.replace("-", "_"))) or "").split())
        for fact in (found.command, f"seed {found.seed}", found.versions):
            assert fact in text, (name, fact)
        assert " ".join(found.comparison.split()) in text
        assert "(protocol " in text and "of its steps" not in text
        alone = "it beat Adam at constant learning rates, which alone were tuned"
        said = {None: "was not compared", True: alone, False: "did not beat"}
        assert [s for s in said.values() if s in text] == [said[found.beats_adam]]


def test_a_docstring_says_the_learning_rate_that_was_found_and_no_mark_without_words():
    assert "Without tuning take 0.032" in (optimizers.adam_step_back.__doc__ or "")
    assert "Without tuning take 0.01" in (optimizers.adam_powersign.__doc__ or "")
    for name in ALIASES:
        text = getattr(optimizers, name.replace("-", "_")).__doc__
        assert "[?]" not in text and "[v]" not in text, name
    assert "92.5 %, quoted from memory" in (optimizers.momentum_exp_g2.__doc__ or "")


def test_a_docstring_is_the_same_however_the_compiler_indents_them(monkeypatch):
    """Python 3.13 takes away what all lines are indented by, 3.11 and 3.12 do not."""
    aliases = importlib.import_module("metarl.optimizers.aliases")
    monkeypatch.setattr(aliases.named, "__doc__", inspect.cleandoc(aliases.named.__doc__))
    made = aliases._alias("adam-step-back")
    assert made.__doc__ == optimizers.adam_step_back.__doc__
    monkeypatch.setattr(aliases.named, "__doc__", None)  # as `python -OO` leaves it
    assert "    Args:\n\n\n    Returns:\n" in (aliases._alias("adam-step-back").__doc__ or "")


def test_any_named_rule_is_reached_by_its_name():
    for name in NAMED_RULES:
        expected = two_steps(to_optax(name, 0.1, total_steps=10))
        np.testing.assert_array_equal(
            two_steps(optimizers.named(name, 0.1, total_steps=10)), expected
        )


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(InvalidInput, match="Did you mean 'powersign'"):
        optimizers.named("powersing", 0.1)


def test_the_examples_of_the_docstrings_run():
    results = doctest.testmod(importlib.import_module("metarl.optimizers.aliases"))
    assert results.attempted > 100
    assert results.failed == 0
