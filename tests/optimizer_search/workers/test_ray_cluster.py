"""Joining a Ray cluster, without Ray: behind a token, on loopback, and refused in a line."""

from __future__ import annotations

import importlib
import os
import sys

import pytest

from metarl.errors import InvalidInput
from metarl.optimizer_search.workers.ray_cluster import RayCluster


class FakeRay:
    """What a cluster needs of Ray; `init` fails with the errors given, one after another."""

    __version__ = "2.60.0"

    def __init__(self, *errors, running=False):
        self.errors, self.running = list(errors), running
        self.begun, self.ended = [], 0

    def is_initialized(self):
        return self.running

    def init(self, **settings):
        self.begun.append(settings)
        if self.errors:
            raise self.errors.pop(0)

    def shutdown(self):
        self.ended += 1


@pytest.fixture
def join(monkeypatch):
    """(fake, arguments) -> a cluster joined through it; the environment is as it was afterwards."""
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_USAGE_STATS_ENABLED"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)

    def joined(fake, *arguments):
        monkeypatch.delitem(sys.modules, "ray", raising=False)
        monkeypatch.setattr(importlib, "import_module", lambda name: fake)
        return RayCluster(*arguments)

    return joined


def test_a_cluster_of_ones_own_has_a_token_and_is_not_seen_from_outside(join):
    fake = FakeRay()
    cluster = join(fake, None, 3)
    (settings,) = fake.begun
    assert settings["address"] == "local" and settings["num_cpus"] == 3
    assert settings["_node_ip_address"].startswith("127.")
    assert settings["include_dashboard"] is False
    assert os.environ["RAY_AUTH_MODE"] == "token" and len(os.environ["RAY_AUTH_TOKEN"]) == 64
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
    cluster.close()
    assert fake.ended == 1


def test_a_cluster_that_is_joined_keeps_its_own_token_and_settings(join, monkeypatch):
    monkeypatch.setenv("RAY_AUTH_TOKEN", "theirs")
    fake = FakeRay()
    join(fake, "10.0.0.5:6379")
    (settings,) = fake.begun
    assert settings["address"] == "10.0.0.5:6379"
    assert not {"num_cpus", "object_store_memory", "_node_ip_address"} & set(settings)
    assert os.environ["RAY_AUTH_TOKEN"] == "theirs"


def test_a_cluster_that_the_process_has_joined_already_is_left_as_it_is(join):
    fake = FakeRay(running=True)
    join(fake).close()
    assert fake.begun == [] and fake.ended == 0


def test_a_busy_machine_is_given_time(join):
    slow = [Exception("The current node timed out during startup.")] * 2
    fake = FakeRay(*slow)
    join(fake)
    assert len(fake.begun) == 3 and fake.ended == 2


def test_a_cluster_that_is_not_there_is_refused_in_a_line(join):
    fake = FakeRay(ConnectionError("Could not connect to 10.0.0.5:1.\nmore\nand more"))
    with pytest.raises(InvalidInput) as refusal:
        join(fake, "10.0.0.5:1")
    assert str(refusal.value) == (
        "No Ray cluster at 10.0.0.5:1: Could not connect to 10.0.0.5:1. It must run Ray 2.60.0 "
        "and know the same token; see docs/cluster.md."
    )
    assert len(fake.begun) == 1


def test_without_ray_it_is_said_what_to_install(join, monkeypatch):
    def absent(name):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(InvalidInput, match=r"pip install 'metarl\[ray\]'"):
        RayCluster()
