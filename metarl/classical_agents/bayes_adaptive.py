"""BAMCP: Monte Carlo tree search over beliefs, for bandits and for tabular MDPs.

Each action is chosen by a search (`tree_search`) whose simulations run in models drawn from the posterior
at the root, to the end of the trial or some steps ahead. What an action teaches is worth what is
earned by it later, since histories that begin alike share nodes: nothing else makes it explore.

  rollout   outside of the tree acts a policy that learns within the simulation from what it sees there:
            `greedy` by the posterior mean (in MDPs with a fading bonus, planned anew as each simulated
            episode begins), or `random`
  returns   what is summed up: `rewards`, or minus `regret`, Q*(s, a) - V*(s) of the drawn model. The
            expectations at a node differ by what is the same for all of its actions, and the luck of
            rewards, transitions and models that no action decides is gone
  trust     in MDPs the plan of `greedy` counts as so many visits of each action at the root, so that few
            simulations do not spoil it; 0 in the paper
  lazily    of a model only those pairs are drawn that a simulation meets, where that is less work

Differs from the paper: rewards are unknown too; rollouts are by a policy that plans, where the paper's
learns action values from all simulations (its Q-learning rollouts); nothing is discounted.

Letters: K arms; S states; A actions; H horizon; n simulations; D steps of a simulation at most.

Reference: Guez, Silver, Dayan (2012), "Efficient Bayes-adaptive reinforcement learning using
sample-based search", NeurIPS 25, arXiv:1205.3109.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import ndtr

from metarl.environments import Agent, Trial, make_agent, plan

from .arm_posteriors import BetaArms
from .mdp_agents import plan_in_the_mean
from .mdp_posterior import Counts, Prior, mean_model, sample_dirichlet, sample_model
from .planning_agent import Memory, Settings, count_step, know_nothing, plan_if_new
from .scoring_agent import Memory as ArmsMemory
from .scoring_agent import Scoring, argmax_at_random
from .tree_search import Guide, Simulator, search

Rollout = Literal["greedy", "random"]
Returns = Literal["regret", "rewards"]


@dataclass(frozen=True)
class Search:
    """How a tree is grown, as far as it decides on the compiled program.

    Attributes:
      simulations: n, for each action that is taken.
      longest: D.
      rollout: the policy outside of the tree.
      returns: what is summed up.
      reward_bins: into how many parts, equally likely at the root, rewards fall that histories tell
        apart; of MDPs.
    """

    simulations: int
    longest: int
    rollout: Rollout = "greedy"
    returns: Returns = "regret"
    reward_bins: int = 1


# bandits ------------------------------------------------------------------------------------------


def bayes_adaptive_arms(of: Search, exploration: float) -> Scoring:
    """Pulls the arm of the highest value in a tree of simulated pulls: score = Q(root, arm).

    Bernoulli rewards. With simulations the values approach those of dynamic programming over counts.

    Args:
      of: how the tree is grown.
      exploration: c, in rewards.
    """
    return Scoring(_arm_scores(of), jnp.float32(exploration))


@functools.cache
def _arm_scores(of: Search) -> Callable[[jax.Array, jax.Array, ArmsMemory], jax.Array]:
    def scores(exploration: jax.Array, key: jax.Array, memory: ArmsMemory) -> jax.Array:
        arms = memory.arms
        assert isinstance(arms, BetaArms)
        limit = jnp.minimum(memory.left, of.longest)
        simulator = simulated_arms(of, arms)
        guide = Guide.none(simulator.actions)
        tree = search(key, simulator, arms, of.simulations, exploration, limit, of.longest, guide)
        return tree.values(guide)

    return scores


def simulated_arms(of: Search, root: BetaArms) -> Simulator:
    """Returns Bernoulli arms as a search sees them; the state is what is known of them by then.

    Args:
      of: how the tree is grown.
      root: what is known of them.
    """
    arms = root.mean.shape[0]

    def rollout(key: jax.Array, known: BetaArms) -> tuple[jax.Array, BetaArms]:
        scores = known.mean if of.rollout == "greedy" else jnp.zeros(arms)
        return argmax_at_random(key, scores), known

    def step(key: jax.Array, means: jax.Array, known: BetaArms, arm: jax.Array):
        success = jax.random.uniform(key) < means[arm]
        reward = success.astype(jnp.float32)
        gain = means[arm] - jnp.max(means) if of.returns == "regret" else reward
        return known.after(arm, reward), gain, success.astype(jnp.int32)

    return Simulator(arms, 2, root.sample, rollout, step)


# MDPs ---------------------------------------------------------------------------------------------


class Numbers(NamedTuple):
    """Traced numbers."""

    settings: Settings  # the prior, and the bonus of rollouts
    exploration: jax.Array | float  # [] c, in rewards
    trust: jax.Array | float = (
        0.0  # [] in the plan of `greedy`, in visits of each action at the root
    )


class BeliefMemory(NamedTuple):
    """What an agent knows while it acts in one MDP."""

    known: Memory
    start: jax.Array  # [] int32, where the present episode began


class Imagined(NamedTuple):
    """Where a simulation stands."""

    known: Memory  # what would be known by then
    place: jax.Array  # [] int32


class Drawn(NamedTuple):
    """A model that is thought possible."""

    model: Any  # `Model`, or the key of one whose pairs are drawn when they are met
    advantages: jax.Array  # [H, S, A] Q* - V* of it; [0] where no regret is asked for


def bayes_adaptive_mdp(of: Search, numbers: Numbers) -> Agent:
    """Returns the agent that searches in MDPs drawn from its posterior, at every step.

    Episodes are thought to begin where the present one began.

    Args:
      of: how the tree is grown.
      numbers: prior, bonus of rollouts, c.
    """
    return make_agent(*_functions(of), numbers)


@functools.cache
def _functions(of: Search) -> tuple[Callable, Callable, Callable]:
    def act(numbers: Numbers, key: jax.Array, memory: BeliefMemory, observation: jax.Array):
        search_key, tie_key = jax.random.split(key)
        known = memory.known
        start = jnp.where(known.time == 0, observation, memory.start)
        simulator = simulated_mdp(of, numbers.settings, known, start)
        # By the plan act rollouts for what is left of the present episode, and it is the guide.
        planned = plan_in_the_mean(numbers.settings, key, known)  # [H, S, A]
        known = known._replace(action_values=planned)
        at_root = planned[known.time, observation]
        guide = Guide(at_root - jnp.max(at_root), numbers.trust)
        limit = jnp.minimum(known.length - known.steps, of.longest)
        root = Imagined(known, jnp.asarray(observation, jnp.int32))
        size = of.simulations, numbers.exploration, limit, of.longest
        tree = search(search_key, simulator, root, *size, guide)
        return argmax_at_random(tie_key, tree.values(guide)), memory._replace(start=start)

    return _know_nothing, act, _observe


def _know_nothing(numbers: Numbers, key: jax.Array, trial: Trial, task: None) -> BeliefMemory:
    known = know_nothing(numbers.settings, key, trial, task)
    return BeliefMemory(known, jnp.zeros((), jnp.int32))


def _observe(numbers: Numbers, memory: BeliefMemory, *what_happened: Any) -> BeliefMemory:
    return memory._replace(known=count_step(numbers.settings, memory.known, *what_happened))


def simulated_mdp(of: Search, settings: Settings, root: Memory, start: jax.Array) -> Simulator:
    """Returns a tabular MDP as a search sees it.

    Args:
      of: how the tree is grown.
      settings: the prior, and the bonus of rollouts.
      root: what is known.
      start: [] where episodes begin.
    """
    horizon, states, actions = root.action_values.shape
    prior, counts = settings.prior, root.counts
    regret = of.returns == "regret"
    lazily = not regret and of.longest < states * actions
    expected = mean_model(prior, counts).mean_rewards  # [S, A]

    def draw(key: jax.Array) -> Drawn:
        if lazily:
            return Drawn(key, jnp.zeros(0))
        model = sample_model(key, prior, counts)
        if not regret:
            return Drawn(model, jnp.zeros(0))
        values = plan(model.transitions, model.mean_rewards, horizon).action_values
        return Drawn(model, values - jnp.max(values, axis=-1, keepdims=True))

    def rollout(key: jax.Array, at: Imagined) -> tuple[jax.Array, Imagined]:
        if of.rollout == "random":
            return jax.random.randint(key, (), 0, actions), at
        known = at.known
        values = plan_if_new(plan_in_the_mean, settings, key, known)
        known = known._replace(action_values=values)
        action = argmax_at_random(key, values[known.time, at.place])
        return action, at._replace(known=known)

    def step(key: jax.Array, drawn: Drawn, at: Imagined, action: jax.Array):
        next_key, noise_key = jax.random.split(key)
        known, place = at.known, at.place
        if lazily:
            chances, mean = sample_pair(drawn.model, prior, counts, place, action)
        else:
            chances = drawn.model.transitions[place, action]
            mean = drawn.model.mean_rewards[place, action]
        passed = jnp.cumsum(chances) <= jax.random.uniform(next_key)
        following = jnp.minimum(jnp.sum(passed, dtype=jnp.int32), states - 1)
        reward = mean + prior.noise * jax.random.normal(noise_key)
        ended = known.time + 1 >= horizon
        later = count_step(
            settings, known, place, action, reward, ended, jnp.zeros((), bool), following
        )
        following = jnp.where(ended, start, following)
        gain = drawn.advantages[known.time, place, action] if regret else reward
        part = reward_part(of.reward_bins, prior, counts, expected, place, action, reward)
        return Imagined(later, following), gain, following * of.reward_bins + part

    return Simulator(actions, states * of.reward_bins, draw, rollout, step)


def reward_part(
    bins: int,
    prior: Prior,
    counts: Counts,
    expected: jax.Array,
    place: jax.Array,
    action: jax.Array,
    reward: jax.Array,
) -> jax.Array:
    """Returns into which of the parts of equal probability at the root a reward falls [] int32."""
    if bins == 1:
        return jnp.zeros((), jnp.int32)
    known = prior.weight + counts.visits[place, action]
    deviation = prior.noise * jnp.sqrt(1 + 1 / known)
    quantile = ndtr((reward - expected[place, action]) / jnp.maximum(deviation, 1e-9))
    return jnp.minimum(quantile * bins, bins - 1).astype(jnp.int32)


def sample_pair(
    key: jax.Array, prior: Prior, counts: Counts, place: jax.Array, action: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Draws one pair of a model: the same key gives the same model, whatever pairs are asked for.

    Returns:
      Chances of the next states [S], and the mean reward [].
    """
    actions = counts.visits.shape[1]
    pair_key = jax.random.fold_in(key, place * actions + action)
    chances_key, reward_key = jax.random.split(pair_key)
    weight = prior.weight + counts.visits[place, action]
    mean = (prior.weight * prior.mean + counts.reward_sums[place, action]) / weight
    mean = mean + prior.noise / jnp.sqrt(weight) * jax.random.normal(reward_key)
    return sample_dirichlet(chances_key, prior.alpha + counts.transitions[place, action]), mean
