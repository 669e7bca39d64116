"""The flags with which `make test` compiles: only those that the installed jaxlib knows."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "hasty_flags.py"


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(SCRIPT))


def test_only_flags_that_a_library_knows_are_given(script, tmp_path):
    (tmp_path / "libjax.so").write_bytes(b"\0xla_old\0xla_new\0 xla_goneR" + bytes(5000))
    (tmp_path / "empty.so").write_bytes(b"")
    flags = {"xla_old": "1", "xla_gone": "2", "xla_new": "false"}
    assert script["known"](tmp_path, flags) == ["--xla_old=1", "--xla_new=false"]


def test_make_test_asks_the_script():
    makefile = SCRIPT.parents[1] / "Makefile"
    if not makefile.exists():
        pytest.skip("needs the checkout, not only the tests")
    lines = makefile.read_text(encoding="utf-8").splitlines()
    assert [
        line for line in lines if "XLA_FLAGS" in line and "tests/hasty_flags.py" not in line
    ] == []
