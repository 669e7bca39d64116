"""The problems that rules are searched on: five kinds, quick, and none of them judges afterwards.

Two networks on digits, a regression on a photograph, a language model and a quadratic, so that a
rule that is searched on all of them jointly cannot live on the habits of one; and the paper's own,
for which one needs CIFAR-10.
"""

from __future__ import annotations

import math

from .leaf_roles import mlp_roles
from .problem import Card
from .sources import CHINA, CIFAR, DIGITS, NOISY, PYTHON

ROWS: tuple[tuple[str, Card], ...] = (
    (
        "metarl.problems.digits:digits_mlp",
        Card(
            name="digits-mlp",
            family="perceptron",
            role="search",
            metric="accuracy",
            chance=0.1,
            steps=100,
            batch_size=64,
            description="Handwritten digits, 8x8 pixels, by a 64-64-10 ReLU network.",
            source=DIGITS,
            data="digits",
            leaf_roles=mlp_roles(2),
        ),
    ),
    (
        "metarl.problems.digits:digits_conv",
        Card(
            name="digits-conv",
            family="convolution",
            role="search",
            metric="accuracy",
            chance=0.1,
            steps=100,
            batch_size=64,
            description="Digits by two 3x3 convolutions of 16 filters with batch norm.",
            source=DIGITS,
            data="digits",
            leaf_roles={"conv*": "convolution", "head": "output", "*": "vector"},
        ),
    ),
    (
        "metarl.problems.photographs:china_denoising",
        Card(
            name="china-denoising",
            family="autoencoder",
            role="search",
            metric="r2",
            chance=0.0,
            steps=200,
            batch_size=64,
            description="8x8 patches of a photograph, noise taken away by 64 tanh units.",
            source=CHINA,
            data="photographs",
            leaf_roles=mlp_roles(2),
        ),
    ),
    (
        "metarl.problems.ngrams:python_docs_ngram",
        Card(
            name="python-docs-ngram",
            family="language",
            role="search",
            metric="bits per character",
            higher_is_better=False,
            chance=math.log2(96),
            steps=200,
            batch_size=64,
            description="A character from the eight before it, by embeddings and 64 tanh units.",
            source=PYTHON,
            data="python-docs",
            leaf_roles={"first/table": "embedding", **mlp_roles(2, "second/")},
        ),
    ),
    (
        "metarl.problems.landscapes:quadratic",
        Card(
            name="quadratic",
            family="quadratic",
            role="search",
            steps=200,
            batch_size=32,
            description="A bowl in 32 rotated dimensions, condition 1000, noisy gradients.",
            source=NOISY,
            data="synthetic",
            leaf_roles={"point": "vector"},
        ),
    ),
    (
        "metarl.problems.cifar10:cifar10_conv",
        Card(
            name="cifar10-conv",
            family="cifar10",
            role="search",
            metric="accuracy",
            chance=0.1,
            steps=2000,
            batch_size=100,
            description="CIFAR-10 by two 3x3 convolutions of 32 filters with batch norm.",
            source=CIFAR,
            data="cifar10",
            needs_data=True,
            is_costly=True,
            leaf_roles={"conv*": "convolution", "head": "output", "*": "vector"},
        ),
    ),
)
