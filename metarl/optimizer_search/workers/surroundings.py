"""surroundings: what of a process decides the last bits of its results, and how another process is given the same.

Two processes with equal fingerprints, running the same program of the same width on the same data, give the same bits.
A worker whose fingerprint differs from that of the process that asks is refused: a search whose rewards depend on
who computed them could not be repeated.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax

import metarl
from metarl.runs import collect_provenance

from ..journal.specification import xla_threads

# Environment variables that a worker takes over; XLA reads them when its backend starts.
_ENVIRONMENT = ("XLA_FLAGS", "METARL_DATA_DIR")
# Settings of jax that a worker takes over.
_SETTINGS = (
    "jax_platforms",
    "jax_default_matmul_precision",
    "jax_enable_x64",
    "jax_disable_most_optimizations",
    "jax_numpy_rank_promotion",
    "jax_enable_compilation_cache",
    "jax_compilation_cache_dir",
    "jax_persistent_cache_min_compile_time_secs",
)
_DECIDING_SETTINGS = ("jax_enable_x64", "jax_disable_most_optimizations")


def process_fingerprint() -> dict[str, str]:
    """Returns what the bits of this process depend on, by name; starts jax's backend."""
    precision = jax.config.jax_default_matmul_precision  # type: ignore[attr-defined]
    found = collect_provenance([])
    return {
        **{name: str(version) for name, version in found["versions"].items()},
        "sources of metarl": _sources(),
        "processor": f"{found['processor']['architecture']} {' '.join(found['processor']['features'])}",
        "device": jax.devices()[0].device_kind,
        "threads": str(xla_threads()),
        "matmul precision": str(precision),
        "XLA_FLAGS": os.environ.get("XLA_FLAGS", ""),
        **{name: str(jax.config.values.get(name)) for name in _DECIDING_SETTINGS},
    }


def differences(ours: Mapping[str, str], theirs: Mapping[str, str]) -> list[str]:
    """Returns a text for each thing in which two fingerprints differ, such as "jax is 0.10.1, not 0.10.2"."""
    return [
        f"{name} is {theirs.get(name, 'unknown')}, not {ours.get(name, 'unknown')}"
        for name in dict.fromkeys([*ours, *theirs])
        if ours.get(name) != theirs.get(name)
    ]


def settings_for_workers() -> dict[str, Any]:
    """Returns what a worker must take over to be like this process; plain values."""
    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    return {
        "environment": {**environment, "NPROC": str(xla_threads())},
        "jax": {name: jax.config.values.get(name) for name in _SETTINGS},
        "path": [os.path.abspath(entry or os.getcwd()) for entry in sys.path],
    }


def take_over(settings: Mapping[str, Any]) -> None:
    """Makes this process, whose backend has not started, like the one that the settings come from.

    Of CPU devices it has one: a worker drives one device, and a machine has as many workers as it shall be used for.
    """
    os.environ.update(settings["environment"])
    sys.path.extend(entry for entry in settings["path"] if entry not in sys.path)
    for name, value in settings["jax"].items():
        if value is not None:
            jax.config.update(name, value)
    jax.config.update("jax_num_cpu_devices", 1)


def _sources() -> str:
    """Returns the digest of metarl's code: a commit would also tell of pages and tests, and not of what is changed."""
    package = Path(metarl.__file__).parent
    found = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        found.update(f"{path.relative_to(package).as_posix()}\0".encode() + path.read_bytes())
    return found.hexdigest()[:16]
