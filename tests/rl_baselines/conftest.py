"""The check for keys that are consumed twice is off here: jax takes it for granted where it is not so.

It complains of `vmap(lambda key: lax.scan(f, x, random.split(key, n)))`, whose keys are consumed once
each; that is an update of PPO or TRPO in many worlds.
"""

from __future__ import annotations

import jax
import pytest


@pytest.fixture(autouse=True)
def keys_unchecked():
    with jax.debug_key_reuse(False):
        yield
