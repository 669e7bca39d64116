"""Makes importable what lies beside the tests and what makes pages and the figure in `docs/`; names the pages."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

_HERE = Path(__file__).parent
DOCS = Path(__file__).parents[2] / "docs"
sys.path += [str(_HERE), str(DOCS), str(DOCS / "_extensions")]


def written_pages() -> list[Path]:
    """Returns the pages that people wrote; none where only the tests are."""
    made = {"api", "experiments", "_build"}
    pages = [page for page in DOCS.rglob("*.md") if page.relative_to(DOCS).parts[0] not in made]
    return sorted(page for page in pages if page.name not in ("commands.md", "front.md"))


def pytest_generate_tests(metafunc):
    """A test that asks for a `page` or a `tutorial` runs once for each."""
    pages = written_pages()
    if "page" in metafunc.fixturenames:
        metafunc.parametrize("page", pages, ids=[page.stem for page in pages])
    if "tutorial" in metafunc.fixturenames:
        tutorials = [page for page in pages if page.parent.name == "tutorials"]
        metafunc.parametrize("tutorial", tutorials, ids=[page.stem for page in tutorials])


@pytest.fixture(scope="session")
def docs() -> Path:
    """The folder of the pages; its tests are skipped where only the wheel and the tests are."""
    if not DOCS.exists():
        pytest.skip("needs the checkout, not only the tests")
    return DOCS
