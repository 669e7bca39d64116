"""Probes: fixed states on which rules are run once, to tell useless and equal ones before training.

A probe is four moments of an imagined run, early to late and with gradients from large to small,
each with its own gradients, moving averages and parameters. What a rule gives there says nearly all
that can be known without training: whether it is finite, depends on its input, points downhill
(`filters`), and whether it is another rule written differently (`rule_fingerprints`). All rules run
through one compiled program at microseconds each; those that are to be told apart run in double
precision as well. To functions of whole tensors the coordinates are a matrix and a vector.

Letters: K rules; L tokens of a rule; B blocks (moments of the run); C coordinates of a block; n = B
C numbers that a rule gives.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from metarl.update_rules import Grammar, Interpreter, exact_updates

BLOCKS = 4
COORDINATES = 128
SHAPES = ((7, 16), (16,))  # of the leaves that the coordinates join
_STEPS = (2, 27, 63, 94)  # none at a round share of T, where cyclic decays coincide
_TOTAL_STEPS = 100
_SCALES = (1.0, 0.1, 0.01, 0.001)  # of the gradients, block by block
_WIDTH = 64  # rules a call of the compiled program
_DIRECTIONS = 8  # random directions a block that a fingerprint looks along
RESOLUTION = 1e-7  # of what a fingerprint sees; what rounds in double precision is far below it


class ProbeOutputs(NamedTuple):
    """The updates of K rules on the probes, not finite where a rule fails."""

    update: np.ndarray  # [K, n], at the probes
    flipped: np.ndarray  # [K, n], where g, m, y, w and normal noise have the other sign
    moved: (
        np.ndarray
    )  # [K, n], where every coordinate has its neighbour's values, but its own noise


class Profile(NamedTuple):
    """An update up to a positive factor, which the learning rate absorbs."""

    directions: np.ndarray  # [K, n], every block of length 1 / sqrt(B), so a row has length 1
    log_sizes: np.ndarray  # [K, B], log length of every block, less the mean over blocks


class Probes:
    """The fixed states, and the compiled program that runs rules on them."""

    def __init__(self, interpreter: Interpreter):
        """Lays the states out.

        Args:
          interpreter: of the rules' grammar.
        """
        interpreter = replace(interpreter, shapes=SHAPES)
        self._randomness = interpreter.randomness(COORDINATES)
        here = _states(interpreter)
        odd = {name: getattr(here.moments, name) for name in ("m", "y", "s", "lion", "c")}
        opposite = {name: -x for name, x in odd.items() if x is not None}
        flipped = here._replace(moments=here.moments._replace(**opposite), g=-here.g, w=-here.w)
        self._grammar = interpreter.grammar
        self._exact = _in_double_precision(here, interpreter)
        self._states = jax.tree.map(lambda *x: jnp.stack(x), here, flipped, _moved(here))
        self._gradients, self._averages = np.asarray(here.g), np.asarray(here.moments.m)
        self._run = jax.jit(lambda *inputs: _run(interpreter, *inputs))

    @property
    def grammar(self) -> Grammar:
        """Of the rules."""
        return self._grammar

    @property
    def gradients(self) -> np.ndarray:
        """The gradients of the probes, [B, C]."""
        return self._gradients

    @property
    def averages(self) -> np.ndarray:
        """The moving averages of the gradients of the probes, before their bias is corrected, [B, C]."""
        return self._averages

    def outputs(self, tokens: np.ndarray) -> ProbeOutputs:
        """Runs rules on the probes.

        Args:
          tokens: [K, L] int32.

        Returns:
          Their updates; the same bits for a rule whatever stands beside it.
        """
        tokens = np.asarray(tokens, np.int32)
        chex.assert_rank(tokens, 2)
        count = len(tokens)
        padded = np.pad(tokens, ((0, -count % _WIDTH), (0, 0)))  # token 0 is valid in every slot
        chunks = [
            np.asarray(self._run(chunk, self._states, self._randomness))
            for chunk in padded.reshape(-1, _WIDTH, padded.shape[1])
        ]
        empty = np.zeros((3, 0, BLOCKS * COORDINATES), np.float32)
        values = np.concatenate([empty, *chunks], axis=1)[:, :count]  # [3, K, n]
        return ProbeOutputs(*values)

    def exact_updates(self, tokens: np.ndarray) -> np.ndarray:
        """Returns what `outputs` calls update, in double precision and with draws of its own, [K, n]."""
        tokens = np.asarray(tokens, np.int32)
        updates = exact_updates(self._grammar, tokens, SHAPES, **self._exact)
        return updates.reshape(len(tokens), BLOCKS * COORDINATES)


@lru_cache(maxsize=8)
def probes_of(grammar: Grammar) -> Probes:
    """Returns the probes of a grammar's interpreter; one for all who ask in this process, so it is compiled once."""
    return Probes(Interpreter(grammar))


def profiles(outputs: np.ndarray) -> Profile:
    """Takes out of updates what a learning rate would absorb.

    Lengths of blocks are kept apart from their directions: gradients differ by a factor of 1000
    between blocks, and a block of small numbers must count as much as one of large ones.

    Args:
      outputs: [K, n].

    Returns:
      Directions and sizes; 0 for a block that is 0, NaN for one that is not finite.
    """
    chex.assert_shape(outputs, (None, BLOCKS * COORDINATES))
    blocks = outputs.reshape(-1, BLOCKS, COORDINATES).astype(np.float64)
    with np.errstate(all="ignore"):
        peaks = np.abs(blocks).max(axis=2, keepdims=True)  # [K, B, 1]; keeps squares in range
        scaled = np.where(peaks == 0, 0.0, blocks / np.where(peaks == 0, 1.0, peaks))
        lengths = np.sqrt((scaled**2).sum(axis=2, keepdims=True))
        directions = scaled / np.where(lengths == 0, 1.0, lengths) / np.sqrt(BLOCKS)
        log_sizes = np.log(lengths * peaks)[:, :, 0]  # -inf for a block of zeros
        present = np.isfinite(log_sizes)
        mean = np.where(present, log_sizes, 0.0).sum(1) / np.maximum(present.sum(1), 1)
    centred = np.where(log_sizes == -np.inf, 0.0, log_sizes - mean[:, None])
    return Profile(directions.reshape(outputs.shape), centred)


def rule_fingerprints(updates: np.ndarray, resolution: float = RESOLUTION) -> list[bytes]:
    """Returns 16 bytes for every rule, equal for rules that are equal up to a positive factor.

    Training tries learning rates by decades, so a factor would only shift the best one: `2 * g` is
    `g`. The direction of every block is looked at along a few fixed random lines, these numbers and
    the blocks' sizes are rounded to multiples of the resolution, and the result is hashed.

    Two formulas for one rule differ in their last bits. In double precision that is some 1e-15, and
    to get two fingerprints such a difference would have to straddle a rounding boundary: one pair in
    a million. Two rules of which one has a small part more, weight decay beside `adam` say, differ
    by the share of that part: 1e-5 for `1e-4 * w`.

    Args:
      updates: [K, n], of `Probes.exact_updates`.
      resolution: see above.
    """
    directions, log_sizes = profiles(updates)
    blocks = directions.reshape(-1, BLOCKS, COORDINATES) * np.sqrt(BLOCKS)
    seen = np.einsum("kbc,bcd->kbd", blocks, _lines()).reshape(-1, BLOCKS * _DIRECTIONS)
    numbers = np.concatenate([seen, log_sizes], axis=1) / resolution
    rounded = np.where(np.isfinite(numbers), np.rint(numbers), 2.0**62)
    rows = np.ascontiguousarray(rounded.astype("<i8"))
    return [hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in rows]


class _States(NamedTuple):
    """What the interpreter wants to know, beside a rule."""

    moments: Any  # the interpreter's, [B, C] and [B, 3]
    g: jax.Array  # [B, C]
    w: jax.Array  # [B, C]
    t: jax.Array  # [B]


def _states(interpreter: Interpreter) -> _States:
    """Returns states as training would reach them: averages over gradients that came before."""
    generator = np.random.default_rng(0)
    draw = generator.standard_normal
    half = COORDINATES // 2
    # A lasting part and noise of the same size, on coordinates of unequal scale.
    sizes = np.reshape(_SCALES, (BLOCKS, 1, 1)) * np.exp(0.5 * draw((BLOCKS, 1, half)))
    lasting = draw((BLOCKS, 1, half))
    noise = draw((BLOCKS, max(_STEPS) + 1, half))
    gradients = _with_opposites(sizes * (lasting + noise))  # [B, T, C]
    w = _with_opposites(0.1 * draw((BLOCKS, half)))  # [B, C]
    steps = np.asarray(_STEPS, np.int32)

    @jax.jit
    @jax.vmap
    def average(gradients: jax.Array, last: jax.Array) -> Any:
        def one_step(before: Any, scanned: tuple[jax.Array, jax.Array]):
            g, step = scanned
            after = interpreter.moments(before, g)
            return jax.tree.map(lambda x, y: jnp.where(step <= last, x, y), after, before), None

        numbered = (gradients, jnp.arange(len(gradients)))
        return jax.lax.scan(one_step, interpreter.init(COORDINATES), numbered)[0]

    now = gradients[np.arange(BLOCKS), steps]
    return _States(average(gradients, steps), jnp.asarray(now), jnp.asarray(w), jnp.asarray(steps))


def _in_double_precision(states: _States, interpreter: Interpreter) -> dict[str, Any]:
    """Returns the states as `metarl.update_rules.exact_updates` takes them, moments corrected."""
    moments = [np.asarray(x, np.float64) for x in states.moments[:3]]
    corrections = 1.0 - np.asarray(states.moments.decay, np.float64)  # [B, 3]
    m, v, y = (x / corrections[:, place : place + 1] for place, x in enumerate(moments))
    t = np.asarray(states.t)[:, None]  # [B, 1]
    modern = {}
    if states.moments.s is not None:
        modern["s"] = np.asarray(states.moments.s, np.float64)
    if states.moments.c is not None:
        weights = 1.0 - interpreter.lion_b1 * interpreter.lion_b2 ** t.astype(np.float64)
        modern["c"] = np.asarray(states.moments.c, np.float64) / weights
    return {
        **{"g": np.asarray(states.g, np.float64), "w": np.asarray(states.w, np.float64)},
        **{"m": m, "v": v, "y": y},
        **modern,
        **{"t": t, "total_steps": _TOTAL_STEPS, "epsilon": interpreter.epsilon},
    }


def _with_opposites(x: np.ndarray) -> np.ndarray:
    """Puts beside every coordinate its negative, so an even rule is exactly orthogonal to g."""
    return np.stack([x, -x], axis=-1).reshape(*x.shape[:-1], -1).astype(np.float32)


def _moved(states: _States) -> _States:
    # By 3: odd, so that signs change places, and not 1, which would only swap opposites.
    def roll(x: jax.Array) -> jax.Array:
        return jnp.roll(x, 3, axis=1) if x.shape[1:] == (COORDINATES,) else x

    return jax.tree.map(roll, states)


def _run(interpreter: Interpreter, tokens, states, randomness) -> jax.Array:
    """Returns the updates of all rules in all states, [3, K, n]."""
    total_steps, seed = jnp.float32(_TOTAL_STEPS), jnp.int32(0)

    def in_states(inputs: tuple[_States, jax.Array]) -> jax.Array:
        blocks, sign = inputs
        # Noise is symmetric: a rule is odd if it is with the noise flipped as well.
        drawn = randomness._replace(normal=sign * randomness.normal)

        def one_rule(row: jax.Array) -> jax.Array:
            def one_block(state: _States) -> jax.Array:
                return interpreter.update(
                    row, state.moments, state.g, state.w, state.t, total_steps, seed, drawn
                )

            return jax.lax.map(one_block, blocks).reshape(-1)  # [n]

        return jax.lax.map(one_rule, tokens)

    return jax.lax.map(in_states, (states, jnp.array([1.0, -1.0, 1.0])))


def _lines() -> np.ndarray:
    """Returns the unit vectors that fingerprints look along, [B, C, D]."""
    lines = np.random.default_rng(1).standard_normal((BLOCKS, COORDINATES, _DIRECTIONS))
    return lines / np.linalg.norm(lines, axis=1, keepdims=True)
