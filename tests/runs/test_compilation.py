"""Compiling without the cache of compiled programs, and how long compiling has taken."""

from __future__ import annotations

import contextvars
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp

from metarl.runs import compilation_seconds, compiled_beside, without_compilation_cache
from metarl.runs.compilation import Compilations


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


def test_spans_of_compiling_count_once_where_they_lie_within_each_other():
    now = [0.0]
    compilations = Compilations(clock=lambda: now[0])

    def ends(time, duration, event="/jax/core/compile/jaxpr_trace_duration"):
        now[0] = time
        compilations.note(event, duration, fun_name="f")

    ends(12.0, 1.0)
    ends(13.0, 0.5)
    ends(14.0, 4.0)  # from 10, around both
    assert compilations.seconds == 4.0
    ends(15.0, 1.0)  # right after
    ends(20.0, 2.0)
    assert compilations.seconds == 7.0
    ends(21.0, 2.0)  # from 19, in another thread
    assert compilations.seconds == 8.0
    ends(30.0, 9.0, event="/jax/checkpoint/write")
    assert compilations.seconds == 8.0


def test_jax_tells_how_long_it_compiles():
    before = compilation_seconds()
    compiled = jax.jit(lambda x: jnp.sin(x) + 4.0)
    compiled(jnp.zeros(3))
    after = compilation_seconds()
    assert after > before
    compiled(jnp.ones(3)).block_until_ready()
    assert compilation_seconds() - after < 0.5 * (after - before)


def test_what_is_compiled_beside_does_not_count_in_this_thread_nor_where_it_hands_work():
    def compile_anew(number):
        jax.jit(lambda x: jnp.cos(x) + number).lower(jnp.zeros(3)).compile()

    compile_anew(5.0)
    before = compilation_seconds()
    with compiled_beside(), ThreadPoolExecutor(1) as thread:
        compile_anew(6.0)
        thread.submit(contextvars.copy_context().run, compile_anew, 7.0).result()
    assert compilation_seconds() == before
    compile_anew(8.0)
    assert compilation_seconds() > before
