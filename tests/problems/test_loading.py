"""Problems by name, registered, and from a user's module; every refusal by its text."""

from __future__ import annotations

import dataclasses
import re
import sys

import jax
import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.problems import Card, Problem, load, names, register, registry

OWN = """
import jax
import jax.numpy as jnp
import numpy as np

from metarl.problems import Card, Problem, classification, mlp, stateless

rng = np.random.default_rng(0)
x, y = rng.normal(size=(80, 3)), np.arange(80) % 2


def two_clouds():
    card = Card("two-clouds", chance=0.5, steps=50, batch_size=8)
    return classification(card, mlp(3, 4, 2), lambda: (x, y))


def by_hand():
    def init(key):
        return {"w": jnp.zeros((3, 2))}

    def apply(params, inputs):
        return inputs @ params["w"]

    return classification(Card("by-hand", batch_size=8), stateless(init, apply), lambda: (x, y))


class Sphere(Problem):
    def __init__(self):
        super().__init__(
            name="sphere", init=self.start, loss=self.cost, evaluate=self.score, examples=self.rows
        )

    def start(self, key):
        return jax.random.normal(key, (3,)), ()

    def cost(self, params, model_state, batch, key):
        return jnp.sum(params**2), model_state

    def score(self, params, model_state, batch):
        return {"loss": jnp.sum(params**2)}

    def rows(self, split):
        return np.zeros((32, 1))


READY = two_clouds()
NUMBER = 3


def gives_a_number():
    return 3


def fails():
    raise KeyError("column")
"""


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    (tmp_path / "own_problems.py").write_text(OWN)
    (tmp_path / "broken_problems.py").write_text("import no_such_module_anywhere\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    monkeypatch.setattr(registry, "_loaded", {})
    yield "own_problems"
    for name in ("own_problems", "broken_problems"):
        sys.modules.pop(name, None)


def sphere(**changes) -> Problem:
    """Returns a correct problem of one's own, with fields replaced."""
    fields = {
        "name": "sphere",
        "batch_size": 4,
        "init": lambda key: ({"x": jax.random.normal(key, (3,))}, ()),
        "loss": lambda params, model_state, batch, key: ((params["x"] ** 2).sum(), model_state),
        "evaluate": lambda params, model_state, batch: {"loss": (params["x"] ** 2).sum()},
        "examples": lambda split: {"rows": np.zeros((4, 2), np.float32)},
    }
    return Problem(**(fields | changes))


@pytest.mark.parametrize("factory", ["two_clouds", "by_hand", "Sphere", "READY"])
def test_a_module_in_the_working_directory_adds_a_problem(own_module, factory):
    problem = load(f"{own_module}:{factory}")
    assert isinstance(problem, Problem)
    assert load(f"{own_module}:{factory}") is problem
    assert problem.name not in names()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("digit-mlp", "Unknown problem 'digit-mlp'. Did you mean 'digits-mlp'?"),
        ("", "Unknown problem ''."),
        ("no_such_module:factory", "module 'no_such_module' cannot be imported: No module named"),
        ("broken_problems:factory", "module 'broken_problems' cannot be imported: "),
        (
            "own_problems:two_cloud",
            "Unknown factory of module own_problems 'two_cloud'. Did you mean 'two_clouds'? "
            "Known: READY, Sphere, by_hand, fails, gives_a_number, two_clouds.",
        ),
        ("own_problems:NUMBER", "NUMBER is not a function, class or Problem."),
        ("own_problems:gives_a_number", "gives_a_number() gave int; it must give a metarl"),
        ("own_problems:fails", "fails() raised KeyError: 'column' (own_problems.py:"),
        ("own problems:two_clouds", "is not of the form my_module:factory"),
        ("own_problems:", "is not of the form my_module:factory"),
        ("../own_problems.py:two_clouds", "is not of the form my_module:factory"),
    ],
)
def test_a_name_that_leads_nowhere_is_one_clear_message(own_module, name, message):
    with pytest.raises(InvalidInput, match=re.escape(message)):
        load(name)


def ragged(split):
    return {"a": np.zeros((4, 2)), "b": np.zeros((3, 2))}


def narrower_in_test(split):
    return {"rows": np.zeros((4, 1 if split == "test" else 2), np.float32)}


def no_choice(split):
    return {split: {"rows": np.zeros((4, 2))} for split in ("train", "search", "test")}[split]


def more_in_test(split):
    return {"rows": np.zeros((6 if split == "test" else 4, 2), np.float32)}


def for_four_rows(params, model_state, batch):
    return {"loss": batch["rows"].reshape(4, 2).sum()}


def without_gradient(params, model_state, batch, key):
    halved = jax.lax.while_loop(lambda x: x.sum() > 1, lambda x: 0.5 * x, params["x"])
    return halved.sum(), model_state


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"examples": ragged}, "'train' differ in their number of rows: 3, 4"),
        ({"examples": narrower_in_test}, "'test' are laid out as float32 [n, 1], those of 'train'"),
        ({"examples": no_choice}, "examples('choice') raised KeyError: 'choice'"),
        ({"examples": lambda split: {}}, "'train' hold no array"),
        (
            {"examples": lambda split: [[1.0]]},
            "must be NumPy arrays of numbers [n, ...], not float",
        ),
        ({"examples": lambda split: np.array(["a"] * 4)}, "must be NumPy arrays of numbers"),
        ({"examples": lambda split: np.zeros((0, 2))}, "'train' are empty"),
        ({"examples": lambda split: np.full((4, 2), np.nan)}, "'train' hold NaN or infinity"),
        ({"batch_size": 5}, "a batch of 5 needs as many training examples; there are 4"),
        ({"init": lambda key: {"x": np.zeros(3)}}, "init must give (params, model_state)"),
        ({"loss": lambda p, s, b, k: (p["x"], s)}, "loss must give one number, not float32 [3]"),
        ({"loss": lambda p, s, b, k: p["x"].sum()}, "loss must give (loss, model_state)"),
        ({"loss": lambda p, s, b, k: (p["x"].sum(), 1.0)}, "must keep the structure"),
        ({"loss": lambda p, s, b, k: (p["y"].sum(), s)}, "loss raised KeyError: 'y'"),
        ({"metric": "f1"}, "evaluate must give a dict with the keys ['loss', 'f1']; it gives"),
        ({"evaluate": lambda p, s, b: 1.0}, "it gives float32 []"),
        ({"init": lambda key: ({}, ())}, "init gives no parameters; there is nothing to train"),
        (
            {"init": lambda key: ({"x": np.zeros(3), "layers": [np.int32(2)]}, ())},
            "must be of real floating-point numbers; leaf 'layers/0' is int32 []. What no gradient changes belongs",
        ),
        ({"init": lambda key: ({"x": np.zeros(3), "k": key}, ())}, "leaf 'k' is key<fry> []"),
        ({"init": lambda key: ({"x": np.zeros(3, complex)}, ())}, "leaf 'x' is complex64 [3]"),
        ({"loss": lambda p, s, b, k: (1, s)}, "loss must give one number, not int32 []"),
        ({"loss": without_gradient}, "the gradient of loss raised ValueError: Reverse-mode"),
        (
            {"evaluate": lambda p, s, b: {"loss": p["x"] ** 2}},
            "evaluate must give one number as 'loss', not float32 [3]",
        ),
        (
            {"metric": "hits", "evaluate": lambda p, s, b: {"loss": 0.0, "hits": p["x"] > 0}},
            "evaluate must give one number as 'hits', not bool [3]",
        ),
        (
            {"examples": more_in_test, "evaluate": for_four_rows},
            "evaluate raised TypeError: cannot reshape array of shape (6, 2)",
        ),
    ],
)
def test_a_malformed_problem_is_refused_when_it_is_registered(changes, message, monkeypatch):
    monkeypatch.setattr(registry, "_registered", {})
    with pytest.raises(InvalidInput, match=re.escape(message)):
        register(sphere(**changes))
    assert "sphere" not in names()


def test_a_registered_problem_is_found_by_name_once(monkeypatch):
    monkeypatch.setattr(registry, "_registered", {})
    problem = register(sphere())
    assert load("sphere") is problem and names()[-1] == "sphere"
    with pytest.raises(InvalidInput, match="There is a problem named 'sphere' already"):
        register(sphere())
    with pytest.raises(InvalidInput, match="There is a problem named 'digits-mlp' already"):
        register(sphere(name="digits-mlp"))
    with pytest.raises(InvalidInput, match="not int"):
        register(3)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": " "}, "name must be a non-empty text"),
        ({"role": "both"}, "role must be one of search, held-out, not 'both'"),
        ({"steps": 0}, "steps must be a whole number of at least 1, not 0"),
        ({"batch_size": 2.5}, "batch_size must be a whole number of at least 1, not 2.5"),
        ({"chance": float("nan")}, "chance must be a finite number or None, not nan"),
    ],
)
def test_a_card_refuses_what_no_run_can_use(changes, message):
    with pytest.raises(InvalidInput, match=message):
        dataclasses.replace(Card("mine"), **changes)


def test_a_problem_refuses_a_function_that_is_none():
    with pytest.raises(InvalidInput, match="Problem 'sphere': loss must be a function, not NoneT"):
        sphere(loss=None)
