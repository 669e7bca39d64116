"""The compiler: a rule as an optax transform.

`scale_by_rule` turns gradients into updates as the rule says; `to_optax` chains it with decoupled weight decay and the
learning rate, the way `optax.adamw` is built. Only what a rule needs is kept in its state: PowerSign holds one buffer
per parameter, plain `g` none.

Letters: t steps taken before this one, T steps of the whole run (`total_steps`), P entries of one leaf.
"""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from metarl.errors import InvalidInput, require

from .expression import Expression, Operand, draws, evaluate, needs, walk
from .leaf_roles import Roles, leaves_taken_for_matrices
from .leaf_scope import LeafScope
from .named_rules import resolve
from .primitives import MOST_STEPS, OPERANDS
from .rule import Rule

# What is said of leaves that are no real numbers, here and by the files that are exported.
NOT_REAL = (
    "Update rules work on real floating-point {what}; leaf '{leaf}'",
    "is {dtype}. Leave it out with optax.masked, or cast it.",
)
_STEPS = "total_steps is a positive number of steps, at most {:,}; received {}."


class ScaleByRuleState(NamedTuple):
    """State of `scale_by_rule`; a part that the rule does not need is None."""

    count: jax.typing.ArrayLike  # [], int32: steps taken
    mu: optax.Updates | None  # moving average of g, like the parameters
    nu: optax.Updates | None  # moving average of g^2
    xi: optax.Updates | None  # moving average of g^3
    key: jax.Array | None  # numbers of a random key, the same at every step
    slow: optax.Updates | None = None  # slow average of g
    lion: optax.Updates | None = None  # the moving average of g that `c` interpolates


def to_optax(
    rule: Rule | str,
    learning_rate: optax.ScalarOrSchedule,
    *,
    b1: jax.typing.ArrayLike = 0.9,
    b2: jax.typing.ArrayLike = 0.999,
    b3: jax.typing.ArrayLike = 0.999,
    eps: jax.typing.ArrayLike = 1e-8,
    weight_decay: optax.ScalarOrSchedule | None = None,
    mask: Any = None,
    mu_dtype: jax.typing.DTypeLike | None = None,
    total_steps: int | None = None,
    seed: int | jax.Array = 0,
    slow_b: jax.typing.ArrayLike = 0.9999,
    lion_b1: jax.typing.ArrayLike = 0.9,
    lion_b2: jax.typing.ArrayLike = 0.99,
    roles: Roles = None,
) -> optax.GradientTransformationExtraArgs:
    """Returns the optimizer w ← w - learning_rate · (update + weight_decay · w).

    Args:
      rule: a `Rule`, the name of one ("powersign") or its text ("exp(sign(g) * sign(m)) * g").
      learning_rate: a number, or a schedule from steps taken to a number.
      b1: rate of the moving average m of g.
      b2: rate of the moving average v of g^2.
      b3: rate of the moving average y of g^3.
      eps: added to the divisor of `/`, to sqrt(v) in `adam` and `rmsprop`, and to what `ortho`, `rms`, `rownorm` and
        `colnorm` divide by.
      weight_decay: strength of the decay, decoupled from the gradient as in AdamW; None or 0 for no decay, and then
        `update` needs no parameters, unless the rule does. A rule that decays the parameters itself, such as
        `adam + 1e-2 * w`, decays by both, as chained transforms do.
      mask: which parameters decay: a tree of booleans or a function that returns one, as in `optax.adamw`.
      mu_dtype: type of the averages of g itself, of m, s and c; None means that of the parameters, which the others
        always have.
      total_steps: T, for rules that know how far the run is (`ld`, `cd`, `rd10` ...).
      seed: of `noise` and `drop`: an integer or a typed random key. Two transforms of one seed draw the same for
        leaves of one place and shape: give the labels of `optax.multi_transform` a seed each, and under
        `jax.shard_map` make the transform and its state inside, with
        `seed=jax.random.fold_in(key, jax.lax.axis_index(axis))`, unless the shards are copies.
      slow_b: rate of the slow average s, which rises to it as t / (t + 1).
      lion_b1: share of the average in the interpolation c, as b1 of `optax.lion`.
      lion_b2: rate of that average, as b2 of `optax.lion`.
      roles: what each leaf is to its network, for `ortho`, `rownorm` and `colnorm`, which then take matrices and
        convolutions alone for matrices, as Muon does: a tree of texts like the parameters' or a prefix of it, or a
        function from parameters to one, such as `metarl.problems.roles_of_leaves`. None lets the shapes decide.

    Functions of whole tensors (`ortho` ...) take each leaf by itself, as `metarl.update_rules.tensor_functions` says: a
    leaf of two axes as a matrix, one of more as a convolution's kernel, unless `roles` says otherwise. Under `vmap` a
    leaf is that of one lane, under `jit` with sharded arrays the whole array, under `jax.shard_map` the shard alone.

    Returns:
      A transform that works wherever optax's own do. Inside `optax.inject_hyperparams`, name `mu_dtype`, `mask`
      and `roles` among its `static_args` when you set them. With parameters that are all bfloat16 it rounds every
      number to bfloat16, where 0.999 is 1, and `optax.adam` then gives NaN; here 0.996, the largest number below 1,
      takes the place of a rate that became 1, and `hyperparam_dtype=jnp.float32` keeps 0.999.

    Raises:
      InvalidInput: the rule cannot be read, a number is out of range, or the rule needs `total_steps`; from `init` and
        `update`, roles that are of another tree, unknown, or do not fit the shape of a leaf.

    Example:
      >>> import jax.numpy as jnp, optax
      >>> from metarl.update_rules import to_optax
      >>> optimizer = to_optax("exp(sign(g) * sign(m)) * g", learning_rate=0.1)
      >>> params = jnp.array([1.0, -2.0])
      >>> state = optimizer.init(params)
      >>> updates, state = optimizer.update(2.0 * params, state, params)
      >>> print([f"{x:.2f}" for x in optax.apply_updates(params, updates)])
      ['0.46', '-0.91']
    """
    direction = scale_by_rule(
        rule,
        b1=b1,
        b2=b2,
        b3=b3,
        eps=eps,
        mu_dtype=mu_dtype,
        total_steps=total_steps,
        seed=seed,
        slow_b=slow_b,
        lion_b1=lion_b1,
        lion_b2=lion_b2,
        roles=roles,
    )
    return descend(direction, learning_rate, weight_decay=weight_decay, mask=mask)


def descend(
    direction: optax.GradientTransformation,
    learning_rate: optax.ScalarOrSchedule,
    *,
    weight_decay: optax.ScalarOrSchedule | None = None,
    mask: Any = None,
) -> optax.GradientTransformationExtraArgs:
    """Returns the optimizer w ← w - learning_rate · (update + weight_decay · w), built as `optax.adamw` is.

    Args:
      direction: from gradients to updates, such as `scale_by_rule`.
      learning_rate: a number, or a schedule from steps taken to a number.
      weight_decay: strength of the decay; None or 0 for no decay.
      mask: which parameters decay, as in `optax.adamw`.

    Raises:
      InvalidInput: a rate or a decay is neither a finite number nor a schedule.
    """
    check_learning_rate(learning_rate)
    if weight_decay is not None:
        check_learning_rate(weight_decay, "weight_decay")
    # An array of 0 is a hyperparameter of `optax.inject_hyperparams`, which may become another number.
    decay = ()
    if weight_decay is not None and not (
        isinstance(weight_decay, int | float) and weight_decay == 0.0
    ):
        decay = (optax.add_decayed_weights(weight_decay, mask),)
    return optax.chain(direction, *decay, optax.scale_by_learning_rate(learning_rate))


def scale_by_rule(
    rule: Rule | str,
    *,
    b1: jax.typing.ArrayLike = 0.9,
    b2: jax.typing.ArrayLike = 0.999,
    b3: jax.typing.ArrayLike = 0.999,
    eps: jax.typing.ArrayLike = 1e-8,
    mu_dtype: jax.typing.DTypeLike | None = None,
    total_steps: int | None = None,
    seed: int | jax.Array = 0,
    slow_b: jax.typing.ArrayLike = 0.9999,
    lion_b1: jax.typing.ArrayLike = 0.9,
    lion_b2: jax.typing.ArrayLike = 0.99,
    roles: Roles = None,
) -> optax.GradientTransformationExtraArgs:
    """Returns the transform from gradients to a rule's updates, learning rate and sign not yet applied.

    The arguments are those of `to_optax`. Updates have the gradients' types; averages are corrected for their start at
    zero as in `optax.adam`; random keys are derived by step, by leaf and by draw, of which a step has one for each
    noise and one for each rate of `drop`.

    Raises:
      InvalidInput: see `to_optax`; from `update`, when the rule needs the parameters and got none, or when gradients
        are not real floating-point arrays.
    """
    expression = as_rule(rule).expression
    needed, drawn = needs(expression), draws(expression)
    b1, b2, b3 = average_rate("b1", b1), average_rate("b2", b2), average_rate("b3", b3)
    slow_b = average_rate("slow_b", slow_b)
    lion_b1, lion_b2 = average_rate("lion_b1", lion_b1), average_rate("lion_b2", lion_b2)
    known_eps = known_number(eps)
    require(known_eps is None or known_eps >= 0.0, f"eps must not be negative; received {eps}.")
    _check_total_steps(expression, total_steps)

    def init(params: optax.Params) -> ScaleByRuleState:
        _require_real("parameters", params)
        leaves_taken_for_matrices(roles, _as_arrays(params))
        return ScaleByRuleState(
            count=jnp.zeros([], jnp.int32),
            mu=optax.tree.zeros_like(params, dtype=mu_dtype) if "m" in needed else None,
            nu=optax.tree.zeros_like(params) if "v" in needed else None,
            xi=optax.tree.zeros_like(params) if "y" in needed else None,
            key=jax.random.key_data(_as_key(seed)) if "random" in needed else None,
            slow=optax.tree.zeros_like(params, dtype=mu_dtype) if "s" in needed else None,
            lion=optax.tree.zeros_like(params, dtype=mu_dtype) if "c" in needed else None,
        )

    def update(
        updates: optax.Updates,
        state: ScaleByRuleState,
        params: optax.Params | None = None,
        **extra_args: Any,
    ) -> tuple[optax.Updates, ScaleByRuleState]:
        del extra_args
        _require_real("gradients", updates)
        updates = _as_arrays(updates)
        if "w" in needed and params is None:
            raise InvalidInput(
                f"The rule {rule} depends on the parameters w: call update(gradients, state, params)."
            )
        count = optax.safe_increment(state.count)
        mu, m = _average(updates, state.mu, b1, 1, count)
        nu, v = _average(updates, state.nu, b2, 2, count)
        xi, y = _average(updates, state.xi, b3, 3, count)
        slow, s = _slow_average(updates, state.slow, slow_b, count)
        lion, c = _interpolation(updates, state.lion, lion_b1, lion_b2, state.count)
        draw = None if state.key is None else _draw_key(state.key, state.count, seed)
        t = jnp.asarray(state.count, jnp.int32)

        def update_leaf(
            g: Any, m: Any, v: Any, y: Any, s: Any, c: Any, w: Any, key: Any, may_be_matrix: bool
        ) -> jax.Array:
            # A weakly typed array: eps adapts to the leaf's type, and a number divided by zero is infinite.
            run = (t, total_steps, jnp.asarray(eps))
            scope = LeafScope(g, m, v, y, s, c, w, *run, key, drawn, may_be_matrix)
            return jnp.broadcast_to(evaluate(expression, scope), g.shape).astype(g.dtype)

        leaves, structure = jax.tree.flatten(updates)
        columns = [
            _leaves(structure, tree)
            for tree in (m, v, y, s, c, _as_arrays(params) if "w" in needed else None)
        ]
        keys = [None] * len(leaves) if draw is None else jax.random.split(draw, len(leaves))
        flags = leaves_taken_for_matrices(roles, updates)
        new = [update_leaf(*row) for row in zip(leaves, *columns, keys, flags, strict=True)]
        after = ScaleByRuleState(count, mu, nu, xi, state.key, slow, lion)
        return jax.tree.unflatten(structure, new), after

    # optax's type of a state knows no None.
    return optax.GradientTransformationExtraArgs(init, update)  # pyright: ignore[reportArgumentType]


def as_rule(rule: Rule | str) -> Rule:
    """Returns a rule, given itself, its name or its text."""
    return rule if isinstance(rule, Rule) else resolve(rule)


def _average(
    updates: optax.Updates, before: optax.Updates | None, rate: Any, order: int, count: Any
) -> tuple[optax.Updates | None, optax.Updates | None]:
    """Returns the average of g^order to be stored, in its own type, and the same corrected for its start at zero."""
    if before is None:
        return None, None
    after = optax.tree.update_moment(updates, before, rate, order)
    return optax.tree.cast_like(after, before), optax.tree.bias_correction(after, rate, count)


def _slow_average(
    updates: optax.Updates, before: optax.Updates | None, rate: Any, count: Any
) -> tuple[optax.Updates | None, optax.Updates | None]:
    """Returns the slow average to be stored, in its own type, and as a rule sees it; see `Scope.s`."""
    if before is None:
        return None, None
    share = jnp.maximum(1.0 / count, 1.0 - rate)
    after = jax.tree.map(lambda g, s: s + (g - s) * share.astype(g.dtype), updates, before)
    return optax.tree.cast_like(after, before), after


def _interpolation(
    updates: optax.Updates, before: optax.Updates | None, b1: Any, b2: Any, t: Any
) -> tuple[optax.Updates | None, optax.Updates | None]:
    """Returns the average to be stored, in its own type, and the interpolation with the one before; see `Scope.c`."""
    if before is None:
        return None, None
    weights = 1.0 - b1 * b2 ** (1.0 * t)
    c = jax.tree.map(
        lambda g, old: ((1.0 - b1) * g + b1 * old) / weights.astype(g.dtype), updates, before
    )
    after = optax.tree.update_moment(updates, before, b2, 1)
    return optax.tree.cast_like(after, before), c


def _leaves(structure: Any, tree: Any) -> list[Any]:
    return [None] * structure.num_leaves if tree is None else structure.flatten_up_to(tree)


def _as_key(seed: int | jax.Array) -> jax.Array:
    if isinstance(seed, jax.Array) and jnp.issubdtype(seed.dtype, jax.dtypes.prng_key):
        return seed
    return jax.random.key(seed)


def _draw_key(numbers: jax.Array, count: Any, seed: int | jax.Array) -> jax.Array:
    """Returns the key of one step.

    The state holds the numbers of one key, which the step is folded into: transforms that keep or select old states,
    as `optax.MultiSteps` does, would otherwise use a key twice.
    """
    key = jax.random.wrap_key_data(numbers, impl=jax.random.key_impl(_as_key(seed)))
    return jax.random.fold_in(key, count)


def _require_real(what: str, tree: Any) -> None:
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        dtype = jnp.result_type(leaf)
        facts = {"what": what, "leaf": jax.tree_util.keystr(path), "dtype": dtype}
        require(jnp.issubdtype(dtype, jnp.floating), " ".join(NOT_REAL).format(**facts))


def known_number(value: Any) -> float | None:
    """Returns one number as a float; None where there is none to look at.

    That is a schedule, or what `optax.inject_hyperparams` hands over under jit: a traced array.
    """
    try:
        return float(value)
    except TypeError:  # jax's error for traced arrays is one, too
        return None


def _as_arrays(tree: Any) -> Any:
    """Returns a tree whose leaves are all arrays; Python's numbers, which optax takes for leaves, become []."""
    return jax.tree.map(jnp.asarray, tree)


def average_rate(name: str, rate: Any) -> Any:
    """Returns the rate of a moving average, which is checked where it is known.

    An array comes from `optax.inject_hyperparams`, rounded to the type of the parameters: one that became 1, which
    would divide by zero, is the largest number below 1 instead.

    Args:
      name: for the message.
      rate: a number, or an array.

    Raises:
      InvalidInput: it is not in [0, 1).
    """
    known, is_array = known_number(rate), isinstance(rate, jax.Array)
    require(
        known is None or 0.0 <= known < 1.0 or (is_array and known == 1.0),
        f"{name} is the rate of a moving average, 0 <= {name} < 1; received {rate}.",
    )
    if not is_array:
        return rate
    kind = rate.dtype if jnp.issubdtype(rate.dtype, jnp.floating) else jnp.float32
    below_one = jnp.minimum(rate, 1.0 - jnp.finfo(kind).epsneg)
    return below_one.astype(jnp.promote_types(kind, jnp.float32))


def _check_total_steps(expression: Expression, total_steps: Any) -> None:
    decays = [
        part.name
        for part in walk(expression)
        if isinstance(part, Operand) and "progress" in OPERANDS[part.name].needs
    ]
    if total_steps is None:
        require(
            not decays,
            f"The rule depends on how far the run is ({', '.join(dict.fromkeys(decays))}): "
            "pass total_steps, the number of steps of the whole run.",
        )
    else:
        check_total_steps(total_steps)


def check_learning_rate(rate: Any, name: str = "learning_rate") -> None:
    """Refuses what is no learning rate. None is one to optax, which then climbs: it leaves the sign out, too.

    Args:
      rate: of an array only the type is looked at: it may be traced, or come from `optax.inject_hyperparams`.
      name: for the message.

    Raises:
      InvalidInput: it is neither a finite number, nor an array of real numbers, nor a schedule.
    """
    if callable(rate):
        return
    if isinstance(rate, Real):
        accepted = math.isfinite(rate)
    else:
        kind = getattr(rate, "dtype", None)
        accepted = kind is not None and any(
            jnp.issubdtype(kind, real) for real in (jnp.floating, jnp.integer)
        )
    require(
        accepted,
        f"{name} is a finite number, or a schedule from steps taken to a number; received {rate!r}.",
    )


def check_total_steps(total_steps: Any) -> None:
    """Refuses what is no number of steps of a run.

    Raises:
      InvalidInput: it is known and not positive; or it is neither a whole number nor an array of jax's.
    """
    if isinstance(total_steps, jax.Array):
        # From `optax.inject_hyperparams`: a number in the type of the parameters, or traced.
        known = known_number(total_steps)
        require(known is None or known > 0, _STEPS.format(MOST_STEPS, total_steps))
    else:
        whole = isinstance(total_steps, Integral) and not isinstance(total_steps, bool)
        require(
            whole and 0 < int(total_steps) <= MOST_STEPS, _STEPS.format(MOST_STEPS, total_steps)
        )
