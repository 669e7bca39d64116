"""No module imports itself through others, at the top of a file or within a function.

A table that names its rows' factories as texts is none: they are imported when they are asked for.
"""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import metarl

ROOT = Path(metarl.__file__).parent


def behind_doors() -> dict[str, str]:
    """Returns what packages offer -> the module that holds it: "metarl.runs.drive" -> "metarl.runs.driver"."""
    found = {}
    for stub in ROOT.rglob("__init__.pyi"):
        package = ".".join(["metarl", *stub.parent.relative_to(ROOT).parts])
        for node in ast.parse(stub.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ImportFrom) and node.module:
                found |= {f"{package}.{a.name}": f"{package}.{node.module}" for a in node.names}
    return found


def import_graph(sources, doors) -> dict[str, set[str]]:
    """Returns module -> the modules that it imports, through doors too."""
    modules = {source.module for source in sources}
    graph: dict[str, set[str]] = {}
    for source in sources:
        reached = set()
        for _, module, name in source.imports(texts=False):
            place = f"{module}.{name}" if name else module
            place = doors.get(place, place if place in modules else module)
            reached |= {place} & modules
        graph[source.module] = reached - {source.module}
    return graph


def circle(graph) -> list[str]:
    """Returns a chain of imports that ends where it began; an empty one if there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def test_no_module_imports_itself_through_others(sources):
    assert not circle(import_graph(sources, behind_doors()))


def test_a_circle_is_seen_through_a_door_and_within_a_function(source_of):
    texts = {
        "metarl.runs.checkpoints": "def make():\n    from .orbax import Orbax",
        "metarl.runs.orbax": "from metarl.runs import Checkpoints",
        "metarl.runs.driver": "from .checkpoints import Checkpoints",
    }
    sources = [source_of(module, text) for module, text in texts.items()]
    found = circle(import_graph(sources, {"metarl.runs.Checkpoints": "metarl.runs.checkpoints"}))
    assert set(found) == {"metarl.runs.checkpoints", "metarl.runs.orbax"}
    assert not circle(import_graph(sources[1:], {}))
