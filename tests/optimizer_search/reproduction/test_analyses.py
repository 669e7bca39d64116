"""What the experiments compute, against loops that take their time."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.controller import TokenPolicyConfig, sample_tokens, token_policy
from metarl.errors import InvalidInput
from metarl.optimizer_search.reproduction.compared import (
    by_problem,
    interval_curve,
    relative_loss,
    summary_row,
    verdict,
)
from metarl.optimizer_search.reproduction.controller_diagram import (
    entropies,
    probabilities_along,
    writing_rows,
)
from metarl.optimizer_search.reproduction.decays import decay_values
from metarl.optimizer_search.reproduction.expression_trees import expression_tree
from metarl.optimizer_search.reproduction.linear_cosine_decay import under
from metarl.optimizer_search.reproduction.powersign_addsign import member
from metarl.optimizer_search.reproduction.rediscovery import Settings as Rediscovery
from metarl.optimizer_search.reproduction.rediscovery import _claim, _verdict
from metarl.optimizer_search.reproduction.rosenbrock import (
    Settings,
    _paths,
    first_below,
    rosenbrock,
)
from metarl.optimizer_search.reproduction.rules_table import (
    gradients_along,
    paper_accuracy,
    table_names,
)
from metarl.optimizer_search.reproduction.searches import (
    at_positions,
    over_searches,
    search_curve,
    window_means,
)
from metarl.optimizer_search.reproduction.small_convnet import accuracies
from metarl.optimizer_search.reproduction.transfer import split_by_role
from metarl.reporting import Tree
from metarl.statistics import Interval
from metarl.update_rules import Grammar, parse

INF = float("inf")


def test_a_path_in_the_valley_is_that_of_gradient_descent_by_hand():
    found = _paths(parse("g"), np.array([1e-3, 1e-4]), np.array([[-1.2, 1.0], [0.0, 0.5]]), steps=4)
    assert found.shape == (2, 2, 5, 2)
    x, y = -1.2, 1.0
    for n in range(5):
        assert found[0, 0, n] == pytest.approx([x, y], rel=1e-4)
        dx, dy = -2 * (1 - x) - 400 * x * (y - x**2), 200 * (y - x**2)
        x, y = x - 1e-3 * dx, y - 1e-3 * dy
    last = _paths(parse("g"), np.array([1e-3]), np.array([[-1.2, 1.0]]), steps=4, last_only=True)
    assert last[0, 0, 0].tolist() == found[0, 0, -1].tolist()
    assert rosenbrock(np.array(1.0), np.array(1.0)) == 0
    assert Settings(rules=()).exponents[0] == -6


def test_the_first_step_below_a_value_is_found_and_never_is_infinite():
    values = np.array([[4.0, 2.0, 0.5, 0.1], [4.0, 3.0, 2.0, 1.0], [0.2, INF, INF, 0.1]])
    assert first_below(values, 0.5).tolist() == [2.0, INF, 0.0]


def test_a_tree_has_operands_below_and_functions_above():
    tree = expression_tree(parse("exp(sign(g) * 2) * adam - clip(m, 1e-4)"))
    assert tree.label == "−"
    product, clip = tree.children
    assert clip.label == "clip\n0.0001" and clip.children == (Tree(r"$\hat{m}$"),)
    assert [child.label for child in product.children] == ["exp", "adam"]
    (inside,) = product.children[0].children
    assert inside == Tree("×", (Tree("sign", (Tree("$g$"),)), Tree("$2$")))


def test_probabilities_along_a_rule_are_those_it_was_sampled_with():
    grammar = Grammar("sign", 2, different_operands=True)
    policy = token_policy(grammar.slot_sizes, TokenPolicyConfig(hidden_size=8, embedding_size=4))
    params = policy.init(jax.random.key(0))
    sample = sample_tokens(policy, params, jax.random.key(1), 3, grammar.next_mask)
    for tokens, log_probs in zip(np.asarray(sample.tokens), sample.log_probs, strict=True):
        found = probabilities_along(policy, params, grammar, tokens)
        assert found.sum(axis=1) == pytest.approx(np.ones(10), abs=1e-5)
        chosen = found[np.arange(10), tokens]
        assert np.log(chosen) == pytest.approx(np.asarray(log_probs), abs=1e-4)
        assert found[1, tokens[0]] == 0  # the second operand differs
        rows = writing_rows(grammar, tokens, found)
        assert [len(row.steps) for row in rows] == [5, 5]
        first, second = rows[0].steps[:2]
        assert first.reads == "start" and second.reads == first.chosen
        assert len(second.options) == len(first.options) - 1
        assert dict(first.options)[first.chosen] == pytest.approx(chosen[0])


def test_entropies_are_sums_over_what_has_probability():
    rows = np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]])
    assert entropies(rows) == pytest.approx([np.log(2), 0.0])


def test_a_log_is_read_at_positions_by_the_last_entry_before_them():
    x, y = np.array([10.0, 20.0, 35.0]), np.array([1.0, 2.0, 3.0])
    positions = np.array([5.0, 10.0, 19.0, 20.0, 100.0])
    expected = []
    for position in positions:
        before = [value for place, value in zip(x, y, strict=True) if place <= position]
        expected.append(before[-1] if before else np.nan)
    assert np.array_equal(at_positions(positions, x, y), expected, equal_nan=True)


def test_windows_average_the_rules_that_generations_trained():
    log = {
        "trained": np.array([2.0, 2.0, 5.0, 6.0]),
        "sampled": np.array([10.0, 20.0, 30.0, 40.0]),
        "mean_reward": np.array([1.0, np.nan, 3.0, -1.0]),
    }
    edges = np.array([0.0, 10.0, 20.0, 40.0])
    (found,) = window_means([log], "sampled", "mean_reward", edges)
    assert found[0] == 1.0 and np.isnan(found[1])
    assert found[2] == (3 * 3.0 + 1 * -1.0) / 4  # three rules of reward 3 and one of -1 in mean
    (by_trained,) = window_means([log], "trained", "mean_reward", np.array([0.0, 5.0]))
    assert by_trained[0] == (2 * 1.0 + 3 * 3.0) / 5


def test_an_aggregate_over_searches_needs_a_value_of_every_search():
    assert over_searches(np.array([1.0, np.nan])) is None
    assert over_searches(np.array([])) is None
    found = over_searches(np.array([1.0, 3.0, 2.0, 2.0] * 2))
    assert found is not None and found.estimate == 2.0 and found.low < 2.0 < found.high
    curve = search_curve("ppo", np.array([1.0, 2.0]), np.array([[1.0, np.nan], [3.0, 1.0]]))
    assert curve.y[0] == 2.0 and np.isnan(curve.y[1])  # type: ignore[index]


@pytest.mark.parametrize("name", ["ld", "cd", "cd10", "rd10", "rd20"])
def test_drawn_decays_are_those_of_the_formulas(name):
    for p in (0.0, 0.03, 0.5, 0.96):
        expected = {
            "ld": 1 - p,
            "cd": (1 + math.cos(math.pi * p)) / 2,
            "cd10": (1 + math.cos(2 * math.pi * 10 * p)) / 2,
            "rd10": (1 + math.cos(math.pi * (1000 * p % 100) / 100)) / 2,
            "rd20": (1 + math.cos(math.pi * (2000 * p % 100) / 100)) / 2,
        }[name]
        assert decay_values(name, 100)[round(100 * p)] == pytest.approx(expected, abs=1e-12)


def test_a_schedule_scales_the_rate_of_an_optimizer_as_its_formula_says():
    params = {"w": jnp.ones(2)}
    for name, factor in (
        ("constant", 1.0),
        ("linear", 0.75),
        ("linear cosine", 0.75 * 0.853553 + 0.001),
    ):
        transform: Any = under(name, "sgd").make(0.1, 4, jax.random.key(0))
        state = transform.init(params)
        _, state = transform.update(params, state, params)
        updates = transform.update(params, state, params)[0]
        assert float(updates["w"][0]) == pytest.approx(-0.1 * factor, rel=1e-4)


def test_members_of_the_families_are_the_rules_they_are_called_after():
    g = {"w": jnp.array([0.5, -2.0])}
    for family, decay, factor in (
        ("PowerSign, a = e", "none", math.e),
        ("PowerSign, a = 2", "none", 2.0),
        ("AddSign, a = 1", "none", 2.0),
        ("AddSign, a = 2", "ld", 3.0),
    ):
        entrant = member(family, decay)
        assert entrant.label == (family if decay == "none" else f"{family}, {decay}")
        transform: Any = entrant.make(0.1, 10, jax.random.key(0))
        updates = transform.update(g, transform.init(g), g)[0]  # m has the sign of g
        assert np.asarray(updates["w"]) == pytest.approx(-0.1 * factor * np.asarray(g["w"]))


def test_the_papers_accuracies_are_read_with_their_marks():
    assert len(table_names()) == 20
    assert paper_accuracy("powersign") == (92.8, "?")
    assert paper_accuracy("drop30-momentum-exp-w") == (93.0, "?")
    assert paper_accuracy("addsign") is None


def test_gradients_along_a_training_are_those_of_the_batches_and_v_is_their_debiased_mean_square():
    gradients, averages = gradients_along("wine-mlp", 3, 0.1, seed=0)
    assert gradients.shape == averages.shape and gradients.shape[0] == 3
    v = np.zeros(gradients.shape[1])
    for n, g in enumerate(gradients, start=1):
        v = 0.999 * v + 0.001 * g.astype(float) ** 2
        assert averages[n - 1] == pytest.approx(v / (1 - 0.999**n), rel=2e-3, abs=1e-9)
    assert np.abs(gradients[0]).max() > 0


def test_problems_are_split_by_role_and_both_roles_are_needed():
    groups = split_by_role(["wine-mlp", "digits-mlp"])
    assert groups == {"search": ["digits-mlp"], "held-out": ["wine-mlp"]}
    with pytest.raises(InvalidInput, match="Transfer needs held-out problems"):
        split_by_role(["digits-mlp"])


def made_up(losses: dict[str, dict[str, list[float]]]) -> Any:
    """Returns a comparison of these final losses, by problem and optimizer."""

    def one(found: dict[str, list[float]]) -> Any:
        curves = {label: np.array(row)[:, None] for label, row in found.items()}
        records = {x: SimpleNamespace(losses=y, choices=None) for x, y in curves.items()}
        return SimpleNamespace(
            entries={label: SimpleNamespace(curves=row) for label, row in curves.items()},
            measured=SimpleNamespace(records=records),
        )

    problems = {problem: one(found) for problem, found in losses.items()}
    return SimpleNamespace(problems=problems)


def test_relative_losses_and_differences_are_paired_by_seed_and_averaged_over_problems():
    comparison = made_up(
        {
            "a": {"ours": [1.0, 2.0, 3.0, 9.0] * 2, "theirs": [2.0, 4.0, 6.0, 6.0] * 2},
            "b": {"ours": [3.0, 3.0, INF, 3.0] * 2, "theirs": [1.0] * 8},
            "c": {"ours": [1.0] * 8, "theirs": [1.0] * 8},
        }
    )

    def middle(values: list[float]) -> float:
        ordered = sorted(values)
        return math.sqrt(ordered[1] * ordered[2])  # of four, the interquartile mean of logarithms

    ratios = {"a": [0.5, 0.5, 0.5, 1.5], "b": [3.0, 3.0, 10.0, 3.0], "c": [1.0] * 4}
    middles = [middle(row) for row in ratios.values()]
    over_all = math.prod(middles) ** (1 / 3)  # of three problems, none is cut away
    assert relative_loss(comparison, "ours", "theirs").estimate == pytest.approx(over_all)
    alone = relative_loss(comparison, "ours", "theirs", ["b"])
    assert alone.estimate == pytest.approx(3.0) and alone.excludes(1.0)
    found = by_problem(comparison, "ours", "theirs")
    assert [one.verdict for one in found.values()] == ["unclear", "worse", "unclear"]
    assert found["a"].difference.estimate == pytest.approx((-1 - 2) / 2)
    assert found["b"].difference.estimate == 2 and found["c"].difference.estimate == 0
    row = summary_row(comparison, "ours", "theirs")
    assert row["better"] + row["worse"] + row["unclear"] == 3 and row["worse"] == 1
    assert "clearly better on 0 of them, clearly worse on 1" in verdict(row, "theirs")


def test_a_curve_of_intervals_leaves_out_points_without_a_number():
    values = np.array([[0.1, 0.2, np.nan], [0.3, 0.2, 0.1], [0.2, 0.2, 0.1]] * 3)
    curve = interval_curve("adam", np.array([1, 2, 3]), values)
    y, low, high = (np.asarray(x) for x in (curve.y, curve.low, curve.high))
    assert y[:2] == pytest.approx([0.2, 0.2]) and np.isnan(y[2])
    assert low[0] < 0.2 < high[0] and low[1] == high[1] == pytest.approx(0.2)


def test_a_diverged_run_has_the_accuracy_of_chance():
    record = SimpleNamespace(losses=np.array([[0.5, INF]]), metrics=np.array([[0.8, 0.7]]))
    measured = SimpleNamespace(records={"adam": record}, chance=0.1)
    comparison: Any = SimpleNamespace(problems={"p": SimpleNamespace(measured=measured)})
    assert accuracies(comparison, "adam").tolist() == [[0.8, 0.1]]


def test_a_rule_is_found_again_if_it_is_the_same_or_clearly_better():
    clear, unclear = Interval(0.2, 0.1, 0.3), Interval(0.2, -0.1, 0.3)
    worse = Interval(-0.2, -0.3, -0.1)
    cases = [(True, worse), (False, clear), (False, unclear), (False, worse), (False, None)]
    verdicts = [_verdict(*case) for case in cases]
    assert verdicts == ["the same", "better", "unclear", "worse", "nothing found"]
    rows = [{"depth": 1, "verdict": verdict} for verdict in (*verdicts, "better")]
    assert _claim([*rows, {"depth": 2, "verdict": "better"}], 1, Rediscovery()) == (
        "Depth 1: 3 of 6 searches of 1,500 rules hand over ortho(m) or a rule that is better by its paired interval "
        "(better 2, nothing found 1, the same 1, unclear 1, worse 1)."
    )
    with pytest.raises(InvalidInput, match="depths names no depth"):
        Rediscovery(depths=())
    assert Rediscovery(seeds=(2,)).searches(7) == [(1, 7), (1, 8), (2, 7), (2, 8)]
    assert Rediscovery(seeds=(2, 1)).searches(7) == [(1, 7), (1, 8), (2, 7)]
    with pytest.raises(
        InvalidInput,
        match="seeds has 3 numbers of searches for 2 depths; give one, or one each",
    ):
        Rediscovery(seeds=(1, 2, 3))
