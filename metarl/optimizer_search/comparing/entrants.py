"""entrants: what a comparison compares, by name, by a rule's text, or from a run.

The names of standard optimizers are those of standard.py; any other optax optimizer joins as my_module:factory. Every
entrant is a function of the learning rate alone.

What must be judged elsewhere than at the parameters that are trained, as an average of weights, is a pair: the optax
transform, and a function from its state and the parameters to those that are judged.
"""

from __future__ import annotations

import functools
import inspect
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from metarl.errors import InvalidInput, require
from metarl.update_rules import NAMED_RULES, OF_MATRICES, Rule, resolve, to_optax
from metarl.user_code import find_own, told

from ..training.inner_training import require_steady, settled
from ..training.schedules import CONSTANT, WARM_UP, scheduled
from .extras import NO_EXTRAS, Extras, extras, of_rule
from .standard import STANDARD, Evaluation, Made, Make

BASELINE = "adam"
BY_ROLES = "roles"  # of `CompareConfig.tensor_functions`
RANDOM_PREFIX = "random search: "  # of the label of what random search found
ADAMS_RATE = 1e-3
_SMALL = 1e-3  # weights
_OWN = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


class Entrant(NamedTuple):
    """One competitor.

    Attributes:
      label: the text the user typed; how it is called in every table.
      make: (learning rate or schedule, total steps, random key, matrices, extra settings by name) -> optax transform,
        or a pair of one and of a function from state and parameters to the parameters that are judged; matrices,
        which may be left out, says of parameters which leaves are matrices and how (see
        `metarl.optimizers.weight_dimension_numbers`), or, to a rule by roles, what their roles are.
      rule: its rule, when it is one.
      learning_rate_multiple: its one learning rate for all problems in multiples of Adam's 1e-3; None where that is to
        be found on the search problems.
      rules_trained: how many rules were trained to find it.
      is_own: whether it is a user's own transform.
      without_decay: see `Standard`, as all below.
      rate_scale: its grid of learning rates is the common one times this.
      has_schedule: whether it averages its weights in place of a decaying schedule.
      uses_matrices: whether it treats matrices and convolutions in a way of their own.
      other_seeds: whether it is tuned on other seeds than the rest.
      extras: what it may be tuned by beside its learning rate.
      by_roles: whether it is a rule whose functions of matrices go by the roles of leaves.
    """

    label: str
    make: Make
    rule: Rule | None = None
    learning_rate_multiple: float | None = None
    rules_trained: int | None = None
    is_own: bool = False
    without_decay: Make | None = None
    rate_scale: float = 1.0
    has_schedule: bool = False
    uses_matrices: bool = False
    other_seeds: bool = False
    extras: Extras = NO_EXTRAS
    by_roles: bool = False


def references() -> tuple[Entrant, ...]:
    """Returns the standard optimizers, Adam among them."""
    return tuple(map(_standard, STANDARD))


def _standard(name: str) -> Entrant:
    known = STANDARD[name]
    return Entrant(
        name,
        known.make,
        without_decay=known.without_decay,
        rate_scale=known.rate_scale,
        has_schedule=known.has_schedule,
        uses_matrices=known.uses_matrices,
        other_seeds=known.other_seeds,
        extras=known.extras,
    )


def rule_entrant(label: str, rule: Rule) -> Entrant:
    """Returns a rule as an entrant, compiled to an optax transform."""

    def make(
        learning_rate: Any, total_steps: int, key: jax.Array, matrices: Any = None, **extra: Any
    ) -> Made:
        return to_optax(rule, learning_rate, total_steps=total_steps, seed=key, **extra)

    return Entrant(label, make, rule, extras=of_rule(rule.needs))


def entered(entrants: Sequence[Entrant], ways: Sequence[str]) -> list[Entrant]:
    """Returns who takes part: rules with functions of matrices once a way to tell matrices, all others once.

    Args:
      entrants: who was named.
      ways: of `CompareConfig.tensor_functions`.

    Raises:
      InvalidInput: "roles" is among the ways, and nobody has functions of matrices.
    """
    concerned = [one.label for one in entrants if one.rule is not None and one.rule.of_matrices]
    require(
        BY_ROLES not in ways or len(concerned) > 0,
        f"tensor_functions is {', '.join(ways)}: roles matter to rules with {', '.join(OF_MATRICES)} alone, and of "
        f"those named ({', '.join(e.label for e in entrants) or 'none'}) none has one. Name a rule that has, such as "
        "'rms-ortho-cautious', or leave tensor_functions out.",
    )
    return [
        _by_roles(one) if way == BY_ROLES and one.label in concerned else one
        for one in entrants
        for way in (ways if one.label in concerned else ways[:1])
    ]


def _by_roles(one: Entrant) -> Entrant:
    """Returns a rule that is told the roles of leaves; what was found of it by shapes does not hold of it."""
    rule = one.rule
    assert rule is not None

    def make(
        learning_rate: Any, total_steps: int, key: jax.Array, matrices: Any = None, **extra: Any
    ) -> Made:
        run = {"total_steps": total_steps, "seed": key, "roles": matrices}
        return to_optax(rule, learning_rate, **run, **extra)

    label = f"{one.label} by roles"
    return one._replace(
        label=label, make=make, learning_rate_multiple=None, uses_matrices=True, by_roles=True
    )


def is_own(text: str) -> bool:
    """Tells whether a text names a user's own code, my_module:factory."""
    return _OWN.fullmatch(text) is not None


def own_entrant(text: str) -> Entrant:
    """Returns a user's own optimizer, my_module:factory.

    factory(learning_rate) gives an optax transform, or a pair of one and of a function from state and parameters to the
    parameters that are judged. The learning rate is a number or, under a schedule, a function of steps, as optax
    optimizers take it. What else it may be tuned by it says itself: factory.extra_points = {"b2": (0.99, 0.95)} are
    values of its argument b2, which has a default.

    Raises:
      InvalidInput: it cannot be imported, or gives something else.
    """

    def make(
        learning_rate: Any, total_steps: int, key: jax.Array, matrices: Any = None, **extra: Any
    ) -> Made:
        return _made_by_own(text, learning_rate, **extra)

    make(1e-3, 1, jax.random.key(0))
    return Entrant(text, make, is_own=True, extras=_own_extras(text))


def _own_extras(text: str) -> Extras:
    """Returns the extra settings that a user's factory says it may be tuned by."""
    factory = _factory(text)
    said = getattr(factory, "extra_points", None)
    if said is None:
        return NO_EXTRAS
    own = {
        name: argument.default
        for name, argument in inspect.signature(factory).parameters.items()
        if _is_number(argument.default)
    }
    require(
        isinstance(said, Mapping)
        and len(said) > 0
        and all(isinstance(values, tuple | list) and len(values) > 0 for values in said.values())
        and all(_is_number(value) for values in said.values() for value in values),
        f"Optimizer {text!r}: extra_points is {said!r:.200}; it must be a dictionary from names of arguments to the "
        'numbers to be tried, such as {"b2": (0.99, 0.95)}.',
    )
    strangers = sorted(str(name) for name in said if name not in own)
    require(
        not strangers,
        f"Optimizer {text!r}: extra_points names {', '.join(strangers)}; {text.partition(':')[2]} has no such argument "
        f"with a number as default. It has: {', '.join(own) or 'none'}.",
    )
    return extras(
        {name: float(own[name]) for name in said}, **{n: tuple(v) for n, v in said.items()}
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def check_own(one: Entrant, params: Any, schedules: Sequence[str], extra_points: int = 0) -> None:
    """Tries a user's optimizer for one step, as a comparison will make it: of traced numbers, under schedules.

    Args:
      one: the optimizer.
      params: what it is to train.
      schedules: those of the comparison.
      extra_points: how many changes of its own settings the comparison tries.

    Raises:
      InvalidInput: its init or its update raises, its state does not keep its layout, or it has a schedule of its own
        beside those of the comparison.
    """
    follows = any(name != CONSTANT for name in schedules)
    held: list[Any] = []  # by states and updates, of one step each

    def one_step(rate: jax.Array, place: Any = 0, changes: int = 0) -> tuple[Any, Any, Any]:
        schedule = scheduled(rate, 0, (WARM_UP,) if follows else (CONSTANT,), total_steps=1)
        changed = one.extras.at(place, changes)
        transform, _ = parts(one.make(schedule, 1, jax.random.key(0), **changed))
        with told(f"Optimizer {one.label!r}: its init or update raised", _factory(one.label)):
            gradients = jax.tree.map(jnp.ones_like, params)
            state = settled(transform, params)
            updates, after = transform.update(gradients, state, params)
        held.extend((state, after, updates))
        return updates, state, after

    def first_updates(rate: jax.Array) -> Any:
        return one_step(rate)[0]

    advice = (
        f"Learning rates follow --schedules here ({', '.join(schedules)}): make it of the rate it is given, a number "
        "or a function of the steps taken, without a schedule of its own, or compare with --schedules constant."
    )
    try:
        updates, before, after = jax.eval_shape(one_step, 1e-3)
    except InvalidInput as error:
        raise InvalidInput(f"{error} {advice}" if follows else str(error)) from error
    except TypeError as error:  # jax, of what no compiled program can hold
        for what, tree in zip(("state", "state after a step", "update"), held, strict=False):
            _require_numbers(tree, f"Optimizer {one.label!r}: its {what}", error)
        raise
    require_steady(before, after, about=f"Optimizer {one.label!r}: ")
    given, wanted = ((jax.tree.structure(t), _shapes(t)) for t in (updates, params))
    require(
        given == wanted,
        f"Optimizer {one.label!r}: its update gave {given[0]} of shapes {given[1]} for parameters {wanted[0]} of "
        f"shapes {wanted[1]}; it must give one change for each of them.",
    )
    if one.extras.tried[:extra_points]:
        try:
            jax.eval_shape(functools.partial(one_step, changes=extra_points), 1e-3, 0)
        except InvalidInput as error:
            raise InvalidInput(
                f"{error} --extra-points tries its extra_points as data of one compiled program: what they name must "
                "be numbers that jax may trace."
            ) from error
    if not follows:
        return
    still, moved = (jax.tree.leaves(jax.jit(first_updates)(rate)) for rate in (0.0, 1e-3))
    alike = all(bool(jnp.array_equal(a, b)) for a, b in zip(still, moved, strict=True))
    require(
        not (alike and any(bool(jnp.any(a != 0)) for a in still)),
        f"Optimizer {one.label!r} moves parameters alike at learning rates of 0 and 0.001: it has a rate or a schedule "
        f"of its own. {advice}",
    )


def _require_numbers(tree: Any, about: str, cause: Exception) -> None:
    """Raises, for a cause, unless a compiled program can hold all leaves."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        if isinstance(leaf, jax.Array):
            continue
        try:
            jax.eval_shape(lambda leaf=leaf: leaf)
        except TypeError:
            place = jax.tree_util.keystr(path) or "its root"
            raise InvalidInput(
                f"{about} has {type(leaf).__name__} at {place}; it must be of arrays and numbers."
            ) from cause


def _shapes(tree: Any) -> list[tuple[int, ...]]:
    return [jnp.shape(leaf) for leaf in jax.tree.leaves(tree)]


def decayed_once(one: Entrant, params: Any = None, extra_points: int = 0) -> Entrant:
    """Returns an entrant for a comparison that decays weights: a standard one without a decay of its own.

    Of all others nobody but their author can switch a decay off: who has one, at the settings of his own or at a change
    of them that is tried, is refused.

    Args:
      one: the entrant.
      params: what it is to train; a matrix and a vector if not given.
      extra_points: how many changes of its own settings the comparison tries.

    Raises:
      InvalidInput: it is a user's or a rule, and where the gradient is zero it moves weights towards zero.
    """
    if one.without_decay is not None:
        return one._replace(make=one.without_decay, extras=one.extras.without("weight_decay"))
    if one.rule is None and not one.is_own:
        return one
    params = {"matrix": jnp.ones((2, 3)), "vector": jnp.ones(3)} if params is None else params
    tried = one.extras.tried[:extra_points] if one.is_own else ()
    for place, change in enumerate(({}, *tried)):
        settings = one.extras.at(place, len(tried))
        where = f" at its extra point {dict(change)}" if change else ""
        part = "out of its extra_points" if change else "out of it"
        require(
            not _decays(one, params, settings),
            f"Optimizer {one.label!r} decays weights itself{where}: where the gradient is zero it moves them towards "
            "zero. --weight-decays other than 0 are for optimizers without a decay of their own (standard optimizers' "
            f"is switched off), and it would decay twice. Take its decay {part}, or leave --weight-decays out.",
        )
    return one


def _decays(one: Entrant, params: Any, settings: Mapping[str, Any]) -> bool:
    """Tells whether an optimizer moves some array of weights towards zero where the gradient is zero.

    The weights are small, so that one which keeps their norm below a bound does not move them, and of both signs, so
    that noise, which is the same at both, does not count.
    """
    transform, _ = parts(one.make(1.0, 1, jax.random.key(0), **settings))

    def moved(size: float) -> list[jax.Array]:
        weights = jax.tree.map(lambda x: jnp.full_like(x, size), params)
        still = jax.tree.map(jnp.zeros_like, weights)
        updates, _ = transform.update(still, transform.init(weights), weights)
        return jax.tree.leaves(updates)

    factory = _factory(one.label) if one.is_own else None
    with told(f"Optimizer {one.label!r}: its init or update raised", factory):
        above, below = moved(_SMALL), moved(-_SMALL)
    changes = [x - y for x, y in zip(above, below, strict=True)]
    return any(bool(jnp.all(x <= 0) & jnp.any(x < 0)) for x in changes)


def parts(made: Made) -> tuple[optax.GradientTransformation, Evaluation | None]:
    """Returns the transform that `Entrant.make` gave, and the function that came with it."""
    if isinstance(made, optax.GradientTransformation):  # itself a tuple of two
        return made, None
    transform, evaluation = made
    return transform, evaluation


def _factory(text: str) -> Any:
    return find_own("optimizer", text, optax.GradientTransformation)


def _made_by_own(text: str, learning_rate: Any, **extra: Any) -> Made:
    factory = _factory(text)
    require(
        not isinstance(factory, optax.GradientTransformation),
        f"Optimizer {text!r} is a transform already; name the function that makes it of a learning rate, for that is "
        "what is tuned.",
    )
    name = text.partition(":")[2]
    require(callable(factory), f"Optimizer {text!r}: {name} is not a function or class.")
    about = f"Optimizer {text!r}: {name}(learning_rate)"
    with told(f"{about} raised", factory):
        made = factory(learning_rate, **extra)
    if isinstance(made, optax.GradientTransformation):
        return made
    received = f"{len(made)} things" if isinstance(made, tuple) else type(made).__name__
    require(
        isinstance(made, tuple)
        and len(made) == 2
        and isinstance(made[0], optax.GradientTransformation)
        and callable(made[1]),
        f"{about} gave {received}; it must give an optax.GradientTransformation, or a pair: one, and a function of "
        "(state, parameters) that gives the parameters to be judged.",
    )
    return made  # type: ignore[return-value]


def entrant(text: str) -> Entrant:
    """Returns what a user means by a name, a rule's text or my_module:factory.

    Raises:
      InvalidInput: neither a known name nor a rule; the message suggests the nearest name or shows the fault.
    """
    if is_own(text):
        return own_entrant(text)
    if text in STANDARD:
        return _standard(text)
    if text in NAMED_RULES:
        row = NAMED_RULES[text]
        trained = None if row.found is None else row.found.rules_trained
        multiple = None if row.learning_rate is None else row.learning_rate / ADAMS_RATE
        return rule_entrant(text, row.rule)._replace(
            learning_rate_multiple=multiple, rules_trained=trained
        )
    return rule_entrant(text, resolve(text, STANDARD))
