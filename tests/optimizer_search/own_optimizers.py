"""Optimizers of a user's own, as `--optimizer own_optimizers:factory` finds them."""

from __future__ import annotations

import optax


def heavy_ball(learning_rate):
    return optax.sgd(learning_rate, momentum=0.95)


def broken(learning_rate):
    raise RuntimeError("no such luck")


def number(learning_rate):
    return learning_rate


ready = optax.sgd(0.1)
