"""What the architecture tests read: the source of metarl as syntax trees, and the checkout around it."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

import metarl

PACKAGE = Path(metarl.__file__).parent


@dataclass(frozen=True)
class Source:
    """One module: its dotted name, its place, its syntax tree."""

    module: str  # "metarl.problems.digits"; a package's __init__ is "metarl.problems"
    path: Path
    tree: ast.Module

    @property
    def room(self) -> str:
        """The package or top module it belongs to: "problems", "errors"; "" for metarl/__init__."""
        return [*self.module.split("."), ""][1]

    def imports(self, texts: bool = True) -> list[tuple[int, str, str | None]]:
        """Returns (line, module, name) of every import, at any depth; name is None for `import x`.

        A text "metarl.module:name", by which a table names what it imports later, is one too,
        unless `texts` is false.
        """
        found = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found += [(node.lineno, alias.name, None) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                target = self._absolute(node)
                found += [(node.lineno, target, alias.name) for alias in node.names]
            elif (
                texts
                and isinstance(node, ast.Constant)
                and (named := re.fullmatch(r"(metarl(?:\.\w+)+):(\w+)", str(node.value)))
            ):
                found.append((node.lineno, named[1], named[2]))
        return found

    def _absolute(self, node: ast.ImportFrom) -> str:
        if node.level == 0:
            return node.module or ""
        package = self.module.split(".")
        if self.path.name != "__init__.py":
            package = package[:-1]
        package = package[: len(package) - (node.level - 1)]
        return ".".join([*package, node.module] if node.module else package)


def read_source(path: Path, root: Path = PACKAGE) -> Source:
    """Returns the module in a file below `root`, the folder of metarl."""
    parts = list(path.relative_to(root.parent).with_suffix("").parts)
    if parts[-1] == "__init__":
        parts.pop()
    return Source(".".join(parts), path, ast.parse(path.read_text(encoding="utf-8"), str(path)))


@pytest.fixture(scope="session")
def sources() -> list[Source]:
    """Every module of metarl."""
    return [read_source(path) for path in sorted(PACKAGE.rglob("*.py"))]


@pytest.fixture(scope="session")
def packages() -> list[str]:
    """The names of metarl's packages."""
    return sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))


@pytest.fixture
def source_of(tmp_path):
    """Returns a function that makes a `Source` of a text, as if it stood in the module of that name."""

    def make(module: str, text: str) -> Source:
        return Source(module, tmp_path / "made_up.py", ast.parse(text))

    return make


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The repository; its tests are skipped where only the wheel and the tests are."""
    root = Path(__file__).parents[2]
    if not (root / "pyproject.toml").exists():
        pytest.skip("needs the checkout, not only the tests")
    return root
