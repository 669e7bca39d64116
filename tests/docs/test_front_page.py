"""The README, the help and AGENTS.md say one thing; their commands can be typed; their numbers are where they point."""

from __future__ import annotations

import ast
import importlib
import re
from importlib.metadata import version
from pathlib import Path

import pytest
from markdown_blocks import blocks, links
from test_pages import test_every_command_in_a_page_can_be_typed as check_commands

import metarl
from metarl.cli import VERBS, main

LARGEST_FIGURE = 200_000  # bytes


@pytest.fixture(scope="module")
def readme(docs) -> Path:
    """The front page."""
    return docs.parent / "README.md"


def fronts(docs: Path) -> list[Path]:
    """Returns the pages that stand outside of `docs/`."""
    root = docs.parent
    names = ("README.md", "AGENTS.md", "CONTRIBUTING.md")
    return [*(root / name for name in names), *sorted(root.glob("experiments/**/README.md"))]


def words(text: str) -> str:
    return " ".join(text.split())


def test_the_readme_and_the_help_begin_with_the_same_two_sentences(readme, capsys):
    assert metarl.__doc__ is not None
    said = metarl.__doc__.partition("\n\n    ")[0].split("\n\n")
    main(["--help"])
    shown, front = words(capsys.readouterr().out), words(readme.read_text(encoding="utf-8"))
    for sentence in said:
        assert words(sentence) in shown
        assert words(sentence) in front


def test_the_front_pages_are_read_to_their_ends(readme, docs):
    assert len(readme.read_text(encoding="utf-8").splitlines()) <= 240
    assert len((docs.parent / "AGENTS.md").read_text(encoding="utf-8").splitlines()) <= 60


def test_every_command_outside_of_the_site_can_be_typed(docs):
    for front in fronts(docs):
        check_commands(front)


def test_every_link_outside_of_the_site_leads_to_a_file(docs):
    for front in fronts(docs):
        for target in links(front):
            name = target.partition("#")[0]
            assert not name or (front.parent / name).exists(), f"{front}: {target}"


def test_the_readme_and_the_page_of_commands_name_every_verb(readme):
    front = readme.read_text(encoding="utf-8").partition("## The commands")[2].partition("## ")[0]
    page = importlib.import_module("command_page").command_page().partition("## ")[0]
    for verb in VERBS:
        assert re.search(rf"metarl {verb.name} |`{verb.name}`", front), verb.name
        assert re.search(rf"^metarl {verb.name} ", page, flags=re.MULTILINE), verb.name


def test_what_the_readme_imports_is_there(readme):
    for block in blocks(readme):
        if block.kind != "python":
            continue
        for node in ast.walk(ast.parse(block.text)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("metarl"):
                module = importlib.import_module(node.module or "")
                for alias in node.names:
                    assert hasattr(module, alias.name), f"{node.module}.{alias.name}"


def test_agents_md_names_every_package(docs):
    text = (docs.parent / "AGENTS.md").read_text(encoding="utf-8")
    missing = [name for name in metarl.__all__ if not re.search(rf"\b{name}\b", text)]
    assert not missing


# Numbers ---------------------------------------------------------------------------------------


def found_rows(text: str) -> list[str]:
    """Returns the rows of the table of what was found."""
    section = re.search(r"^## What was found\n(.*?)^## ", text, flags=re.DOTALL | re.MULTILINE)
    assert section, "the README has no table of what was found"
    return [line for line in section[1].splitlines() if line.startswith("| [")]


def lost_numbers(row: str, root: Path) -> list[str]:
    """Returns the intervals and decimal numbers of a row that do not stand in the pages it points to."""
    targets = re.findall(r"\]\(([^)#]+)", row)
    pages = "".join((root / target).read_text(encoding="utf-8") for target in targets)
    numbers = re.findall(r"[-+]?\d+(?:\.\d+)? \[[^\]]+\]|[-+]?\d+\.\d+(?: ± \d+\.\d+)?", row)
    return [number for number in numbers if number not in pages]


def test_every_number_of_what_was_found_stands_in_the_page_it_points_to(readme):
    rows = found_rows(readme.read_text(encoding="utf-8"))
    assert len(rows) > 5
    for row in rows:
        assert not lost_numbers(row, readme.parent), row


def test_a_number_that_no_page_has_would_be_seen(tmp_path):
    (tmp_path / "page.md").write_text("0.9 [0.8, 1.0]", encoding="utf-8")
    assert lost_numbers("| [better](page.md) | 0.9 [0.8, 1.0] |", tmp_path) == []
    assert lost_numbers("| [better](page.md) | 0.9 [0.8, 0.9], 0.7 |", tmp_path) == [
        "0.9 [0.8, 0.9]",
        "0.7",
    ]


def test_every_experiment_has_its_command_its_cost_and_when_it_was_run_again(docs):
    root = docs.parent / "experiments"
    text = (root / "README.md").read_text(encoding="utf-8")
    told = set(re.findall(r"^\| `(\w[\w/]+)` \|[^|]+\|[^|]+\|[^|]+\|[^|]+\|$", text, re.MULTILINE))
    folders = {page.parent.relative_to(root).as_posix() for page in root.glob("**/README.md")}
    assert told == folders - {"."}


# Figure and site -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["front_figure", "learning_figure"])
def test_a_figure_is_what_its_script_draws_from_the_committed_results(docs, name):
    pinned = (docs.parent / "constraints.txt").read_text(encoding="utf-8")
    if f"matplotlib=={version('matplotlib')}\n" not in pinned:
        pytest.skip("another matplotlib draws other bytes")
    script = importlib.import_module(name)
    drawn = script.figure()
    assert drawn == (docs / f"{name}.svg").read_text(encoding="utf-8")
    assert len(drawn.encode()) < LARGEST_FIGURE


def test_an_experiment_on_the_site_links_to_others_and_to_the_documentation(docs, tmp_path):
    pages = importlib.import_module("experiment_pages")
    for name, text in {
        "docs/methods/how.md": "# How",
        "experiments/README.md": "",
        "experiments/one/README.md": "[a](two/README.md#b) [h](../../docs/methods/how.md) [data](one.csv)",
        "experiments/one/two/README.md": "[up](../README.md) [all](../../README.md) [gone](../no/README.md)",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    made = pages.experiment_pages(tmp_path)
    assert "[a](one/two.md#b) [h](../methods/how.md) data (`one.csv`)" in made["one.md"]
    assert "[up](../one.md) [all](../index.md) gone (`../no/README.md`)" in made["one/two.md"]


def test_the_site_shows_the_readme_with_links_to_its_own_pages(docs):
    front_page = importlib.import_module("front_page")
    shown = front_page.front_page(docs.parent)
    assert "](docs/" not in shown
    assert "README.md)" not in shown
    targets = re.findall(r"\]\(((?!https?:|#)[^)]+)\)", shown)
    assert {"front_figure.svg", "learning_figure.svg"} <= set(targets)
    for target in targets:
        name = target.partition("#")[0]
        made = name.startswith(("experiments/", "api/")) or name == "commands.md"
        assert made or (docs / name).exists(), target
