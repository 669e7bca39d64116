#!/usr/bin/env bash
# optax 0.2.8: `optax.contrib.prodigy` with the warm-up that its page recommends is NaN from the first update on; `dadapt_adamw` from the second.
#
# Guess, before looking: Prodigy finds its own step and a schedule scales it, so a rate of 0 at the first step means that nothing moves in it. The
# page recommends "a 0-20% learning rate warmup", and optax's own warm-ups begin at the `init_value` that one gives, mostly 0.
# Seen (optax 0.2.8, jax and jaxlib 0.10.2, Python 3.11), on x^2: with `warmup_constant_schedule(0.0, 1.0, 10)` the updates of `prodigy` are NaN in each
# step; those of `dadapt_adamw` are 0 and then NaN. Both are NaN as well where the rate is 1 and the first gradient is exactly 0; a gradient of 0
# later on does no harm. With a warm-up from 1e-3 both work, and `prodigy` from 0 with `safeguard_warmup=True`, but still not after a
# first gradient of 0. `dog`, `dowg`, `cocob` and `mechanize(adam)` take both.
# Why: the estimate of the step is divided by a sum of gradients that the rate weighs, 0 / 0 while all of them are 0; its maximum with
# what was estimated before is NaN for good. No issue of optax was found that says so.
# Who meets it: whoever takes the recommended schedule, or begins where the loss is flat: policy gradients before the first reward.
# `apply_if_finite` does not see it, for the gradients are finite.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip --quiet --disable-pip-version-check install "optax==0.2.8" "jax==0.10.2" "jaxlib==0.10.2"
JAX_PLATFORMS=cpu "$place/venv/bin/python" - <<'PY'
import jax
import jax.numpy as jnp
import optax

STEPS = 20
START = jnp.array([1.0, -2.0])
contrib = optax.contrib


def first_nan(optimizer, flat=()):
    """The first step, counted from 1, whose update is NaN on the sum of squares, whose gradient is made 0 in the steps that are flat."""
    optimizer = optax.with_extra_args_support(optimizer)

    def step(carry, number):
        params, state = carry
        gradient = jnp.where(jnp.isin(number, jnp.array(flat or [0])), 0.0, 2 * params)
        change, state = optimizer.update(gradient, state, params)
        return (optax.apply_updates(params, change), state), jnp.any(jnp.isnan(change))

    bad = jax.lax.scan(step, (START, optimizer.init(START)), jnp.arange(1, STEPS + 1))[1].tolist()
    return bad.index(True) + 1 if True in bad else None


def warm_up(first):
    return optax.warmup_constant_schedule(first, 1.0, 10)


seen = {
    "prodigy": {
        "constant": first_nan(contrib.prodigy()),
        "from 0": first_nan(contrib.prodigy(warm_up(0.0))),
        "from 0, safeguard": first_nan(contrib.prodigy(warm_up(0.0), safeguard_warmup=True)),
        "from 1e-3": first_nan(contrib.prodigy(warm_up(1e-3))),
        "flat at first": first_nan(contrib.prodigy(), flat=[1]),
        "flat at first, safeguard": first_nan(contrib.prodigy(safeguard_warmup=True), flat=[1]),
        "flat later": first_nan(contrib.prodigy(), flat=[3, 4]),
        "flat at first, apply_if_finite": first_nan(optax.apply_if_finite(contrib.prodigy(), 100), flat=[1]),
    },
    "dadapt_adamw": {
        "constant": first_nan(contrib.dadapt_adamw()),
        "from 0": first_nan(contrib.dadapt_adamw(warm_up(0.0))),
        "from 1e-3": first_nan(contrib.dadapt_adamw(warm_up(1e-3))),
        "flat at first": first_nan(contrib.dadapt_adamw(), flat=[1]),
        "flat later": first_nan(contrib.dadapt_adamw(), flat=[3, 4]),
    },
}
for name, rule in {
    "dog": contrib.dog,
    "dowg": contrib.dowg,
    "cocob": contrib.cocob,
    "mechanize": lambda rate: contrib.mechanize(optax.adam(rate)),
}.items():
    seen[name] = {"from 0": first_nan(rule(warm_up(0.0))), "flat at first": first_nan(rule(1.0), flat=[1])}
for name, found in seen.items():
    print("optax", optax.__version__, "| the first step that is NaN,", name, found)
bad = {(name, how): step for name, found in seen.items() for how, step in found.items() if step}
expected = {
    ("prodigy", "from 0"): 1,
    ("prodigy", "flat at first"): 1,
    ("prodigy", "flat at first, safeguard"): 1,
    ("prodigy", "flat at first, apply_if_finite"): 1,
    ("dadapt_adamw", "from 0"): 2,
    ("dadapt_adamw", "flat at first"): 2,
}
raise SystemExit(0 if bad == expected else "this has changed")
PY
