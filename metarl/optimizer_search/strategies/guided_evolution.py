"""Neural-guided evolution: the controller's rules are the first population, the best children train the controller.

One round takes 1 + G generations of the search:

  write    the controller writes K rules: the population, beside nobody of the round before
  breed    G times: K children by mutation and crossing over; the best P of parents and children live on
  learn    from the controller's own rules and the E best children together, by the risk-seeking policy gradient

So evolution begins each time where the controller has learnt to begin, and the controller learns from rules that it
could hardly have written.

Letters: K rules of a generation; L tokens; P rules alive; G generations of evolution; E elite; ε share learnt from.

Reference: Mundhenk, Landajuela, Glatt, Santiago, Faissol, Petersen, "Symbolic regression via neural-guided genetic
programming population seeding", NeurIPS 2021, arXiv:2111.00053, algorithm 1 (500 rules, G = 20, E = 50, tournaments of
5, a half of the children by crossing over). Differs from it: searches here have a thousandth of its rules, so rounds
are short; parents compete with their children; a child that was met is changed again. Theirs have ε = 0.02, a learning
rate of 2.5e-3 and an entropy bonus of 0.03 that weighs token i by 0.7^i (hierarchical entropy), by their published
configuration, in whose released code the block with the last two and the queue is never read; here ε is 0.2, the rate
2e-3, and the bonus of 0.03 weighs all tokens alike. There is no queue, and the controller sees no parent and sibling.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metarl.update_rules import Grammar

from ..settings.config import SearchConfig
from ..writing.best_rules import BestRules
from ..writing.breeding import Met, Renewal, crossed, mutated, winner
from ..writing.writer import as_numbers, sequences, weighted_likelihood, writer
from .contract import Feedback, Proposals, Strategy, as_arrays
from .random_search import numpy_generator
from .risk_seeking import elite_of


class Round(NamedTuple):
    """The rules of a round."""

    written: BestRules  # by the controller, K at most
    population: BestRules  # P
    children: BestRules  # E, the best


class GuidedEvolutionState(NamedTuple):
    """The controller, and the round that is under way."""

    learner: Any
    asked: np.ndarray  # [] int64, generations asked for
    met: Met
    round: Round


def guided_evolution(grammar: Grammar, config: SearchConfig) -> Strategy:
    """Returns the strategy.

    Args:
      grammar: of the rules.
      config: its `controller` says what writes and how fast it learns, its `guided_evolution` gives the other letters.
    """
    settings = config.guided_evolution
    rules = writer(grammar, config.controller, "none")
    learner = weighted_likelihood(rules, config.controller)
    renewal, change = Renewal(grammar), functools.partial(mutated, grammar=grammar)

    def init(key: jax.Array) -> GuidedEvolutionState:
        sizes = (config.batch_size, settings.population, settings.elite)
        nobody = Round(*(BestRules.none(size, grammar.length) for size in sizes))
        learns = jax.jit(lambda key: learner.init(rules.policy.init(key)))(key)
        asked = np.asarray(0, np.int64)
        return GuidedEvolutionState(learns, asked, Met.nothing(), nobody)

    def ask(
        key: jax.Array, state: GuidedEvolutionState, count: int
    ) -> tuple[GuidedEvolutionState, Proposals]:
        stage = int(state.asked) % (1 + settings.generations)  # 0: the controller writes
        if stage > 0 and bool(state.round.population.present[0]):
            tokens, met = _children(numpy_generator(key), state, count)
        else:
            tokens = np.asarray(rules.write(key, state.learner.params, count).tokens)
            met = state.met.after(map(renewal.digest_of, tokens))
        state = state._replace(asked=np.asarray(state.asked + 1, np.int64), met=met)
        return state, Proposals(tokens, np.asarray(stage, np.int64))

    def tell(
        key: jax.Array, state: GuidedEvolutionState, proposals: Proposals, feedback: Feedback
    ) -> tuple[GuidedEvolutionState, dict[str, float]]:
        stage = int(proposals.record)
        tokens = jnp.asarray(proposals.tokens, jnp.int32)
        rules_of_round = _after(state.round, tokens, as_arrays(feedback), jnp.asarray(stage == 0))
        state = state._replace(round=rules_of_round)
        metrics: dict[str, Any] = {}
        if stage == settings.generations:
            learnt, metrics = _learn(key, state.learner, state.round)
            state = state._replace(learner=learnt)
        best = state.round.population.rewards[0]
        metrics["population_best"] = jnp.where(best > -jnp.inf, best, feedback.floor)
        return state, as_numbers(metrics)

    @jax.jit
    def _after(before: Round, tokens: jax.Array, feedback: Feedback, writes: jax.Array) -> Round:
        """Returns the round with the rules of a generation; a new one if the controller wrote them."""

        def emptied(best: BestRules) -> BestRules:
            return best._replace(rewards=jnp.where(writes, -jnp.inf, best.rewards))

        fresh = ~feedback.repeated
        good = fresh & (feedback.rewards > feedback.floor)
        return Round(
            emptied(before.written).after(tokens, feedback.rewards, fresh & writes),
            emptied(before.population).after(tokens, feedback.rewards, good),
            emptied(before.children).after(tokens, feedback.rewards, good & ~writes),
        )

    @jax.jit
    def _learn(key: jax.Array, learnt: Any, ended: Round) -> tuple[Any, dict[str, jax.Array]]:
        tokens = jnp.concatenate([ended.written.tokens, ended.children.tokens])
        rewards = jnp.concatenate([ended.written.rewards, ended.children.rewards])
        there = rewards > -jnp.inf
        elite, advantages, _ = elite_of(jnp.where(there, rewards, 0.0), there, settings.fraction)
        batch = sequences(tokens, rules.record_of(tokens), advantages, elite)
        return learner.update(key, learnt, batch)

    def _children(
        generator: np.random.Generator, state: GuidedEvolutionState, count: int
    ) -> tuple[np.ndarray, Met]:
        population = state.round.population
        alive = np.asarray(population.present)
        tokens, rewards = (
            np.asarray(population.tokens)[alive],
            np.asarray(population.rewards)[alive],
        )
        known = state.met.digests()

        def parent() -> np.ndarray:
            return tokens[winner(generator, rewards, settings.sample)]

        def child() -> np.ndarray:
            if generator.random() < settings.crossover:
                return crossed(generator, parent(), parent(), grammar)
            return change(generator, parent())

        found = [renewal.child(generator, child(), known) for _ in range(count)]
        return np.stack(found), state.met.after(map(renewal.digest_of, found))

    return Strategy(init, ask, tell)
