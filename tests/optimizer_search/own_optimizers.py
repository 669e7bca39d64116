"""Optimizers of a user's own, as `--optimizer own_optimizers:factory` finds them."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax


def heavy_ball(learning_rate):
    return optax.sgd(learning_rate, momentum=0.95)


def broken(learning_rate):
    raise RuntimeError("no such luck")


def number(learning_rate):
    return learning_rate


def judged_at_zero(learning_rate):
    return optax.sgd(learning_rate), lambda state, params: jax.tree.map(jnp.zeros_like, params)


def misjudged(learning_rate):
    return optax.sgd(learning_rate), lambda state, params: state


def three(learning_rate):
    return optax.sgd(learning_rate), lambda state, params: params, "and a name"


def decaying(learning_rate):
    return optax.adamw(learning_rate, weight_decay=0.1)


def decaying_if_asked(learning_rate, b2=0.999, shrink=0.0):
    return optax.adamw(learning_rate, b2=b2, weight_decay=shrink)


decaying_if_asked.extra_points = {"b2": (0.99,), "shrink": (0.01, 0.1)}


def penalised(learning_rate):
    """Decays by way of the gradient, so that Adam divides the size out."""
    return optax.chain(optax.add_decayed_weights(0.01), optax.adam(learning_rate))


def bounded(learning_rate):
    """Keeps every array within a ball of radius 1; weights inside are left alone."""

    def update(updates, state, params=None):
        def kept(u, w):
            norm = jnp.sqrt(jnp.sum((w + u) ** 2))
            return (w + u) / jnp.maximum(norm, 1.0) - w

        return jax.tree.map(kept, updates, params), state

    ball = optax.GradientTransformation(lambda params: optax.EmptyState(), update)
    return optax.chain(optax.sgd(learning_rate), ball)


ready = optax.sgd(0.1)


def scheduled_already(learning_rate):
    return optax.sgd(optax.cosine_decay_schedule(learning_rate, 100))


def deaf(learning_rate):
    return optax.sgd(optax.cosine_decay_schedule(1e-3, 100))


def of_floats(learning_rate):
    return optax.sgd(float(learning_rate))


def tuned_further(learning_rate, momentum=0.9):
    return optax.sgd(learning_rate, momentum=momentum)


tuned_further.extra_points = {"momentum": (0.5, 0.0)}


def tuned_by_nothing_of_its_own(learning_rate, momentum=None):
    return optax.sgd(learning_rate, momentum=momentum)


tuned_by_nothing_of_its_own.extra_points = {"momentum": (0.5,)}


def of_rounds(learning_rate, rounds=2):
    return optax.chain(*[optax.trace(0.9) for _ in range(rounds)], optax.sgd(learning_rate))


of_rounds.extra_points = {"rounds": (3,)}


def growing(learning_rate):
    """Remembers all gradients."""

    def update(updates, state, params=None):
        return updates, [*state, updates]

    return optax.chain(
        optax.GradientTransformation(lambda params: [], update), optax.sgd(learning_rate)
    )


def counting_in_floats(learning_rate):
    def update(updates, state, params=None):
        return updates, state + 0.5

    start = jnp.zeros([], jnp.int32)
    return optax.chain(
        optax.GradientTransformation(lambda params: start, update), optax.sgd(learning_rate)
    )


def with_a_text(learning_rate):
    def update(updates, state, params=None):
        return jax.tree.map(lambda g: -learning_rate * g, updates), state

    return optax.GradientTransformation(lambda params: {"name": "sgd"}, update)  # pyright: ignore[reportArgumentType]


def in_a_list(learning_rate):
    def update(updates, state, params=None):
        return jax.tree.leaves(jax.tree.map(lambda g: -learning_rate * g, updates)), state

    return optax.GradientTransformation(lambda params: (), update)


def summed(learning_rate):
    def update(updates, state, params=None):
        return jax.tree.map(lambda g: -learning_rate * g.sum(), updates), state

    return optax.GradientTransformation(lambda params: (), update)


def by_names(learning_rate):
    """Knows the names of a network's parts, and decays none of them."""

    def labels(params):
        return {"body": "fast", "head": "slow"} if {"body", "head"} == set(params) else 1 / 0

    return optax.multi_transform(
        {"fast": optax.sgd(learning_rate), "slow": optax.adam(learning_rate)}, labels
    )


def decaying_by_names(learning_rate):
    return optax.multi_transform(
        {"fast": optax.sgd(learning_rate), "slow": optax.adamw(learning_rate, weight_decay=0.1)},
        lambda params: {"body": "fast", "head": "slow"},
    )
