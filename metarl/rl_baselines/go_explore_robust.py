"""Go-Explore in both its phases: explore by setting the state of a simulator, then learn a policy that needs none.

  explore     choose a cell ever stood on, with weight 1 / √(1 + times stood on); set the simulator to the
              state in which it was best reached; act at random, repeating the action before with some
              probability, for a burst of steps; of each cell keep the richest way, of equals the shortest
  imitate     π learns the actions of the richest trajectory of all, the demonstration, and V what was earned on it
  backward    begin episodes τ steps along the demonstration, first near its end; PPO learns; where a share
              of the attempts earns as much as the demonstration did from there, τ moves back by a stage; at
              τ = 0 episodes begin as the world begins them

All steps in the simulator, of both phases, count. They are taken when a trial begins, in its task; then the
policy acts, is told nothing of states, and learns no more. Trajectories are remembered as they happened, state
by state, and none is walked again, so it explores where actions slip, too; what slipped is in the
demonstration, and imitating it leads nowhere there: that is mended by going backward, for which imitation
must leave something to be tried.

A cell is an observation, or, by `state_cells`, a state of the simulator with all that is not seen of it: which key
was taken, and how late it is. Then there are as many cells as states were reached, and the demonstration may
lead through any of them; the policy is told nothing of states all the same.

Differs from the paper: cells are observations or whole states, not pictures made small; one demonstration; the policy
sees the present observation alone; it imitates before it goes backward, which the paper does not.

Letters: C cells (M by `state_cells`: a cell is the first node of its state); M nodes, one for each step and one
for the beginning; H steps of an episode at most.

References: Ecoffet, Huizinga, Lehman, Stanley, Clune (2019), arXiv:1901.10995, and (2021), "First return, then
explore", arXiv:2004.12919, for the weights; Salimans, Chen (2018), "Learning
Montezuma's Revenge from a single demonstration", arXiv:1812.03381.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from metarl.environments import Agent, Environment, Task, Trial, features, make_agent
from metarl.errors import require

from .cells import cell_of, count_cells
from .config import PPOAgentConfig, RobustGoExploreConfig
from .policy_learner import make_policy, policy_learner

MOST_NUMBERS = 20_000_000  # of the states that are remembered in one task
_MEMORY_OF_SUCCESS = 0.8  # of the running share of successes, an attempt
_SLACK = 10  # steps that an attempt may take beyond twice those of the demonstration


class Nodes(NamedTuple):
    """Every state that was reached, [M, ...]; the first is the beginning."""

    states: Any
    observations: Any
    actions: jax.Array  # int32, which led there
    parents: jax.Array  # int32, the node from which it led
    lengths: jax.Array  # int32, steps from the beginning
    totals: jax.Array  # float32, earned from the beginning
    over: jax.Array  # bool, the episode has ended


class Cells(NamedTuple):
    """The archive, [C]."""

    known: jax.Array  # bool
    seen: jax.Array  # float32, how often it was stood on
    nodes: jax.Array  # int32, the best one


class Explored(NamedTuple):
    """What the first phase has found."""

    nodes: Nodes
    cells: Cells
    found_after: jax.Array  # [] float32 steps until a reward above 0; inf if there was none


class Demonstration(NamedTuple):
    """The richest trajectory, from its beginning; what comes after its end is padding."""

    states: Any  # [H + 1, ...]
    observations: Any  # [H + 1, ...]
    actions: jax.Array  # [H] int32, taken in each of them
    earned: jax.Array  # [H + 1] before each of them
    length: jax.Array  # [] int32, steps
    good: jax.Array  # [] bool, something else earned less


class Memory(NamedTuple):
    """What is known when a trial begins; nothing of it changes."""

    learner: Any  # of the algorithm, with the policy's parameters
    found_after: jax.Array  # [] float32, see `Explored`
    begins_at: (
        jax.Array
    )  # [] int32, how far τ came back; 0: the policy was trained from the beginning


@functools.cache
def go_explore_robust(environment: Environment, config: RobustGoExploreConfig) -> Agent:
    """Returns Go-Explore with both phases; one object for one call.

    Raises:
      InvalidInput: the world is stepped on the host, where its state cannot be set.
    """
    require(
        not environment.on_host,
        f"go-explore-robust returns by setting the state of a simulator of the task; {environment.name!r} is "
        "stepped on the host, where that cannot be done. Take go-explore, which walks there.",
    )
    require(
        config.state_cells or count_cells(environment) <= MOST_NUMBERS,
        f"go-explore-robust remembers {count_cells(environment):,} observations of {environment.name!r}; that is "
        f"too much, at most {MOST_NUMBERS:,} are accepted. Make the world smaller.",
    )
    acting = policy_learner(environment, _ppo_of(config))

    def init(key: jax.Array, trial: Trial, task: Task) -> Memory:
        steps = config.simulated_steps or trial.length
        _require_room(environment, steps)
        explore_key, demonstrate_key, robustify_key = jax.random.split(key, 3)
        first = max(1, round(config.explore_share * steps))
        explored = explore(explore_key, environment, config, task, first)
        shown = demonstration(explored.nodes, environment.horizon)
        learner = imitated(demonstrate_key, environment, config, shown)
        learner, begins_at = went_backward(
            robustify_key, environment, config, task, shown, learner, steps - first
        )
        return Memory(learner, explored.found_after, begins_at)

    def act(key: jax.Array, memory: Memory, observation: Any):
        return acting.act(key, memory, observation)[0], memory

    def observe(memory: Memory, *what_happened: Any) -> Memory:
        del what_happened
        return memory

    return make_agent(init, act, observe, sees_task=True)


def explore(
    key: jax.Array,
    environment: Environment,
    config: RobustGoExploreConfig,
    task: Task,
    steps: int,
) -> Explored:
    """Explores from states that were reached before.

    Args:
      key: consumed.
      environment: compiled, of finitely many observations and actions.
      config: `state_cells`, `repeat` and `burst`.
      task: a task.
      steps: in the simulator.
    """
    begin_key, steps_key = jax.random.split(key)
    observation, state = environment.reset(begin_key, task)
    nodes = _room_for(environment, observation, state, steps + 1)
    count = steps + 1 if config.state_cells else count_cells(environment)

    def cell_at(nodes: Nodes, node: jax.Array) -> jax.Array:
        if config.state_cells:
            return _first_of_its_state(nodes, node)
        return cell_of(environment, jax.tree.map(lambda all_: all_[node], nodes.observations))

    cells = Cells(jnp.zeros(count, bool), jnp.zeros(count), jnp.zeros(count, jnp.int32))
    zero = jnp.zeros((), jnp.int32)
    first = cell_at(nodes, zero)
    cells = cells._replace(
        known=cells.known.at[first].set(True), seen=cells.seen.at[first].add(1.0)
    )

    def one_step(carry: tuple[Explored, jax.Array, jax.Array], step: jax.Array):
        (nodes, cells, found_after), here, walked = carry
        choose_key, act_key, world_key = jax.random.split(jax.random.fold_in(steps_key, step), 3)
        returns = nodes.over[here] | (walked >= config.burst)
        back = _chosen(choose_key, cells)
        here, walked = jnp.where(returns, back, here), jnp.where(returns, 0, walked)
        action = _wander(act_key, environment, config, nodes.actions[here], walked)
        node, reward = _led_to(world_key, environment, task, nodes, here, action)
        there = step + 1
        nodes = jax.tree.map(lambda all_, one: all_.at[there].set(one), nodes, node)
        cells = _met(cells, nodes, cell_at(nodes, there), there)
        found_after = jnp.where(reward > 0, jnp.minimum(found_after, there), found_after)
        return (Explored(nodes, cells, found_after), there, walked + 1), None

    start = Explored(nodes, cells, jnp.float32(jnp.inf))
    return jax.lax.scan(one_step, (start, zero, zero), jnp.arange(steps))[0][0]


def demonstration(nodes: Nodes, horizon: int) -> Demonstration:
    """Returns the trajectory to the node that earned most; of equals the shortest, of those the first.

    Args:
      nodes: of the first phase.
      horizon: H.
    """
    reached = nodes.parents >= 0
    totals = jnp.where(reached, nodes.totals, -jnp.inf)
    richest = jnp.max(totals)
    last = jnp.argmin(jnp.where(totals == richest, nodes.lengths, horizon + 1))
    worst = jnp.min(jnp.where(reached, nodes.totals, jnp.inf))
    length = nodes.lengths[last]

    def back(node: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
        return nodes.parents[node], node

    _, backwards = jax.lax.scan(back, last, length=horizon + 1)  # the beginning again and again
    forwards = jnp.roll(backwards[::-1], length + 1)  # [H + 1], the beginning first
    along = jax.tree.map(lambda all_: all_[forwards], nodes)
    return Demonstration(
        along.states,
        along.observations,
        along.actions[1:],
        along.totals,
        length,
        richest > worst,
    )


def imitated(
    key: jax.Array, environment: Environment, config: RobustGoExploreConfig, shown: Demonstration
) -> Any:
    """Returns the learner of PPO whose policy has learnt the actions of a demonstration, if it is good.

    Its value has learnt the discounted return from each step of it on. One that knew nothing would hold the
    first steps of a way for worse than the last, and PPO would unlearn them.

    Args:
      key: consumed.
      environment: of the demonstration.
      config: how long, how fast, and of the network.
      shown: the demonstration.
    """
    ppo = _ppo_of(config)
    policy = make_policy(environment, ppo)
    trial = Trial(environment, episodes=1)
    learner = policy_learner(environment, ppo).init(key, trial, None).learner
    seen = jax.vmap(functools.partial(features, environment.observation_space))
    inputs = seen(shown.observations)[:-1, None]  # [H, 1, F]
    told = (jnp.arange(environment.horizon) < shown.length) & shown.good
    optimizer = optax.adam(config.imitation_rate)
    count = int(environment.action_space.n)  # pyright: ignore[reportAttributeAccessIssue]
    wanted = optax.smooth_labels(jax.nn.one_hot(shown.actions, count), config.smoothing)
    returns = _discounted(jnp.where(told, jnp.diff(shown.earned), 0.0), config.discount)

    def loss(params: Any) -> jax.Array:
        parameters, values = policy.apply(params, inputs)
        log_probs = jax.nn.log_softmax(parameters[:, 0])  # [H, A]
        log_probs = jnp.sum(wanted * log_probs, axis=-1)
        wrong = (learner.returns.restore(values[:, 0]) - returns) ** 2
        return jnp.sum(jnp.where(told, wrong - log_probs, 0.0)) / jnp.maximum(jnp.sum(told), 1)

    def descend(carry: Any, _: None) -> tuple[Any, None]:
        params, state = carry
        change, state = optimizer.update(jax.grad(loss)(params), state)
        return (optax.apply_updates(params, change), state), None

    start = learner.params, optimizer.init(learner.params)
    (params, _), _ = jax.lax.scan(descend, start, length=config.imitation_steps)
    return learner._replace(params=params)


def _discounted(rewards: jax.Array, discount: float) -> jax.Array:
    """Returns the discounted sum of the rewards [H] from each step on."""

    def back(later: jax.Array, reward: jax.Array) -> tuple[jax.Array, jax.Array]:
        return reward + discount * later, reward + discount * later

    return jax.lax.scan(back, jnp.zeros(()), rewards, reverse=True)[1]


class _Attempt(NamedTuple):
    """Where the second phase stands."""

    memory: Any  # of PPO
    state: Any
    observation: Any
    begins_at: jax.Array  # [] int32 τ
    steps: jax.Array  # [] int32 of this attempt
    earned: jax.Array  # [] in this attempt
    success: jax.Array  # [] running share since τ moved


def went_backward(
    key: jax.Array,
    environment: Environment,
    config: RobustGoExploreConfig,
    task: Task,
    shown: Demonstration,
    learner: Any,
    steps: int,
) -> tuple[Any, jax.Array]:
    """Returns the learner after PPO on episodes that begin along the demonstration, ever earlier, and the last τ.

    Args:
      key: consumed.
      environment: compiled.
      config: of PPO, and when τ moves.
      task: a task.
      shown: the demonstration.
      learner: of PPO, to begin with.
      steps: in the simulator.
    """
    begin_key, start_key, steps_key = jax.random.split(key, 3)
    ppo = policy_learner(environment, _ppo_of(config))
    length = jnp.where(shown.good, shown.length, 0)
    stride = jnp.maximum(1, -(-length // config.stages))

    def begun(key: jax.Array, begins_at: jax.Array) -> tuple[Any, Any]:
        usual = environment.reset(key, task)
        along = jax.tree.map(lambda all_: all_[begins_at], (shown.observations, shown.states))
        return jax.tree.map(lambda a, b: jnp.where(begins_at == 0, a, b), usual, along)

    def one_step(attempt: _Attempt, step: jax.Array) -> tuple[_Attempt, None]:
        act_key, world_key, reset_key = jax.random.split(jax.random.fold_in(steps_key, step), 3)
        action, memory = ppo.act(act_key, attempt.memory, attempt.observation)
        observation, state, reward, terminated, truncated, _ = environment.step(
            world_key, attempt.state, action, task
        )
        taken, earned = attempt.steps + 1, attempt.earned + reward
        wanted = shown.earned[length] - shown.earned[attempt.begins_at]
        late = taken >= 2 * (length - attempt.begins_at) + _SLACK
        truncated = truncated | (late & shown.good & (attempt.begins_at > 0) & ~terminated)
        memory = ppo.observe(
            memory, attempt.observation, action, reward, terminated, truncated, observation
        )
        ended = terminated | truncated
        succeeded = (earned >= wanted - 1e-6).astype(jnp.float32)
        share = _MEMORY_OF_SUCCESS * attempt.success + (1 - _MEMORY_OF_SUCCESS) * succeeded
        moves = ended & (share >= config.success_share) & (attempt.begins_at > 0)
        begins_at = jnp.maximum(attempt.begins_at - jnp.where(moves, stride, 0), 0)
        fresh = begun(reset_key, begins_at)
        observation, state = jax.tree.map(
            lambda a, b: jnp.where(ended, a, b), fresh, (observation, state)
        )
        return _Attempt(
            memory,
            state,
            observation,
            begins_at,
            jnp.where(ended, 0, taken),
            jnp.where(ended, 0.0, earned),
            jnp.where(moves, 0.0, jnp.where(ended, share, attempt.success)),
        ), None

    memory = ppo.init(begin_key, Trial(environment, episodes=1), None)._replace(learner=learner)
    begins_at = jnp.maximum(length - stride, 0)
    zero = jnp.zeros((), jnp.int32)
    observation, state = begun(start_key, begins_at)
    nothing = jnp.zeros(())
    attempt = _Attempt(memory, state, observation, begins_at, zero, nothing, nothing)
    attempt = jax.lax.scan(one_step, attempt, jnp.arange(steps))[0]
    return attempt.memory.learner, attempt.begins_at


def _ppo_of(config: RobustGoExploreConfig) -> PPOAgentConfig:
    return PPOAgentConfig(
        config.discount, config.hidden, config.layers, config.steps, config.update
    )


def _require_room(environment: Environment, steps: int) -> None:
    task = jax.eval_shape(environment.sample_task, jax.random.key(0))
    reached = jax.eval_shape(environment.reset, jax.random.key(0), task)
    numbers = sum(leaf.size for leaf in jax.tree.leaves(reached))
    require(
        numbers * steps <= MOST_NUMBERS,
        f"go-explore-robust remembers a state of {numbers} numbers of {environment.name!r} in each of {steps:,} "
        f"steps; that is too much, at most {MOST_NUMBERS:,} are accepted. Give fewer simulated_steps.",
    )


def _room_for(environment: Environment, observation: Any, state: Any, count: int) -> Nodes:
    """Returns M nodes, of which the first is the beginning; the parents of the others are -1."""

    def room(first: Any) -> jax.Array:
        first = jnp.asarray(first)
        return jnp.zeros((count, *first.shape), first.dtype).at[0].set(first)

    return Nodes(
        jax.tree.map(room, state),
        jax.tree.map(room, observation),
        jnp.zeros(count, jnp.int32),
        jnp.full(count, -1, jnp.int32).at[0].set(0),
        jnp.zeros(count, jnp.int32),
        jnp.zeros(count),
        jnp.zeros(count, bool),
    )


def _first_of_its_state(nodes: Nodes, node: jax.Array) -> jax.Array:
    """Returns the first node [] int32 that was reached in the state of a node []."""
    alike = nodes.parents >= 0  # [M], was reached
    for all_ in jax.tree.leaves(nodes.states):
        same = all_ == all_[node]
        alike &= same.reshape(len(same), -1).all(axis=1)
    return jnp.argmax(alike).astype(jnp.int32)


def _chosen(key: jax.Array, cells: Cells) -> jax.Array:
    """Returns the node [] of a cell that was seldom stood on."""
    weights = jnp.where(cells.known, 1 / jnp.sqrt(1 + cells.seen), 0.0)
    return cells.nodes[jax.random.categorical(key, jnp.log(weights))]


def _wander(
    key: jax.Array,
    environment: Environment,
    config: RobustGoExploreConfig,
    before: jax.Array,
    walked: jax.Array,
) -> jax.Array:
    """Returns an action [] int32 at random, or that before again."""
    repeat_key, any_key = jax.random.split(key)
    actions = int(environment.action_space.n)  # pyright: ignore[reportAttributeAccessIssue]
    repeats = (walked > 0) & (jax.random.uniform(repeat_key) < config.repeat)
    return jnp.where(repeats, before, jax.random.randint(any_key, (), 0, actions))


def _led_to(
    key: jax.Array,
    environment: Environment,
    task: Task,
    nodes: Nodes,
    here: jax.Array,
    action: jax.Array,
) -> tuple[Nodes, jax.Array]:
    """Returns the node [] that an action leads to, and the reward."""
    state = jax.tree.map(lambda all_: all_[here], nodes.states)
    observation, state, reward, terminated, truncated, _ = environment.step(
        key, state, action, task
    )
    length, total = nodes.lengths[here] + 1, nodes.totals[here] + reward
    return Nodes(state, observation, action, here, length, total, terminated | truncated), reward


def _met(cells: Cells, nodes: Nodes, cell: jax.Array, there: jax.Array) -> Cells:
    """Returns the archive after a node was reached: a new cell, a richer way or a shorter one is kept."""
    best = cells.nodes[cell]
    richer = nodes.totals[there] > nodes.totals[best]
    equal = nodes.totals[there] == nodes.totals[best]
    shorter = equal & (nodes.lengths[there] < nodes.lengths[best])
    better = (~cells.known[cell] | richer | shorter) & ~nodes.over[there]
    return Cells(
        cells.known.at[cell].set(cells.known[cell] | better),
        cells.seen.at[cell].add(1.0),
        cells.nodes.at[cell].set(jnp.where(better, there, best)),
    )
