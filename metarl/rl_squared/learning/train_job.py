"""train job: one chunk of updates after another, imitation first where there is a teacher.

    imitate     if there is a teacher: learn to say what it would do, or what is best
    reinforce   unless it distils alone: act in new training tasks, and update by the outer algorithm
    try         on validation tasks: what training starts from, if that has learnt before, then every
                so many environment steps, and what it ends with; the best is kept

A chunk of updates is one compiled program; between chunks the host logs, tries and saves. All
randomness of update n comes from the root seed, the phase and n, so a training that was resumed
equals one that was not. The agent that is kept is the best on validation tasks, so neither a teacher's
pupil nor an agent that goes on (`init_from`) ends below where it began by that measure.

Letters: B trials of an update; T steps of a trial; S seeds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from metarl.environments import Agent, Trial
from metarl.errors import require
from metarl.policy_gradient import make_bins
from metarl.runs import GivenUp, Interruption

from ..agent.agent import acting_agent, make_trial
from ..agent.inputs import make_encoder
from ..agent.network import LABELS, POLICY, fit_to, is_privileged, make_policy
from ..settings.config import TrainConfig
from .averages import averaged, handed_over
from .control_variates import require_known
from .imitation import imitation
from .learners import initial_params, make_algorithm
from .metrics import mean_metrics
from .parallel import Mesh, make_mesh, replicate, spread_policy
from .reinforcement import Learning, chunk_of, compiled_update, host_chunk, learning_of
from .seeds import each_seed, keys_of_updates, over_seeds
from .sizes import sizes_of, validation_tasks_of
from .teachers import find_teaching
from .train_state import Params, TrainProgress, TrainState, loaded, loaded_progress, saved
from .validation import (
    BesideRandom,
    beside_random,
    fresh_best_score,
    is_due,
    validation_returns,
    with_best,
)

CHUNK_STEPS = 200_000  # environment steps of a compiled chunk, about
_IMITATE, _REINFORCE, _VALIDATE, _START = range(4)  # streams of random numbers

Metrics = dict[str, Any]


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
        self.encoder = make_encoder(environment, config.network)
        self._network = fit_to(self.trial, config.network)
        predicting = config.auxiliary_weight > 0
        bins = make_bins(config.value)
        self.policy = make_policy(environment, self._network, predicting=predicting, bins=bins)
        self.acting = make_policy(environment, self._network, acting=True)
        self.teaching = find_teaching(config, self.trial)
        self.on_host = environment.on_host
        require(
            not self.on_host or (config.seeds == 1 and config.warm_start is None),
            f"{environment.name!r} is stepped on the host, where one agent at a time is trained, "
            "without a warm start; leave --seeds and --warm-start out.",
        )
        require(
            not self.on_host or jax.process_count() == 1,
            f"{environment.name!r} is stepped on the host, and trained by one process.",
        )
        if config.distil == "none":
            require_known(environment, config.variance_reduction)
        self.mesh = mesh or make_mesh()
        lesson = self.teaching.steps if self.teaching else None
        self.sizes = sizes_of(config, self.trial.length, self.mesh.size, lesson)
        if self.sizes.reinforces:  # refuses what does not fit
            make_algorithm(self.policy, config, self.sizes.reinforcement_updates)
        self._interruption: Interruption | None = None
        self.validation_tasks = validation_tasks_of(config, self.trial.length, self.on_host)
        self._key = jax.random.key(config.seed)

    @property
    def trials(self) -> int:
        """B of a reinforcement update."""
        return self.sizes.trials

    def init(self) -> TrainState:
        """Returns the state before the first chunk."""
        params, progress = self._initial_params(), TrainProgress()
        learner = self._begin(progress)(params)
        return TrainState(self._placed(learner), self._first_agent(params), progress)

    def update(self, state: TrainState) -> tuple[TrainState, Metrics]:
        """Runs one chunk, and tries the agent on validation tasks when it is time."""
        first: Metrics = {}
        if self.knows_at_first and state.progress.tried_at < 0:
            state, tried = self._try(state)
            first = {"start_validation_return": tried["validation_return"]}
        imitating = self._imitates(state.progress)
        state, metrics = self._imitate(state) if imitating else self._reinforce(state)
        metrics |= first
        turning = imitating and not self._imitates(state.progress)
        if turning or is_due(state.progress, self.config.validation_every, self.sizes):
            state, tried = self._try(state)
            metrics |= tried
        if turning and self.sizes.reinforces:
            learner = self._placed(self._begin_reinforcement(state.learner))
            progress = state.progress._replace(without_best=0)  # patience is with reinforcement
            state = dataclasses.replace(state, learner=learner, progress=progress)
        return state, metrics

    def with_last_tried(self, state: TrainState) -> TrainState:
        """Returns the state in which what it has learnt has been tried on validation tasks.

        The clock may have ended a training between two trials, or before the first.
        """
        progress = state.progress
        if progress.env_steps == 0 or progress.tried_at == progress.env_steps:
            return state
        return self._try(state)[0]

    def validate(self, params: Params) -> float:
        """Returns the mean trial return on the validation tasks, by sampled actions."""
        return float(np.mean(validation_returns(*self._validation(params))))

    def beside_random(self, params: Params) -> BesideRandom:
        """Compares with acting at random on the validation tasks."""
        return beside_random(*self._validation(params))

    def heed(self, interruption: Interruption) -> None:
        """Lets steps of worlds on the host, which take long, be the last when a stop is requested."""
        self._interruption = interruption

    def _look_up(self) -> None:
        if self._interruption is not None and self._interruption.requested:
            raise GivenUp

    def finished(self, state: TrainState) -> bool:
        """Tells whether the budget is spent, or patience has ended."""
        progress, patience = state.progress, self.config.patience
        if self._imitates(progress) and self.sizes.reinforces:
            return False
        if patience is not None and progress.without_best >= patience:
            return True
        if self._imitates(progress):
            return False
        updates = self.sizes.reinforcement_updates
        return updates is not None and progress.reinforcement >= updates

    @property
    def knows_at_first(self) -> bool:
        """Whether the policy that training starts from is one to be lost: it has learnt, or goes by plans."""
        return self._start is not None or self.config.network.inner_trust > 0

    def went_on(self, state: TrainState) -> bool:
        """Tells whether a policy that had learnt before was trained, and not its value alone."""
        if not (self.sizes.reinforces and self._resting_updates):
            return True
        return state.progress.reinforcement > self._resting_updates

    def position(self, state: TrainState) -> tuple[int, int | None]:
        """Returns environment steps, done and to be done."""
        return state.progress.env_steps, self.sizes.env_steps

    def score(self, state: TrainState) -> float | None:
        """Returns the validation return of a state that has just been found the best so far."""
        return fresh_best_score(state.progress)

    def save(self, state: TrainState) -> tuple[dict[str, np.ndarray], Any]:
        """Returns the whole state, as arrays and JSON."""
        return saved(state)

    def load(self, arrays: dict[str, np.ndarray], meta: Any) -> TrainState:
        """Inverse of `save`."""
        progress, params = loaded_progress(meta), jax.eval_shape(self._initial_params)
        learner = jax.eval_shape(self._begin(progress), params)
        best = jax.eval_shape(self._first_agent, params)
        state = loaded(learner, best, progress, arrays)
        return dataclasses.replace(state, learner=self._placed(state.learner))

    @property
    def chunk_updates(self) -> int:
        """How many updates of reinforcement one program makes, at most."""
        if self.on_host:
            return 1
        return _chunk(self.sizes.reinforcement_steps, self.sizes.reinforcement_updates)

    def imitation_rows(
        self, first: int, count: int, size: int | None = None
    ) -> tuple[jax.Array, jax.Array]:
        """Returns, for updates from `first`, whether there are such, up to `count`, and their keys.

        They are as many as the chunk's program has, `size`; `count` if not given.
        """
        size = size or count
        return jnp.arange(size) < count, self._keys(_IMITATE, first, size)

    def reinforcement_rows(
        self, first: int, count: int, size: int | None = None
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Returns the same, and whether the policy stays as it is."""
        size = size or count
        frozen = jnp.arange(first, first + size) < self._resting_updates
        return jnp.arange(size) < count, self._keys(_REINFORCE, first, size), frozen

    @cached_property
    def imitation_chunk(self) -> Callable[..., Any]:
        """Several updates: (learner, active, keys) -> learner, metrics of each."""
        return chunk_of(over_seeds(self._imitation.update, self.config.seeds), self.mesh)

    @cached_property
    def reinforcement_chunk(self) -> Callable[..., Any]:
        """Several updates: (learner, active, keys, frozen) -> learner, metrics of each."""
        world = (self.policy, self.encoder, self.trial, self._learning, self.config.discount)
        if self.on_host:
            return host_chunk(*world, self.trials, self._look_up)
        privileged = is_privileged(self.trial.environment, self.config.network)
        update = compiled_update(
            *world, privileged, self.trials, self.mesh, self.config.variance_reduction
        )
        return chunk_of(over_seeds(update, self.config.seeds, in_axes=(0, 0, None)), self.mesh)

    @property
    def _resting_updates(self) -> int:
        """In how many updates of reinforcement the value learns alone."""
        learnt_before = self.knows_at_first or self.sizes.imitation_updates > 0
        return self.config.value_warm_up if learnt_before else 0

    def _rests(self, progress: TrainProgress) -> bool:
        """Tells whether reinforcement has begun and has not changed the policy yet."""
        return 0 < progress.reinforcement <= self._resting_updates

    def _imitates(self, progress: TrainProgress) -> bool:
        return progress.imitation < self.sizes.imitation_updates

    def _imitate(self, state: TrainState) -> tuple[TrainState, Metrics]:
        progress, steps = state.progress, self.sizes.imitation_steps
        size = _chunk(steps, self.sizes.imitation_updates)
        count = min(size, self.sizes.imitation_updates - progress.imitation)
        rows = self.imitation_rows(progress.imitation, count, size)
        learner, metrics = self.imitation_chunk(state.learner, *rows)
        progress = progress._replace(
            imitation=progress.imitation + count, env_steps=progress.env_steps + count * steps
        )
        state = TrainState(learner, state.best, progress)
        return state, {"phase": "imitation", **mean_metrics(metrics, count)}

    def _reinforce(self, state: TrainState) -> tuple[TrainState, Metrics]:
        progress, steps = state.progress, self.sizes.reinforcement_steps
        updates = self.sizes.reinforcement_updates
        size = self.chunk_updates
        count = size if updates is None else min(size, updates - progress.reinforcement)
        rows = self.reinforcement_rows(progress.reinforcement, count, size)
        learner, metrics = self.reinforcement_chunk(state.learner, *rows)
        progress = progress._replace(
            reinforcement=progress.reinforcement + count,
            env_steps=progress.env_steps + count * steps,
        )
        state = TrainState(learner, state.best, progress)
        return state, {"phase": self.config.algorithm, **mean_metrics(metrics, count)}

    def _try(self, state: TrainState) -> tuple[TrainState, Metrics]:
        """Plays on validation tasks, and keeps the best agent so far."""
        learnt = jax.device_get(handed_over(state.learner))
        candidates = each_seed(learnt, self.config.seeds)
        scores = [self.validate(params) for params in candidates]
        return with_best(state, candidates, scores, rested=self._rests(state.progress))

    def _validation(
        self, params: Params
    ) -> tuple[Agent, Trial, jax.Array, int, Callable[[], None]]:
        """Returns who is tried, in which trials, with which luck, in how many tasks, and who looks up."""
        agent = acting_agent(self.trial.environment, self._network, params)
        key = jax.random.fold_in(self._key, _VALIDATE)
        return agent, self.trial, key, self.validation_tasks, self._look_up

    @cached_property
    def _learning(self) -> Learning:
        policy, decay = spread_policy(self.policy, self.mesh), self.config.average_weights
        algorithm = make_algorithm(policy, self.config, self.sizes.reinforcement_updates)
        learning = learning_of(algorithm)
        return learning if decay is None else averaged(learning, decay)

    @cached_property
    def _imitation(self) -> Any:
        assert self.teaching is not None
        environment, weight = self.trial.environment, self.config.auxiliary_weight
        return imitation(
            make_policy(environment, self._network, acting=True, predicting=weight > 0),
            self.encoder,
            self.trial,
            self.teaching,
            self.config.imitation,
            self.sizes.lessons,
            self.sizes.imitation_updates,
            self.mesh,
            weight,
        )

    def _initial_params(self) -> Params:
        key = jax.random.fold_in(self._key, _START)
        return initial_params(key, self.policy, self._start, self.config.seeds)

    def _first_agent(self, params: Params) -> Params:
        return each_seed(params[POLICY], self.config.seeds)[0]

    def _begin(self, progress: TrainProgress) -> Callable[[Params], Any]:
        """Returns what makes the learner of a phase of parameters."""
        imitates = self._imitates(progress) or not self.sizes.reinforces
        return self._imitation_learner if imitates else self._learner

    def _learner(self, params: Params) -> Any:
        return over_seeds(self._learning.init, self.config.seeds)(params)

    def _imitation_learner(self, params: Params) -> Any:
        learnt = {name: params[name] for name in (POLICY, LABELS) if name in params}
        return over_seeds(self._imitation.init, self.config.seeds)(learnt)

    def _begin_reinforcement(self, learner: Any) -> Any:
        """Returns the learner of the second phase, whose policy is what the first has learnt."""
        params = self._initial_params()
        return self._learner({**params, **jax.device_get(learner.params)})

    def _keys(self, stream: int, first: int, count: int) -> jax.Array:
        key = jax.random.fold_in(self._key, stream)
        return keys_of_updates(key, first, count, self.config.seeds)

    def _placed(self, tree: Any) -> Any:
        """Returns the tree on every device of the mesh, so that no chunk is compiled twice."""
        return replicate(tree, self.mesh)


def _chunk(steps: int, updates: int | None) -> int:
    """Returns how many updates of so many environment steps make a chunk: no more than there will be."""
    size = max(1, CHUNK_STEPS // steps)
    return size if updates is None else min(size, updates)
