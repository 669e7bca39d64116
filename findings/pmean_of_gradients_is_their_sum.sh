#!/usr/bin/env bash
# JAX: under `shard_map` the `pmean` of gradients that a step under `pmap` ended with gives their sum.
#
# Guess, before looking: a data-parallel step, `jax.lax.pmean(jax.grad(loss)(weights, shard), axis)`, is the same under `pmap` and under
# `shard_map`, which the page of `pmap` asks one to use instead; and `check_vma` checks, so it changes no number of what it lets through.
# Seen (jax and jaxlib 0.10.2, Python 3.11, four CPU devices): the gradient of a mean over eight numbers is 4.5 on one device, under `pmap` and
# under `shard_map(..., check_vma=False)`; under `shard_map` as it comes it is 18, four times as much, with `pmean` and without.
# With `pmean` around the loss in place of the gradient it is 4.5; under `pmap` that gives each device the gradient of its own shard.
# Why: with the check on, the type of an array says that the weights are the same on all devices; so their gradient is summed over
# the devices where it arises, and a mean over four equal sums is that sum.
# The docstring calls it "automatic differentiation optimizations"; the page on autodiff and sharding tells of the sum, not of this step.
# Who meets it: whoever carries a training step over from `pmap`: nothing is raised, and the rate is multiplied by the number of
# devices (with Adam nearly unseen, but where gradients are clipped). Take the `pmean` of the loss, inside what is differentiated.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip --quiet --disable-pip-version-check install "jax==0.10.2" "jaxlib==0.10.2"
JAX_PLATFORMS=cpu "$place/venv/bin/python" - <<'PY'
import jax
import jax.numpy as jnp
from jax.sharding import AxisType, PartitionSpec as P

jax.config.update("jax_num_cpu_devices", 4)
mesh = jax.make_mesh((4,), ("batch",), axis_types=(AxisType.Auto,))
weight, examples = jnp.float32(1), jnp.arange(1.0, 9.0)


def loss(weight, examples):
    return jnp.mean(weight * examples)


def mean_of_gradients(weight, examples):
    return jax.lax.pmean(jax.grad(loss)(weight, examples), "batch")


def gradient_of_mean(weight, examples):
    return jax.grad(lambda weight: jax.lax.pmean(loss(weight, examples), "batch"))(weight)


def sharded(step, **settings):
    run = jax.shard_map(step, mesh=mesh, in_specs=(P(), P("batch")), out_specs=P(), **settings)
    return float(jax.jit(run)(weight, examples))


def mapped(step):
    run = jax.pmap(step, axis_name="batch", in_axes=(None, 0))
    return run(weight, examples.reshape(4, 2)).tolist()


seen = {
    "one device": float(jax.grad(loss)(weight, examples)),
    "pmean of gradients, pmap": mapped(mean_of_gradients),
    "pmean of gradients, shard_map unchecked": sharded(mean_of_gradients, check_vma=False),
    "pmean of gradients, shard_map": sharded(mean_of_gradients),
    "no pmean, shard_map": sharded(jax.grad(loss)),
    "pmean of losses, shard_map": sharded(gradient_of_mean),
    "pmean of losses, pmap": mapped(gradient_of_mean),
}
print("jax", jax.__version__, len(jax.devices()), "devices", seen)
expected = [4.5, [4.5] * 4, 4.5, 18.0, 18.0, 4.5, [1.5, 3.5, 5.5, 7.5]]
raise SystemExit(0 if list(seen.values()) == expected else "this has changed")
PY
