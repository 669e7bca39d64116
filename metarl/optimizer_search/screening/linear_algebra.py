"""linear algebra: numpy's and scipy's, on the thread that asks.

Their threads wait for each other by spinning. On a busy machine a factorisation of 256 rows waits 50 times longer than
it computes, and elsewhere it gains next to nothing; and its last bits depend on how many cores there are.
"""

from __future__ import annotations

import contextlib
from functools import lru_cache

from threadpoolctl import ThreadpoolController


def on_one_thread() -> contextlib.AbstractContextManager[object]:
    """Returns a context in which linear algebra has no threads of its own."""
    return _libraries().limit(limits=1)


@lru_cache(maxsize=1)
def _libraries() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")
