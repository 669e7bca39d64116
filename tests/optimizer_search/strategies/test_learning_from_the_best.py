"""What strategies learn from beside the last generation: its elite, a queue, the rules told, cells, a tree."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.optimizer_search.screening.probes import Probes
from metarl.optimizer_search.settings.config import (
    BayesianConfig,
    ControllerConfig,
    GoExploreConfig,
    GuidedEvolutionConfig,
    PreferenceConfig,
    PriorityQueueConfig,
    RiskSeekingConfig,
    SearchConfig,
    TreeSearchConfig,
)
from metarl.optimizer_search.strategies import Feedback, Proposals, make
from metarl.optimizer_search.strategies.risk_seeking import elite_of
from metarl.optimizer_search.writing.behaviour import cells_of
from metarl.optimizer_search.writing.best_rules import BestRules
from metarl.optimizer_search.writing.breeding import (
    Digests,
    Met,
    Renewal,
    crossed,
    made_new,
    mutated,
)
from metarl.optimizer_search.writing.ranks import log_ranks
from metarl.optimizer_search.writing.told_rules import ToldRules
from metarl.optimizer_search.writing.writer import writer
from metarl.update_rules import Grammar, Interpreter, Space, parse

GRAMMAR = Grammar("sign", depth=1)
STRICT = Grammar(
    "icml", depth=2, different_operands=True, no_final_addition=True, reuse_values=True
)
CONFIG = SearchConfig(batch_size=16, controller=ControllerConfig(hidden=16, embedding=8))


# ---- the elite of a generation


def test_the_elite_is_what_sorting_says_and_rules_met_before_do_not_count():
    generator, jitted = np.random.default_rng(0), jax.jit(elite_of, static_argnums=2)
    for count, fraction in ((20, 0.2), (7, 0.5)):
        rewards = generator.standard_normal(count).astype(np.float32)
        fresh = generator.random(count) < 0.7
        elite, above, quantile = jitted(jnp.asarray(rewards), jnp.asarray(fresh), fraction)
        ordered = np.sort(rewards[fresh])
        expected = ordered[math.ceil((len(ordered) - 1) * (1 - fraction))]
        assert quantile == expected
        np.testing.assert_array_equal(elite, fresh & (rewards >= expected))
        span = ordered[-1] - expected
        wanted = np.where(elite, (rewards - expected) / (span if span > 0 else 1), 0)
        np.testing.assert_allclose(above, wanted, atol=1e-6)


def test_an_elite_of_equals_or_of_nobody_has_no_advantage():
    for rewards, fresh in ((jnp.full(4, -5.0), True), (jnp.arange(4.0), False)):
        elite, above, _ = jax.jit(elite_of, static_argnums=2)(rewards, jnp.full(4, fresh), 0.5)
        assert not np.any(above) and bool(jnp.any(elite)) == fresh


# ---- the best rules, and the rules told


def test_the_best_rules_are_those_of_a_sorted_list_whatever_the_generations():
    generator = np.random.default_rng(1)
    best, everything, after = BestRules.none(5, 3), [], jax.jit(BestRules.after)
    for _ in range(6):
        tokens = generator.integers(9, size=(4, 3)).astype(np.int32)
        rewards = generator.integers(4, size=4).astype(np.float32)  # with ties
        wanted = generator.random(4) < 0.6
        best = after(best, tokens, rewards, wanted)
        everything += [(r, t) for r, t, w in zip(rewards, tokens, wanted, strict=True) if w]
        expected = sorted(everything, key=lambda pair: -pair[0])[:5]
        count = len(expected)
        np.testing.assert_array_equal(best.present, np.arange(5) < count)
        np.testing.assert_array_equal(best.rewards[:count], [r for r, _ in expected])
        for row, (_, rule) in zip(best.tokens, expected, strict=False):
            np.testing.assert_array_equal(row, rule)


def test_rules_told_are_the_last_and_pairs_are_ordered_as_their_rewards():
    told = ToldRules.none(6, 1)
    after = jax.jit(ToldRules.after)
    pairs = jax.jit(ToldRules.pairs, static_argnums=(2, 3))
    assert not pairs(told, jax.random.key(0), 200, 2).differ.any()  # of nothing
    for start in (0, 4, 8):
        tokens = np.arange(start, start + 4, dtype=np.int32)[:, None]
        told = after(told, tokens, tokens[:, 0] % 5.0, np.array([True, False, True, True]))
    np.testing.assert_array_equal(told.tokens[:, 0], [8, 10, 11, 4, 6, 7])
    drawn, rewards = pairs(told, jax.random.key(1), 200, 2), np.asarray(told.rewards)
    better, worse = rewards[np.asarray(drawn.better)], rewards[np.asarray(drawn.worse)]
    np.testing.assert_array_equal(np.asarray(drawn.differ), better > worse)
    assert np.all(better >= worse) and 0 < np.mean(drawn.differ) < 1


# ---- the writer


def test_rules_by_others_have_the_masks_and_probabilities_that_writing_them_would_have():
    rules = writer(STRICT, CONFIG.controller, "none")
    params = rules.policy.init(jax.random.key(0))
    sample = rules.write(jax.random.key(1), params, 16)
    np.testing.assert_array_equal(jax.jit(rules.masks)(sample.tokens), sample.masks)
    recomputed = jax.jit(rules.log_probs)(params, sample.tokens)
    np.testing.assert_allclose(recomputed, sample.log_probs, rtol=1e-4, atol=1e-5)
    assert rules is writer(STRICT, CONFIG.controller, "none")  # so programs are shared


def told(strategy, tokens, rewards, generations, floor=-5.0):
    """Tells a strategy of the same rules again and again; the first time they are new."""
    state = strategy.init(jax.random.key(0))
    keys = jax.random.split(jax.random.key(1), generations)
    for generation, key in enumerate(keys):
        repeated = np.full(len(tokens), generation > 0)
        feedback = Feedback(np.asarray(rewards, np.float32), repeated, floor)
        ask_key, tell_key = jax.random.split(key)
        state, proposals = strategy.ask(ask_key, state, len(tokens))
        proposals = proposals._replace(tokens=tokens)
        state, metrics = strategy.tell(tell_key, state, proposals, feedback)
    return state, metrics


@pytest.mark.slow  # the quick form: it finds a planted rule, in test_strategies
def test_a_priority_queue_makes_the_queued_rules_likely_and_no_others():
    config = SearchConfig(
        controller=ControllerConfig(hidden=16, embedding=8, learning_rate=2e-2, epochs=8),
        priority_queue=PriorityQueueConfig(size=2),
    )
    strategy = make("priority-queue", GRAMMAR, config)
    rules = writer(GRAMMAR, config.controller, "none")
    tokens = GRAMMAR.sample(np.random.default_rng(2), 8)
    rewards = np.arange(8.0) / 10
    start = strategy.init(jax.random.key(0))
    state, metrics = told(strategy, tokens, rewards, 10)
    gain = np.asarray(
        (rules.log_probs(state.learner.params, jnp.asarray(tokens))
        - rules.log_probs(start.learner.params, jnp.asarray(tokens))).sum(axis=1)
    )  # fmt: skip
    assert gain[6:].min() > 3 and gain[6:].min() > gain[:6].max() + 1
    np.testing.assert_array_equal(state.queue.rewards, np.array([0.7, 0.6], np.float32))
    assert metrics["queued"] == 2 and metrics["queue_worst"] == pytest.approx(0.6)


def test_preferences_make_the_better_rules_likelier_beside_the_worse():
    config = SearchConfig(
        controller=ControllerConfig(hidden=16, embedding=8, learning_rate=1e-2),
        dpo=PreferenceConfig(memory=8, pairs=32, steps=8, renewal=3),
    )
    strategy = make("dpo", GRAMMAR, config)
    rules = writer(GRAMMAR, config.controller, "none")
    tokens = GRAMMAR.sample(np.random.default_rng(3), 8)
    start, log_probs = strategy.init(jax.random.key(0)), jax.jit(rules.log_probs)
    state, metrics = told(strategy, tokens, np.arange(8.0), 8)
    before, after = (
        np.asarray(log_probs(params, jnp.asarray(tokens))).sum(axis=1)
        for params in (start.learner.params, state.learner.params)
    )
    leaning = after - before
    assert np.corrcoef(leaning, np.arange(8.0))[0, 1] > 0.7
    assert metrics["preference_accuracy"] > 0.7
    renewed = jax.tree.leaves(
        jax.tree.map(
            lambda x, y: bool(np.any(x != y)), state.learner.reference, start.learner.reference
        )
    )
    assert any(renewed) and int(state.learner.generation) == 8


# ---- breeding


def test_a_child_of_two_begins_as_the_first_and_ends_as_the_second():
    generator = np.random.default_rng(4)
    for _ in range(50):
        first, second = STRICT.sample(generator, 2)
        child = crossed(generator, first, second, STRICT)
        STRICT.validate(child)
        fits = [
            np.array_equal(child, np.concatenate([first[:cut], second[cut:]])) for cut in range(11)
        ]
        assert any(fits)


def test_a_child_that_was_met_is_changed_until_it_is_new():
    digest_of, known = Digests(GRAMMAR), set()
    rule = GRAMMAR.to_tokens(parse("g"))
    same = made_new(np.random.default_rng(0), rule, known, lambda generator, x: x, digest_of)
    assert known == {digest_of(rule)} and same is rule
    asked = []
    other = GRAMMAR.to_tokens(parse("m"))
    found = made_new(
        np.random.default_rng(0), rule, known, lambda g, x: asked.append(1) or other, digest_of
    )
    assert asked == [1] and found is other and len(known) == 2
    met = Met.nothing().after(known)
    assert met.digests() == known and met.proposed == 2


def test_a_mutation_changes_one_token_to_any_other_with_numpys_own_draws():
    grammar, own, theirs = Grammar("sign", 2), np.random.default_rng(3), np.random.default_rng(3)
    sizes = np.array(grammar.slot_sizes)
    parent = grammar.sample(np.random.default_rng(0), 1)[0]
    for _ in range(50):
        slot = theirs.choice(np.flatnonzero(sizes > 1))
        expected = parent.copy()
        expected[slot] = (parent[slot] + theirs.integers(1, sizes[slot])) % sizes[slot]
        np.testing.assert_array_equal(mutated(own, parent, grammar), expected)


def test_rules_that_were_met_are_renewed_and_others_stay():
    renewed = Renewal(STRICT)
    tokens = STRICT.sample(np.random.default_rng(6), 12)
    first, met = renewed(
        np.random.default_rng(7), np.concatenate([tokens[:8], tokens[:8]]), Met.nothing()
    )
    np.testing.assert_array_equal(first[:8], tokens[:8])
    second, met = renewed(np.random.default_rng(8), tokens, met)
    np.testing.assert_array_equal(second[8:], tokens[8:])
    everything = [str(STRICT.to_rule(row).canonical()) for row in (*first, *second)]
    assert len(set(everything)) == len(everything) == int(met.proposed)
    for row in (*first, *second):
        STRICT.validate(row)


@pytest.mark.parametrize(
    "name",
    [
        "evolution",
        "guided-evolution",
        "bayesian",
        "mcts",
        pytest.param("trajectory-transformer", marks=pytest.mark.slow),
    ],
)
def test_a_space_of_one_rule_is_searched_by_repeating_it(name):
    one = Grammar(Space("one", ("g",), ("x",), ("keep",), ""), depth=1)
    strategy = make(name, one, CONFIG)
    state = strategy.init(jax.random.key(0))
    for generation in range(2):
        state, proposals = strategy.ask(jax.random.key(2 * generation), state, 4)
        assert not np.any(proposals.tokens)
        feedback = Feedback(np.zeros(4, np.float32), np.arange(4) + generation > 0, np.float32(-5))
        state, _ = strategy.tell(jax.random.key(2 * generation + 1), state, proposals, feedback)


# ---- cells of behaviour


def test_cells_tell_a_sign_from_a_gradient_and_not_a_factor():
    grammar = Grammar("icml", depth=1)
    probes = Probes(Interpreter(grammar))

    def cells(*texts):
        tokens = np.stack([grammar.to_tokens(parse(text)) for text in texts])
        return cells_of(probes.outputs(tokens).update, probes)

    distinct = cells("g", "sign(g)", "m", "adam", "-g")
    assert len(set(distinct.tolist())) == 5 and np.all(distinct >= 0)
    assert cells("2 * g")[0] == distinct[0]
    assert cells_of(np.full((1, probes.gradients.size), np.nan), probes).shape == (1,)


def test_go_explore_keeps_the_best_rule_of_every_cell_and_returns_to_it():
    config = SearchConfig(go_explore=GoExploreConfig(cells=3, mutations=1.0))
    strategy = make("go-explore", GRAMMAR, config)
    state = strategy.init(jax.random.key(0))
    texts = ("g", "sign(g)", "m", "adam")
    tokens = np.stack([GRAMMAR.to_tokens(parse(text)) for text in texts])
    feedback = Feedback(
        np.array([0.1, 0.2, 0.3, 0.4], np.float32), np.zeros(4, bool), np.float32(-5)
    )
    state, metrics = strategy.tell(jax.random.key(1), state, Proposals(tokens), feedback)
    assert metrics["cells"] == 3 and sorted(state.rewards.tolist()) == pytest.approx(
        [0.2, 0.3, 0.4]
    )
    feedback = feedback._replace(
        rewards=np.array([9, 9, 9, -5], np.float32), repeated=np.array([1, 1, 1, 0], bool)
    )
    state, _ = strategy.tell(jax.random.key(2), state, Proposals(tokens), feedback)
    assert state.rewards.max() == np.float32(0.4)  # rules met before and failures change nothing
    state, proposals = strategy.ask(jax.random.key(3), state, 12)
    assert state.visits.sum() == 12
    changes = (np.asarray(proposals.tokens)[:, None] != state.tokens[None]).sum(axis=2).min(axis=1)
    assert np.median(changes) <= 2


# ---- the tree


def test_values_of_rules_are_logarithms_of_their_ranks():
    rewards = np.array([0.3, -5, -5, 0.1, 0.3], np.float32)
    expected = [
        math.log(5 / sum(other >= reward for other in rewards)) / math.log(5) for reward in rewards
    ]
    for xp in (np, jnp):
        found = log_ranks(xp.asarray(rewards), xp.ones(5, bool), xp)
        np.testing.assert_allclose(found, expected, atol=1e-6)
        some = xp.asarray([True, True, False, True, False])  # of 0.3, -5 and 0.1
        found = log_ranks(xp.asarray(rewards), some, xp)
        np.testing.assert_allclose(found, [1, 0, 0, math.log(1.5) / math.log(3), 0], atol=1e-6)
        assert not log_ranks(xp.asarray(rewards), xp.zeros(5, bool), xp).any()


def test_a_tree_writes_what_begins_like_the_best_rule():
    config = SearchConfig(mcts=TreeSearchConfig(jumps=0.0, exploration=0.0, widening=0.3))
    strategy = make("mcts", GRAMMAR, config)
    state = strategy.init(jax.random.key(0))
    tokens = GRAMMAR.sample(np.random.default_rng(5), 40)
    rewards = np.zeros(40, np.float32)
    rewards[7] = 1.0
    feedback = Feedback(rewards, np.zeros(40, bool), np.float32(-5))
    state, metrics = strategy.tell(jax.random.key(1), state, Proposals(tokens), feedback)
    assert metrics["tree_rules"] == 40 and metrics["shared_depth"] > 0.5
    _, proposals = strategy.ask(jax.random.key(2), state, 16)
    assert np.mean(np.asarray(proposals.tokens)[:, 0] == tokens[7, 0]) > 0.6


# ---- rounds of guided evolution


def test_the_controller_writes_every_third_generation_and_learns_after_two_of_evolution():
    config = SearchConfig(
        batch_size=16,
        controller=CONFIG.controller,
        guided_evolution=GuidedEvolutionConfig(generations=2, population=8, elite=4),
    )
    strategy = make("guided-evolution", GRAMMAR, config)
    state = strategy.init(jax.random.key(0))
    learnt, stages = [], []
    for generation in range(6):
        state, proposals = strategy.ask(jax.random.key(2 * generation), state, 16)
        tokens = np.asarray(proposals.tokens)
        feedback = Feedback(tokens[:, 0].astype(np.float32), np.zeros(16, bool), np.float32(-5))
        before = state.learner.params
        state, metrics = strategy.tell(
            jax.random.key(2 * generation + 1), state, proposals, feedback
        )
        stages.append(int(proposals.record))
        learnt.append("entropy" in metrics)
        moved = any(
            bool(np.any(x != y))
            for x, y in zip(
                jax.tree.leaves(before), jax.tree.leaves(state.learner.params), strict=True
            )
        )
        assert moved == learnt[-1]
    assert stages == [0, 1, 2] * 2 and learnt == [False, False, True] * 2


# ---- bad input


@pytest.mark.parametrize(
    ("part", "setting", "message"),
    [
        (
            "priority_queue",
            PriorityQueueConfig(size=0),
            "priority_queue.size is 0; it must be at least 1",
        ),
        ("go_explore", GoExploreConfig(cells=0), "go_explore.cells is 0; it must be at least 1"),
        ("bayesian", BayesianConfig(start=1), "bayesian.start is 1; it must be at least 2"),
        (
            "bayesian",
            BayesianConfig(crossover=1.5),
            "bayesian.crossover is 1.5; it must lie between 0 and 1",
        ),
        ("mcts", TreeSearchConfig(memory=1), "mcts.memory is 1; it must be at least 2"),
        ("risk_seeking", RiskSeekingConfig(fraction=0.0), "risk_seeking.fraction is 0"),
    ],
)
def test_a_memory_or_share_of_nothing_is_refused(part, setting, message):
    with pytest.raises(InvalidInput, match=message):
        SearchConfig(**{part: setting}).validate()
