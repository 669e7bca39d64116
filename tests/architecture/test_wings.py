"""Within a package too, imports go down: a wing looks only at those that the package's docstring names above it.

A package that has folders names all that is in it, folders and files, each with its caption, in the order in which one
is built on the other. The files of one wing import each other freely.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import metarl

ROOT = Path(metarl.__file__).parent


def captions(docstring: str) -> dict[str, str]:
    """Returns name -> caption of the indented lines `name  Caption.`, in their order."""
    return dict(re.findall(r"^ {4}(\w+) {2,}(\S.*)$", docstring, flags=re.MULTILINE))


def docstring_of(path: Path) -> str:
    """Returns the docstring of a module, or of a package's `__init__`."""
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""


def divided() -> dict[str, dict[str, str]]:
    """Returns for every package with folders what its docstring names, the lowest first."""
    packages = sorted({door.parent.parent for door in ROOT.glob("*/*/__init__.py")})
    return {path.name: captions(docstring_of(path)) for path in packages}


def upward(source, wings: list[str]) -> list[str]:
    """Returns a complaint for each import of a package's module that reaches a wing not below its own."""
    own = source.module.split(".")[2]
    found = []
    for line, module, name in source.imports():
        first, room, wing = [*module.split("."), name, None, None][:3]
        if (first, room) == ("metarl", source.room) and wing != own:
            if wing not in wings:
                found.append(f"{source.path}:{line}: metarl.{room} is entered from within")
            elif wings.index(wing) >= wings.index(own):
                found.append(
                    f"{source.path}:{line}: {own} imports {wing}, which stands above it in metarl.{room}; "
                    "move what is shared down, or pass it in"
                )
    return found


@pytest.mark.parametrize("package", divided())
def test_a_package_with_wings_names_all_that_is_in_it(package):
    modules = {path.stem for path in (ROOT / package).glob("*.py")} - {"__init__"}
    folders = {path.parent.name for path in (ROOT / package).glob("*/__init__.py")}
    assert set(divided()[package]) == modules | folders


@pytest.mark.parametrize("package", divided())
def test_the_captions_of_wings_are_their_own_first_lines(package):
    wings = divided()[package]
    own = {name: docstring_of(ROOT / package / name).partition("\n")[0] for name in wings}
    assert own == wings


@pytest.mark.parametrize("package", divided())
def test_the_readme_shows_the_same_wings(checkout, package):
    readme = (checkout / "README.md").read_text(encoding="utf-8")
    shown = readme.partition(f"\nmetarl/{package}/\n")[2]
    assert list(captions(re.split(r"^\S", shown, flags=re.MULTILINE)[0]).items()) == list(
        divided()[package].items()
    )


@pytest.mark.parametrize("package", divided())
def test_wings_look_down_only(sources, package):
    wings = list(divided()[package])
    inside = [source for source in sources if source.module.startswith(f"metarl.{package}.")]
    complaints = [text for source in inside for text in upward(source, wings)]
    assert not complaints, "\n" + "\n".join(complaints)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("from ..reports.tables import x", 1),
        ("def f():\n    from .. import reports", 1),
        ("import metarl.made_up.reports.tables", 1),
        ("from metarl.made_up import search", 1),
        ("from ..settings.config import x", 0),
        ("from .. import settings", 0),
        ("from .archive import Archive", 0),
        ("from metarl.runs import drive", 0),
    ],
)
def test_a_wing_that_looks_up_is_seen(source_of, text, wrong):
    source = source_of("metarl.made_up.searching.job", text)
    assert len(upward(source, ["settings", "searching", "reports"])) == wrong
