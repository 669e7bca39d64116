"""Compiling as if for the first time, to measure how long it takes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


@contextlib.contextmanager
def without_compilation_cache() -> Iterator[None]:
    """Neither reads nor writes jax's cache of compiled programs inside the block.

    jax asks once in a process whether there is a cache, and must be made to ask again.
    """
    import jax
    from jax.experimental.compilation_cache import compilation_cache

    before = jax.config.jax_enable_compilation_cache  # type: ignore[attr-defined]
    jax.config.update("jax_enable_compilation_cache", False)
    compilation_cache.reset_cache()
    try:
        yield
    finally:
        jax.config.update("jax_enable_compilation_cache", before)
        compilation_cache.reset_cache()
