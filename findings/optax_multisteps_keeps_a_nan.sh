#!/usr/bin/env bash
# optax 0.2.8: one gradient that is NaN never leaves the accumulator of `optax.MultiSteps`; `apply_if_finite` or `zero_nans` inside does not help.
#
# Guess, before looking: a NaN spoils the window of mini-steps that it fell into. With `apply_if_finite` as the wrapped optimizer that window is skipped,
# for after a window the "accumulated gradients are then set back to zero", as the page has it, and the next one starts afresh.
# Seen (optax 0.2.8, jax and jaxlib 0.10.2, Python 3.11), gradients of 1 and windows of two, the third gradient NaN: from the second window on every
# update of `sgd` is NaN; of `apply_if_finite(sgd(1.0), 3)` the next three are 0 and all after them NaN; of `chain(zero_nans(), sgd(1.0))`
# all are 0 for good, with nothing in updates or parameters that a check could find. An infinite gradient does the same, and
# `clip` inside does not help. A window of the naive loop costs itself alone.
# Why: the accumulator is set back by multiplying it by 0, and 0 times NaN is NaN. No issue of optax was found that says so.
# Who meets it: whoever accumulates gradients in half precision, or of a learnt loss, and guards the optimizer inside. Guard outside:
# `apply_if_finite(MultiSteps(...))`, or `should_skip_update_fn=skip_not_finite`; both drop the mini-step alone.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip --quiet --disable-pip-version-check install "optax==0.2.8" "jax==0.10.2" "jaxlib==0.10.2"
JAX_PLATFORMS=cpu "$place/venv/bin/python" - <<'PY'
import math

import jax
import jax.numpy as jnp
import optax

NAN, INF, STEPS = math.nan, math.inf, 14


def updates(optimizer, bad=NAN):
    """The updates at the end of each window, for gradients of 1 with a bad one in the third place."""
    gradients = jnp.ones(STEPS).at[2].set(bad)
    step = lambda state, gradient: optimizer.update(gradient, state)[::-1]
    found = jax.lax.scan(step, optimizer.init(jnp.zeros(())), gradients)[1].tolist()
    if optimizer in dropping:  # a mini-step that is dropped moves the windows
        return [x for x in found if x != 0]
    return [x + 0.0 for x in found[1::2]]  # no -0.0


def windows(inner, **settings):
    return optax.MultiSteps(inner, every_k_schedule=2, **settings).gradient_transformation()


def naive():
    gradients = [NAN if step == 2 else 1.0 for step in range(STEPS)]
    return [-(a + b) / 2 for a, b in zip(gradients[::2], gradients[1::2])]


guarded_outside = optax.apply_if_finite(windows(optax.sgd(1.0)), 3)
skipping = windows(optax.sgd(1.0), should_skip_update_fn=optax.skip_not_finite)
dropping = (guarded_outside, skipping)
seen = {
    "naive loop": naive(),
    "sgd": updates(windows(optax.sgd(1.0))),
    "apply_if_finite inside": updates(windows(optax.apply_if_finite(optax.sgd(1.0), 3))),
    "zero_nans inside": updates(windows(optax.chain(optax.zero_nans(), optax.sgd(1.0)))),
    "infinite, clip inside": updates(windows(optax.chain(optax.clip(1.0), optax.sgd(1.0))), bad=INF),
    "apply_if_finite outside": updates(guarded_outside),
    "skip_not_finite": updates(skipping),
}
for name, found in seen.items():
    print("optax", optax.__version__, f"| {name}:", found)
expected = {
    "naive loop": [-1, NAN, -1, -1, -1, -1, -1],
    "sgd": [-1] + [NAN] * 6,
    "apply_if_finite inside": [-1, 0, 0, 0] + [NAN] * 3,
    "zero_nans inside": [-1] + [0] * 6,
    "infinite, clip inside": [-1] + [NAN] * 6,
    "apply_if_finite outside": [-1] * 6,
    "skip_not_finite": [-1] * 6,
}
same = seen.keys() == expected.keys() and all(
    len(seen[name]) == len(numbers) and all(a == b or (a != a and b != b) for a, b in zip(seen[name], numbers))
    for name, numbers in expected.items()
)
raise SystemExit(0 if same else "this has changed")
PY
