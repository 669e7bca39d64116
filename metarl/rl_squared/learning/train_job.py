"""train job: one chunk of updates after another, imitation first where there is a teacher.

    imitate     if there is a teacher: learn to say what it would do
    reinforce   act in new training tasks, and update by the outer algorithm
    try         every so many environment steps, on validation tasks; the best is kept

A chunk of updates is one compiled program; between chunks the host logs, tries and saves. All
randomness of update n comes from the root seed, the phase and n, so a training that was resumed
equals one that was not. The agent that is kept is the best on validation tasks, the first one
included, so reinforcement never ends below where it began.

Letters: B trials of an update; T steps of a trial; S seeds.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metarl import classical_agents
from metarl.environments import HostEnvironment, play, play_on_host
from metarl.errors import require
from metarl.policy_gradient import Algorithm, ppo, reinforce, trpo
from metarl.runs import flatten_tree, restore_tree

from ..agent.agent import acting_agent, make_trial
from ..agent.inputs import make_encoder
from ..agent.network import POLICY, fit_to, is_privileged, make_policy
from ..settings.config import TrainConfig
from .imitation import imitation
from .parallel import Mesh, make_mesh, replicate, spread_policy
from .reinforcement import chunk_of, compiled_update, host_chunk

CHUNK_STEPS = 200_000  # environment steps of a compiled chunk, about
_IMITATE, _REINFORCE, _VALIDATE, _START = range(4)  # streams of random numbers

Params = Any
Metrics = dict[str, Any]


class Progress(NamedTuple):
    """Where a training stands; numbers on the host."""

    imitation: int = 0  # updates done
    reinforcement: int = 0
    env_steps: int = 0
    tried_at: int = -1  # environment steps at the last trial on validation tasks
    best_score: float = float("-inf")
    best_at: int = 0
    without_best: int = 0  # trials on validation tasks since


@dataclass(frozen=True)
class TrainState:
    """A training between two chunks."""

    learner: Any  # of the phase, with a leading axis of seeds if there are several
    best: Params  # of the acting policy
    progress: Progress


class TrainJob:
    """A training as a job for `runs.drive`.

    Args:
      config: the settings.
      start: parameters of an acting policy to start from; None draws them.
      mesh: the devices to train on; all of them, of all processes, if None.

    Raises:
      InvalidInput: an unknown environment or agent, or settings that do not fit each other.
    """

    def __init__(self, config: TrainConfig, start: Params | None = None, mesh: Mesh | None = None):
        """Looks everything up by name; nothing is compiled before the first chunk."""
        self.config, self._start = config, start
        self.trial = make_trial(config.world)
        environment = self.trial.environment
        self.encoder = make_encoder(environment, config.network.pairs)
        self._network = fit_to(self.trial, config.network)
        self.policy = make_policy(environment, self._network)
        self.acting = make_policy(environment, self._network, acting=True)
        self.teacher = (
            classical_agents.make(config.warm_start, self.trial) if config.warm_start else None
        )
        self.on_host = isinstance(environment, HostEnvironment)
        require(
            not self.on_host or (config.seeds == 1 and config.warm_start is None),
            f"{environment.name!r} is stepped on the host, where one agent at a time is trained, "
            "without a warm start; leave --seeds and --warm-start out.",
        )
        require(
            not self.on_host or jax.process_count() == 1,
            f"{environment.name!r} is stepped on the host, and trained by one process.",
        )
        self.mesh = mesh or make_mesh()
        self._key = jax.random.key(config.seed)

    # Sizes ---------------------------------------------------------------------------------------

    @cached_property
    def trials(self) -> int:
        """B of a reinforcement update: whole minibatches on every device."""
        return _multiple(self.config.batch_steps, self.trial.length, self._parts)

    @cached_property
    def lessons(self) -> int:
        """B of an imitation update."""
        return _multiple(self.config.imitation.batch_steps, self.trial.length, self.mesh.size)

    @cached_property
    def imitation_updates(self) -> int:
        """How many updates imitate."""
        if self.teacher is None:
            return 0
        steps = self.lessons * self.trial.length
        return -(-self.config.imitation.env_steps // steps)

    @cached_property
    def reinforcement_updates(self) -> int | None:
        """How many updates reinforce; None if the clock alone ends the run."""
        budget = self.config.budget
        if budget is None:
            return None
        return -(-budget // (self.trials * self.trial.length))

    @property
    def _parts(self) -> int:
        config = self.config
        minibatches, groups = {
            "ppo": (config.ppo.minibatches, config.ppo.shuffle_groups),
            "trpo": (config.trpo.value_minibatches, config.trpo.shuffle_groups),
            "reinforce": (1, 1),
        }[config.algorithm]
        return minibatches * math.lcm(self.mesh.size, groups)

    # Job -----------------------------------------------------------------------------------------

    def init(self) -> TrainState:
        """Returns the state before the first chunk."""
        params = self._initial_params()
        imitating = self.imitation_updates > 0
        learner = self._imitation_learner(params) if imitating else self._learner(params)
        state = TrainState(learner, self._first_of(params)[POLICY], Progress())
        return dataclasses.replace(state, learner=self._placed(learner))

    def update(self, state: TrainState) -> tuple[TrainState, Metrics]:
        """Runs one chunk, and tries the agent on validation tasks when it is time."""
        progress = state.progress
        imitating = progress.imitation < self.imitation_updates
        if imitating:
            learner, metrics, progress = self._imitate(state.learner, progress)
            if progress.imitation >= self.imitation_updates:
                state, progress, tried = self._try(state, learner, progress)
                metrics |= tried
                learner = self._placed(self._begin_reinforcement(learner))
        else:
            learner, metrics, progress = self._reinforce(state.learner, progress)
        state = TrainState(learner, state.best, progress)
        if self._is_time(progress):
            state, progress, tried = self._try(state, learner, progress)
            metrics |= tried
        return dataclasses.replace(state, progress=progress), metrics

    def finished(self, state: TrainState) -> bool:
        """Tells whether the budget is spent, or patience has ended."""
        progress, config = state.progress, self.config
        if progress.imitation < self.imitation_updates:
            return False
        if config.patience is not None and progress.without_best >= config.patience:
            return True
        updates = self.reinforcement_updates
        return updates is not None and progress.reinforcement >= updates

    def position(self, state: TrainState) -> tuple[int, int | None]:
        """Returns environment steps, done and to be done."""
        updates = self.reinforcement_updates
        if updates is None:
            return state.progress.env_steps, None
        imitated = self.imitation_updates * self.lessons * self.trial.length
        return state.progress.env_steps, imitated + updates * self.trials * self.trial.length

    def score(self, state: TrainState) -> float | None:
        """Returns the validation return of a state that has just been found the best so far."""
        progress = state.progress
        just_tried = progress.tried_at == progress.env_steps > 0
        return progress.best_score if just_tried and progress.without_best == 0 else None

    def save(self, state: TrainState) -> tuple[dict[str, np.ndarray], Any]:
        """Returns the whole state, as arrays and JSON."""
        arrays = flatten_tree({"learner": state.learner, "best": state.best})
        progress = state.progress._asdict()
        if progress["best_score"] == float("-inf"):
            progress["best_score"] = None
        return arrays, progress

    def load(self, arrays: dict[str, np.ndarray], meta: Any) -> TrainState:
        """Inverse of `save`."""
        score = meta["best_score"]
        progress = Progress(**{**meta, "best_score": float("-inf") if score is None else score})
        imitating = progress.imitation < self.imitation_updates
        make = self._imitation_learner if imitating else self._learner
        params = jax.eval_shape(self._initial_params)
        template = {
            "learner": jax.eval_shape(make, params),
            "best": jax.eval_shape(lambda params: self._first_of(params)[POLICY], params),
        }
        tree = restore_tree(template, arrays)
        return TrainState(self._placed(tree["learner"]), tree["best"], progress)

    # Phases --------------------------------------------------------------------------------------

    def _imitate(self, learner: Any, progress: Progress) -> tuple[Any, Metrics, Progress]:
        steps = self.lessons * self.trial.length
        left = self.imitation_updates - progress.imitation
        count = min(_chunk(steps), left)
        learner, metrics = self._imitation_chunk(
            learner, self._keys(_IMITATE, progress.imitation, count)
        )
        progress = progress._replace(
            imitation=progress.imitation + count, env_steps=progress.env_steps + count * steps
        )
        return learner, {"phase": "imitation", **_means(metrics)}, progress

    def _reinforce(self, learner: Any, progress: Progress) -> tuple[Any, Metrics, Progress]:
        steps = self.trials * self.trial.length
        count = 1 if self.on_host else _chunk(steps)
        if self.reinforcement_updates is not None:
            count = min(count, self.reinforcement_updates - progress.reinforcement)
        rows = self.reinforcement_rows(progress.reinforcement, count)
        learner, metrics = self.reinforcement_chunk(learner, *rows)
        progress = progress._replace(
            reinforcement=progress.reinforcement + count,
            env_steps=progress.env_steps + count * steps,
        )
        return learner, {"phase": self.config.algorithm, **_means(metrics)}, progress

    def reinforcement_rows(self, first: int, count: int) -> tuple[jax.Array, jax.Array]:
        """Returns, for updates from `first`, their keys and whether the policy stays as it is."""
        warm_up = self._learnt_before * self.config.value_warm_up
        frozen = jnp.arange(first, first + count) < warm_up
        return self._keys(_REINFORCE, first, count), frozen

    @cached_property
    def _imitation_chunk(self) -> Callable[..., Any]:
        return chunk_of(self._over_seeds(self._imitation.update), self.mesh)

    @cached_property
    def reinforcement_chunk(self) -> Callable[..., Any]:
        """Several updates: (learner, keys, frozen) -> learner, metrics of each."""
        world = (self.policy, self.encoder, self.trial, self._algorithm, self.config.discount)
        if self.on_host:
            return host_chunk(*world, self.trials)
        privileged = is_privileged(self.trial.environment, self.config.network)
        update = compiled_update(*world, privileged, self.trials, self.mesh)
        return chunk_of(self._over_seeds(update, in_axes=(0, 0, None)), self.mesh)

    def _begin_reinforcement(self, learner: Any) -> Any:
        """Returns the learner of the second phase, whose policy is what the first has learnt."""
        params = self._initial_params()
        return self._learner({**params, POLICY: jax.device_get(learner.params[POLICY])})

    # Validation ----------------------------------------------------------------------------------

    def _is_time(self, progress: Progress) -> bool:
        if progress.tried_at == progress.env_steps:
            return False
        every = self.config.validation_every
        due = progress.env_steps // every > max(progress.tried_at, 0) // every
        updates = self.reinforcement_updates
        return due or (updates is not None and progress.reinforcement >= updates)

    def _try(
        self, state: TrainState, learner: Any, progress: Progress
    ) -> tuple[TrainState, Progress, Metrics]:
        """Plays on validation tasks, and keeps the best agent so far."""
        candidates = _unstacked(jax.device_get(learner.params), self.config.seeds)
        scores = [self.validate(params[POLICY]) for params in candidates]
        score, best = max(scores), state.best
        better = score > progress.best_score
        if better:
            best = candidates[int(np.argmax(scores))][POLICY]
        progress = progress._replace(
            tried_at=progress.env_steps,
            best_score=max(score, progress.best_score),
            best_at=progress.env_steps if better else progress.best_at,
            without_best=0 if better else progress.without_best + 1,
        )
        metrics: Metrics = {"validation_return": score}
        if self.config.seeds > 1:
            metrics["validation_returns"] = scores
        return dataclasses.replace(state, best=best), progress, metrics

    def validate(self, params: Params) -> float:
        """Returns the mean trial return on the validation tasks, by sampled actions."""
        task_key, key = jax.random.split(jax.random.fold_in(self._key, _VALIDATE))
        agent = acting_agent(self.trial.environment, self._network, jax.device_get(params))
        if self.on_host:
            seed, count = int(jax.random.bits(key)), self.config.validation_tasks
            return float(np.mean(play_on_host(agent, self.trial, seed, count, "validation").totals))
        tasks = self.trial.environment.sample_tasks(
            task_key, self.config.validation_tasks, "validation"
        )
        return float(np.mean(play(agent, self.trial, key, tasks).totals))

    # Learners ------------------------------------------------------------------------------------

    @cached_property
    def _algorithm(self) -> Algorithm:
        policy, config = spread_policy(self.policy, self.mesh), self.config
        if config.algorithm == "trpo":
            return trpo(policy, config.trpo)
        if config.algorithm == "reinforce":
            return reinforce(policy, config.reinforce)
        decay = self.reinforcement_updates if config.learning_rate_decay else None
        return ppo(policy, dataclasses.replace(config.ppo, decay_updates=decay))

    @cached_property
    def _imitation(self) -> Any:
        assert self.teacher is not None
        return imitation(
            self.acting,
            self.encoder,
            self.trial,
            self.teacher,
            self.config.imitation,
            self.lessons,
            self.imitation_updates,
            self.mesh,
        )

    @property
    def _learnt_before(self) -> bool:
        return self._start is not None or self.imitation_updates > 0

    def _learner(self, params: Params) -> Any:
        return self._over_seeds(self._algorithm.init)(params)

    def _imitation_learner(self, params: Params) -> Any:
        return self._over_seeds(self._imitation.init)({POLICY: params[POLICY]})

    def _initial_params(self) -> Params:
        key = jax.random.fold_in(self._key, _START)
        params = self._over_seeds(self.policy.init)(self._split_seeds(key))
        if self._start is None:
            return params
        start = self._start
        if self.config.seeds > 1:
            start = jax.tree.map(lambda x: jnp.stack([x] * self.config.seeds), start)
        return {**params, POLICY: start}

    # Seeds ---------------------------------------------------------------------------------------

    def _over_seeds(self, function: Callable[..., Any], in_axes: Any = 0) -> Callable[..., Any]:
        return jax.vmap(function, in_axes) if self.config.seeds > 1 else function

    def _split_seeds(self, key: jax.Array) -> jax.Array:
        return jax.random.split(key, self.config.seeds) if self.config.seeds > 1 else key

    def _first_of(self, params: Params) -> Params:
        return jax.tree.map(lambda x: x[0], params) if self.config.seeds > 1 else params

    def _keys(self, stream: int, first: int, count: int) -> jax.Array:
        """Returns the keys of updates `first` to `first + count - 1`, each a row of seeds if many."""
        stream_key = jax.random.fold_in(self._key, stream)
        numbers = jnp.arange(first, first + count)
        keys = jax.vmap(functools.partial(jax.random.fold_in, stream_key))(numbers)
        return jax.vmap(self._split_seeds)(keys)

    def _placed(self, tree: Any) -> Any:
        """Returns the tree on every device of the mesh, so that no chunk is compiled twice."""
        return replicate(tree, self.mesh)


def describe(metrics: Mapping[str, Any]) -> str:
    """Returns what the progress display says of a chunk."""
    names = {
        "return": "return",
        "validation_return": "validation",
        "agreement": "agreement",
        "kl": "KL",
        "entropy": "entropy",
        "explained_variance": "explained variance",
    }
    parts = [f"{word} {metrics[name]:.3g}" for name, word in names.items() if name in metrics]
    return f"{metrics['phase']}: " + ", ".join(parts)


def _chunk(steps: int) -> int:
    """Returns how many updates of so many environment steps make a chunk."""
    return max(1, CHUNK_STEPS // steps)


def _multiple(steps: int, length: int, parts: int) -> int:
    """Returns a number of trials, a multiple of `parts`, with about so many steps in all."""
    return max(1, round(steps / length / parts)) * parts


def _means(metrics: Mapping[str, jax.Array]) -> Metrics:
    """Returns the means over updates and seeds, as JSON can hold them."""
    host = {name: np.asarray(values) for name, values in metrics.items()}
    blocks = host.pop("episode_returns", None)
    means: Metrics = {name: float(np.mean(values)) for name, values in host.items()}
    if blocks is not None:
        means["episode_returns"] = blocks.reshape(-1, blocks.shape[-1]).mean(axis=0).tolist()
    return means


def _unstacked(params: Params, seeds: int) -> list[Params]:
    if seeds == 1:
        return [params]
    return [jax.tree.map(lambda x, i=i: x[i], params) for i in range(seeds)]
