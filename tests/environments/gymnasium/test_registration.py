"""gymnasium finds the families under their ids, whoever is imported first, and nothing heavy is."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import warnings

import gymnasium
import pytest
from gymnasium.envs.registration import EnvSpec

from metarl.environments import names, register_with_gymnasium
from metarl.environments.gymnasium.registration import IDS

MAKE = "print(gymnasium.make('metarl/Bandit-v0', arms=3).action_space)"


@pytest.mark.parametrize(
    "script",
    [
        f"import gymnasium, metarl; {MAKE}",
        f"import metarl, gymnasium; {MAKE}",
        f"import metarl; from gymnasium.envs.registration import make; import gymnasium; {MAKE}",
        "import gymnasium; print(gymnasium.make('metarl:metarl/Bandit-v0', arms=3).action_space)",
    ],
)
def test_an_environment_is_made_whichever_is_imported_first(script):
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert answer.stdout == "Discrete(3)\n", answer.stderr


def test_waiting_for_gymnasium_neither_imports_it_nor_hides_it():
    script = """
import sys, importlib.util, metarl
waiting = len(sys.meta_path)
assert "gymnasium" not in sys.modules and "numpy" not in sys.modules
assert importlib.util.find_spec("gymnasium").name == "gymnasium"  # who only looks changes nothing
assert importlib.util.find_spec("no_such_module") is None
import gymnasium
assert len(sys.meta_path) == waiting - 1
assert type(gymnasium.__loader__).__name__ == "SourceFileLoader"
"""
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr


def test_metarl_is_imported_where_gymnasium_is_not_installed():
    script = """
import sys, metarl
sys.path.clear()  # nothing more can be found
try:
    import gymnasium
except ModuleNotFoundError as error:
    print(error)
"""
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert answer.stdout == "No module named 'gymnasium'\n", answer.stderr


def test_a_second_registration_changes_nothing():
    before = dict(gymnasium.registry)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        register_with_gymnasium()
    assert dict(gymnasium.registry) == before
    assert set(IDS) <= set(before)


def test_entry_points_are_strings_that_a_file_can_hold():
    for name in IDS:
        spec = gymnasium.spec(name)
        assert EnvSpec.from_json(spec.to_json()) == spec
        for entry_point in (spec.entry_point, spec.vector_entry_point):
            assert isinstance(entry_point, str)
            assert importlib.util.find_spec(entry_point.partition(":")[0])


def test_every_id_stands_for_a_family():
    assert set(IDS.values()) <= set(names())
