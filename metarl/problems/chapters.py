"""From which part of Python's documentation a passage is, by logistic regression on its words, sparse features.

A passage is 24 words in a row; its features say which of the 1,000 commonest words are in it, so that nearly all are
zero. By Zipf's law some are met in every batch and most in one passage of a hundred, and curvatures differ as much:
what adaptive methods were made for. The sixteen classes are sixteen parts of the text, of equal length. Convex.

Letters: B passages, V = 1,000 words, K = 16 classes.

Reference: Duchi, Hazan and Singer (2011), Adaptive Subgradient Methods for Online Learning and Stochastic Optimization,
section 6.1, for texts classified by their words.
"""

from __future__ import annotations

import collections
import re

import numpy as np

from .catalogue import CARDS
from .language import text
from .networks import linear
from .problem import Problem
from .supervised import classification

_KNOWN, _PARTS = 1000, 16  # V, K
_PASSAGE = 24  # words


def python_docs_chapters() -> Problem:
    """Returns the logistic regression of passages: convex, starts at zero."""
    network = linear(_KNOWN, _PARTS)
    return classification(CARDS["python-docs-chapters"], network, passages, standardise=False)


def passages() -> tuple[np.ndarray, np.ndarray]:
    """Returns which known words are in each passage, 0 or 1 [n, V], and its part of the text [n]; none occurs twice."""
    words = re.findall(r"[a-z_]+", text().lower())
    known = known_words(words)
    count = len(words) // _PASSAGE
    features = np.zeros((count, _KNOWN), np.float32)
    for place, word in enumerate(words[: count * _PASSAGE]):
        if word in known:
            features[place // _PASSAGE, known[word]] = 1
    _, first = np.unique(features, axis=0, return_index=True)
    kept = np.sort(first)
    return features[kept], kept * _PARTS // count


def known_words(words: list[str]) -> dict[str, int]:
    """Returns the place of each known word among the features, the commonest first."""
    common = collections.Counter(words).most_common(_KNOWN)
    return {word: place for place, (word, _) in enumerate(common)}
