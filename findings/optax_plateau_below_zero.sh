#!/usr/bin/env bash
# optax 0.2.8: `optax.contrib.reduce_on_plateau` never reduces where the loss is below 0, not even while it only gets worse.
#
# Guess, before looking: a loss that stays what it is is a plateau, whatever its sign; `rtol`, "relative tolerance for measuring new optimum", asks for
# an improvement of that share of the best value, and a value worse than the best is none.
# Seen (optax 0.2.8, jax and jaxlib 0.10.2, Python 3.11; factor 0.5, patience 5, the default rtol of 1e-4, cooldown 0): forty times the loss 1 bring the
# scale to 1/128; forty times the loss -1 leave it at 1. With rtol = 0.01 a loss that rises from -100 by half a percent a step, to
# -37 after 200, leaves it at 1 too, and what is stored as the best value is -37: the worst. The same losses plus 1,000 bring the scale below 1e-9.
# With `rtol=0.0, atol=1e-4` both constants give 1/128.
# Why: a value counts as improved below (1 - rtol) times the best, which for a negative best is above it; it then becomes the best. Pull
# request 1767 of optax, open since September 2026, says so. torch's scheduler of that kind has the same formula, and shows it in its
# documentation (issues 38622 and 47513 of pytorch); the page of optax shows none.
# Who meets it: whoever minimises minus a return, minus a log-density or an ELBO. Give `rtol=0.0` and an `atol`.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip --quiet --disable-pip-version-check install "optax==0.2.8" "jax==0.10.2" "jaxlib==0.10.2"
JAX_PLATFORMS=cpu "$place/venv/bin/python" - <<'PY'
import jax
import jax.numpy as jnp
import optax

GRADIENT = jnp.float32(1)


def after(losses, **settings):
    """The scale after a series of losses, and what counts as the best of them."""
    transform = optax.contrib.reduce_on_plateau(factor=0.5, patience=5, **settings)

    def step(state, loss):
        return transform.update(GRADIENT, state, value=loss)[1], None

    state, _ = jax.lax.scan(step, transform.init(GRADIENT), jnp.asarray(losses, jnp.float32))
    return float(state.scale), round(float(state.best_value), 1)


rising = [-100 * 0.995**step for step in range(200)]
seen = {
    "1": after([1.0] * 40),
    "-1": after([-1.0] * 40),
    "rising": after(rising, rtol=0.01),
    "rising, plus 1,000": after([1_000 + loss for loss in rising], rtol=0.01),
    "1, absolute": after([1.0] * 40, rtol=0.0, atol=1e-4),
    "-1, absolute": after([-1.0] * 40, rtol=0.0, atol=1e-4),
}
print("optax", optax.__version__, "| (scale, best):", seen, "| the last of those that rise:", round(rising[-1], 1))
right = (
    seen["1"] == seen["1, absolute"] == (1 / 128, 1.0)
    and seen["-1"] == (1.0, -1.0)
    and seen["rising"] == (1.0, round(rising[-1], 1))
    and seen["rising, plus 1,000"][0] < 1e-9
    and seen["rising, plus 1,000"][1] == 900.0
    and seen["-1, absolute"] == (1 / 128, -1.0)
)
raise SystemExit(0 if right else "this has changed")
PY
