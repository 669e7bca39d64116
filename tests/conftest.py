"""The strict setting that every test runs in.

Two CPU devices are simulated, so that code which depends on the number of devices is seen to; an implicit broadcast
between ranks raises; a random key that is consumed twice raises (a test of "same key, same bits" makes the key anew).
Warnings are errors, by `filterwarnings` in pyproject.toml. Compiled programs are kept in .pytest_cache: a second run of
the tests takes half the time.
"""

from __future__ import annotations

import os
from pathlib import Path

# By the environment, so that the processes which tests start have the same.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
_PROGRAMS = Path(__file__).parents[1] / ".pytest_cache" / "jax"
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(_PROGRAMS))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")

import jax  # noqa: E402 (it reads the environment when it is imported)

jax.config.update("jax_num_cpu_devices", 2)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_debug_key_reuse", True)
