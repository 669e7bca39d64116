"""The site builds without a warning, its links lead somewhere, and a page asks the network for nothing."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

pytestmark = pytest.mark.extras


@pytest.fixture(scope="module")
def site(docs, tmp_path_factory) -> Path:
    """The built site."""
    for needed in ("sphinx", "myst_parser", "furo"):
        pytest.importorskip(needed)
    place = tmp_path_factory.mktemp("site")
    for folder in ("docs", "experiments"):  # a copy: a build writes pages beside the others
        unwanted = shutil.ignore_patterns("_build", "__pycache__")
        shutil.copytree(docs.parent / folder, place / folder, ignore=unwanted)
    for name in ("CHANGELOG.md", "CONTRIBUTING.md", "README.md"):
        shutil.copy(docs.parent / name, place)
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html"]
    built = subprocess.run(
        [*command, "docs", "html"], cwd=place, capture_output=True, text=True, timeout=900
    )
    assert built.returncode == 0, built.stderr
    return place / "html"


def pages(site: Path) -> dict[Path, str]:
    """Returns the pages that a reader meets, without those of source code."""
    found = [page for page in site.rglob("*.html") if "_modules" not in page.parts]
    return {page: page.read_text(encoding="utf-8") for page in found}


def test_every_link_within_the_site_leads_to_a_page_and_a_place_in_it(site):
    texts, lost = pages(site), []
    for page, text in texts.items():
        for target in re.findall(r'href="([^"]+)"', text):
            name, _, anchor = unquote(target).partition("#")
            name = name.partition("?")[0]
            if ":" in name:
                continue
            place = (page.parent / name).resolve() if name else page
            whole = texts.get(place, "")
            found = place.is_file() and (not anchor or not whole or f'id="{anchor}"' in whole)
            lost += [] if found else [f"{page.relative_to(site)}: {target}"]
    assert not lost, "\n".join(lost[:20])


def test_no_page_asks_the_network_for_anything(site):
    for page, text in pages(site).items():
        asked = re.findall(r'<(?:script|img|iframe)[^>]*src="(https?:)?//', text)
        asked += re.findall(r'<link[^>]*rel="stylesheet"[^>]*href="(https?:)?//', text)
        assert not asked, f"{page.relative_to(site)} asks the network"


def test_formulas_are_set_in_the_page_itself(site):
    text = (site / "api" / "metarl.optimizers.html").read_text(encoding="utf-8")
    assert text.count("<math") >= 4
    assert "\\leftarrow" not in text


def test_every_package_has_its_page_with_its_caption(site):
    import metarl

    for name in metarl.__all__:
        caption = (getattr(metarl, name).__doc__ or "").partition("\n")[0].rstrip(".")
        text = (site / "api" / f"metarl.{name}.html").read_text(encoding="utf-8")
        assert caption.split(":")[0] in re.sub(r"<[^>]+>", "", text)
