"""How jax starts; in processes of their own, because a backend starts once."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys

import jax
import pytest

from metarl.cli import avoid_faulty_fusions, configure, sums
from metarl.cli import startup as starting
from metarl.errors import InvalidInput
from metarl.runs import usable_cores

_SETTINGS = (
    "JAX_PLATFORMS",
    "NPROC",
    "JAX_COMPILATION_CACHE_DIR",
    "METARL_CACHE",
    "XDG_CACHE_HOME",
    "XLA_FLAGS",
    "JAX_DISABLE_MOST_OPTIMIZATIONS",
)


def started(call: str, after: str = "None", **environment: str) -> list:
    """Returns [fields of the Startup, value of `after`] from a fresh process."""
    script = (
        "import dataclasses, json, os\nfrom metarl.cli import configure\n"
        f"startup = configure({call})\nimport jax, jax.numpy as jnp\n"
        f"print(json.dumps([dataclasses.asdict(startup), {after}]))"
    )
    inherited = {name: value for name, value in os.environ.items() if name not in _SETTINGS}
    answer = subprocess.run(
        [sys.executable, "-c", script],
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(answer.stdout)


def test_threads_are_devices_and_the_size_of_the_pool_and_the_precision_is_set():
    startup, found = started(
        "'cpu', 'highest', threads=3",
        "[os.environ['NPROC'], jax.config.jax_default_matmul_precision]",
        METARL_CACHE="off",
    )
    assert startup == {
        "platform": "cpu",
        "devices": 3,
        "threads": 3,
        "matmul_precision": "highest",
        "compilation_cache": None,
    }
    assert found == ["3", "highest"]


def test_every_usable_core_is_a_device_and_no_precision_is_set_unless_said_otherwise():
    startup, cores = started("", "len(os.sched_getaffinity(0))", METARL_CACHE="off")
    assert startup["threads"] == cores and startup["matmul_precision"] is None


def test_compiled_programs_are_kept_below_the_users_cache(tmp_path):
    heavy = "str(jax.jit(lambda x: jnp.linalg.svd(x @ x.T) )(jnp.ones((9, 9)))[0].shape)"
    startup, _ = started("'cpu'", heavy, XDG_CACHE_HOME=str(tmp_path))
    folder = startup["compilation_cache"]
    assert folder.startswith(str(tmp_path / "metarl" / "jax"))
    assert os.path.isdir(folder)


def test_a_home_that_cannot_be_written_only_costs_the_cache(tmp_path):
    (tmp_path / "metarl").write_text("a file where the folder should be")
    startup, _ = started("'cpu'", XDG_CACHE_HOME=str(tmp_path))
    assert startup["compilation_cache"] is None


def test_the_users_own_cache_folder_is_kept(tmp_path):
    startup, _ = started("'cpu'", JAX_COMPILATION_CACHE_DIR=str(tmp_path / "own"))
    assert startup["compilation_cache"] == str(tmp_path / "own")


def test_every_sum_is_of_its_own_row():
    """As jax issue 39103 has it: jaxlib 0.10.2 gives the last ones the sums of other rows."""
    squares = "jax.jit(jax.vmap(lambda row: ((jnp.eye(3) @ row) ** 2).sum()))"
    rows = "jnp.stack([jnp.arange(40_000.0)] * 3, axis=1)"
    _, last = started("'cpu'", f"float({squares}({rows})[-1])", METARL_CACHE="off")
    assert last == pytest.approx(3 * 39_999**2)


@pytest.mark.parametrize(
    ("release", "given", "flags"),
    [
        ("0.10.2", "", "--xla_cpu_experimental_ynn_fusion_type="),
        ("0.10.2", "--own=1", "--own=1 --xla_cpu_experimental_ynn_fusion_type="),
        ("0.11.0", "--xla_cpu_experimental_ynn_fusion_type=dot", None),
        ("0.11.1", "", "--xla_cpu_experimental_ynn_fusion_type="),
        ("0.11.2", "", "--xla_cpu_experimental_ynn_fusion_type="),
        ("0.12.0", "", None),
        ("0.10.1", "--own=1", None),
        ("0.7.0", "", None),
    ],
)
def test_only_releases_at_fault_are_given_the_flag(release, given, flags, monkeypatch):
    monkeypatch.setattr("importlib.metadata.version", {"jaxlib": release}.get)
    monkeypatch.setenv("XLA_FLAGS", given)
    avoid_faulty_fusions()
    assert os.environ["XLA_FLAGS"] == (given if flags is None else flags)


@pytest.mark.skipif(usable_cores() < 2, reason="threads race only where there are several")
def test_this_release_adds_up_wrongly_if_and_only_if_it_is_listed():
    """As it starts by itself, nothing turned off: at least 3 in 100 calls of a faulty one are wrong."""
    script = "from metarl.cli.sums import wrong_sums\nprint(any(wrong_sums() for _ in range(5)))"
    inherited = {name: value for name, value in os.environ.items() if name not in _SETTINGS}
    answer = subprocess.run(
        [sys.executable, "-c", script],
        env=inherited | {"JAX_PLATFORMS": "cpu", "NPROC": "2"},
        capture_output=True,
        text=True,
        check=True,
    )
    release = importlib.metadata.version("jaxlib")
    assert answer.stdout.strip() == str(release in starting.FAULTY_FUSIONS)


@pytest.fixture
def tried(tmp_path, monkeypatch):
    """Returns a function that meets a release whose sums are wrong so often, and says how often it tried them."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("METARL_CACHE", raising=False)
    tries = []

    def meet(release: str, wrong: int) -> int:
        tries.clear()
        monkeypatch.setattr("importlib.metadata.version", {"jaxlib": release}.get)
        monkeypatch.setattr(sums, "wrong_sums", lambda: tries.append(release) or wrong)
        starting.warn_of_wrong_sums()
        return len(tries)

    return meet


def test_a_release_that_adds_up_is_tried_once(tried, tmp_path, monkeypatch):
    assert [tried("0.99.0", 0), tried("0.99.0", 0), tried("0.99.1", 0)] == [1, 0, 1]
    monkeypatch.setenv("NPROC", "64")  # one thread cannot show what many do
    assert [tried("0.99.0", 0), tried("0.99.0", 0)] == [1, 0]
    assert len(list((tmp_path / "metarl" / "sums").iterdir())) == 3


@pytest.mark.parametrize(
    ("release", "tries"),
    [
        *(("0.7.0", 0), ("0.11.2", 0), ("0.12.0", 0), ("0.12.0.1", 0)),
        *(("0.12.0.2", 1), ("0.12.1", 1), ("1.0", 1), ("0.12.0.dev20260901", 1)),
    ],
)
def test_only_releases_that_nobody_tried_are_tried(tried, release, tries):
    assert tried(release, 0) == tries


def test_wrong_sums_are_warned_of_by_every_command(tried, tmp_path):
    for _ in range(2):
        with pytest.warns(RuntimeWarning) as warned:
            assert tried("0.99.0", 7) == 1
        assert str(warned[0].message) == (
            "jaxlib 0.99.0, which metarl was not tried with, adds up wrongly on this CPU: 7 of 200 equal sums were "
            "wrong. Numbers made with it are not to be trusted. Install jaxlib 0.12.0.1, or set "
            "XLA_FLAGS=--xla_cpu_experimental_ynn_fusion_type= (it turns off what was at fault in earlier releases) "
            "and see whether this warning goes away."
        )
    assert not list(tmp_path.iterdir())


def test_without_a_cache_nothing_is_remembered(tried, tmp_path, monkeypatch):
    monkeypatch.setenv("METARL_CACHE", "off")
    assert [tried("0.99.0", 0), tried("0.99.0", 0)] == [1, 1]
    assert not list(tmp_path.iterdir())


def test_every_command_tries_a_release_that_nobody_tried(tmp_path, monkeypatch):
    script = (
        "import importlib.metadata as m\nreal = m.version\n"
        "m.version = lambda name: '0.99.0' if name == 'jaxlib' else real(name)\n"
        "from metarl.cli import avoid_faulty_fusions, configure\nm.version, new = real, m.version\n"
        "avoid_faulty_fusions()\nm.version = new\nconfigure('cpu', threads=2)"
    )
    inherited = {name: value for name, value in os.environ.items() if name not in _SETTINGS}
    environment = {**inherited, "XDG_CACHE_HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-W", "error", "-c", script], env=environment, check=True)
    assert [path.name[:6] for path in (tmp_path / "metarl" / "sums").iterdir()] == ["0.99.0"]


def test_a_running_backend_keeps_its_devices(monkeypatch):
    monkeypatch.setenv("METARL_CACHE", "off")
    monkeypatch.setenv("NPROC", "2")
    monkeypatch.setenv("XLA_FLAGS", "")
    devices = jax.devices()
    try:
        assert configure("cpu", threads=5).threads == len(devices)
        assert os.environ["XLA_FLAGS"] == ""  # nothing that did not take effect
    finally:
        jax.config.update("jax_enable_compilation_cache", True)


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="the machine has an accelerator")
def test_a_device_that_is_not_there_is_a_clear_message():
    script = (
        "from metarl.cli import configure\nfrom metarl.errors import InvalidInput\n"
        "for device in ('gpu', 'tpu'):\n"
        "    try:\n        configure(device)\n"
        "    except InvalidInput as error:\n        print(error)"
    )
    environment = {**os.environ, "METARL_CACHE": "off"}
    answer = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True
    )
    gpu, tpu = answer.stdout.splitlines()
    for device, message in {"gpu": gpu, "tpu": tpu}.items():
        assert message.startswith(f"--device {device}: jax "), answer.stderr
        assert "Choose --device cpu, or install" in message


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"device": "abacus"}, "one of cpu, gpu, tpu, not 'abacus'"),
        ({"threads": 0}, "--threads must be from 1 to 1024, not 0"),
        ({"threads": 100_000}, "--threads must be from 1 to 1024, not 100000"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(InvalidInput, match=message):
        configure(**settings)
