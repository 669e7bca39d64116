"""Scaling: how the speed of training grows with the number of devices, and what they say to each other.

    strong   the same batch, dealt out to D devices
    weak     the same batch on each of D devices
    sums     the sums over D devices that an update needs (one of all gradients a minibatch), and
             nothing else

Each is one compiled program of several updates, all in one process, over the first D of its devices,
measured in turns, warm, and reported as medians. Trials are shuffled in groups of which every D takes
whole ones, so that in strong scaling all D learn the same, but for rounding: this is measured too.

The share of communication is the time of the sums, measured alone, over that of training. It leaves
out sums of single numbers (losses, means), and does not see what a device waits for the slowest.

Letters: B trials of an update; D devices; U updates of a program.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import PartitionSpec as P

from metarl.errors import require

from ..learning.parallel import AXIS, make_mesh
from ..learning.train_job import TrainJob
from ..settings.config import TrainConfig
from .benchmark import Program, median_seconds, ready

STRONG, WEAK = "strong", "weak"
_SUMS = "sums"


class _Case(NamedTuple):
    """What is measured on D devices."""

    kind: str  # "strong", "weak" or "sums"
    devices: int


def measure_scaling(
    config: TrainConfig | None = None,
    devices: Sequence[int] = (1, 2, 4, 8),
    updates: int = 4,
    repeats: int = 5,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Returns the figures of `metarl bench scaling`.

    Args:
      config: what would be trained, by PPO with one seed and without a warm start; the five-armed
        bandit if None. Its batch is that of one device.
      devices: each D; 1 is always measured.
      updates: U.
      repeats: rounds; each measures every program once.
      say: called with a line about what is measured next.

    Returns:
      "points": a dict for each kind of scaling and D, with "scaling", "devices", "batch_steps",
      "seconds" (of one update), "steps_per_second", "speedup" and "efficiency" (both over one
      device), "communication_share", and, of strong scaling, "difference": the distance between the
      parameters that are learnt and those that one device learns, over the distance learnt. And what
      was measured: "platform", "cores", "environment", "network", "updates", "parameters",
      "gradient_bytes", "sums_per_update".

    Raises:
      InvalidInput: another algorithm, several seeds, or more devices than there are.
    """
    config = config or TrainConfig()
    counts = sorted({1, *devices})
    _check(config, counts, updates, repeats)
    config = _in_groups(config, math.lcm(*counts))
    cases = [_Case(STRONG, 1), *(_Case(kind, d) for d in counts[1:] for kind in (STRONG, WEAK))]
    jobs = {case: _job(config, case) for case in cases}
    programs: dict[_Case, Program] = {case: _training(jobs[case], updates) for case in cases}
    for count in counts[1:]:
        programs[_Case(_SUMS, count)] = _sums(jobs[_Case(STRONG, count)], updates)
    seconds = median_seconds(programs, repeats, say)
    one = jobs[_Case(STRONG, 1)]
    learnt = {case: _learnt(programs[case]) for case in cases if case.kind == STRONG}
    params = one.init().learner.params
    return {
        "points": _points(jobs, {c: s / updates for c, s in seconds.items()}, learnt, params),
        "platform": jax.default_backend(),
        "cores": os.cpu_count(),
        "environment": {
            "name": one.trial.environment.name,
            **one.trial.environment.settings,
            "trial_steps": one.trial.length,
        },
        "network": f"{config.network.core}-{config.network.hidden}, {config.network.value} value",
        "updates": updates,
        "parameters": sum(x.size for x in jax.tree.leaves(params)),
        "gradient_bytes": sum(x.nbytes for x in jax.tree.leaves(params)),
        "sums_per_update": config.ppo.epochs * config.ppo.minibatches * config.ppo.accumulation,
    }


def _check(config: TrainConfig, counts: Sequence[int], updates: int, repeats: int) -> None:
    require(
        config.algorithm == "ppo" and config.seeds == 1 and config.warm_start is None,
        "Scaling is measured of PPO with one seed and without a warm start.",
    )
    require(updates >= 1 and repeats >= 1, "Updates and repeats must be at least 1.")
    require(counts[0] >= 1, f"A number of devices is {counts[0]}; it must be at least 1.")
    present = len(jax.devices())
    require(
        counts[-1] <= present,
        f"{counts[-1]} devices are to be measured, and {present} are present. On a CPU, as many are "
        "made as are asked for before jax starts.",
    )


def _in_groups(config: TrainConfig, groups: int) -> TrainConfig:
    return dataclasses.replace(
        config, ppo=dataclasses.replace(config.ppo, shuffle_groups=groups, decay_updates=None)
    )


def _job(config: TrainConfig, case: _Case) -> TrainJob:
    """Returns the training of a case; the batch of one device is the same for all."""
    smallest = TrainJob(config, mesh=make_mesh(1))
    trials = smallest.trials * (case.devices if case.kind == WEAK else 1)
    config = dataclasses.replace(config, batch_steps=trials * smallest.trial.length)
    return TrainJob(config, mesh=make_mesh(case.devices))


def _training(job: TrainJob, updates: int) -> Program:
    learner, rows = job.init().learner, job.reinforcement_rows(0, updates)
    return lambda: job.reinforcement_chunk(learner, *rows)


def _sums(job: TrainJob, updates: int) -> Program:
    """Returns the sums of all gradients, as often as the updates need them, one after the other."""
    params, mesh = job.init().learner.params, job.mesh
    ppo = job.config.ppo
    times = updates * ppo.epochs * ppo.minibatches * ppo.accumulation

    def add(params: Any) -> Any:
        return jax.tree.map(lambda x: jax.lax.psum(x, AXIS) / mesh.size, params)

    add_on_all = jax.shard_map(add, mesh=mesh, in_specs=P(), out_specs=P(), check_vma=False)

    def program(params: Any) -> Any:
        return jax.lax.scan(lambda x, _: (add_on_all(x), None), params, None, length=times)[0]

    return ready(program, (params,))


def _learnt(program: Program) -> np.ndarray:
    """Returns the parameters after the updates of a training, in one row."""
    return _row(program()[0].params)


def _row(params: Any) -> np.ndarray:
    return np.concatenate([np.ravel(x) for x in jax.device_get(jax.tree.leaves(params))])


def _points(
    jobs: dict[_Case, TrainJob],
    seconds: dict[_Case, float],
    learnt: dict[_Case, np.ndarray],
    start: Any,
) -> list[dict[str, Any]]:
    one = _Case(STRONG, 1)
    steps = {case: job.trials * job.trial.length for case, job in jobs.items()}
    rates = {case: steps[case] / seconds[case] for case in jobs}
    way = np.linalg.norm(learnt[one] - _row(start))
    points = []
    for case in [_Case(WEAK, 1), *jobs]:
        measured = one if case.devices == 1 else case
        speedup = rates[measured] / rates[one]
        sums = seconds.get(_Case(_SUMS, case.devices), 0.0)
        point: dict[str, Any] = {
            "scaling": case.kind,
            "devices": case.devices,
            "batch_steps": steps[measured],
            "seconds": seconds[measured],
            "steps_per_second": rates[measured],
            "speedup": speedup,
            "efficiency": speedup / case.devices,
            "communication_share": sums / seconds[measured],
        }
        if case.kind == STRONG:
            distance = np.linalg.norm(learnt[case] - learnt[one])
            point["difference"] = float(distance / way)
        points.append(point)
    return sorted(points, key=lambda point: (point["scaling"], point["devices"]))
