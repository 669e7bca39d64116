"""Several devices, one program: the trials are dealt out, the gradients are summed.

The heavy parts, acting and the network over recorded sequences, run under `shard_map` on each
device's own trials; what lies between them is small, and the compiler spreads it. The outer
algorithms know nothing of it. The devices may belong to several processes (`metarl.runs.Gang`).

What travels: the sum of the gradients at each step, some sums over the batch, and, unless trials are
shuffled in groups (`shuffle_groups`), the whole batch to every device at each epoch.

Numbers depend on the number of devices in their last bits, which a run's provenance tells.

Letters: B trials.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar

import jax
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from metarl.controller import Policy
from metarl.errors import require

AXIS = "trials"

Tree = TypeVar("Tree")


def make_mesh(devices: int | None = None) -> Mesh:
    """Returns a mesh of the first devices of the default backend; of all of them if None.

    Raises:
      InvalidInput: there are not so many.
    """
    present = jax.devices()
    count = len(present) if devices is None else devices
    require(
        1 <= count <= len(present),
        f"A mesh of {count} devices was asked for; {len(present)} are present.",
    )
    return jax.make_mesh((count,), (AXIS,), axis_types=(AxisType.Auto,), devices=present[:count])


def on_all(mesh: Mesh) -> NamedSharding:
    """Returns the sharding of what every device holds whole."""
    return NamedSharding(mesh, P())


def replicate(tree: Tree, mesh: Mesh) -> Tree:
    """Returns the tree, which every process has, on every device of the mesh."""
    sharding = on_all(mesh)
    if jax.process_count() == 1:
        return jax.device_put(tree, sharding)
    return jax.tree.map(
        lambda x: jax.make_array_from_callback(x.shape, sharding, lambda index: x[index]),
        jax.device_get(tree),
    )


def spread_policy(policy: Policy, mesh: Mesh) -> Policy:
    """Returns the policy whose `apply` and `predict` deal the trials [B, ...] out to the devices of a mesh.

    B must be a multiple of the number of devices. The gradient with respect to the parameters,
    which every device holds, is the sum over devices.
    """
    if mesh.size == 1:
        return policy
    apply, predict = (
        spread(function, mesh, replicated=1) for function in (policy.apply, policy.predict)
    )
    return dataclasses.replace(policy, apply=apply, predict=predict)


def spread(function: Callable[..., Any], mesh: Mesh, replicated: int) -> Callable[..., Any]:
    """Returns `function` run on each device with its share of the arguments' leading axis.

    Args:
      function: its results have the same leading axis.
      mesh: of the devices; with one of them `function` is returned as it is.
      replicated: how many of the first arguments every device is given whole.
    """
    if mesh.size == 1:
        return function

    def spread_function(*arguments: Any) -> Any:
        in_specs = (P(),) * replicated + (P(AXIS),) * (len(arguments) - replicated)
        run = jax.shard_map(
            function, mesh=mesh, in_specs=in_specs, out_specs=P(AXIS), check_vma=False
        )
        return run(*arguments)

    return spread_function
