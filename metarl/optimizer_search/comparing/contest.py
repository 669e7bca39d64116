"""contest: the programs of a comparison on one problem, and the devices they run on.

Each optimizer is compiled once per problem, with the learning rate and extra settings as data; the same compiled
program serves tuning and report. Optimizers of which nobody asks how long they compile share one program (together.py).
A program returns the parameters at C points of every run, and one judging program, common to all optimizers, turns them
into losses: nobody is measured by other code than his rivals.

Letters: E entrants, J runs, C points of a run, S replicates, W runs a call.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from metarl import problems as problem_suite
from metarl.optimizers import weight_dimension_numbers
from metarl.problems import Problem
from metarl.runs import without_compilation_cache

from ..judging.evaluators import Device
from ..training.inner_training import (
    Fixture,
    Layout,
    Learner,
    draw_fixture,
    held_out_score,
    optax_learner,
    start,
    train,
)
from ..training.schedules import scheduled, with_weight_decay, without_decay
from .entrants import Entrant, parts
from .settings_of_runs import PLAIN, Axes, Curves, Runs, runs_of
from .together import one_of

# Runs a call; the last call of a batch is padded with runs of no steps.
_WIDTH = 15
_TIMED_RUNS = 3


class Contest:
    """All programs for one problem.

    Args:
      problem: what is trained.
      steps: N, of every run.
      tuning_seeds: replicates for choosing learning rates, judged on "search" splits drawn per seed.
      report_seeds: replicates for the report, judged on "test".
      points: C, the number of evenly spaced points of a report's curves; at most N.
      axes: schedules and weight decays that runs choose from.
      other_seeds: replicates for who is tuned on others than the rest (`Entrant.other_seeds`), as many.
      devices: where it may run; all local ones if not given.
    """

    def __init__(
        self,
        problem: Problem,
        steps: int,
        tuning_seeds: Sequence[int],
        report_seeds: Sequence[int],
        points: int = 20,
        axes: Axes = PLAIN,
        devices: Sequence[Device] | None = None,
        other_seeds: Sequence[int] = (),
    ):
        """Draws the replicates of both groups and places them on every device."""
        self.problem, self.steps, self.axes = problem, steps, axes
        seeds = [*tuning_seeds, *report_seeds, *other_seeds]
        fixture, self._layout = draw_fixture(problem, "search", seeds)
        self.points = np.unique(np.linspace(0, steps, min(points, steps) + 1).astype(np.int32)[1:])
        self.tuning = np.arange(len(tuning_seeds))
        self.report = len(tuning_seeds) + np.arange(len(report_seeds))
        self._other = len(tuning_seeds) + len(report_seeds) + np.arange(len(other_seeds))
        shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), fixture.params)
        roles = problem_suite.roles_of_leaves(shapes, problem.leaf_roles)
        paths = problem_suite.guessed_leaves(shapes, problem.leaf_roles)
        named = zip(problem_suite.leaf_paths(shapes), jax.tree.leaves(roles), strict=True)
        self.guessed_roles = {path: role for path, role in named if path in paths}
        self._dimension_numbers, self._shapes = weight_dimension_numbers(shapes, roles), shapes
        self._roles = roles
        self.devices = list(devices or jax.local_devices())
        placed = dict.fromkeys(self.devices)
        self._fixtures = {device: jax.device_put(fixture, device) for device in placed}
        self._programs: dict[str, jax.stages.Wrapped] = {}
        self._groups: list[tuple[Entrant, ...]] = []
        self._shared: dict[tuple[Device, int], jax.stages.Compiled] = {}
        self._compiling = threading.Lock()
        self._judge_search = jax.jit(self._judging(self._layout))
        test = problem.examples("test")
        rows = jax.tree.leaves(test)[0].shape[0]
        self._judge_test = jax.jit(self._judging(self._layout._replace(held=rows, shared=True)))
        self._tests = {device: jax.device_put(test, device) for device in placed}

    def share(self, field: Sequence[Entrant]) -> None:
        """Has the optimizers that share no program yet share one; who is never named here has his own."""
        new = tuple(one for one in field if all(one not in group for group in self._groups))
        if new:
            self._groups.append(new)

    def prepare(self) -> None:
        """Compiles the shared programs and those that judge, for the first device, by a run of each."""
        device = self.devices[0]
        for group in self._groups:
            for replicates, work in ((self.tuning, self.tune), (self.report, self.measure)):
                work(group[0], runs_of(self.axes.first(0.0), self.axes, replicates[:1]), device)

    def tuning_of(self, entrant: Entrant) -> np.ndarray:
        """Returns the replicates on which an entrant is tuned, [Q]."""
        return self._other if entrant.other_seeds else self.tuning

    def tune(self, entrant: Entrant, runs: Runs, device: Device) -> np.ndarray:
        """Returns the final loss of each run on its seed's own "search" split, [J]."""
        fixture = self._fixtures[device]
        end = np.full_like(self.points, self.steps)
        return self._run(entrant, runs, end, fixture, self._judge_search, 1, device).losses[:, -1]

    def follow(self, entrant: Entrant, runs: Runs, device: Device) -> np.ndarray:
        """Returns the loss of each run on its seed's own "search" split at the points of a curve, [J, C]."""
        fixture, count = self._fixtures[device], len(self.points)
        return self._run(
            entrant, runs, self.points, fixture, self._judge_search, count, device
        ).losses

    def measure(self, entrant: Entrant, runs: Runs, device: Device) -> Curves:
        """Returns the curves of each run on "test", [J, C]."""
        fixture = self._fixtures[device]._replace(held=self._tests[device])
        count = len(self.points)
        return self._run(entrant, runs, self.points, fixture, self._judge_test, count, device)

    def losses_at_start(self, replicates: np.ndarray | None = None) -> np.ndarray:
        """Returns the loss of replicates before the first step, [S].

        Args:
          replicates: judged on their own "search" splits; if not given, those of the report, on "test".
        """
        device = self.devices[0]
        fixture, judge = self._fixtures[device], self._judge_search
        if replicates is None:
            replicates, judge = self.report, self._judge_test
            fixture = fixture._replace(held=self._tests[device])
        learner = optax_learner(optax.identity())

        def snapshot(replicate: jax.Array):
            run = start(learner, fixture, replicate)
            return jax.tree.map(lambda x: x[None], (run.packed, run.model_state, run.alive))

        places = jnp.asarray(replicates, jnp.int32)
        snapshots = jax.jit(lambda all_of_them: lax.map(snapshot, all_of_them))(places)
        return np.asarray(judge(fixture, places, snapshots)[0][:, 0])

    def seconds_per_step(self, entrant: Entrant, settings: Runs, device: Device) -> float:
        """Returns the wall-clock seconds of a step in a few warm runs.

        Args:
          entrant: the optimizer.
          settings: one run; it is run three times.
          device: where.
        """
        runs = Runs(*(np.repeat(x[:1], _TIMED_RUNS) for x in settings))
        end = np.full_like(self.points, self.steps)
        # placed as in `_run`, or the program would be compiled anew for arguments that lie elsewhere
        placed = jax.device_put(_padded(runs, end), device)
        program = self._program(entrant, device)
        began = time.perf_counter()
        jax.block_until_ready(program(self._fixtures[device], *placed))
        return (time.perf_counter() - began) / (_TIMED_RUNS * self.steps)

    def compile_seconds(self, entrant: Entrant, device: Device) -> float:
        """Returns the seconds that compiling the training program anew takes, traced and optimised."""
        one = runs_of(self.axes.first(1.0), self.axes, self.tuning[:1])
        placed = jax.device_put(_padded(one, np.full_like(self.points, self.steps)), device)
        with without_compilation_cache():
            began = time.perf_counter()
            jax.jit(self._training([entrant])).lower(self._fixtures[device], *placed).compile()
            return time.perf_counter() - began

    def state_bytes_per_parameter(self, entrant: Entrant) -> float:
        """Returns the optimizer's state that grows with the parameters, in bytes a parameter."""
        params = jax.tree.map(lambda x: x[0], self._fixtures[self.devices[0]].params)
        shapes = {leaf.shape for leaf in jax.tree.leaves(params)}
        told = self._told(entrant)
        made = entrant.make(1e-3, self.steps, jax.random.key(0), told)
        state = jax.eval_shape(parts(made)[0].init, params)
        held = [
            leaf
            for leaf in jax.tree.leaves(state)
            if (leaf.shape in shapes or leaf.ndim > 1) and jnp.issubdtype(leaf.dtype, jnp.floating)
        ]
        count = sum(leaf.size for leaf in jax.tree.leaves(params))
        return sum(leaf.size * leaf.dtype.itemsize for leaf in held) / count

    def _run(
        self,
        entrant: Entrant,
        runs: Runs,
        points: np.ndarray,
        fixture: Fixture,
        judging: Callable,
        last: int,
        device: Device,
    ) -> Curves:
        """Runs in calls of a fixed width and judges the last `last` points of each run."""
        program, parts = self._program(entrant, device), []
        for first in range(0, len(runs.rates), _WIDTH):
            piece = Runs(*(x[first : first + _WIDTH] for x in runs))
            padded, stops = jax.device_put(_padded(piece, points), device)
            snapshots = program(self._fixtures[device], padded, stops)
            snapshots = jax.tree.map(lambda x: x[:, -last:], snapshots)
            losses, metrics = judging(fixture, padded.replicates, snapshots)
            parts.append(Curves(*(np.asarray(x)[: len(piece.rates)] for x in (losses, metrics))))
        return Curves(*(np.concatenate(x) for x in zip(*parts, strict=True)))

    def _program(self, entrant: Entrant, device: Device) -> Callable:
        """Returns (fixture, runs, points) -> snapshots of one optimizer, see `_training`."""
        for number, group in enumerate(self._groups):
            if entrant in group:
                shared = self._program_of(number, device)
                which = np.full(_WIDTH, group.index(entrant), np.int32)
                placed = jax.device_put(which, device)
                return lambda *inputs: shared(*inputs, placed)
        if entrant.label not in self._programs:
            self._programs[entrant.label] = jax.jit(self._training([entrant]))
        return self._programs[entrant.label]

    def _program_of(self, number: int, device: Device) -> jax.stages.Compiled:
        """Returns the program of a group, compiled by the first thread that asks; others wait for it."""
        with self._compiling:
            if (device, number) not in self._shared:
                one = runs_of(self.axes.first(1.0), self.axes, self.tuning[:1])
                inputs = *_padded(one, self.points), np.zeros(_WIDTH, np.int32)
                placed = jax.device_put(inputs, device)
                program = jax.jit(self._training(self._groups[number]))
                lowered = program.lower(self._fixtures[device], *placed)
                self._shared[device, number] = lowered.compile()
            return self._shared[device, number]

    def _training(self, field: Sequence[Entrant]) -> Callable:
        """Returns (fixture; runs, leaves [J]; points [J, C]; who, places in the field [J]) -> snapshots, [J, C, ...].

        Who runs may be left out where the field is of one.
        """

        def one(fixture: Fixture, run: Runs, points: jax.Array, which: jax.Array):
            learners = [self._learner(entrant, fixture, run) for entrant in field]
            learner = one_of(learners, which, self._shapes)
            place = (self.problem, self._layout, learner, fixture, run.replicates)

            def advance(state, until):
                state = train(*place, state, until)
                judged = learner.judged(state.memory, state.packed)
                return state, (judged, state.model_state, state.alive)

            return lax.scan(advance, start(learner, fixture, run.replicates), points)[1]

        def program(fixture: Fixture, runs: Runs, points: jax.Array, which: Any = None):
            which = jnp.zeros(len(points), jnp.int32) if which is None else which
            return lax.map(lambda x: one(fixture, *x), (runs, points, which))

        return program

    def _learner(self, entrant: Entrant, fixture: Fixture, run: Runs) -> Learner:
        """Returns the optimizer of one run, its schedule and weight decay around it."""
        key = jax.random.key(fixture.seeds[run.replicates])
        names = self.axes.schedules
        if entrant.has_schedule:
            names = tuple(map(without_decay, names))
        rate = scheduled(run.rates, run.schedules, names, self.steps)
        extra = entrant.extras.at(run.extras, self.axes.extra_points)
        made = entrant.make(rate, self.steps, key, self._told(entrant), **extra)
        transform, evaluation = parts(made)
        if not any(self.axes.weight_decays):
            return optax_learner(transform, evaluation)
        transform = with_weight_decay(transform, rate, run.weight_decays)
        if evaluation is None:
            return optax_learner(transform)
        return optax_learner(transform, lambda state, params: evaluation(state[0], params))

    def _told(self, entrant: Entrant) -> Callable[[Any], Any]:
        """Returns what an optimizer is told of the leaves: their roles if it asks for them, else `_matrices`."""
        return (lambda params: self._roles) if entrant.by_roles else self._matrices

    def _matrices(self, params: Any) -> Any:
        """Returns which leaves are matrices and how: the same of the whole tree and of a masked one."""
        return self._dimension_numbers

    def _judging(self, layout: Layout) -> Callable:
        """Returns (fixture, replicates [J], snapshots [J, C, ...]) -> losses, metrics [J, C]."""
        learner = optax_learner(optax.identity())

        def one(fixture: Fixture, replicate: jax.Array, snapshot: tuple):
            params, model_state, alive = snapshot
            run = start(learner, fixture, replicate)
            run = run._replace(packed=params, model_state=model_state, alive=alive)
            return held_out_score(self.problem, layout, learner, fixture, replicate, run)

        def program(fixture: Fixture, replicates: jax.Array, snapshots: tuple):
            def points(inputs):
                replicate, points = inputs
                return lax.map(lambda snapshot: one(fixture, replicate, snapshot), points)

            return lax.map(points, (replicates, snapshots))

        return program


class Crew:
    """One thread per device. The n-th item always goes to the same device, so its program is compiled once.

    Args:
      devices: of the threads, one each; if it is the same one for all, who is free takes the next item. All local ones
        if not given.
    """

    def __init__(self, devices: Sequence[Device] | None = None) -> None:
        """Starts the threads."""
        self._devices = list(devices or jax.local_devices())
        pools = len(dict.fromkeys(self._devices))
        width = len(self._devices) // pools
        self._threads = [
            ThreadPoolExecutor(width, thread_name_prefix="contest") for _ in range(pools)
        ]

    def __enter__(self) -> Crew:
        """Returns self."""
        return self

    def __exit__(self, error: type | None, *_: object) -> None:
        """Ends the threads; work not yet begun is dropped, and after an error nobody waits for the rest."""
        for thread in self._threads:
            thread.shutdown(wait=error is None, cancel_futures=True)

    def device(self, place: int) -> Device:
        """Returns the device of the item at `place`."""
        return self._devices[place % len(self._devices)]

    def map(self, work: Callable[[Any, Device], Any], items: Sequence[Any]) -> list[Any]:
        """Returns work(item, device) for each item, in the items' order."""
        running = [
            self._threads[place % len(self._threads)].submit(work, item, self.device(place))
            for place, item in enumerate(items)
        ]
        return [one.result() for one in running]


def _padded(runs: Runs, points: np.ndarray) -> tuple[Runs, np.ndarray]:
    """Returns runs with leaves [W] and stops [W, C]; padding stops before its first step."""
    missing = _WIDTH - len(runs.rates)
    stops = np.tile(points, (_WIDTH, 1)).astype(np.int32)
    stops[len(runs.rates) :] = 0
    padded = (np.pad(x, (0, missing)) for x in runs)
    types = (np.float32, np.int32, np.float32, np.int32, np.int32)
    return Runs(*(x.astype(kind) for x, kind in zip(padded, types, strict=True))), stops
