"""The map in `metarl.__doc__` and the README says what is there, in the packages' own words."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import metarl

ROOT = Path(metarl.__file__).parent


def mapped() -> dict[str, str]:
    """Returns name -> caption, as `metarl.__doc__` has them; a caption may go on in the next line."""
    assert metarl.__doc__ is not None
    entries: dict[str, str] = {}
    name = ""
    for line in metarl.__doc__.splitlines():
        if entry := re.fullmatch(r" {4}(\w+) {2,}(\S.*)", line):
            name, entries[entry[1]] = entry[1], entry[2]
        elif name and line.startswith(" " * 8):
            entries[name] += " " + line.strip()
        else:
            name = ""
    return entries


def rooms() -> set[str]:
    """Returns the packages and public top modules there are."""
    modules = {path.stem for path in ROOT.glob("*.py")} - {"__init__", "__main__"}
    return modules | {path.parent.name for path in ROOT.glob("*/__init__.py")}


def test_the_map_names_every_package_and_no_other():
    assert set(mapped()) == rooms()


def test_the_captions_are_the_packages_own_first_lines():
    for name, caption in mapped().items():
        docstring = importlib.import_module(f"metarl.{name}").__doc__
        assert docstring, f"metarl.{name} has no docstring"
        assert caption == docstring.partition("\n")[0], f"metarl.{name}: map and docstring differ"


def test_the_readme_shows_the_same_map(checkout):
    readme = (checkout / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `metarl\.(\w+)` \| (.+?) \|$", readme, flags=re.MULTILINE))
    assert rows == mapped()


def test_the_map_is_what_users_reach_from_the_top():
    offered = set(metarl.__all__)
    assert offered == rooms(), "metarl/__init__.pyi offers each package and top module lazily"
    for name in offered:
        assert getattr(metarl, name).__name__ == f"metarl.{name}"
