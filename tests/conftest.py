"""The strict setting that every test runs in.

Two CPU devices are simulated, so that code which depends on the number of devices is seen to; an implicit broadcast
between ranks raises; a random key that is consumed twice raises (a test of "same key, same bits" makes the key anew).
Looking at every key takes a fifth of the time, so `make test`, which compiles hastily, does so only where a module asks
for `keys_checked`: in the laws and trainings, which between them run what draws. All other ways to run the tests look
at every key.
Warnings are errors, by `filterwarnings` in pyproject.toml. jaxlib's faulty loops are off, as under every command.
Compiled programs are kept in .pytest_cache: a second run of the tests takes half the time. Those in memory are given up
when there are many: each has mappings of its own, and Linux ends a process that asks for more than 65,530.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# By the environment, so that the processes which tests start have the same.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
_PROGRAMS = Path(__file__).parents[1] / ".pytest_cache" / "jax"
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(_PROGRAMS))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")

from metarl.cli import avoid_faulty_fusions  # noqa: E402

avoid_faulty_fusions()

import jax  # noqa: E402 (it reads the environment when it is imported)
import pytest  # noqa: E402

jax.config.update("jax_num_cpu_devices", 2)
jax.config.update("jax_numpy_rank_promotion", "raise")
# Like jax itself, which reads it so: `make test` sets it.
_HASTY = os.environ.get("JAX_DISABLE_MOST_OPTIMIZATIONS", "").lower() in (
    "1",
    "t",
    "true",
    "y",
    "yes",
    "on",
)
jax.config.update("jax_debug_key_reuse", not _HASTY)

_MAPPINGS = Path("/proc/self/maps")
_MANY_MAPPINGS = 20_000


@pytest.fixture(scope="module", autouse=True)
def few_mappings() -> Iterator[None]:
    yield
    if _MAPPINGS.exists() and _MAPPINGS.read_bytes().count(b"\n") > _MANY_MAPPINGS:
        jax.clear_caches()
        gc.collect()


@pytest.fixture(scope="module")
def keys_checked() -> Iterator[None]:
    """For modules that draw much: a random key that is consumed twice raises in `make test` too."""
    before = jax.debug_key_reuse.value
    jax.config.update("jax_debug_key_reuse", True)  # of all threads
    yield
    jax.config.update("jax_debug_key_reuse", before)


@pytest.fixture
def keys_unchecked() -> Iterator[None]:
    """For updates of PPO or TRPO in many worlds: jax takes a key for consumed twice that is not.

    It complains of `vmap(lambda key: lax.scan(f, x, random.split(key, n)))`. Also for a program that
    is timed, again and again with the same key.
    """
    with jax.debug_key_reuse(False):
        yield


@pytest.fixture
def frozen_lake() -> Any:
    """Returns a world of gymnasium's, which is stepped on the host."""
    import gymnasium

    from metarl.environments import from_gymnasium

    return from_gymnasium(
        lambda: gymnasium.make("FrozenLake-v1"), lambda generator, split: {}, horizon=4
    )
