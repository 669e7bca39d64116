"""Agents as files from elsewhere: an own environment is imported only if it is named; sizes are those told."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import sys
import tracemalloc

import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.rl_squared import NetworkConfig, TrainConfig, WorldConfig, evaluate, load, preset, save
from metarl.runs import RunDirectory

NETWORK = NetworkConfig(hidden=4)
FACTORY = """
from metarl.environments import load

IMPORTED = True

def make():
    return load("bandit", arms=2)
"""


def settings(world: WorldConfig) -> TrainConfig:
    return dataclasses.replace(preset("smoke", world), network=NETWORK)


@pytest.fixture(scope="module")
def agent(untrained):
    return untrained(settings(WorldConfig(arms=2, episodes=2)))


def sign_again(path) -> None:
    """Writes the hash of a changed archive into its card, as a forger would."""
    card = json.loads(path.with_suffix(".json").read_text())
    card["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_suffix(".json").write_text(json.dumps(card))


def test_an_own_environment_is_imported_only_if_it_is_named(untrained, tmp_path, monkeypatch):
    (tmp_path / "own_world_to_name.py").write_text(FACTORY)
    monkeypatch.syspath_prepend(tmp_path)
    name = "own_world_to_name:make"
    path = save(untrained(settings(WorldConfig(name, episodes=2))), tmp_path / "agent.npz")
    monkeypatch.delitem(sys.modules, "own_world_to_name")
    (tmp_path / "own_world_to_name.py").write_text("raise SystemExit('was imported')")
    message = rf"acts in '{name}', which is code outside metarl.*--environment {name}"
    for world in (None, {"environment": "bandit"}):
        with pytest.raises(InvalidInput, match=message):
            evaluate([str(path)], world=world, tasks=2)
    with pytest.raises(InvalidInput, match=message):
        load(path)
    (tmp_path / "own_world_to_name.py").write_text(FACTORY)
    assert load(path, own=[name]).config.world.environment == name
    assert evaluate([str(path)], world={"environment": name}, tasks=2).tasks == 2


def test_arrays_larger_than_the_network_are_refused_before_they_are_unpacked(agent, tmp_path):
    path = save(agent, tmp_path / "agent.npz")
    bomb = io.BytesIO()
    np.savez_compressed(bomb, w=np.zeros(2**26, np.uint8))
    path.write_bytes(bomb.getvalue())
    sign_again(path)
    load_warm = lambda: load(save(agent, tmp_path / "warm.npz"))  # noqa: E731
    load_warm()  # what is compiled takes memory too
    tracemalloc.start()
    try:
        with pytest.raises(InvalidInput, match="declares 67,108,992 bytes of arrays; at most"):
            load(path)
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"network": {"hidden": 10**9}}, "hidden is 1000000000; it must be from 1 to 65536"),
        ({"network": {"hidden": "4"}}, "hidden must be int, not '4'"),
        ({"network": {"hidden": True}}, "hidden must be int, not True"),
        ({"network": 3}, "network must be an object, not 3"),
        ({"world": {"setting": [["a"]]}}, "every item of setting must be str"),
        ({"world": {"arms": 10**15}}, "arms is 1000000000000000; it must be at most 2147483647"),
        ({"world": {"arms": 2 * 10**9}}, "numbers"),
        ({"seed": 2**70}, "seed must be int"),
        ({"seed": None}, "seed must be int, not None"),
    ],
    ids=str,
)
def test_settings_that_no_agent_has_are_refused(agent, tmp_path, changes, message):
    path = save(agent, tmp_path / "agent.npz")
    card = json.loads(path.with_suffix(".json").read_text())
    for name, value in changes.items():
        whole = isinstance(value, dict)
        card["config"][name] = {**card["config"][name], **value} if whole else value
    path.with_suffix(".json").write_text(json.dumps(card))
    with pytest.raises(InvalidInput, match=message):
        load(path)


def test_weights_are_float32_or_float16(agent, tmp_path):
    path = save(agent, tmp_path / "agent.npz")
    with np.load(path, allow_pickle=False) as arrays:
        wide = {name: array.astype(np.complex64) for name, array in arrays.items()}
    np.savez(path, **wide)
    sign_again(path)
    with pytest.raises(InvalidInput, match="something else than weights in float32 or float16"):
        load(path)


def test_links_out_of_a_run_are_not_followed(agent, tmp_path):
    run = RunDirectory.create(tmp_path / "run", "train", {}, ["metarl"])
    outside = save(agent, tmp_path / "agent.npz")
    for name in ("agent.npz", "agent.json"):
        (run.path / name).symlink_to(outside.with_name(name))
    with pytest.raises(InvalidInput, match="is a link that leads out of"):
        load(run.path)
    (run.path / "agent.json").unlink()
    (run.path / "agent.json").write_bytes(outside.with_suffix(".json").read_bytes())
    with pytest.raises(InvalidInput, match="is a link that leads out of"):
        load(run.path)
    (run.path / "config.json").unlink()
    (run.path / "config.json").symlink_to("/etc/hostname")
    with pytest.raises(InvalidInput, match="is a link that leads out of"):
        RunDirectory.open(run.path)


@pytest.mark.parametrize("name", [3, None, b"rl2-bandit-10x5", ["rl2-bandit-10x5"]])
def test_what_is_neither_a_name_nor_a_path_is_no_agent(name):
    with pytest.raises(InvalidInput, match="An agent is a name, a path or a run directory, not"):
        load(name)
