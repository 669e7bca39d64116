"""Writes the pages that are made from the code and from the experiments, before Sphinx looks for pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from api_pages import api_index, api_page, documented_modules
from command_page import command_page
from experiment_pages import experiment_pages
from front_page import front_page


def setup(app: Any) -> dict[str, Any]:
    """Connects to the beginning of a build."""
    app.connect("builder-inited", lambda app: write_made_pages(Path(app.srcdir)))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def write_made_pages(docs: Path) -> None:
    """Writes `api/`, `commands.md`, `front.md` and `experiments/`; what is the same already stays as it is."""
    pages: dict[str, str | bytes] = {"api/index.md": api_index(), "commands.md": command_page()}
    pages["front.md"] = front_page(docs.parent)
    pages |= {f"api/{name}.rst": api_page(name) for name in documented_modules()}
    pages |= {f"experiments/{name}": page for name, page in experiment_pages(docs.parent).items()}
    for folder in ("api", "experiments"):
        _remove_others(docs / folder, {docs / name for name in pages})
    for name, page in pages.items():
        _write(docs / name, page.encode() if isinstance(page, str) else page)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_bytes() != content:
        path.write_bytes(content)


def _remove_others(folder: Path, wanted: set[Path]) -> None:
    """Removes what an earlier build made and this one does not, such as the page of a package that has gone."""
    for path in folder.rglob("*"):
        if path.is_file() and path not in wanted:
            path.unlink()
