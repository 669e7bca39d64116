"""Compiling without the cache of compiled programs."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from metarl.runs import without_compilation_cache


def hits(monkeypatch) -> list[str]:
    """Returns a list that grows whenever a compiled program is looked for in the cache."""
    from jax._src import compilation_cache

    asked: list[str] = []
    get = compilation_cache.get_executable_and_time

    def watched(key, *arguments, **settings):
        asked.append(key)
        return get(key, *arguments, **settings)

    monkeypatch.setattr(compilation_cache, "get_executable_and_time", watched)
    return asked


def test_inside_the_block_the_cache_is_not_asked_and_outside_it_is(monkeypatch):
    asked = hits(monkeypatch)
    jax.jit(lambda x: x + 1.0)(jnp.zeros(3))
    before = len(asked)
    assert before >= 1
    with without_compilation_cache():
        jax.jit(lambda x: x + 2.0).lower(jnp.zeros(3)).compile()
        assert len(asked) == before
    jax.jit(lambda x: x + 3.0)(jnp.zeros(3))
    assert len(asked) > before
