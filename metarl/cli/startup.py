"""How jax starts: device, threads, precision of matrix products, the cache of compiled programs, and faults to avoid.

All of it is read once, when jax's backend starts, so `configure` comes first. What was measured on two CPU cores, with
jax 0.10:

- The CPU backend has one pool of threads for all its devices, of max(NPROC, devices) threads, NPROC being the number of
  cores unless the environment says otherwise. `--xla_cpu_multi_thread_eigen=false` changes nothing any more.
- With two devices and one Python thread for each, two small programs run at 1.7 to 2.1 times the speed of one after the
  other. A product of two 1000 x 1000 matrices uses the pool and its last bits depend on the pool's size; the small ones
  of the problems here stay on the thread of their device.

So `threads` is the number of CPU devices and NPROC alike: the pool then has exactly that many threads, and
`--threads 1` means one. It is part of a run's provenance.

Four releases of jaxlib give wrong sums on a CPU, silently (jax issues 39103 and 39741): their fused loops may take
other rows than theirs, and race where there are several threads. `configure` turns those loops off by XLA_FLAGS, which
are part of the provenance too; neither trainings nor searches were slower for it (`metarl bench`, in turns). A release
that nobody has tried yet is tried by the first command that meets it (see `sums`).
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import os
import platform
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from metarl.errors import InvalidInput, require
from metarl.runs import usable_cores

Device = Literal["cpu", "gpu", "tpu"]
Precision = Literal["default", "high", "highest"]

# The CPU stays reachable beside an accelerator: it holds what is too small to send there.
DEVICES = {"cpu": "cpu", "gpu": "cuda,cpu", "tpu": "tpu,cpu"}

# The releases at fault. Only they are given the flag: one that does not know it would end the process.
FAULTY_FUSIONS = ("0.10.2", "0.11.0", "0.11.1", "0.11.2")
_NO_FUSIONS = "--xla_cpu_experimental_ynn_fusion_type="

# The newest release whose sums were tried here, by `experiments/reliability/jaxlib_sums.py`.
_NEWEST_TRIED = "0.12.0.1"

# Each is a device of XLA's; with a hundred thousand the backend does not start within minutes.
MOST_THREADS = 1024

# Compiling takes seconds; a program that took less than this is not worth a file.
_CACHED_FROM_SECONDS = 0.2


@dataclass(frozen=True)
class Startup:
    """What jax was started with.

    Attributes:
      platform: the platform of the default backend: "cpu", "gpu" or "tpu".
      devices: the number of its devices, of all processes that train together.
      threads: the number of this process's CPU devices, and of threads that XLA shares among them.
      matmul_precision: of float32 matrix products; None is the backend's own default.
      compilation_cache: the folder of compiled programs, or None if the cache is off.
    """

    platform: str
    devices: int
    threads: int
    matmul_precision: str | None
    compilation_cache: str | None


def configure(
    device: Device | None = None,
    matmul_precision: Precision | None = None,
    threads: int | None = None,
    join: Callable[[], None] = lambda: None,
) -> Startup:
    """Starts jax's backend with these settings and returns them.

    In a process whose backend runs already (a notebook, a test) its devices stay as they are, and the precision and the
    cache are set.

    Args:
      device: the platform to compute on; None lets jax choose the best one present.
      matmul_precision: of float32 matrix products; on GPU and TPU "default" may round the factors to 10 or 8 bits.
      threads: the number of CPU devices, each to be driven by one Python thread; None takes every usable core.
      join: called when all is set, before the backend starts: a process joins others here (see `Hosts.join`).

    Raises:
      InvalidInput: the machine has no such device, or `threads` is not from 1 to `MOST_THREADS`.
    """
    require(
        threads is None or 1 <= threads <= MOST_THREADS,
        f"--threads must be from 1 to {MOST_THREADS}, not {threads}.",
    )
    require(
        device is None or device in DEVICES,
        f"--device takes one of {', '.join(DEVICES)}, not {device!r}.",
    )
    count = threads or usable_cores()
    if threads is not None:
        os.environ["NPROC"] = str(threads)
    else:
        os.environ.setdefault("NPROC", str(count))

    import jax

    if device is not None:
        jax.config.update("jax_platforms", DEVICES[device])
    with contextlib.suppress(RuntimeError):  # the backend runs already
        jax.config.update("jax_num_cpu_devices", count)
        avoid_faulty_fusions()
    jax.config.update("jax_default_matmul_precision", matmul_precision)
    cache = _start_cache()
    join()
    backend = _start_backend(device)
    warn_of_wrong_sums()
    return Startup(
        platform=backend,
        devices=len(jax.devices()),
        threads=len(jax.local_devices(backend="cpu")),
        matmul_precision=matmul_precision,
        compilation_cache=None if cache is None else str(cache),
    )


def avoid_faulty_fusions() -> None:
    """Turns off, by XLA_FLAGS, the fused loops that give wrong sums in this release of jaxlib, if it is one of those.

    For a process whose backend has not started. XLA_FLAGS that speak of these loops already stay as they are.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if _NO_FUSIONS not in flags and importlib.metadata.version("jaxlib") in FAULTY_FUSIONS:
        os.environ["XLA_FLAGS"] = f"{flags} {_NO_FUSIONS}".strip()


def warn_of_wrong_sums() -> None:
    """Tries the sums of a release of jaxlib that was not tried before, and warns if they are wrong.

    Takes a fraction of a second, on a CPU device, for the first command under a release, number of threads and
    XLA_FLAGS; if all sums are right, metarl's cache remembers it.

    Warns:
      RuntimeWarning: what is wrong and what to do.
    """
    release = importlib.metadata.version("jaxlib")
    if not _is_untried(release):
        return
    memory = _memory_of_sums(release)
    if memory is not None and memory.exists():
        return
    from .sums import CALLS, wrong_sums

    if wrong := wrong_sums():
        warnings.warn(
            f"jaxlib {release}, which metarl was not tried with, adds up wrongly on this CPU: {wrong} of {CALLS} "
            "equal sums were wrong. Numbers made with it are not to be trusted. Install jaxlib "
            f"{_NEWEST_TRIED}, or set XLA_FLAGS={_NO_FUSIONS} (it turns off what was at fault in earlier releases) "
            "and see whether this warning goes away.",
            RuntimeWarning,
            stacklevel=3,
        )
    elif memory is not None:
        with contextlib.suppress(OSError):  # a home that cannot be written: tried again next time
            memory.parent.mkdir(parents=True, exist_ok=True)
            memory.touch()


def _is_untried(release: str) -> bool:
    """Tells whether a release of jaxlib is newer than those tried, or a build between releases."""
    if re.fullmatch(r"\d+(\.\d+)*", release) is None:
        return True
    return [int(n) for n in release.split(".")] > [int(n) for n in _NEWEST_TRIED.split(".")]


def _memory_of_sums(release: str) -> Path | None:
    """Returns the file whose presence says that the sums of a release were right; None if the cache is off."""
    if _cache_is_off():
        return None
    settings = f"{os.environ.get('NPROC')} {os.environ.get('XLA_FLAGS', '')}"
    name = f"{release}-{hashlib.sha256(settings.encode()).hexdigest()[:8]}"
    return _cache_folder().parent.parent / "sums" / name


def _start_backend(device: Device | None) -> str:
    """Starts the backend and returns its platform; refuses to fall back silently from the device asked for."""
    import jax

    remedy = "Choose --device cpu, or install the jax that drives it (the extra `cuda` for NVIDIA)."
    try:
        found = jax.default_backend()
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        asked = f"--device {device}" if device else "JAX_PLATFORMS"
        raise InvalidInput(f"{asked}: jax cannot start it here ({reason}). {remedy}") from error
    require(
        device is None or found == device,
        f"--device {device}: jax finds no such device here, only {found!r}. {remedy}",
    )
    return found


def _start_cache() -> Path | None:
    """Turns jax's cache of compiled programs on, unless METARL_CACHE=off or its folder cannot be made."""
    import jax

    if _cache_is_off():
        jax.config.update("jax_enable_compilation_cache", False)
        return None
    if own := os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        return Path(own)
    folder = _cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None  # a cache is a convenience: a home that cannot be written is no reason to stop
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", _CACHED_FROM_SECONDS)
    return folder


def _cache_is_off() -> bool:
    return os.environ.get("METARL_CACHE", "").casefold() in ("off", "0", "no", "false")


def _cache_folder() -> Path:
    """Returns the folder for this kind of processor; machines that share a home directory do not share machine code."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "metarl" / "jax" / _processor_name()


def _processor_name() -> str:
    """Returns the architecture and a short hash of the processor's features."""
    features = ""
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        features = next((ln for ln in lines if ln.lower().startswith(("flags", "features"))), "")
    return f"{platform.machine()}-{hashlib.sha256(features.encode()).hexdigest()[:8]}"
