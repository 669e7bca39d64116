"""The built-in problems: one row each, read without jax, scikit-learn or data.

A row is a card and the place of the factory that builds the problem, "module:function". A new
problem is one row here and one function there. Roles: rules are searched on two networks and a
quadratic; every other problem is held out, so that a rule meets data, networks and losses it was
never selected on.
"""

from __future__ import annotations

import math

from .problem import Card

_DIGITS = "Alpaydin and Kaynak (1998), Optical Recognition of Handwritten Digits, by scikit-learn"
_CANCER = "Wolberg et al. (1995), Breast Cancer Wisconsin (Diagnostic), by scikit-learn"
_WINE = "Aeberhard and Forina (1992), Wine, by scikit-learn"
_DIABETES = "Efron et al. (2004), Least Angle Regression, by scikit-learn"
_PYTHON = "The Python 3.13 language reference (c) Python Software Foundation, PSF licence"
_NOISY = "Zhang et al. (2019), Which Algorithmic Choices Matter at Which Batch Sizes?"
_MORE = "Moré, Garbow and Hillstrom (1981), Testing Unconstrained Optimization Software"

_ROWS: tuple[tuple[str, Card], ...] = (
    (
        "metarl.problems.digits:digits_mlp",
        Card(
            name="digits-mlp",
            family="vision",
            role="search",
            metric="accuracy",
            chance=0.1,
            steps=100,
            batch_size=64,
            description="Handwritten digits, 8x8 pixels, by a 64-64-10 ReLU network.",
            source=_DIGITS,
        ),
    ),
    (
        "metarl.problems.digits:digits_conv",
        Card(
            name="digits-conv",
            family="vision",
            role="search",
            metric="accuracy",
            chance=0.1,
            steps=100,
            batch_size=64,
            description="Digits by two 3x3 convolutions of 16 filters with batch norm.",
            source=_DIGITS,
        ),
    ),
    (
        "metarl.problems.digits:digits_autoencoder",
        Card(
            name="digits-autoencoder",
            family="vision",
            role="held-out",
            metric="r2",
            chance=0.0,
            steps=400,
            batch_size=64,
            description="Digits through 8 units, 64-32-8-32-64; squared error.",
            source=_DIGITS,
        ),
    ),
    (
        "metarl.problems.tabular:breast_cancer_logistic",
        Card(
            name="breast-cancer-logistic",
            family="tabular",
            role="held-out",
            metric="accuracy",
            chance=357 / 569,
            steps=100,
            batch_size=32,
            description="Malignant tumours from 30 features, by logistic regression.",
            source=_CANCER,
        ),
    ),
    (
        "metarl.problems.tabular:wine_mlp",
        Card(
            name="wine-mlp",
            family="tabular",
            role="held-out",
            metric="accuracy",
            chance=71 / 178,
            steps=100,
            batch_size=16,
            description="Three growers of wine from 13 features, by a 13-16-3 ReLU network.",
            source=_WINE,
        ),
    ),
    (
        "metarl.problems.tabular:diabetes_regression",
        Card(
            name="diabetes-regression",
            family="tabular",
            role="held-out",
            metric="r2",
            chance=0.0,
            steps=100,
            batch_size=32,
            description="Progression of diabetes from 10 features, by a 10-16-1 ReLU network.",
            source=_DIABETES,
        ),
    ),
    (
        "metarl.problems.language:python_docs_gru",
        Card(
            name="python-docs-gru",
            family="language",
            role="held-out",
            metric="bits per character",
            higher_is_better=False,
            chance=math.log2(96),
            steps=300,
            batch_size=16,
            description="Next character of Python's documentation, by a GRU of 64 units.",
            source=_PYTHON,
        ),
    ),
    (
        "metarl.problems.landscapes:quadratic",
        Card(
            name="quadratic",
            family="landscape",
            role="search",
            steps=200,
            batch_size=32,
            description="x'Hx / 2 in 32 rotated dimensions, condition 1000, noisy gradients.",
            source=_NOISY,
        ),
    ),
    (
        "metarl.problems.landscapes:rosenbrock",
        Card(
            name="rosenbrock",
            family="landscape",
            role="held-out",
            steps=400,
            batch_size=1,
            description="Rosenbrock's curved valley in two dimensions.",
            source=_MORE,
        ),
    ),
    (
        "metarl.problems.landscapes:beale",
        Card(
            name="beale",
            family="landscape",
            role="held-out",
            steps=200,
            batch_size=1,
            description="Beale's function in two dimensions: flat, with steep walls.",
            source=_MORE,
        ),
    ),
)

FACTORIES: dict[str, str] = {card.name: factory for factory, card in _ROWS}
CARDS: dict[str, Card] = {card.name: card for _, card in _ROWS}
