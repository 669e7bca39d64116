"""The interpreter: rules as data, so that one compiled program runs any number of different rules.

A rule arrives as tokens of a `Grammar`. For every slot of a group the program holds all choices and takes one
with `lax.switch`. Rules that run one after another on a CPU thread (`lax.map`) take real branches and pay
only for what the rule uses; under `vmap`, on a GPU or TPU, JAX turns the same switches into "compute all,
select one". The semantics is one, and bits are promised for each of the two ways, not between them.

Everything works on flat vectors [P] of parameters; functions of whole tensors cut them into the leaves whose shapes the
interpreter was given. Random primitives read a fixed table at an offset hashed from seed,
step, name and constant, which costs a slice where a generator would cost more than the rest of the step.

Letters: P parameters, D groups (depth), L = 5 D tokens.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from metarl.errors import require

from .expression import Draw, Expression, evaluate
from .grammar import Grammar
from .primitives import BINARY, UNARY, share_of_run
from .spaces import IDENTITY, KEEP, SCALE
from .tensor_functions import Shape, of_flat_leaves

_TABLE_ROWS = 1 << 16
_HASH_MULTIPLIERS = (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D)


class Moments(NamedTuple):
    """Moving averages of g, g^2 and g^3, not yet bias-corrected, and the products of their rates so far.

    What `s` and `c` need is there if the grammar has them, and None otherwise.
    """

    m: jax.Array  # [P]
    v: jax.Array  # [P]
    y: jax.Array  # [P]
    decay: jax.Array  # [3], b1^t, b2^t, b3^t
    s: jax.Array | None = None  # [P], the slow average
    steps: jax.Array | None = None  # [], gradients that it is of
    lion: jax.Array | None = None  # [P], the average of g that the next `c` interpolates
    c: jax.Array | None = None  # [P], the interpolation, its weights not yet summing to 1


class Randomness(NamedTuple):
    """Two tables that random primitives read: standard normal and uniform numbers, [R + P]."""

    normal: jax.Array
    uniform: jax.Array


@dataclass(frozen=True)
class Interpreter:
    """Runs any rule of one grammar.

    Attributes:
      grammar: the tokens' grammar.
      b1: rate of the average of g.
      b2: rate of the average of g^2.
      b3: rate of the average of g^3.
      epsilon: see `Scope.epsilon`.
      shapes: of the leaves that the vectors join, in their order; None where the grammar has no functions of whole
        tensors.
      slow_b: rate of the slow average.
      lion_b1: share of the average in Lion's interpolation.
      lion_b2: rate of that average.
      matrices: whether each of those leaves may be a matrix, see `leaf_roles`; None lets the shapes decide.

    Raises:
      InvalidInput: there are not as many flags as shapes.
    """

    grammar: Grammar
    b1: float = 0.9
    b2: float = 0.999
    b3: float = 0.999
    epsilon: float = 1e-8
    shapes: tuple[Shape, ...] | None = None
    slow_b: float = 0.9999
    lion_b1: float = 0.9
    lion_b2: float = 0.99
    matrices: tuple[bool, ...] | None = None

    def __post_init__(self):
        """Refuses flags of other leaves than those whose shapes are known."""
        flags, leaves = self.matrices, self.shapes or ()
        require(
            flags is None or len(flags) == len(leaves),
            f"matrices says of {len(flags or ())} leaves whether they may be matrices, and there are {len(leaves)}.",
        )

    def randomness(self, num_parameters: int, seed: int = 0) -> Randomness:
        """Returns the tables that random primitives read, the same for the same arguments."""
        generator = np.random.default_rng(seed)
        rows = _TABLE_ROWS + num_parameters
        normal = generator.standard_normal(rows, dtype=np.float32)
        uniform = generator.random(rows, dtype=np.float32)
        return Randomness(jnp.asarray(normal), jnp.asarray(uniform))

    def init(self, num_parameters: int) -> Moments:
        """Returns the moments before the first step."""
        zeros, needed = jnp.zeros(num_parameters), self.grammar.needs
        slow = (zeros, jnp.float32(0.0)) if "s" in needed else (None, None)
        lion = (zeros, zeros) if "c" in needed else (None, None)
        return Moments(zeros, zeros, zeros, jnp.ones(3), *slow, *lion)

    def moments(self, before: Moments, g: jax.Array) -> Moments:
        """Returns the moments after gradient g, [P]: average <- b average + (1 - b) g^k."""
        square = g * g
        s, steps, lion, c = before.s, before.steps, before.lion, None
        if s is not None and steps is not None:
            steps = steps + 1.0
            s = s + (g - s) * jnp.maximum(1.0 / steps, 1.0 - self.slow_b)
        if lion is not None:
            c = (1.0 - self.lion_b1) * g + self.lion_b1 * lion
            lion = self.lion_b2 * lion + (1.0 - self.lion_b2) * g
        return Moments(
            self.b1 * before.m + (1.0 - self.b1) * g,
            self.b2 * before.v + (1.0 - self.b2) * square,
            self.b3 * before.y + (1.0 - self.b3) * (square * g),
            before.decay * jnp.array([self.b1, self.b2, self.b3]),
            *(s, steps, lion, c),
        )

    def update(
        self,
        tokens: jax.Array,
        moments: Moments,
        g: jax.Array,
        w: jax.Array,
        t: jax.Array,
        total_steps: jax.Array,
        seed: jax.Array,
        randomness: Randomness,
    ) -> jax.Array:
        """Returns the update of one rule at one step; the step is w <- w - learning_rate * update.

        Args:
          tokens: the rule, int32 [L].
          moments: moving averages, g included.
          g: gradient, [P].
          w: parameters, [P].
          t: steps taken before this one, a whole number [].
          total_steps: T, steps of the whole run, a whole number [].
          seed: of the random primitives, int32 [].
          randomness: the tables they read.

        Returns:
          The update, [P]; not finite where the rule fails.

        Raises:
          InvalidInput: the grammar has functions of whole tensors, and the shapes are not known or of other vectors.
        """
        self.grammar.require_shapes(self.shapes, g.size)
        scope = _scope(self, moments, g, w, t, total_steps, _Draw(randomness, seed, t, g.size))
        operands = self.grammar.operand_expressions
        values: list[jax.Array] = []
        for group in range(self.grammar.depth):
            slots = _without_idle_functions(self.grammar, tokens[5 * group : 5 * group + 5])
            arguments = []
            for side in range(2):
                choices = [_constant_shape(operand, scope) for operand in operands]
                choices += [lambda value=value: value for value in values]
                argument = lax.switch(slots[side], choices)
                functions = _unary_branches(self.grammar, scope)
                arguments.append(lax.switch(slots[2 + side], functions, argument))
            combine = _binary_branches(self.grammar, scope)
            values.append(lax.switch(slots[4], combine, *arguments))
        return scope.of_tensors("rms", values[-1]) if self.grammar.normalised else values[-1]


def power(x: jax.Array, y: Any) -> jax.Array:
    """Returns x ^ y through exp and log, which a CPU computes in vectors where its `pow` does not.

    Agrees with IEEE 754's pow, special values and all, to the rounding of y log |x|; see `Scope.power`.
    """
    if isinstance(y, (int, float)) and y in (2, 3):
        return x * x if y == 2 else x * x * x
    size, half = jnp.abs(x), 0.5 * y
    # without the first case, 1 ^ inf would be exp(inf * 0)
    magnitude = jnp.where(size == 1, 1.0, jnp.exp(y * jnp.log(size)))
    is_whole = jnp.floor(y) == y
    is_odd = is_whole & (jnp.floor(half) != half)
    signed = jnp.where(is_odd & jnp.signbit(x), -magnitude, magnitude)
    fails = (x < 0) & ~is_whole & jnp.isfinite(x)
    return jnp.where(y == 0, 1.0, jnp.where(fails, jnp.nan, signed))


class _Draw:
    """Slices of the random tables, at an offset hashed from seed, step and what is drawn."""

    def __init__(self, randomness: Randomness, seed: jax.Array, t: jax.Array, size: int):
        self._inputs = (randomness, seed, t, size)

    def normal(self, name: str) -> jax.Array:
        return self._slice(self._inputs[0].normal, (name, 0.0))

    def keep(self, x: jax.Array, rate: float) -> jax.Array:
        return jnp.where(self._slice(self._inputs[0].uniform, ("drop", rate)) < rate, 0.0, x)

    def _slice(self, table: jax.Array, draw: Draw) -> jax.Array:
        _, seed, t, size = self._inputs
        # by name, so that the numbers do not depend on what else the grammar offers
        number = jnp.uint32(zlib.crc32(repr(draw).encode()))
        parts = (jnp.asarray(seed), jnp.asarray(t), number)
        mixed = jnp.uint32(0)
        for part, multiplier in zip(parts, _HASH_MULTIPLIERS, strict=True):
            mixed = (mixed ^ part.astype(jnp.uint32)) * jnp.uint32(multiplier)
            mixed = mixed ^ (mixed >> 15)
        return lax.dynamic_slice(table, ((mixed % _TABLE_ROWS).astype(jnp.int32),), (size,))


def _scope(
    interpreter: Interpreter,
    moments: Moments,
    g: jax.Array,
    w: jax.Array,
    t: jax.Array,
    total_steps: jax.Array,
    draw: _Draw,
) -> SimpleNamespace:
    """Returns what rules look at in one step."""
    corrections = 1.0 / (1.0 - moments.decay)
    interpolation: Any = moments.c  # None where no rule reads it

    class Scope(SimpleNamespace):
        # properties, so that a branch computes what it uses and nothing else
        m = property(lambda self: moments.m * corrections[0])
        v = property(lambda self: moments.v * corrections[1])
        y = property(lambda self: moments.y * corrections[2])
        s = property(lambda self: moments.s)
        c = property(lambda self: interpolation / _weights_of_lion(interpreter, self.t))
        progress = property(share_of_run)

    steps = {"t": jnp.asarray(t, jnp.int32), "total_steps": jnp.asarray(total_steps, jnp.int32)}
    library = {"xp": jnp, "scalar": jnp, "power": power}
    drawn = {"normal": draw.normal, "keep": draw.keep}

    def of_tensors(name: str, x: jax.Array) -> jax.Array:
        shapes, flags = interpreter.shapes or (), interpreter.matrices
        return of_flat_leaves(jnp, name, x, g, shapes, interpreter.epsilon, _rolled, flags)

    drawn["of_tensors"] = of_tensors
    return Scope(g=g, w=w, epsilon=interpreter.epsilon, **steps, **library, **drawn)


def _rolled(times: int, function: Callable[[Any], Any], x: Any) -> Any:
    """Repeats a function in a loop: written out, it would be compiled for every slot, leaf and time."""
    return lax.fori_loop(0, times, lambda _, x: function(x), x)


def _weights_of_lion(interpreter: Interpreter, t: jax.Array) -> jax.Array:
    """Returns the sum of the weights that Lion's interpolation gives to gradients."""
    return 1.0 - interpreter.lion_b1 * interpreter.lion_b2 ** (1.0 * t)


def _without_idle_functions(grammar: Grammar, slots: jax.Array) -> jax.Array:
    """Returns a group that does not compute a function of the right argument which `keep` drops, [5].

    Only where functions look at whole tensors, which cost as much as the rest of a step.
    """
    dear = "shape" in grammar.needs
    if not (dear and KEEP in grammar.binary_names and IDENTITY in grammar.unary_functions):
        return slots
    keeps = slots[4] == grammar.binary_names.index(KEEP)
    return slots.at[3].set(jnp.where(keeps, grammar.unary_functions.index(IDENTITY), slots[3]))


def _constant_shape(operand: Expression, scope: Any) -> Callable[[], jax.Array]:
    def branch() -> jax.Array:
        value = jnp.asarray(evaluate(operand, scope), scope.g.dtype)
        return jnp.broadcast_to(value, scope.g.shape)

    return branch


def _unary_branches(grammar: Grammar, scope: Any) -> list[Callable]:
    def branch(name: str | None, constant: float | None) -> Callable:
        if name is None:
            return lambda x: x
        if name == SCALE:
            return lambda x: constant * x
        constants = () if constant is None else (constant,)
        return lambda x: UNARY[name].evaluate(scope, x, *constants)

    return [branch(name, constant) for name, constant in grammar.unary_functions]


def _binary_branches(grammar: Grammar, scope: Any) -> list[Callable]:
    def branch(name: str) -> Callable:
        if name == KEEP:
            return lambda x, y: x
        return lambda x, y: BINARY[name].evaluate(scope, x, y)

    return [branch(name) for name in grammar.binary_names]
