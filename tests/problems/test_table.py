"""Every built-in problem times every promise of the contract; a new problem joins by its row."""

from __future__ import annotations

import collections
import math
import subprocess
import sys

import jax
import numpy as np
import pytest

from metarl.problems import SPLITS, Card, catalogue_later, load, names, suite
from metarl.problems.catalogue import CARDS

NAMES = suite()
LANDSCAPES = ("quadratic", "quadratic-ill-conditioned", "rosenbrock", "beale")
WITH_DATA = tuple(name for name in NAMES if name not in ("rosenbrock", "beale"))
CONVEX = ("breast-cancer-logistic", "python-docs-chapters")  # start at zero
# of the later problems, those whose kind of network no other has stand for all in a hurry
LATER = tuple(card.name for _, card in catalogue_later.ROWS)
QUICK = ("digits-neighbours", "python-docs-chapters", "deep-linear")
EACH = [
    pytest.param(name, marks=pytest.mark.slow if name in LATER and name not in QUICK else ())
    for name in NAMES
]
CLASSES = {
    "digits-mlp": 10,
    "digits-deep-mlp": 10,
    "digits-wide-mlp": 10,
    "digits-conv": 10,
    "digits-residual": 10,
    "breast-cancer-logistic": 2,
    "wine-mlp": 3,
    "digits-patches": 10,
    "digits-rows": 10,
    "recall": 12,
    "spirals": 2,
    "python-docs-chapters": 16,
}
FIRST_DIGITS = {
    "train": [2, 8, 2, 6, 6, 7, 1, 9, 8, 5, 2, 8],
    "search": [5, 5, 5, 5, 5, 5, 5, 5, 8, 5, 8, 5],
    "choice": [5, 5, 5, 5, 5, 5, 5, 5, 5, 3, 5, 3],
    "test": [5, 8, 0, 8, 5, 0, 8, 3, 5, 5, 5, 8],
}


def batch_of(problem, split="train"):
    return jax.tree.map(lambda leaf: leaf[: problem.batch_size], problem.examples(split))


def start_of(problem, key):
    return jax.jit(problem.init)(key)


def row_hashes(examples):
    leaves = jax.tree.leaves(examples)
    return [b"".join(leaf[row].tobytes() for leaf in leaves) for row in range(len(leaves[0]))]


def test_the_split_into_roles_is_fixed():
    assert suite("search") == (
        "digits-mlp",
        "digits-conv",
        "china-denoising",
        "python-docs-ngram",
        "quadratic",
    )
    assert len(suite("held-out")) >= 24
    held_out = [name for name in suite() if CARDS[name].role == "held-out"]
    assert suite("held-out") == tuple(n for n in held_out if not CARDS[n].is_blunt)
    assert set(suite()) == set(suite("search")) | set(held_out)
    assert set(suite()) <= set(names())


def test_the_suite_is_wide_and_no_kind_dominates_it():
    rows = [CARDS[name] for name in suite()]
    families = collections.Counter(card.family for card in rows)
    data = collections.Counter(card.data for card in rows)
    assert len(rows) >= 20
    assert len(families) >= 8 and max(families.values()) <= 3
    assert data.pop("synthetic") <= 0.4 * len(rows)
    assert len(data) >= 5


def test_held_out_families_go_beyond_those_of_the_search():
    families = [{CARDS[name].family for name in suite(role)} for role in ("search", "held-out")]
    assert len(families[1] - families[0]) >= 5


def test_listing_imports_neither_jax_nor_scikit_learn():
    code = (
        "import sys; from metarl import problems; print(len(problems.cards()) > 20, "
        "[name for name in ('jax', 'sklearn', 'numpy') if name in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout == "True []\n"


@pytest.mark.parametrize("name", NAMES)
def test_a_problem_is_what_its_card_says(name):
    problem = load(name)
    for field in Card.__dataclass_fields__:
        assert getattr(problem, field) == getattr(CARDS[name], field)
    assert problem.description and problem.source
    assert load(name) is problem


@pytest.mark.parametrize("name", EACH)
def test_parameters_start_as_float32_and_follow_the_key(name):
    problem = load(name)
    init = jax.jit(problem.init)
    params, _ = init(jax.random.key(0))
    again, _ = init(jax.random.key(0))
    other, _ = init(jax.random.key(1))
    assert {str(leaf.dtype) for leaf in jax.tree.leaves(params)} == {"float32"}
    jax.tree.map(np.testing.assert_array_equal, params, again)
    same = jax.tree.map(np.array_equal, params, other)
    assert all(jax.tree.leaves(same)) == (name in CONVEX)


@pytest.mark.parametrize("name", EACH)
def test_gradients_are_finite_and_the_model_state_keeps_its_shape(name):
    problem = load(name)
    params, model_state = start_of(problem, jax.random.key(0))
    step = jax.jit(jax.value_and_grad(problem.loss, has_aux=True))
    (loss, following), gradient = step(params, model_state, batch_of(problem), jax.random.key(1))
    assert loss.shape == () and np.isfinite(loss)
    for leaf, start in zip(jax.tree.leaves(gradient), jax.tree.leaves(params), strict=True):
        assert leaf.shape == start.shape and leaf.dtype == start.dtype
        assert np.isfinite(leaf).all()
    assert any(np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(gradient))
    assert jax.tree.structure(following) == jax.tree.structure(model_state)


@pytest.mark.parametrize("name", EACH)
def test_evaluation_gives_the_loss_and_the_metric_of_the_card(name):
    problem = load(name)
    batch = batch_of(problem, "search")
    scores = jax.jit(problem.evaluate)(*start_of(problem, jax.random.key(0)), batch)
    assert set(scores) == {"loss"} | ({problem.metric} - {None})
    assert all(score.shape == () and np.isfinite(score) for score in scores.values())
    assert scores["loss"] > 0


@pytest.mark.parametrize("name", NAMES)
def test_every_split_fills_its_promise(name):
    problem = load(name)
    lengths = {len(jax.tree.leaves(problem.examples(split))[0]) for split in SPLITS}
    assert min(lengths) >= 1
    assert len(jax.tree.leaves(problem.examples("train"))[0]) >= problem.batch_size
    assert problem.examples("test") is problem.examples("test") or name in LANDSCAPES


@pytest.mark.parametrize("name", EACH)
def test_evaluation_draws_nothing(name):
    problem = load(name)
    start, batch = start_of(problem, jax.random.key(0)), batch_of(problem, "test")
    evaluate = jax.jit(problem.evaluate)
    assert float(evaluate(*start, batch)["loss"]) == float(evaluate(*start, batch)["loss"])


@pytest.mark.parametrize("name", WITH_DATA)
def test_no_example_occurs_twice_within_or_across_splits(name):
    hashes = [row for split in SPLITS for row in row_hashes(load(name).examples(split))]
    assert len(hashes) == len(set(hashes))


@pytest.mark.parametrize(
    ("name", "classes"),
    [
        pytest.param(name, classes, marks=pytest.mark.slow if name in LATER else ())
        for name, classes in CLASSES.items()
    ],
)
def test_an_untrained_classifier_is_at_chance(name, classes):
    problem = load(name)
    losses, init, loss = [], jax.jit(problem.init), jax.jit(problem.loss)
    for seed in range(5):
        start = init(jax.random.key(seed))
        losses.append(loss(*start, problem.examples("train"), jax.random.key(9))[0])
    assert np.mean(losses) == pytest.approx(math.log(classes), abs=0.5)


@pytest.mark.parametrize(("name", "classes"), CLASSES.items())
def test_chance_is_the_accuracy_of_always_naming_the_commonest_class(name, classes):
    labels = np.concatenate([load(name).examples(split)["labels"] for split in SPLITS])
    counts = np.bincount(labels, minlength=classes)
    assert load(name).chance == pytest.approx(counts.max() / len(labels), abs=0.002)


@pytest.mark.parametrize("name", CLASSES)
def test_every_split_holds_the_classes_in_proportion(name):
    labels = {split: load(name).examples(split)["labels"] for split in SPLITS}
    whole = np.bincount(np.concatenate(list(labels.values())))
    for part in labels.values():
        expected = whole * len(part) / whole.sum()
        assert np.abs(np.bincount(part, minlength=len(whole)) - expected).max() <= 2


def test_all_digit_problems_share_one_split():
    for split in SPLITS:
        expected = load("digits-mlp").examples(split)["inputs"]
        for name in (name for name in NAMES if name.startswith("digits-")):
            np.testing.assert_array_equal(load(name).examples(split)["inputs"], expected)


def test_the_digit_splits_are_those_of_the_first_release():
    first = {split: load("digits-mlp").examples(split)["labels"][:12].tolist() for split in SPLITS}
    sizes = [len(load("digits-mlp").examples(split)["labels"]) for split in SPLITS]
    assert sizes == [800, 332, 333, 332]
    assert first == FIRST_DIGITS


@pytest.mark.parametrize("name", ["breast-cancer-logistic", "wine-mlp", "diabetes-regression"])
def test_features_are_standardised_with_training_statistics_only(name):
    train, test = load(name).examples("train")["inputs"], load(name).examples("test")["inputs"]
    np.testing.assert_allclose(train.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(train.std(axis=0), 1, atol=1e-5)
    assert np.abs(test.mean(axis=0)).max() > 1e-3
