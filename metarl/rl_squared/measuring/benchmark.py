"""The cost of training, beside the network passes that no implementation can do without.

    environment  the trials alone, with actions that are given
    rollout      the policy acts in them
    training     rollout, returns and the update: what `metarl train` does
    whole        where minibatches are cut into parts (`accumulation`): the same without that
    inner        if asked for: rollout and training of a network that is shown the values of an inner learner
    floor        the network passes of training and nothing else: every step of the rollout forward,
                 then each epoch's minibatches, or their parts, forward and backward, policy and value
                 alike; without environment, random numbers, returns, loss terms or optimizer

All are compiled programs of several updates, on the same devices with the same trials dealt out to
them, measured in turns within one process, warm, and reported as medians.

Letters: B trials of an update; T steps of a trial; M minibatches; U updates of a program.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp

from metarl.errors import require
from metarl.runs import peak_memory_mb, without_compilation_cache

from ..agent.inputs import Inputs
from ..agent.network import is_privileged, task_size
from ..learning.parallel import spread, spread_policy
from ..learning.rollout import collect
from ..learning.train_job import CHUNK_STEPS, TrainJob
from ..settings.config import TrainConfig

Program = Callable[[], Any]
Name = TypeVar("Name", bound=Hashable)
_NUDGE = 1e-12  # of the gradient that the floor takes, so that no pass is found to be superfluous


def measure_training(
    config: TrainConfig | None = None,
    repeats: int = 5,
    say: Callable[[str], None] = lambda text: None,
    inner_values: bool = False,
) -> dict[str, Any]:
    """Returns the figures of `metarl bench train`.

    Args:
      config: what would be trained, by PPO with one seed and without a warm start; the five-armed
        bandit if None.
      repeats: rounds; each round measures all four programs once.
      say: called with a line about what is measured next.
      inner_values: also measure rollout and training of the same network with `inner_values`.

    Returns:
      "environment_steps_per_second", "rollout_steps_per_second", "training_steps_per_second",
      "floor_steps_per_second"; where minibatches are cut into parts (`accumulation`), also
      "whole_minibatches_steps_per_second", the training that does not; with `inner_values` also
      "inner_values_steps_per_second", "inner_values_rollout_steps_per_second" and "cost_of_inner_values", the
      seconds of training with them over those without; "ratio_to_floor", training over floor;
      "compile_seconds" of the training program; "peak_memory_mb"; and what was measured:
      "environment", "network", "batch_steps", "minibatches", "accumulation", "devices", "seconds"
      (medians of one program).

    Raises:
      InvalidInput: another algorithm or several seeds are asked for, or nothing is to be repeated; or inner values
        where the network has them already, or the environment is not one for them.
    """
    config = config or TrainConfig()
    require(repeats >= 1, f"repeats is {repeats}; it must be at least 1.")
    require(
        config.algorithm == "ppo" and config.seeds == 1 and config.warm_start is None,
        "The benchmark measures PPO with one seed and without a warm start.",
    )
    shown = _shown_inner_values(config) if inner_values else None
    job = TrainJob(config)
    updates = max(1, CHUNK_STEPS // (job.trials * job.trial.length))
    train, compile_seconds = _training_program(job, updates)
    programs = {
        "environment": _environment_program(job, updates),
        "rollout": _rollout_program(job, updates),
        "training": train,
        "floor": ready(*floor_program(job, updates)),
    }
    if config.ppo.accumulation > 1:
        whole = dataclasses.replace(config.ppo, accumulation=1)
        undivided = TrainJob(dataclasses.replace(config, ppo=whole))
        require(
            undivided.trials == job.trials,
            f"{job.trials} trials are cut into parts, {undivided.trials} are not: choose a batch of "
            "which both are whole numbers.",
        )
        programs["whole_minibatches"] = _training_program(undivided, updates)[0]
    if shown is not None:
        programs["inner_values"] = _training_program(shown, updates)[0]
        programs["inner_values_rollout"] = _rollout_program(shown, updates)
    seconds = median_seconds(programs, repeats, say)
    steps = updates * job.trials * job.trial.length
    rates = {f"{name}_steps_per_second": steps / seconds[name] for name in programs}
    if shown is not None:
        rates["cost_of_inner_values"] = seconds["inner_values"] / seconds["training"]
    return {
        **rates,
        "ratio_to_floor": seconds["floor"] / seconds["training"],
        "compile_seconds": compile_seconds,
        "peak_memory_mb": peak_memory_mb(),
        "environment": {
            "name": job.trial.environment.name,
            **job.trial.environment.settings,
            "trial_steps": job.trial.length,
        },
        "network": f"{config.network.core}-{config.network.hidden}, {config.network.value} value",
        "batch_steps": job.trials * job.trial.length,
        "minibatches": f"{config.ppo.epochs} x {config.ppo.minibatches}",
        "accumulation": config.ppo.accumulation,
        "devices": job.mesh.size,
        "seconds": seconds,
    }


def median_seconds(
    programs: dict[Name, Program], repeats: int, say: Callable[[str], None]
) -> dict[Name, float]:
    """Returns the median seconds of each program, all of them warm, measured in turns.

    Args:
      programs: each starts its computation and returns what it will give.
      repeats: how often each is measured.
      say: called with a line about each program that is made warm, and each round.
    """
    for name, program in programs.items():
        say(f"compiling {_in_words(name)}")
        jax.block_until_ready(program())
    found: dict[Name, list[float]] = {name: [] for name in programs}
    for number in range(repeats):
        for name, program in programs.items():
            began = time.perf_counter()
            jax.block_until_ready(program())
            found[name].append(time.perf_counter() - began)
        say(f"round {number + 1} of {repeats}")
    return {name: statistics.median(values) for name, values in found.items()}


def _shown_inner_values(config: TrainConfig) -> TrainJob:
    """Returns the training of the same network that is shown the values of an inner learner too."""
    require(
        not config.network.inner_values,
        "The network has inner values already; measure one without them beside it.",
    )
    return TrainJob(
        dataclasses.replace(config, network=dataclasses.replace(config.network, inner_values=True))
    )


def _environment_program(job: TrainJob, updates: int) -> Program:
    """Tasks are drawn and acted in, always by the action that is all zeros."""
    trial = job.trial
    space = trial.environment.action_space
    action = jnp.zeros(space.shape, jax.dtypes.canonicalize_dtype(space.dtype))

    def act_in_one(key: jax.Array) -> jax.Array:
        task_key, world_key = jax.random.split(key)
        task = trial.environment.sample_task(task_key)

        def advance(state: Any, time: jax.Array) -> tuple[Any, jax.Array]:
            state, transition = trial.step(jax.random.fold_in(world_key, time), state, action, task)
            return state, transition.reward

        start = trial.reset(jax.random.fold_in(world_key, 0), task)
        return jnp.sum(jax.lax.scan(advance, start, jnp.arange(1, trial.length + 1))[1])

    act = spread(jax.vmap(act_in_one), job.mesh, replicated=0)

    def program(seed: jax.Array) -> jax.Array:
        return jax.lax.map(
            lambda key: jnp.mean(act(jax.random.split(key, job.trials))), _keys(seed, updates)
        )

    return ready(program, (0,))


def _rollout_program(job: TrainJob, updates: int) -> Program:
    """Trials are acted and recorded, as training records them."""
    params = job.init().learner.params
    privileged = is_privileged(job.trial.environment, job.config.network)
    act = spread(
        lambda params, keys: collect(
            job.policy, params, job.encoder, job.trial, keys, job.config.discount, privileged
        ),
        job.mesh,
        replicated=1,
    )

    def program(params: Any, seed: jax.Array) -> Any:
        def one(key: jax.Array) -> Any:
            batch, _ = act(params, jax.random.split(key, job.trials))
            return jax.tree.map(lambda x: jnp.mean(x.astype(jnp.float32)), batch)

        return jax.lax.map(one, _keys(seed, updates))

    return ready(program, (params, 0))


def _training_program(job: TrainJob, updates: int) -> tuple[Program, float]:
    """Returns the program of a chunk of updates, and the seconds it took to compile."""
    learner = job.init().learner
    arguments = (learner, *job.reinforcement_rows(0, updates))
    with without_compilation_cache():
        began = time.perf_counter()
        compiled = job.reinforcement_chunk.lower(*arguments).compile()
        seconds = time.perf_counter() - began
    return lambda: compiled(*arguments), seconds


def floor_program(job: TrainJob, updates: int) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Returns the network passes of training, over inputs that are given, as function and arguments."""
    policy, spread_over = job.policy, spread_policy(job.policy, job.mesh)
    ppo = job.config.ppo
    passes = ppo.minibatches * ppo.accumulation
    params = job.init().learner.params
    steps = (job.trials, job.trial.length)
    size = task_size(job.trial.environment, job.config.network)
    features: Any = jax.ShapeDtypeStruct((size,), jnp.float32)
    leaves, structure = jax.tree.flatten(Inputs(job.encoder.example(), features))
    keys = jax.random.split(jax.random.key(0), len(leaves))
    drawn = [
        _drawn(key, (*steps, *leaf.shape), leaf.dtype)
        for key, leaf in zip(keys, leaves, strict=True)
    ]

    def act(params: Any, inputs: Inputs) -> jax.Array:
        def advance(memory: Any, inputs: Inputs) -> tuple[Any, Any]:
            memory, parameters, values = policy.step(params, memory, inputs)
            return memory, (parameters, values)

        start = policy.initial_state(inputs.task.shape[0])
        in_time = jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), inputs)
        return _total(jax.lax.scan(advance, start, in_time)[1])[None]

    rollout = spread(act, job.mesh, replicated=1)

    def descend(params: Any, inputs: Inputs) -> tuple[Any, jax.Array]:
        value, gradient = jax.value_and_grad(lambda p: _total(spread_over.apply(p, inputs)))(params)
        return jax.tree.map(lambda p, g: p - _NUDGE * g, params, gradient), value

    def update(params: Any, inputs: Inputs) -> tuple[Any, Any]:
        acted = rollout(params, inputs)
        size = job.trials // passes
        parts = jax.tree.map(lambda x: x.reshape(passes, size, *x.shape[1:]), inputs)

        def epoch(params: Any, _: None) -> tuple[Any, Any]:
            return jax.lax.scan(descend, params, parts)

        return jax.lax.scan(epoch, params, None, length=ppo.epochs)[0], jnp.sum(acted)

    def program(params: Any, inputs: Inputs) -> Any:
        def again(params: Any, _: None) -> tuple[Any, Any]:
            return update(params, inputs)

        return jax.lax.scan(again, params, None, length=updates)

    return program, (params, jax.tree.unflatten(structure, drawn))


def _drawn(key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
    """Returns inputs at random: normal numbers, or levels where pixels have them."""
    if jnp.issubdtype(dtype, jnp.floating):
        return jax.random.normal(key, shape, dtype)
    return jax.random.randint(key, shape, 0, 256, dtype)


def _keys(seed: jax.Array, updates: int) -> jax.Array:
    """Returns a key for each update [U]; made of a number, so that a program can be run again."""
    return jax.random.split(jax.random.key(seed), updates)


def _total(tree: Any) -> jax.Array:
    return sum((jnp.sum(leaf) for leaf in jax.tree.leaves(tree)), start=jnp.zeros(()))


def _in_words(name: Hashable) -> str:
    return " ".join(map(str, name)) if isinstance(name, tuple) else str(name)


def ready(program: Callable[..., Any], arguments: tuple[Any, ...]) -> Program:
    """Returns the program, compiled at its first call, with its arguments."""
    jitted = jax.jit(program)
    return lambda: jitted(*arguments)
