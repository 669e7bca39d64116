"""What the leaves of parameters are: named by the cards, guessed for problems of one's own, refused where none fits."""

from __future__ import annotations

import dataclasses
import fnmatch

import jax
import jax.numpy as jnp
import pytest

from metarl.errors import InvalidInput
from metarl.problems import cards, guessed_leaves, load, register, roles_of_leaves, suite
from metarl.problems.leaf_roles import leaf_paths


@pytest.fixture(scope="module")
def starts():
    """Returns the shapes of the parameters of every built-in problem."""
    return {name: jax.eval_shape(load(name).init, jax.random.key(0))[0] for name in suite()}


def test_every_card_names_every_leaf_and_no_pattern_is_idle(starts):
    for name, params in starts.items():
        given = load(name).leaf_roles
        assert guessed_leaves(params, given) == [], name
        paths = leaf_paths(params)
        first = {next(p for p in given if fnmatch.fnmatchcase(path, p)) for path in paths}
        assert first == set(given), name
        roles_of_leaves(params, given)
    assert all(card.leaf_roles for card in cards())


def test_matrices_are_what_muon_is_for(starts):
    """The whole list of those of one network of each kind."""
    expected = {
        "digits-mlp": {"w0"},
        "digits-conv": {"conv0", "conv1"},
        "python-docs-gru": {"recurrent"},
        "python-docs-transformer": {
            f"blocks/{block}/{name}" for block in (0, 1) for name in ("down", "look", "out", "up")
        },
        "word-vectors": set(),
        "quadratic": set(),
        "digits-residual": {
            "stem",
            "blocks/1/past",
            *(f"blocks/{block}/conv{place}" for block in (0, 1) for place in (0, 1)),
        },
    }
    for name, wanted in expected.items():
        roles = roles_of_leaves(starts[name], load(name).leaf_roles)
        paths = leaf_paths(starts[name])
        found = {
            path
            for path, role in zip(paths, jax.tree.leaves(roles), strict=True)
            if role in ("matrix", "convolution")
        }
        assert found == wanted, name


def test_guesses_agree_with_the_cards_on_nearly_all_leaves(starts):
    wrong = [
        f"{name}: {path}"
        for name, params in starts.items()
        for path, guess, role in zip(
            leaf_paths(params),
            jax.tree.leaves(roles_of_leaves(params)),
            jax.tree.leaves(roles_of_leaves(params, load(name).leaf_roles)),
            strict=True,
        )
        if guess != role
    ]
    assert wrong == [
        "digits-vae: decoder/w1",  # the last by its path is the encoder's
        "digits-vae: encoder/w1",
        "python-docs-gru: inward",  # no name says that they are looked up
        "python-docs-transformer: letters",
        "python-docs-transformer: places",
        "word-vectors: left",
        "word-vectors: right",
        "flower-completion: left",
        "flower-completion: right",
        "digits-patches: places",
        "python-docs-rms: letters",
        "python-docs-rms: places",
        "recall: keys",
        "recall: values",
    ]


def test_the_last_of_numbered_matrices_is_the_output():
    params = {f"w{layer}": jnp.ones((2, 2)) for layer in range(11)}
    roles = roles_of_leaves(params)
    assert roles.pop("w10") == "output" and set(roles.values()) == {"matrix"}
    assert roles_of_leaves({"token_embedding": jnp.ones((5, 2)), "lm_head": jnp.ones((2, 5))}) == {
        "token_embedding": "embedding",
        "lm_head": "output",
    }


def test_the_first_pattern_that_fits_counts_and_the_rest_is_guessed():
    params = {"a": {"w": jnp.ones((2, 2)), "b": jnp.ones(2)}, "head": jnp.ones((2, 2))}
    roles = roles_of_leaves(params, {"a/w": "embedding", "a/*": "vector"})
    assert roles == {"a": {"w": "embedding", "b": "vector"}, "head": "output"}
    assert guessed_leaves(params, {"a/w": "embedding"}) == ["a/b", "head"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"w9": "matrix"}, "problem 'mine': the role matrix is given to 'w9', which is no leaf; there are b0, "),
        ({"w0": "matrx"}, "Did you mean 'matrix'"),
        ({"b0": "matrix"}, r"leaf 'b0' of shape \[64\] cannot have the role matrix, which needs 2 axes"),
        ({"w0": "convolution"}, "cannot have the role convolution, which needs at least 3 axes"),
    ],
)  # fmt: skip
def test_a_role_that_fits_no_leaf_is_refused_when_the_problem_is_made_known(given, message):
    own = dataclasses.replace(load("digits-mlp"), name="mine", leaf_roles=given)
    with pytest.raises(InvalidInput, match=f"(?i){message}"):
        register(own)
