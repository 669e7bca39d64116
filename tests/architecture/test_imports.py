"""Imports go down a floor and through a package's own door."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import metarl

FLOORS = (
    ("errors",),
    ("user_code", "reading"),
    (
        *("controller", "policy_gradient", "update_rules"),
        *("statistics", "runs", "reporting", "environments"),
    ),
    ("problems", "optimizers", "classical_agents", "rl_baselines"),
    ("optimizer_search", "rl_squared"),
    ("cli",),
    ("__main__",),
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}

# Who alone may know a heavy or replaceable package.
SOLE_IMPORTERS = {
    "matplotlib": "reporting",
    "sklearn": "problems",
    "ray": "optimizer_search",
    "tensorboard": "runs",
    "gymnasium": "environments",
    "tyro": "cli",
}


def doors() -> dict[str, set[str]]:
    """Returns what each package offers, as its stub says."""
    return {
        stub.parent.name: exported(stub)
        for stub in Path(metarl.__file__).parent.glob("*/__init__.pyi")
    }


def exported(stub: Path) -> set[str]:
    """Returns the `__all__` of a stub."""
    for node in ast.parse(stub.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return set(ast.literal_eval(node.value))
    return set()


def wrong_floors(source) -> list[str]:
    """Returns a complaint for each import that goes up or stays on its floor."""
    return [
        f"{source.path}:{line}: metarl.{source.room} (floor {FLOOR[source.room]}) imports metarl.{room} "
        f"(floor {FLOOR[room]}); imports go down: move what is shared to a lower floor, or pass it in"
        for line, room, _ in foreign_imports(source)
        if FLOOR[room] >= FLOOR[source.room]
    ]


def side_entrances(source, doors) -> list[str]:
    """Returns a complaint for each import of another package that does not go through its door."""
    return [
        f"{source.path}:{line}: metarl.{source.room} reaches into {inside}; export what it needs in "
        f"metarl/{room}/__init__.pyi and write `from metarl.{room} import ...`"
        for line, room, inside in foreign_imports(source)
        if inside and (inside.count(".") or inside not in doors.get(room, {inside}))
    ]


def foreign_imports(source) -> list[tuple[int, str, str]]:
    """Returns (line, room, what is reached within it) of every import of another room of metarl."""
    found = []
    for line, module, name in source.imports():
        first, *path = [*module.split("."), *([name] if name else [])]
        if first == "metarl" and path and path[0] in FLOOR and path[0] != source.room:
            found.append((line, path[0], ".".join(path[1:])))
    return found


def test_every_package_and_top_module_has_a_floor(sources):
    rooms = {source.room for source in sources} - {""}
    assert rooms <= set(FLOOR), f"give {sorted(rooms - set(FLOOR))} a floor in {__file__}"


def test_imports_go_down(sources):
    complaints = [text for source in sources if source.room for text in wrong_floors(source)]
    assert not complaints, "\n" + "\n".join(complaints)


def test_packages_are_entered_by_their_doors(sources):
    offered = doors()
    complaints = [
        text for source in sources if source.room for text in side_entrances(source, offered)
    ]
    assert not complaints, "\n" + "\n".join(complaints)


@pytest.mark.parametrize("third_party", SOLE_IMPORTERS)
def test_a_heavy_package_has_one_importer(sources, third_party):
    importers = {
        source.room
        for source in sources
        for _, module, _ in source.imports()
        if module.partition(".")[0] == third_party
    }
    assert importers <= {SOLE_IMPORTERS[third_party]}, f"{third_party} is imported in {importers}"


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("metarl.controller.policy", "from metarl.runs import drive"),
        ("metarl.problems.digits", "from metarl import cli"),
        ("metarl.problems.digits", "def f():\n    import metarl.optimizers"),
        ("metarl.runs.driver", "from ..cli import main"),
        ("metarl.optimizer_search.search", "from metarl import rl_squared"),
        ("metarl.problems.catalogue", "FACTORY = 'metarl.optimizer_search.candidates:make'"),
    ],
)
def test_an_import_that_goes_up_or_sideways_is_seen(source_of, module, text):
    assert len(wrong_floors(source_of(module, text))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "from metarl.problems.digits import digits_mlp",
        "import metarl.problems.digits",
        "from metarl.problems import digits",
        "from ..problems.digits import digits_mlp",
    ],
)
def test_a_side_entrance_is_seen(source_of, text):
    source = source_of("metarl.cli.listing", text)
    assert len(side_entrances(source, {"problems": {"load", "names"}})) == 1


@pytest.mark.parametrize(
    "text",
    [
        "from metarl.problems import load",
        "from metarl import problems",
        "import metarl.problems",
        "from .verbs import VERBS",
        "import jax",
    ],
)
def test_a_door_is_no_side_entrance(source_of, text):
    source = source_of("metarl.cli.listing", text)
    assert not side_entrances(source, {"problems": {"load"}})
    assert not wrong_floors(source)
