"""What is given away: the wheel holds all of metarl, and the files around it are well formed."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import metarl


@pytest.fixture(scope="module")
def wheel(checkout, tmp_path_factory) -> zipfile.ZipFile:
    """The wheel, built from the checkout with the backend that is installed, so without a network."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    built = subprocess.run([*command, str(checkout)], capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    return zipfile.ZipFile(next(folder.glob("*.whl")))


def test_the_wheel_holds_every_file_of_the_package(checkout, wheel):
    package = checkout / "metarl"
    there = {
        str(path.relative_to(checkout))
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert there <= set(wheel.namelist())
    assert "metarl/py.typed" in there
    assert not [name for name in wheel.namelist() if name.startswith(("tests/", "runs/"))]


def test_the_wheel_has_the_licence_the_version_and_the_command(wheel):
    information = f"metarl-{metarl.__version__}.dist-info"
    assert f"{information}/licenses/LICENSE" in wheel.namelist()
    assert "metarl = metarl.cli:main" in wheel.read(f"{information}/entry_points.txt").decode()
    assert "License-Expression: Apache-2.0" in wheel.read(f"{information}/METADATA").decode()


def test_the_citation_names_the_entity_and_both_papers(checkout):
    yaml = pytest.importorskip("yaml")
    citation = yaml.safe_load((checkout / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert citation["authors"] == [{"name": "The metarl authors"}]
    assert citation["license"] == "Apache-2.0"
    identifiers = [paper["identifiers"] for paper in citation["references"]]
    assert [[one["value"] for one in each] for each in identifiers] == [
        ["arXiv:1709.07417"],
        ["arXiv:1611.02779"],
    ]


def test_constraints_pin_every_dependency_and_nothing_twice(checkout):
    pins = pinned(checkout / "constraints.txt")
    project = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"]]
    for extra in ("dev", "torch", "ray", "tensorboard", "peers"):
        wanted += extras[extra]
    missing = {distribution(line) for line in wanted} - set(pins)
    assert not missing
    assert pins["torch"] == "2.13.0"


def pinned(path: Path) -> dict[str, str]:
    """Returns name -> version; refuses lines that are neither a comment nor name==version."""
    pins: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, equals, version = line.partition("==")
            assert equals, f"not name==version: {line!r}"
            assert distribution(name) not in pins, f"{name} is pinned twice"
            pins[distribution(name)] = version
    return pins


def distribution(requirement: str) -> str:
    """Returns the normalised name at the start of a requirement."""
    name = requirement
    for mark in "[<>=!~; ":
        name = name.partition(mark)[0]
    return name.lower().replace("_", "-").replace(".", "-")
