"""Provenance: what a run's numbers may depend on, written down before the first of them exists.

Versions, devices, the processor and those of its features that change the last bits, threads,
matrix product precision, seed, command line, time, revision, a user's own modules. No path of the
machine is recorded beyond what the command line itself names.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from metarl.user_code import own_sources

from .cores import usable_cores
from .nested import differing

_DISTRIBUTIONS = ("metarl", "jax", "jaxlib", "optax", "dm-haiku", "numpy")
# Whether products and sums are fused, and how many numbers are added at once, decides the last bit.
_FEATURES = re.compile(r"f16c|fma4?|sse4_[12]|avx\w*|amx\w*|asimd\w*|sve\w*|bf16|fphp")
_THREAD_SETTINGS = (
    "NPROC",
    "OMP_NUM_THREADS",
    "XLA_FLAGS",
    "JAX_PLATFORMS",
    "JAX_NUM_CPU_DEVICES",
    "JAX_ENABLE_X64",
    "JAX_DEFAULT_MATMUL_PRECISION",
)
_DECIDES_BITS = ("versions", "devices", "processor", "cores", "settings", "matmul_precision")


def collect_provenance(command: Sequence[str], *, seed: int | None = None) -> dict[str, Any]:
    """Returns the provenance of a run that starts now; starts jax's backend to see the devices.

    Args:
      command: the command line, as a list of words.
      seed: the seed of everything random in the run.

    Returns:
      A dict that JSON can hold. Of the user's own code it has what was imported before.
    """
    return {
        "started": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "command": list(command),
        "seed": seed,
        "matmul_precision": _matmul_precision(),
        "versions": {"python": platform.python_version(), **_versions()},
        "revision": _revision(),
        "own_code": own_sources(),
        "devices": _devices(),
        "processor": _processor(),
        "cores": {"present": os.cpu_count(), "usable": usable_cores()},
        "settings": {name: os.environ.get(name) for name in _THREAD_SETTINGS},
        "system": {"name": platform.system(), "release": platform.release()},
    }


def changed_bits(recorded: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """Says what of the things that decide the last bits differs between two provenances.

    Args:
      recorded: the provenance of the run when it started.
      now: that of the process that resumes it.

    Returns:
      A sentence for whoever resumes it, which names each with what it was and is; None when equal
      bits can be expected.
    """
    pairs = differing(
        *({name: seen.get(name) for name in _DECIDES_BITS} for seen in (recorded, now))
    )
    if not pairs:
        return None
    changes = [f"{name} ({_brief(old)}, now {_brief(new)})" for name, (old, new) in pairs.items()]
    return (
        f"Since the run began these have changed: {', '.join(changes)}. Its last bits may differ "
        "from those of an uninterrupted run."
    )


def changed_code(recorded: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """Says which modules of the user's differ between two provenances; None if none does that both have.

    Args:
      recorded: the provenance of the run when it started.
      now: that of the process that resumes it, which has imported them.
    """
    before, after = (seen.get("own_code") or {} for seen in (recorded, now))
    changed = [name for name in after if name in before and before[name] != after[name]]
    if not changed:
        return None
    return (
        f"Since the run began code of yours has changed: {', '.join(changed)}. What it had computed "
        "then is kept beside what it computes now; begin a new run unless the change alters no number."
    )


def changed_settings(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """Says which settings of an experiment are not those that its run began with; None if all are.

    Args:
      before: those it began with, nested.
      now: those that stand in `experiments/`.
    """
    pairs = differing(before, now)
    if not pairs:
        return None
    changes = [f"{name} ({_brief(old)}, now {_brief(new)})" for name, (old, new) in pairs.items()]
    return (
        f"Since the run began settings in experiments/ have changed: {', '.join(changes)}. What was measured then is "
        "kept beside what is measured now; choose another --run-dir unless the change alters nothing that is there."
    )


def _brief(value: Any) -> str:
    """Returns a value of a provenance in a word; of devices and features only how many they are."""
    if value is None:
        return "not set"
    return f"{len(value)} of them" if isinstance(value, (list, Mapping)) else str(value)


def _versions() -> dict[str, str | None]:
    return {name: _version(name) for name in _DISTRIBUTIONS}


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None  # used from a checkout, without having been installed


def _matmul_precision() -> str | None:
    """Returns what jax's default precision of matrix products was set to; None is the backend's own."""
    import jax

    return jax.config.jax_default_matmul_precision  # type: ignore[attr-defined]


def _devices() -> list[dict[str, Any]]:
    import jax

    return [{"platform": device.platform, "kind": device.device_kind} for device in jax.devices()]


def _processor() -> dict[str, Any]:
    """Returns the model and the features that decide bits; features are only known on Linux."""
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    pairs = [line.split(":", 1) for line in lines if ":" in line]
    fields = {name.strip().lower(): value.strip() for name, value in reversed(pairs)}
    flags = (fields.get("flags") or fields.get("features") or "").split()
    return {
        "architecture": platform.machine(),
        "model": fields.get("model name") or platform.processor() or None,
        "features": sorted(flag for flag in flags if _FEATURES.fullmatch(flag)),
    }


def _revision() -> dict[str, Any] | None:
    """Returns the commit of metarl's own checkout; None if it is installed, wherever that is."""
    here = Path(__file__).resolve()
    if _git(here.parent, "ls-files", "--error-unmatch", here.name) is None:
        return None
    commit = _git(here.parent, "rev-parse", "HEAD")
    changes = _git(here.parent, "status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "modified": bool(changes)}


def _git(directory: Path, *words: str) -> str | None:
    """Returns what git answers; None if it does not, or is not installed."""
    command = ["git", "-C", str(directory), *words]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None
