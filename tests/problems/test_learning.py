"""Adam learns every problem: after its default steps it is clearly better than chance."""

from __future__ import annotations

import jax
import numpy as np
import optax
import pytest

from metarl.problems import Problem, catalogue_later, load, suite

pytestmark = pytest.mark.usefixtures("keys_checked")

# name: learning rate, steps, score to reach on test data (its metric, or the loss)
CASES = {
    "digits-mlp": (1e-2, 100, 0.9),
    "digits-conv": (1e-2, 60, 0.85),
    "china-denoising": (1e-2, 100, 0.8),
    "python-docs-ngram": (1e-2, 100, 4.5),
    "digits-deep-mlp": (1e-2, 150, 0.6),
    "digits-wide-mlp": (1e-2, 50, 0.9),
    "digits-residual": (1e-2, 60, 0.85),
    "digits-vae": (1e-2, 200, 29.0),
    "digits-autoencoder": (1e-2, 400, 0.5),
    "breast-cancer-logistic": (1e-2, 100, 0.88),
    "wine-mlp": (1e-2, 100, 0.85),
    "diabetes-regression": (1e-2, 100, 0.25),
    "python-docs-gru": (1e-2, 100, 4.3),
    "python-docs-transformer": (1e-2, 60, 4.5),
    "word-vectors": (1e-2, 400, 0.2),
    "flower-completion": (3e-2, 400, 0.75),
    "flower-coordinates": (1e-2, 200, 0.75),
    "pendulum": (1e-2, 400, 0.3),
    "cartpole-policy": (3e-2, 40, 60.0),
    "quadratic": (3e-2, 200, 0.2),
    "quadratic-ill-conditioned": (1e-1, 400, 0.02),
    "rosenbrock": (1e-1, 400, 0.2),
    "beale": (1e-1, 200, 1e-3),
    "digits-patches": (1e-2, 200, 0.7),
    "digits-rows": (3e-3, 200, 0.8),
    "digits-neighbours": (3e-2, 80, 0.85),
    "python-docs-rms": (1e-2, 100, 4.3),
    "python-docs-chapters": (3e-2, 40, 0.25),
    "recall": (1e-2, 400, 0.3),
    "spirals": (1e-2, 1000, 0.6),
    "deep-linear": (3e-3, 1000, 0.5),
    "phase-retrieval": (3e-2, 200, 0.9),
    "lorenz": (1e-2, 500, 0.5),
    "torus": (1e-2, 500, 0.8),
    "committee": (1e-2, 1000, 0.5),
    "burgers": (1e-2, 500, 0.3),
}


def trained_scores(problem: Problem, learning_rate: float, steps: int) -> dict[str, float]:
    """Returns the test scores after plain Adam on batches drawn with replacement."""
    optimizer = optax.adam(learning_rate)

    @jax.jit
    def scores(key, train, test):
        init_key, rows_key, loss_key = jax.random.split(key, 3)
        params, model_state = problem.init(init_key)
        count = len(jax.tree.leaves(train)[0])
        rows = jax.random.randint(rows_key, (steps, problem.batch_size), 0, count)

        def step(carry, rows_and_key):
            (params, model_state, state), (rows, key) = carry, rows_and_key
            batch = jax.tree.map(lambda leaf: leaf[rows], train)
            gradient, model_state = jax.grad(problem.loss, has_aux=True)(
                params, model_state, batch, key
            )
            updates, state = optimizer.update(gradient, state)
            return (optax.apply_updates(params, updates), model_state, state), None

        start = (params, model_state, optimizer.init(params))
        keys = jax.random.split(loss_key, steps)
        (params, model_state, _), _ = jax.lax.scan(step, start, (rows, keys))
        return problem.evaluate(params, model_state, test)

    received = scores(jax.random.key(0), problem.examples("train"), problem.examples("test"))
    return {name: float(score) for name, score in received.items()}


SLOW = (
    *(card.name for _, card in catalogue_later.ROWS if card.name != "digits-neighbours"),
    "digits-conv",
    "digits-residual",
    "digits-autoencoder",
    "python-docs-gru",
    "python-docs-transformer",
    "cartpole-policy",
)


def test_every_problem_has_its_case():
    assert set(CASES) == set(suite())


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow if n in SLOW else ()) for n in CASES],
)
def test_adam_clearly_beats_chance(name):
    problem = load(name)
    learning_rate, steps, target = CASES[name]
    score = trained_scores(problem, learning_rate, steps)[problem.metric or "loss"]
    better = problem.higher_is_better and problem.metric is not None
    assert np.isfinite(score)
    assert score > target if better else score < target
