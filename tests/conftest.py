"""The strict setting that every test runs in.

Two CPU devices are simulated, so that code which depends on the number of devices is seen to; an implicit broadcast
between ranks raises; a random key that is consumed twice raises (a test of "same key, same bits" makes the key anew).
Warnings are errors, by `filterwarnings` in pyproject.toml.
"""

from __future__ import annotations

import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax

jax.config.update("jax_num_cpu_devices", 2)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_debug_key_reuse", True)
