"""The README as the front page of the site: the same text, its links turned to pages of the site."""

from __future__ import annotations

import re
from pathlib import Path

_LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|#)([^)\s#]+)(#[^)\s]*)?\)")
_PAGES = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}


def front_page(root: Path) -> str:
    """Returns the README for `docs/index.md` to include; a link to what is no page becomes the file's name."""
    return _LINK.sub(_turned, (root / "README.md").read_text(encoding="utf-8"))


def _turned(found: re.Match) -> str:
    picture, text, target, anchor = found.groups()
    page = page_of(target)
    return f"{picture}[{text}]({page}{anchor or ''})" if page else f"{text} (`{target}`)"


def page_of(target: str) -> str:
    """Returns the page of the site that shows a file of the repository; "" if there is none."""
    if target == "experiments/README.md":
        return "experiments/index.md"
    if experiment := re.fullmatch(r"experiments/(.+)/README\.md", target):
        return f"experiments/{experiment[1]}.md"
    if target.startswith("docs/"):
        return target.removeprefix("docs/")
    return _PAGES.get(target, "")
