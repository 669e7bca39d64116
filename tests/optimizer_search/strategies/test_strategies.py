"""Strategies: one table of them times every property of the contract, then what each is for."""

from __future__ import annotations

import dataclasses
import logging
import re
import textwrap
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.optimizer_search.settings.config import (
    AlphaZeroConfig,
    BayesianConfig,
    ControllerConfig,
    DecisionTransformerConfig,
    DreamConfig,
    EvolutionConfig,
    FilterConfig,
    GoExploreConfig,
    GuidedEvolutionConfig,
    ImaginationConfig,
    JudgeModelConfig,
    PreferenceConfig,
    PriorityQueueConfig,
    SearchConfig,
    TrajectoryTransformerConfig,
    TreeSearchConfig,
)
from metarl.optimizer_search.strategies import (
    Feedback,
    Proposals,
    Strategy,
    make,
    names,
    parts,
)
from metarl.optimizer_search.strategies.enumeration import trainable_functions
from metarl.optimizer_search.writing.ranks import ranks
from metarl.optimizer_search.writing.writer import writer
from metarl.runs import flatten_tree, restore_tree
from metarl.update_rules import Grammar, Space, parse

pytestmark = pytest.mark.usefixtures("keys_checked")

K = 32
CONTROLLERS = ("ppo", "reinforce", "trpo")
WRITERS = (
    *CONTROLLERS,
    *("risk-seeking", "priority-queue", "guided-evolution"),
    *("dpo", "rlhf", "imagination", "decision-transformer", "trajectory-transformer", "alphazero"),
)
BREEDERS = ("evolution", "guided-evolution", "go-explore", "mcts")
FUNCTION_LEARNERS = ("bayesian",)  # which propose no function twice, however it is written
YARDSTICKS = ("random", "enumeration")  # which learn nothing
GRAMMAR = Grammar("sign", depth=1)
STRICT = Grammar(
    "icml", depth=2, different_operands=True, no_final_addition=True, reuse_values=True
)
CONFIG = SearchConfig(
    batch_size=K,
    controller=ControllerConfig(hidden=16, embedding=8, learning_rate=1e-2, kl_bound=0.05),
    evolution=EvolutionConfig(population=32, sample=8, first="random"),
    guided_evolution=GuidedEvolutionConfig(generations=2, population=16, elite=8),
    go_explore=GoExploreConfig(cells=64),
    bayesian=BayesianConfig(first="random", memory=256, candidates=2),
    mcts=TreeSearchConfig(memory=4096),
    dpo=PreferenceConfig(memory=256, pairs=32, beta=0.2),
    judge_model=JudgeModelConfig(members=2, hidden=32, learning_rate=1e-2, batch=64, memory=512),
    dream=DreamConfig(rules=32),
    imagination=ImaginationConfig(candidates=2),
    decision_transformer=DecisionTransformerConfig(memory=512, batch=32),
    trajectory_transformer=TrajectoryTransformerConfig(memory=512, batch=32),
    alphazero=AlphaZeroConfig(simulations=8, memory=512, batch=32),
)
# generations of a search; enough for each to beat random search by far
LONG = dict.fromkeys(names(), 24) | dict.fromkeys(("dpo", "rlhf", "imagination"), 12)
LONG["decision-transformer"] = LONG["trajectory-transformer"] = LONG["alphazero"] = 12
LONG["bayesian"] = 8  # soon there are no functions left
PAGE = Path(__file__).parents[3] / "docs" / "methods" / "optimizer_search.md"
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


class Made(dict):
    """Strategies, their state after the first generations and their history, by name."""

    def __missing__(self, name):
        strategy = make(name, GRAMMAR, CONFIG)
        self[name] = (strategy, *run(strategy, LONG[name]))
        return self[name]


@pytest.fixture(scope="module")
def made():
    """Each is made once, by who first asks for it: compiling is what costs."""
    return Made()


def test_every_strategy_is_named_once():
    assert set(names()) == {*WRITERS, *BREEDERS, *FUNCTION_LEARNERS, *YARDSTICKS}


# What it writes when it has learnt is looked at where a search goes on from another (searching/test_going_on.py).
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name == "guided-evolution" else [])
        for name in names()
    ],
)
def test_proposals_are_rules_of_the_grammar_under_all_its_constraints(name):
    strategy = make(name, STRICT, CONFIG)
    # children come later than first rules; controllers are not told of theirs: to learn is what they compile longest
    generations = 3 if name in (*BREEDERS, *FUNCTION_LEARNERS) else 0
    state, history = run(
        strategy, generations, reward=lambda tokens: -tokens[:, 0].astype(np.float32)
    )
    last = np.asarray(strategy.ask(jax.random.key(9), state, K)[1].tokens)
    for tokens in (*(tokens for tokens, *_ in history), last):
        assert tokens.shape == (K, STRICT.length) and tokens.dtype == np.int32
        for row in tokens:
            STRICT.validate(row)
        assert len(np.unique(tokens, axis=0)) > K // 2


# What these share with others has quick tests there: ppo, dpo, decision-transformer.
ALIKE = ("trpo", "rlhf", "trajectory-transformer")


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] if n in ALIKE else []) for n in names()]
)
def test_the_same_key_gives_the_same_bits_and_so_does_a_search_that_was_stopped(made, name):
    strategy, _, history = made[name]
    seen, tokens = set(), [tokens for tokens, *_ in history]
    state, first = run(strategy, 4, seen=seen)
    template = strategy.init(jax.random.key(9))
    again = restore_tree(template, flatten_tree(state))
    seen_then = set(seen)
    state, rest = run(strategy, 4, state=state, first=4, seen=seen)
    restored, resumed = run(strategy, 4, state=again, first=4, seen=seen_then)
    for found in ([*first, *rest], [*first, *resumed]):
        for (one, *_), other in zip(found, tokens[:8], strict=True):
            np.testing.assert_array_equal(one, other)
    for before, after in zip(jax.tree.leaves(state), jax.tree.leaves(restored), strict=True):
        np.testing.assert_array_equal(before, after)
    other = np.array_equal(run(strategy, 1, seed=1)[1][0][0], tokens[0])
    assert other == (name == "enumeration")  # which draws nothing


@pytest.mark.parametrize("name", [*WRITERS, *BREEDERS])
def test_it_finds_a_planted_rule_that_random_search_does_not(made, name):
    def late_mean(history):
        return np.mean([feedback.rewards.mean() for _, feedback, _ in history[-6:]])

    assert late_mean(made[name][2]) > late_mean(made["random"][2]) + 0.5


@pytest.mark.parametrize("name", names())
def test_metrics_are_finite_floats(made, name):
    for _, _, metrics in made[name][2]:
        assert all(isinstance(value, float) and np.isfinite(value) for value in metrics.values())


def test_the_page_explains_all_that_strategies_log_and_nothing_else(made):
    if not PAGE.exists():
        pytest.skip("needs the checkout, not only the tests")
    page = PAGE.read_text(encoding="utf-8")
    table = page.split("The strategy adds its own.")[1].split("\n## ")[0]
    histories = [made[name][2] for name in names()]
    logged = {name for history in histories for *_, metrics in history for name in metrics}
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == logged


@pytest.mark.parametrize("name", CONTROLLERS)
def test_a_controller_reports_entropy_divergence_and_gradient(made, name):
    metrics = made[name][2][0][2]
    assert {"entropy", "kl", "gradient_norm"} <= set(metrics)
    most = np.mean(np.log(GRAMMAR.slot_sizes))
    assert 0.9 * most < metrics["entropy"] <= most + 1e-4  # uniform at first


@pytest.mark.parametrize("name", WRITERS)
def test_a_controller_compiles_nothing_after_its_first_generation(made, name, caplog):
    strategy, state, _ = made[name]
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        run(strategy, 4, state=state, first=24)
    assert [record.message for record in caplog.records if "Compiling" in record.message] == []


@pytest.mark.parametrize("name", names())
def test_what_repeats_earned_before_teaches_nothing(made, name):
    """A rule that is met again is neither praised nor punished; only whether it is a repeat may be read."""
    strategy, state, _ = made[name]
    state, proposals = strategy.ask(jax.random.key(1), state, K)
    repeated = np.arange(K) % 3 == 0
    rewards = np.linspace(-1, 1, K).astype(np.float32)
    learnt = []
    for earned in (-1.0, 5.0):
        feedback = Feedback(np.where(repeated, earned, rewards), repeated, np.float32(-1))
        after, _ = strategy.tell(jax.random.key(2), state, proposals, feedback)
        learnt.append(jax.tree.leaves(after))
    for one, other in zip(*learnt, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", CONTROLLERS)
def test_a_controller_proposes_no_rule_twice_even_if_it_is_written_otherwise(made, name):
    first = [tokens for tokens, *_ in made[name][2][:3]]
    rules = [str(GRAMMAR.to_rule(row).canonical()) for tokens in first for row in tokens]
    assert len(set(rules)) == len(rules) == 3 * K


@pytest.mark.parametrize(("name", "value"), [("ppo", "shared"), ("reinforce", "none")])
def test_what_a_controller_learns_from_has_its_own_probabilities_also_where_rules_were_mutated(
    made, name, value
):
    strategy, state, _ = made[name]
    state, proposals = strategy.ask(jax.random.key(1), state, K)
    rules = writer(GRAMMAR, CONFIG.controller, value)
    key, _ = jax.random.split(jax.random.key(1))
    written = rules.write(key, state.learner.params, K).tokens
    assert np.any(proposals.tokens != np.asarray(written))
    own = rules.log_probs(state.learner.params, jnp.asarray(proposals.tokens))
    np.testing.assert_allclose(proposals.record.log_probs, own, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(
        proposals.record.masks, rules.masks(jnp.asarray(proposals.tokens))
    )


@pytest.mark.parametrize("name", CONTROLLERS)
def test_a_controller_goes_on_exploring_where_all_it_writes_are_repeats(made, name):
    """Then nothing is learnt but entropy; once momentum has died away the controller becomes less sure."""
    strategy, state, _ = made[name]

    def entropy(state):
        feedback = Feedback(np.zeros(K, np.float32), np.ones(K, bool), np.float32(-1))
        ask_key, tell_key = jax.random.split(jax.random.key(3))
        state, proposals = strategy.ask(ask_key, state, K)
        state, metrics = strategy.tell(tell_key, state, proposals, feedback)
        return state, metrics["entropy"]

    entropies = []
    for _ in range(40):
        state, found = entropy(state)
        entropies.append(found)
    assert entropies[-1] > min(entropies[:-5])


@pytest.mark.parametrize("name", CONTROLLERS)
def test_a_controller_does_not_collapse_where_all_rules_are_alike(made, name):
    _, history = run(made[name][0], 20, reward=lambda tokens: np.zeros(len(tokens), np.float32))
    distinct = [len(np.unique(tokens, axis=0)) for tokens, *_ in history]
    assert np.mean(distinct[-5:]) > 0.9 * K


def test_settings_that_shape_a_state_are_among_those_compared_before_another_goes_on_with_it():
    other = SearchConfig(
        controller=CONFIG.controller,
        priority_queue=PriorityQueueConfig(size=3),
        dpo=PreferenceConfig(memory=3),
        bayesian=BayesianConfig(memory=3),
        mcts=TreeSearchConfig(memory=3),
        alphazero=AlphaZeroConfig(memory=3),
    )
    for name in ("priority-queue", "dpo", "bayesian", "mcts", "alphazero"):
        shapes = [
            jax.eval_shape(make(name, GRAMMAR, config).init, jax.random.key(0))
            for config in (CONFIG, other)
        ]
        assert shapes[0] != shapes[1]
        assert {"controller", name.replace("-", "_")} == set(parts(name))
        with pytest.raises(InvalidInput, match="saved state"):
            restore_tree(
                shapes[1], flatten_tree(make(name, GRAMMAR, CONFIG).init(jax.random.key(0)))
            )
    for name in names():
        assert all(hasattr(CONFIG, part) for part in parts(name))


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


@pytest.mark.parametrize("options", [{}, {"normalised": True}, {"different_operands": True}])
def test_enumeration_ends_at_the_size_that_the_filters_bound(options):
    space = Space("sums", ("g", "m"), ("x", "sign(x)"), ("+", "*", "keep"), "")
    grammar, key = Grammar(space, 2, **options), jax.random.key(0)
    filters = FilterConfig(max_size=3)
    strategy = make("enumeration", grammar, dataclasses.replace(CONFIG, filters=filters))
    tokens = strategy.ask(key, strategy.init(key), 60)[1].tokens
    texts = [str(grammar.to_rule(row).canonical()) for row in tokens]
    distinct = list(dict.fromkeys(texts))
    assert texts == (distinct * len(texts))[: len(texts)] and len(distinct) < 30
    assert max(grammar.rule_sizes(tokens)) == 3
    whole = trainable_functions(grammar, CONFIG)
    known = [next(whole) for _ in range(len(distinct) + 1)]
    assert [str(grammar.to_rule(row).canonical()) for row in known[:-1]] == distinct
    assert grammar.rule_sizes(known[-1][None]) > 3  # nothing was left out


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


def test_ranks_among_some_are_those_of_these_alone_and_the_others_have_the_middle():
    rewards = np.random.default_rng(0).integers(5, size=20).astype(np.float32)
    some = np.random.default_rng(1).random(20) < 0.6
    found = np.asarray(ranks(jnp.asarray(rewards), jnp.asarray(some)))
    np.testing.assert_allclose(found[some], ranks(jnp.asarray(rewards[some])), atol=1e-6)
    assert not found[~some].any()
    assert not ranks(jnp.asarray(rewards), jnp.zeros(20, bool)).any()


def test_the_oldest_die_in_evolution_however_good_they_are():
    config = SearchConfig(evolution=EvolutionConfig(population=4, sample=2, first="random"))
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


def test_evolution_from_the_simplest_begins_as_enumeration_and_goes_on_from_there(made):
    config = SearchConfig(evolution=EvolutionConfig(population=K, sample=8, first="simplest"))
    strategy = make("evolution", GRAMMAR, config)
    state, history = run(strategy, 3)
    first, *later = (tokens for tokens, *_ in history)
    np.testing.assert_array_equal(first, made["enumeration"][2][0][0])
    assert state.born == 3 * K
    found = [str(GRAMMAR.to_rule(row).canonical()) for tokens in later for row in tokens]
    simplest = {str(GRAMMAR.to_rule(row).canonical()) for row in first}
    assert len(set(found)) == len(found) and not simplest & set(found)


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
clashes = build(lambda grammar, count: np.zeros((count, grammar.length), int), metrics={"position": 1.0})
overwrites = build(lambda grammar, count: np.zeros((count, grammar.length), int), metrics={"best_reward": 9.0})

def growing(grammar, config):
    told = lambda key, state, proposals, feedback: ({"seen": np.zeros(4, np.int32)}, {})
    return zeros(grammar, config)._replace(init=lambda key: {"seen": np.zeros(0, np.int32)}, tell=told)

def changing(grammar, config):
    asked = lambda key, state, count: (np.float64(state), Proposals(np.zeros((count, grammar.length), int)))
    return zeros(grammar, config)._replace(init=lambda key: np.float32(0), ask=asked)

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
        (
            "growing",
            r"tell: the state holds int32 \[4\] at \['seen'\], and int32 \[0\] after init; a state keeps",
        ),
        ("changing", r"ask: the state holds float64 \[\] at its root, and float32 \[\] after init"),
        ("talks", "tell: metric 'a' is 'b'; every metric has a text for a name and one number"),
        (
            "clashes",
            "tell: a metric is called 'position', as one of the search's own; give it another",
        ),
        ("overwrites", "tell: a metric is called 'best_reward', as one of the search's own"),
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
