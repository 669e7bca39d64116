"""The READMEs of `experiments/` as pages, with their figures.

Links lead to the pages of other experiments and to those of `docs/`; links to other files become their names.
"""

from __future__ import annotations

import os.path
import re
from pathlib import Path

_LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|#)([^)\s]+)\)")
_TABLE_ROW = re.compile(r"^\| `([^`]+)` \|")


def experiment_pages(root: Path) -> dict[str, str | bytes]:
    """Returns the content of each page and figure by its name below `docs/experiments/`."""
    pages: dict[str, str | bytes] = {}
    names = []
    for readme in sorted((root / "experiments").glob("**/README.md")):
        name = readme.parent.relative_to(root / "experiments").as_posix()
        if name == ".":
            continue
        names.append(name)
        text, figures = _page(readme, name, root)
        pages[f"{name}.md"] = text
        pages |= figures
    index = (root / "experiments" / "README.md").read_text(encoding="utf-8")
    pages["index.md"] = _index(index, names)
    return pages


def _page(readme: Path, name: str, root: Path) -> tuple[str, dict[str, str | bytes]]:
    """Returns a README as a page, and the figures that it shows."""
    figures: dict[str, str | bytes] = {}
    depth = name.count("/")

    def link(found: re.Match) -> str:
        is_image, text, target = found.groups()
        source = (readme.parent / target).resolve()
        if is_image and source.is_file():
            figures[f"{name}/{target}"] = source.read_bytes()
            return f"![{text}]({name.rpartition('/')[2]}/{target})"
        file, mark, anchor = target.partition("#")
        if page := _page_of((readme.parent / file).resolve(), root.resolve()):
            place = os.path.relpath(page, (Path("experiments") / name).parent)
            return f"[{text}]({Path(place).as_posix()}{mark}{anchor})"
        return f"{text or target} (`{target}`)" if text != target else f"`{target}`"

    text = _LINK.sub(link, readme.read_text(encoding="utf-8"))
    where = f"From `experiments/{name}/README.md`, where the files lie."
    back = "../" * depth
    return f"{text.rstrip()}\n\n---\n\n{where} [All experiments]({back}index.md)\n", figures


def _page_of(file: Path, root: Path) -> Path | None:
    """Returns the page of the site, below `docs/`, that shows a file; None where there is none."""
    if file.name == "README.md" and file.is_relative_to(root / "experiments") and file.is_file():
        page = file.parent.relative_to(root)
        return page / "index.md" if page.name == "experiments" else page.with_suffix(".md")
    written = file.is_relative_to(root / "docs") and file.suffix == ".md" and file.is_file()
    return file.relative_to(root / "docs") if written else None


def _from_index(found: re.Match) -> str:
    """Returns a link of the list of experiments as the site has it: to a page of docs/, or of an experiment."""
    target = found[3].removesuffix("/README.md")
    if target.startswith("../docs/"):
        return f"[{found[2]}]({target.replace('../docs/', '../', 1)})"
    return f"[{found[2]}]({target.removesuffix('.md')}.md)"


def _index(text: str, names: list[str]) -> str:
    """Returns the list of experiments with a link from each row to its page."""
    lines = []
    for line in text.splitlines():
        row = _TABLE_ROW.match(line)
        if row and row[1].rstrip("/") in names:
            name = row[1].rstrip("/")
            line = line.replace(f"`{row[1]}`", f"[`{name}`]({name}.md)", 1)
        lines.append(_LINK.sub(_from_index, line))
    return "\n".join([*lines, "", "```{toctree}", ":hidden:", "", *names, "```", ""])
