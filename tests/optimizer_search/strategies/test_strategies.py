"""Strategies: one table of them times every property of the contract, then what each is for."""

from __future__ import annotations

import logging
import textwrap

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.optimizer_search.settings.config import ControllerConfig, EvolutionConfig, SearchConfig
from metarl.optimizer_search.strategies import Feedback, Proposals, Strategy, make, names
from metarl.optimizer_search.strategies.controller_search import ranks
from metarl.runs import flatten_tree, restore_tree
from metarl.update_rules import Grammar, Space, parse

K = 32
CONTROLLERS = ("ppo", "reinforce", "trpo")
YARDSTICKS = ("random", "enumeration")  # which learn nothing
GRAMMAR = Grammar("sign", depth=1)
STRICT = Grammar(
    "icml", depth=2, different_operands=True, no_final_addition=True, reuse_values=True
)
CONFIG = SearchConfig(
    batch_size=K,
    controller=ControllerConfig(hidden=16, embedding=8, learning_rate=1e-2, kl_bound=0.05),
    evolution=EvolutionConfig(population=32, sample=8),
)
PLANTED = np.array([3, 5, 1, 2, 4])


def right_tokens(tokens):
    return np.sum(tokens == PLANTED[None], axis=1).astype(np.float32)


def run(strategy, generations, reward=right_tokens, seed=0, state=None, first=0, seen=None):
    """Runs a search in which a rule is the same as another if its tokens are."""
    key = jax.random.key(seed)
    state = strategy.init(jax.random.fold_in(key, 0)) if state is None else state
    seen = set() if seen is None else seen
    history = []
    for generation in range(first, first + generations):
        ask_key, tell_key = jax.random.split(jax.random.fold_in(key, generation + 1))
        state, proposals = strategy.ask(ask_key, state, K)
        tokens = np.asarray(proposals.tokens)
        repeated = np.zeros(K, bool)
        for row, rule in enumerate(map(bytes, tokens)):
            repeated[row] = rule in seen
            seen.add(rule)
        feedback = Feedback(reward(tokens), repeated, np.float32(-1.0))
        state, metrics = strategy.tell(tell_key, state, proposals, feedback)
        history.append((tokens, feedback, metrics))
    return state, history


@pytest.fixture(scope="module")
def made():
    """Strategies and their first 24 generations, made once: compiling is what costs."""
    strategies = {name: make(name, GRAMMAR, CONFIG) for name in names()}
    return {name: (strategy, *run(strategy, 24)) for name, strategy in strategies.items()}


def test_evolution_proposes_the_same_whether_it_has_met_the_rules_of_a_search_before(made):
    strategy, _, history = made["evolution"]  # its digests are at hand by now
    again = run(strategy, 24)[1]
    anew = run(make("evolution", GRAMMAR, CONFIG), 24)[1]
    for one, other, first in zip(again, anew, history, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[0], first[0])


def test_the_table_names_six_strategies():
    assert set(names()) == {"ppo", "reinforce", "trpo", "evolution", "random", "enumeration"}


# One controller is enough here: the others write with the same program, and compiling it is dear.
@pytest.mark.parametrize("name", ["ppo", "evolution", "random", "enumeration"])
def test_proposals_are_rules_of_the_grammar_under_all_its_constraints(name):
    strategy = make(name, STRICT, CONFIG)
    state = strategy.init(jax.random.key(0))
    state, proposals = strategy.ask(jax.random.key(1), state, K)
    tokens = np.asarray(proposals.tokens)
    assert tokens.shape == (K, STRICT.length) and tokens.dtype == np.int32
    for row in tokens:
        STRICT.validate(row)
    assert len(np.unique(tokens, axis=0)) > K // 2


@pytest.mark.parametrize("name", names())
def test_the_same_key_gives_the_same_bits(made, name):
    strategy, state, history = made[name]
    again, repeated = run(strategy, 24)
    for (one, *_), (other, *_) in zip(history, repeated, strict=True):
        np.testing.assert_array_equal(one, other)
    for before, after in zip(jax.tree.leaves(state), jax.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(before, after)
    other = np.array_equal(run(strategy, 1, seed=1)[1][0][0], history[0][0])
    assert other == (name == "enumeration")  # which draws nothing


@pytest.mark.parametrize("name", names())
def test_a_search_restored_is_one_that_never_stopped(made, name):
    strategy, expected, _ = made[name]
    seen = set()
    state, _ = run(strategy, 10, seen=seen)
    template = strategy.init(jax.random.key(9))
    state = restore_tree(template, flatten_tree(state))
    state, _ = run(strategy, 14, state=state, first=10, seen=seen)
    for one, other in zip(jax.tree.leaves(expected), jax.tree.leaves(state), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", [name for name in names() if name not in YARDSTICKS])
def test_it_finds_a_planted_rule_that_random_search_does_not(made, name):
    def late_mean(history):
        return np.mean([feedback.rewards.mean() for _, feedback, _ in history[-6:]])

    assert late_mean(made[name][2]) > late_mean(made["random"][2]) + 0.5


@pytest.mark.parametrize("name", names())
def test_metrics_are_finite_floats(made, name):
    for _, _, metrics in made[name][2]:
        assert all(isinstance(value, float) and np.isfinite(value) for value in metrics.values())


@pytest.mark.parametrize("name", CONTROLLERS)
def test_a_controller_reports_entropy_divergence_and_gradient(made, name):
    metrics = made[name][2][0][2]
    assert {"entropy", "kl", "gradient_norm"} <= set(metrics)
    most = np.mean(np.log(GRAMMAR.slot_sizes))
    assert 0.9 * most < metrics["entropy"] <= most + 1e-4  # uniform at first


@pytest.mark.parametrize("name", CONTROLLERS)
def test_a_controller_compiles_nothing_after_its_first_generation(made, name, caplog):
    strategy, state, _ = made[name]
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        run(strategy, 2, state=state, first=24)
    assert [record.message for record in caplog.records if "Compiling" in record.message] == []


@pytest.mark.parametrize("name", CONTROLLERS)
def test_repeats_make_a_controller_less_likely_to_write_them(made, name):
    """Every rule with one first operand is a repeat: it is written less, though it earns most."""
    strategy = made[name][0]
    state = strategy.init(jax.random.key(0))

    def write(state, key):
        state, proposals = strategy.ask(key, state, K)
        return state, proposals, np.asarray(proposals.tokens)[:, 0] == PLANTED[0]

    def share(state):
        keys = jax.random.split(jax.random.key(1), 50)
        return np.mean([write(state, key)[2].mean() for key in keys])

    before = share(state)
    for ask_key, tell_key in jax.random.split(jax.random.key(2), (12, 2)):
        state, proposals, repeated = write(state, ask_key)
        feedback = Feedback(repeated.astype(np.float32), repeated, np.float32(-1.0))
        state, _ = strategy.tell(tell_key, state, proposals, feedback)
    assert share(state) < 0.8 * before


@pytest.mark.parametrize("name", CONTROLLERS)
def test_a_controller_does_not_collapse_where_all_rules_are_alike(made, name):
    _, history = run(made[name][0], 20, reward=lambda tokens: np.zeros(len(tokens), np.float32))
    distinct = [len(np.unique(tokens, axis=0)) for tokens, *_ in history]
    assert np.mean(distinct[-5:]) > 0.9 * K


def test_enumeration_proposes_every_rule_worth_training_once_and_simpler_ones_first(made):
    _, state, history = made["enumeration"]
    proposed = np.concatenate([tokens for tokens, *_ in history])
    texts = [str(GRAMMAR.to_rule(tokens)) for tokens in proposed]
    distinct = list(dict.fromkeys(texts))
    sizes = [parse(text).size for text in distinct]
    assert sizes == sorted(sizes)
    assert distinct[:3] == ["g", "m", "adam"]
    assert texts == (distinct * len(texts))[: len(texts)]  # after the last it begins again
    assert int(state.proposed) == len(proposed) > 2 * len(distinct)


def test_enumeration_says_when_no_function_passes_the_filters():
    numbers = Grammar(Space("numbers", ("1", "2"), ("x",), ("*", "keep"), ""), 1)
    strategy = make("enumeration", numbers, CONFIG)
    with pytest.raises(InvalidInput, match="No function of this space passes the filters"):
        strategy.ask(jax.random.key(0), strategy.init(jax.random.key(0)), 4)


def test_ranks_are_those_of_a_loop_with_ties_sharing_their_mean():
    rewards = np.array([0.3, -np.inf, 0.3, 2.0, -np.inf, -1.0, 0.3], np.float32)
    expected = []
    for reward in rewards:
        places = np.flatnonzero(np.sort(rewards) == reward)
        expected.append(2 * places.mean() / (len(rewards) - 1) - 1)
    np.testing.assert_allclose(ranks(jnp.asarray(rewards)), expected, atol=1e-6)
    assert np.sum(expected) == pytest.approx(0.0, abs=1e-6)


def test_ranks_run_from_minus_one_to_one_and_one_reward_has_rank_zero():
    np.testing.assert_allclose(ranks(jnp.array([5.0, -3.0, 0.0])), [1.0, -1.0, 0.0])
    np.testing.assert_allclose(ranks(jnp.array([5.0])), [0.0])


def test_the_oldest_die_in_evolution_however_good_they_are():
    config = SearchConfig(evolution=EvolutionConfig(population=4, sample=2))
    strategy = make("evolution", GRAMMAR, config)
    state = strategy.init(jax.random.key(0))
    for index in range(6):
        tokens = np.full((1, GRAMMAR.length), index % 4, np.int32)
        feedback = Feedback(np.array([10.0 - index]), np.array([False]))
        state, _ = strategy.tell(jax.random.key(index), state, Proposals(tokens), feedback)
    assert sorted(state.rewards.tolist()) == [5.0, 6.0, 7.0, 8.0]


def test_repeats_do_not_join_the_population():
    strategy = make("evolution", GRAMMAR, CONFIG)
    state = strategy.init(jax.random.key(0))
    feedback = Feedback(np.array([1.0, 2.0]), np.array([True, False]))
    tokens = np.stack([PLANTED, PLANTED]).astype(np.int32)
    state, metrics = strategy.tell(jax.random.key(1), state, Proposals(tokens), feedback)
    assert state.born == 1 and metrics["population_best"] == 2.0


def test_children_differ_from_their_parent_by_one_token_where_that_is_new():
    config = SearchConfig(evolution=EvolutionConfig(population=8, sample=1, init_from="g"))
    strategy = make("evolution", Grammar("icml", depth=2), config)
    start = Grammar("icml", depth=2).to_tokens(parse("g"))
    _, proposals = strategy.ask(jax.random.key(1), strategy.init(jax.random.key(0)), 8)
    changes = np.sum(proposals.tokens != start[None], axis=1)
    assert changes[0] == 0 and np.all(changes[1:] >= 1) and np.median(changes[1:]) <= 3


def test_evolution_proposes_no_rule_twice_even_if_it_is_written_otherwise(made):
    grammar = Grammar("icml", depth=1)
    strategy = make("evolution", grammar, CONFIG)
    _, history = run(strategy, 8, reward=lambda tokens: -tokens[:, 0].astype(np.float32))
    rules = [str(grammar.to_rule(row).canonical()) for tokens, *_ in history for row in tokens]
    assert len(set(rules)) == len(rules) == 8 * K


def test_evolution_refuses_a_start_that_is_not_in_the_grammar():
    config = SearchConfig(evolution=EvolutionConfig(init_from="exp(exp(exp(exp(g))))"))
    with pytest.raises(InvalidInput, match="cannot be written in space"):
        make("evolution", GRAMMAR, config)


def test_an_unknown_strategy_is_named_with_the_nearest_known_one():
    with pytest.raises(
        InvalidInput, match=r"Unknown strategy 'evolutoin'\. Did you mean 'evolution'"
    ):
        make("evolutoin", GRAMMAR, CONFIG)


# ---- a user's own

OWN = """
import numpy as np
from metarl.optimizer_search.strategies import Feedback, Proposals, Strategy

def build(ask_tokens, state=(), metrics=None):
    def factory(grammar, config):
        return Strategy(
            init=lambda key: state,
            ask=lambda key, state, count: (state, Proposals(ask_tokens(grammar, count))),
            tell=lambda key, state, proposals, feedback: (state, metrics or {}),
        )
    return factory

zeros = build(lambda grammar, count: np.zeros((count, grammar.length), np.int64))
flat = build(lambda grammar, count: np.zeros(count, np.int32))
floats = build(lambda grammar, count: np.zeros((count, grammar.length)))
large = build(lambda grammar, count: np.full((count, grammar.length), 99))
asks_in_vain = build(lambda grammar, count: [][count])
wordy = build(lambda grammar, count: np.zeros((count, grammar.length), int), state={"a": "text"})
talks = build(lambda grammar, count: np.zeros((count, grammar.length), int), metrics={"a": "b"})

def broken(grammar, config):
    raise KeyError("oh")

def nothing(grammar, config):
    return None

number = 3
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "own_strategies.py").write_text(textwrap.dedent(OWN))
    monkeypatch.syspath_prepend(tmp_path)
    return lambda name: make(f"own_strategies:{name}", GRAMMAR, CONFIG)


def one_generation(strategy):
    state = strategy.init(jax.random.key(0))
    state, proposals = strategy.ask(jax.random.key(1), state, 4)
    feedback = Feedback(np.zeros(4, np.float32), np.zeros(4, bool))
    return proposals, strategy.tell(jax.random.key(2), state, proposals, feedback)


def test_a_users_own_strategy_is_found_and_runs(own):
    strategy = own("zeros")
    assert isinstance(strategy, Strategy)
    proposals, (state, metrics) = one_generation(strategy)
    assert proposals.tokens.dtype == np.int32 and state == () and metrics == {}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("flat", r"ask gave tokens of shape \[4\]; 4 rules of this grammar have shape \[4, 5\]"),
        ("floats", "ask gave tokens of type float64; they must be integers"),
        ("large", "ask gave token 99 in slot 0 of rule 0; that slot has the tokens 0 to 11"),
        ("wordy", r"init: the state holds str at \['a'\]; a state is a PyTree of arrays only"),
        ("talks", "tell: metric 'a' is 'b'; every metric has a text for a name and one number"),
        ("asks_in_vain", r"ask raised IndexError: list index out of range \(.*own_strategies.py:"),
        ("broken", r"broken\(grammar, config\) raised KeyError: 'oh'"),
        ("nothing", "gave NoneType; it must give a metarl.optimizer_search.strategies.Strategy"),
        ("number", "number is not a function, class or Strategy"),
        ("zero", "Unknown factory of module own_strategies 'zero'. Did you mean 'zeros'"),
    ],
)
def test_a_malformed_strategy_is_refused_in_one_clear_message(own, name, message):
    with pytest.raises(InvalidInput, match=message):
        one_generation(own(name))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_module_here:build", "module 'no_such_module_here' cannot be imported"),
        ("os.path:", "is not of the form my_module:factory"),
    ],
)
def test_a_strategy_that_cannot_be_found_says_why(name, message):
    with pytest.raises(InvalidInput, match=message):
        make(name, GRAMMAR, CONFIG)


def test_tokens_that_break_a_constraint_are_refused(own):
    strategy = make("own_strategies:zeros", STRICT, CONFIG)
    with pytest.raises(InvalidInput, match="ask gave a rule the grammar forbids"):
        one_generation(strategy)
