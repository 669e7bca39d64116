"""What must be quick is light: heavy packages are imported by those who use them, when they do."""

from __future__ import annotations

import json
import resource
import subprocess
import sys

import pytest

from metarl.cli import VERBS

HEAVY = {
    *("jax", "jaxlib", "haiku", "optax", "chex", "numpy", "scipy", "sklearn"),
    *("matplotlib", "orbax", "ray", "torch", "gymnasium", "rich", "tyro"),
}
SHOW = "import json, sys; print(json.dumps(sorted(m for m in sys.modules if '.' not in m)))"


def loaded_by(statement: str) -> set[str]:
    """Returns the top packages that a fresh interpreter holds after `statement`."""
    answer = subprocess.run(
        [sys.executable, "-c", f"{statement}\n{SHOW}"], capture_output=True, text=True, check=True
    )
    return set(json.loads(answer.stdout.splitlines()[-1]))


def test_import_metarl_loads_nothing_heavy():
    assert not loaded_by("import metarl") & HEAVY


def test_help_loads_nothing_heavy():
    assert not loaded_by("from metarl.cli import main; assert main(['--help']) == 0") & HEAVY


@pytest.mark.parametrize("verb", [verb.name for verb in VERBS])
def test_the_help_of_a_verb_needs_no_jax(verb):
    statement = f"from metarl.cli import main; assert main([{verb!r}, '--help']) == 0"
    assert not loaded_by(statement) & {"jax", "haiku", "optax", "sklearn", "matplotlib", "ray"}


def test_configurations_need_no_jax(sources):
    modules = [
        source.module
        for source in sources
        if source.path.name == "config.py" or ".settings." in source.module
    ]
    assert modules, "no configuration found: has config.py been renamed?"
    assert not loaded_by("import " + ", ".join(modules)) & {"jax", "haiku", "optax", "sklearn"}


def test_help_takes_less_than_a_second_of_processor_time():
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "metarl", "--help"], capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime < 1.0
