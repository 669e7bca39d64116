"""The reference: what a rule means, in plain numpy on given arrays.

The slow and obvious way, for tests and for looking at a rule by hand; the compiler and the
interpreter are held against it.

    >>> import numpy as np
    >>> reference_update("sign(g) * m", g=np.array([-3.0, 2.0]), m=np.array([0.5, 0.25]))
    array([-0.5 ,  0.25])

Letters: P entries of one parameter array, of any shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from metarl.errors import require

from .expression import Draw, draws
from .leaf_roles import LeafRole, taken_for_matrix
from .primitives import share_of_run
from .rule import Rule
from .tensor_functions import Shape, of_flat_leaves, of_leaf

_ARGUMENTS = {"random": "rng", "progress": "total_steps"}  # of what a rule needs


def reference_update(
    rule: Rule | str,
    g: np.ndarray,
    *,
    m: np.ndarray | None = None,
    v: np.ndarray | None = None,
    y: np.ndarray | None = None,
    s: np.ndarray | None = None,
    c: np.ndarray | None = None,
    w: np.ndarray | None = None,
    t: int = 0,
    total_steps: int | None = None,
    epsilon: float = 1e-8,
    rng: np.random.Generator | None = None,
    role: LeafRole | None = None,
) -> np.ndarray:
    """Computes the update of a rule in the precision of g.

    Args:
      rule: the rule, or its text.
      g: gradient, [P], of a floating type; one leaf to functions of whole tensors.
      m: bias-corrected moving average of g, [P].
      v: bias-corrected moving average of g^2, [P].
      y: bias-corrected moving average of g^3, [P].
      s: slow average of g, [P].
      c: Lion's interpolation, [P].
      w: parameters, [P].
      t: steps taken before this one.
      total_steps: T, steps of the whole run.
      epsilon: see `Scope.epsilon`.
      rng: draws `noise` and `drop`.
      role: of the leaf, see `leaf_roles`; None lets its shape decide.

    Returns:
      The update, [P]; not finite where the rule fails.

    Raises:
      InvalidInput: if the rule needs something that was not given, or the role is none or does not fit.
    """
    rule = Rule.parse(rule) if isinstance(rule, str) else rule
    arrays = {"m": m, "v": v, "y": y, "s": s, "c": c, "w": w}
    given = {**arrays, "progress": total_steps, "random": rng, "count": t, "shape": np.shape(g)}
    missing = sorted(need for need in rule.needs if given[need] is None)
    names = ", ".join(_ARGUMENTS.get(need, need) for need in missing)
    require(not missing, f"The rule {str(rule)!r} needs {names} too.")
    g = np.asarray(g)
    require(np.issubdtype(g.dtype, np.floating), f"g holds {g.dtype}; give floating numbers.")
    arrays = {name: _cast(array, g.dtype) for name, array in arrays.items()}
    drawn = {draw: _draw(draw, g, rng) for draw in draws(rule.expression)}
    matrices = (taken_for_matrix(role, g.shape),)
    run = {"t": t, "total_steps": total_steps, "epsilon": epsilon}
    scope = NumpyScope(g=g, drawn=drawn, matrices=matrices, **run, **arrays)
    with np.errstate(all="ignore"):  # overflow and 0 / 0 are how a rule fails
        return np.broadcast_to(np.asarray(rule.evaluate(scope), g.dtype), g.shape)


@dataclass(frozen=True)
class NumpyScope:
    """The scope of one array of parameters, or of a batch of flat ones; see `Scope`."""

    g: np.ndarray
    m: Any
    v: Any
    y: Any
    w: Any
    t: int
    total_steps: int | None
    epsilon: float
    drawn: dict[Draw, np.ndarray]  # normal, or uniform in [0, 1) for masks
    s: Any = None
    c: Any = None
    # of the leaves that the last axis joins; if None, the whole array is one leaf
    shapes: tuple[Shape, ...] | None = None
    # whether each of them may be a matrix, see `leaf_roles`; if None, all may
    matrices: tuple[bool, ...] | None = None

    @property
    def xp(self) -> _Library:
        """Functions of numpy, in the precision of g."""
        return _Library(self.g.dtype)

    @property
    def scalar(self) -> _Library:
        """The same functions: numpy has one library for arrays and scalars."""
        return self.xp

    @property
    def progress(self) -> Any:
        """The share of the run that is done."""
        return share_of_run(self)

    def normal(self, name: str) -> np.ndarray:
        """Returns the standard normal noise of an operand, [P]."""
        return self.drawn[name, 0.0]

    def keep(self, x: Any, rate: float) -> np.ndarray:
        """Returns x, [P], each entry set to 0 with probability `rate`."""
        return np.where(
            self.drawn["drop", rate] < rate, self.g.dtype.type(0.0), _cast(x, self.g.dtype)
        )

    def of_tensors(self, name: str, x: Any) -> np.ndarray:
        """Returns a function of whole tensors, of each leaf by itself, [P]."""
        g = self.g
        x = np.broadcast_to(_cast(x, g.dtype), np.broadcast_shapes(np.shape(x), g.shape))
        if self.shapes is None:
            may_be = self.matrices is None or self.matrices[0]
            return of_leaf(np, name, x, g, g.shape, self.epsilon, may_be_matrix=may_be)
        return of_flat_leaves(np, name, x, g, self.shapes, self.epsilon, matrices=self.matrices)

    def power(self, x: Any, y: Any) -> np.ndarray:
        """Returns x ^ y, and x itself where y is 1."""
        x, y = _cast(x, self.g.dtype), _cast(y, self.g.dtype)
        # numpy takes roots for one exponent of 1/2 or -1/2, and the root of -infinity is NaN
        root = (x == -np.inf) & (np.abs(y) == 0.5)
        value = np.where(root, np.where(y > 0, np.inf, 0.0), np.power(x, y))
        return np.where(y == 1, x, value).astype(self.g.dtype)


def _draw(draw: Draw, g: np.ndarray, rng: np.random.Generator | None) -> np.ndarray:
    assert rng is not None
    is_mask = draw[0] == "drop"
    return rng.random(g.shape) if is_mask else rng.standard_normal(g.shape).astype(g.dtype)


class _Library:
    """Functions of numpy that cast numbers to one precision first, so that exp(1) is in it too."""

    def __init__(self, dtype: np.dtype):
        self._dtype = dtype

    def __getattr__(self, name: str) -> Any:
        function = getattr(np, name)
        return lambda *arguments: function(*(_cast(x, self._dtype) for x in arguments))


def _cast(x: Any, dtype: np.dtype) -> Any:
    return None if x is None else np.asarray(x, dtype)[()]
