"""No file of metarl evaluates text, unpickles, unpacks without bounds, or has a name that says nothing."""

from __future__ import annotations

import ast

import pytest

FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__"}
FORBIDDEN_MODULES = {"pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}
NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "common", "misc", "base"}


def dangers(source) -> list[str]:
    """Returns a complaint for each construct that can run what a file or a user holds."""
    found = [
        f"{source.path}:{line}: imports {module}"
        for line, module, _ in source.imports()
        if module.partition(".")[0] in FORBIDDEN_MODULES
    ]
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        if called in FORBIDDEN_CALLS:
            found.append(f"{source.path}:{node.lineno}: calls {called}")
        if called in ("np.load", "numpy.load", "jnp.load"):
            found.append(
                f"{source.path}:{node.lineno}: {called}; metarl.reading.read_arrays bounds it"
            )
    return found


def test_nothing_evaluates_text_or_unpickles(sources):
    complaints = [text for source in sources for text in dangers(source)]
    assert not complaints, "\n" + "\n".join(complaints)


@pytest.mark.parametrize(
    "text",
    [
        "eval('1')",
        "def f(x):\n    exec(x)",
        "import pickle",
        "from cloudpickle import loads",
        "import numpy as np\nnp.load('x')",
        "import numpy as np\nnp.load('x', allow_pickle=True)",
        "import numpy as np\nnp.load('x', allow_pickle=False)",
    ],
)
def test_a_danger_is_seen(source_of, text):
    assert len(dangers(source_of("metarl.made_up", text))) == 1


@pytest.mark.parametrize(
    "text",
    ["jitted.lower(x).compile()", "problems.load('x')", "rule.evaluate(scope)"],
)
def test_what_only_looks_like_a_danger_is_let_pass(source_of, text):
    assert not dangers(source_of("metarl.made_up", text))


def test_names_of_modules_say_what_is_in_them(sources):
    vague = [str(source.path) for source in sources if source.path.stem in NAMES_THAT_SAY_NOTHING]
    vague += [str(source.path) for source in sources if source.room in NAMES_THAT_SAY_NOTHING]
    assert not vague, f"name these after what they hold: {vague}"


def test_every_module_begins_with_its_caption(sources):
    bare = [str(source.path) for source in sources if not ast.get_docstring(source.tree)]
    assert not bare, f"without a docstring: {bare}"
