"""The flags of several processes: what fits together, and what is said where it does not."""

from __future__ import annotations

import pytest

from metarl.cli.hosts import Hosts
from metarl.cli.machine import Machine
from metarl.errors import InvalidInput


@pytest.mark.parametrize(
    ("hosts", "flags"),
    [
        (Hosts(), ""),
        (Hosts("auto"), "--hosts auto"),
        (
            Hosts(2, 1, "localhost:1234"),
            "--hosts 2 --host-index 1 --coordinator localhost:1234",
        ),
        (Hosts(1, 0, "[::1]:80"), "--hosts 1 --host-index 0 --coordinator [::1]:80"),
    ],
)
def test_flags_are_repeated_as_they_were_typed(hosts, flags):
    hosts.check()
    assert hosts.flags == flags
    assert hosts.asked_for == (flags != "")


@pytest.mark.parametrize(
    ("hosts", "message"),
    [
        (Hosts(host_index=1), "--host-index cannot be given without --hosts"),
        (Hosts(None, 1, "a:1"), "--host-index and --coordinator cannot be given without --hosts"),
        (Hosts("auto", 1), "--host-index cannot be given with --hosts auto, which finds them"),
        (Hosts(0, 0, "a:1"), "--hosts must be at least 1, not 0"),
        (Hosts(2), "--hosts 2 needs --host-index and --coordinator too"),
        (Hosts(2, 1), "--hosts 2 needs --coordinator too"),
        (Hosts(2, 2, "a:1"), "--host-index must be from 0 to 1, not 2"),
        (Hosts(2, -1, "a:1"), "--host-index must be from 0 to 1, not -1"),
        (Hosts(2, 1, "a"), "--coordinator takes ADDRESS:PORT, not 'a'"),
        (Hosts(2, 1, ":1"), "--coordinator takes ADDRESS:PORT, not ':1'"),
        (Hosts(2, 1, "a:99999"), "--coordinator takes ADDRESS:PORT, not 'a:99999'"),
    ],
)
def test_flags_that_do_not_fit_are_refused_before_jax_starts(hosts, message):
    with pytest.raises(InvalidInput, match=message):
        Machine().start(hosts)


def test_where_nothing_is_detected_auto_says_what_to_give(monkeypatch):
    import jax

    def nothing(*arguments, **settings):
        raise ValueError("coordinator_address should be defined.")

    monkeypatch.setattr(jax.distributed, "initialize", nothing)
    with pytest.raises(InvalidInput, match=r"--hosts auto: coordinator_address .* Give --hosts N"):
        Hosts("auto").join()


def test_what_is_computed_on_goes_into_the_command_to_go_on_with():
    assert Machine().flags == ""
    machine = Machine(device="cpu", threads=2, matmul_precision="highest")
    assert machine.flags == "--device cpu --threads 2 --matmul-precision highest"
    gang = Hosts("auto").gang(machine.flags)
    assert gang.flags == f"{machine.flags} --hosts auto" and gang.size == 1
