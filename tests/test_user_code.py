"""A user's own code: whatever goes wrong in it is one message with the user's file and line."""

from __future__ import annotations

import sys
from pathlib import Path

import optax
import pytest

from metarl.cli import dispatch, main
from metarl.errors import InvalidInput
from metarl.user_code import call_own, find_own, public_name

_CALLS_TOO_LITTLE = "needs_two(learning_rate) raised TypeError: needs_two() missing 1 required"


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Returns a function that writes a module into the working directory and returns its name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    names = []

    def write(*lines: str) -> str:
        names.append(f"{tmp_path.name.strip('_')}_{len(names)}".replace("-", "_"))
        Path(tmp_path, f"{names[-1]}.py").write_text("\n".join(lines) + "\n")
        return names[-1]

    yield write
    for name in names:
        sys.modules.pop(name, None)


def refusal(name: str) -> str:
    with pytest.raises(InvalidInput) as refused:
        call_own("optimizer", name, optax.GradientTransformation, learning_rate=0.1)
    return str(refused.value)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("x = 1 / 0", "ZeroDivisionError: division by zero ({m}.py:3)."),
        ("x = (1,", "SyntaxError: '(' was never closed ({m}.py:3)."),
        ("import no_such_thing", "ModuleNotFoundError: No module named 'no_such_thing' ({m}.py:3)."),
        ("from json import lods", "ImportError: cannot import name 'lods' from 'json'"),
        ("import json; json.loads('[')", "JSONDecodeError: Expecting value: line 1 column 2 (char 1) ({m}.py:3)."),
        ("import sys; sys.exit(0)", "SystemExit: 0 ({m}.py:3). A module is imported here, not run"),
        ("import sys; sys.exit()", "SystemExit ({m}.py:3). A module is imported here, not run"),
        ("import argparse; argparse.ArgumentParser().parse_args(['x'])", "SystemExit: 2 ({m}.py:3)."),
        ("raise BaseException('of its own kind')", "BaseException: of its own kind ({m}.py:3)."),
    ],
)  # fmt: skip
def test_an_error_at_import_names_its_file_and_line(module, fault, message):
    name = module("", "def world(): ...", fault)
    told = refusal(f"{name}:world")
    assert f"module {name!r} cannot be imported: {message.format(m=name)}" in told
    assert "installed" not in told, "the module is there: what it lacks, or does, is the fault"


def test_a_module_that_is_not_there_is_told_from_one_that_lacks_something():
    assert refusal("nowhere_at_all:world").endswith(
        "module 'nowhere_at_all' cannot be imported: No module named 'nowhere_at_all'. It must be "
        "installed or lie in the working directory."
    )
    assert refusal("json.nowhere:world").endswith("or lie in the working directory.")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise ValueError('too few rows.\\nsee above')", "ValueError: too few rows ({m}.py:3)."),
        ("return helper()", "KeyError: 'lr' ({m}.py:6)."),
        ("import sys; sys.exit(0)", "SystemExit: 0 ({m}.py:3)."),
        ("optax.adam(learning_rte=1)", "TypeError: adam() got an unexpected keyword argument"),
        ("import json; json.loads('[')", "JSONDecodeError: Expecting value: line 1 column 2 (char 1) ({m}.py:3)."),
    ],
)  # fmt: skip
def test_an_error_of_the_factory_names_its_file_and_line(module, body, message):
    helper = ("", "def helper():", "    return {}['lr']")
    name = module("import optax", "def make(rate):", f"    {body}", *helper)
    told = refusal(f"{name}:make")
    assert f"make(learning_rate) raised {message.format(m=name)}" in told
    assert ".py:" in told


def test_a_factory_that_takes_other_arguments_is_named_where_it_is_defined(module):
    name = module("", "def needs_two(learning_rate, other): ...")
    told = refusal(f"{name}:needs_two")
    assert _CALLS_TOO_LITTLE in told and told.endswith(f"({name}.py:2).")


def test_an_interruption_stays_one(module, capsys):
    name = module("raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        find_own("problem", f"{name}:world", object)


@pytest.mark.parametrize(
    "words",
    [
        "evaluate random --environment {name} --episodes 2",
        "train --environment {name} --preset smoke",
        "search --problem {name} --preset smoke --dry-run",
        "search --strategy {name} --preset smoke --dry-run",
        "compare g --optimizer {name} --problem beale",
    ],
)
@pytest.mark.parametrize("where", ["import", "call"])
def test_a_module_that_leaves_the_interpreter_does_not_end_a_command(module, words, where, capsys):
    leave = "import sys; sys.exit(0)"
    lines = {"import": ["def world(): ...", leave], "call": ["def world(*given):", f"    {leave}"]}
    name = module("", *lines[where])
    assert main([*words.format(name=f"{name}:world").split(), "--json"]) == 2
    output, errors = capsys.readouterr()
    assert f"SystemExit: 0 ({name}.py:3)." in errors and output == ""


def test_a_function_that_leaves_in_the_midst_of_a_run_does_not_end_it(module, capsys, monkeypatch):
    name = module("import sys", "def loss():", "    sys.exit(0)")
    loss = find_own("function", f"{name}:loss", object)

    class Verb:
        run = staticmethod(lambda arguments: loss())

    with pytest.raises(InvalidInput, match=rf"metarl x was left by SystemExit: 0 \({name}.py:3\)."):
        dispatch._run(Verb, None, "metarl x")


def test_a_class_is_named_as_a_user_imports_it(module):
    assert public_name(optax.GradientTransformation) == "optax.GradientTransformation"
    name = module("", "def number(rate): return rate")
    assert refusal(f"{name}:number").endswith(
        "number(learning_rate) gave float; it must give an optax.GradientTransformation."
    )


@pytest.mark.parametrize("name", ["optax:nothing", "numpy:nothing"])
def test_of_a_library_without_that_name_no_list_is_shown(name):
    module, _, attribute = name.partition(":")
    assert refusal(name) == f"Module {module!r} has nothing called {attribute!r}."
