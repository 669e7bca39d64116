"""Every package has a door: a docstring whose first line is its caption, and a stub of what it offers.

A wing, a folder within a package, has a caption too, and a door only where one helps.
"""

from __future__ import annotations

import ast
import importlib
import inspect
from pathlib import Path

import metarl

ROOT = Path(metarl.__file__).parent


def test_every_package_has_a_stub(packages):
    missing = [name for name in packages if not (ROOT / name / "__init__.pyi").exists()]
    assert not missing, f"without an __init__.pyi: {missing}"


def test_every_folder_with_modules_is_a_package():
    folders = {path.parent for path in ROOT.rglob("*.py")}
    missing = [str(folder) for folder in sorted(folders) if not (folder / "__init__.py").exists()]
    assert not missing, f"without an __init__.py: {missing}"


def test_every_offered_name_resolves_and_is_documented(packages):
    problems = []
    for package in packages:
        door = importlib.import_module(f"metarl.{package}")
        assert door.__all__, f"metarl.{package} offers nothing"
        for name in door.__all__:
            value = getattr(door, name, None)
            if value is None:
                problems.append(f"metarl.{package}.{name} does not resolve")
            elif (inspect.isfunction(value) or inspect.isclass(value)) and not value.__doc__:
                problems.append(f"metarl.{package}.{name} has no docstring")
    assert not problems, "\n" + "\n".join(problems)


def test_no_module_is_called_what_its_package_offers(packages):
    clashes = [
        f"metarl/{package}/{name}.py hides metarl.{package}.{name} once it is imported"
        for package in packages
        for name in importlib.import_module(f"metarl.{package}").__all__
        if (ROOT / package / f"{name}.py").exists()
    ]
    assert not clashes, "\n" + "\n".join(clashes)


def test_stubs_import_from_modules_that_exist(packages):
    missing = [
        f"metarl/{package}/__init__.pyi imports from .{node.module}"
        for package in packages
        for node in ast.parse((ROOT / package / "__init__.pyi").read_text("utf-8")).body
        if isinstance(node, ast.ImportFrom) and node.module
        if not (ROOT / package / f"{node.module.replace('.', '/')}.py").exists()
        and not (ROOT / package / node.module.replace(".", "/")).is_dir()
    ]
    assert not missing, "\n" + "\n".join(missing)
