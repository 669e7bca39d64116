"""Four disjoint parts of one data set, always the same, each with the classes in proportion.

The order is that of `numpy.random.RandomState(0).permutation(n)`, a stream that NumPy has frozen
(NEP 19), so that the splits are the same on every machine. Within it the i-th example of a class of
size c gets the rank (i + 1/2) / c; the examples sorted by rank are cut at 44.5 %, 63 % and 81.5 %.
Any cut then holds every class in proportion, to about one example.
"""

from __future__ import annotations

import numpy as np

from .problem import SPLITS, Examples, Split

_CUTS = (0.445, 0.63, 0.815)


def stratified_indices(classes: np.ndarray) -> dict[Split, np.ndarray]:
    """Returns which examples belong to each split.

    Args:
      classes: the class of each example [n]; all alike when there are no classes.

    Returns:
      Per split the indices of its examples, in the order of the fixed permutation.
    """
    count = len(classes)
    permutation = np.random.RandomState(0).permutation(count)
    rank = np.empty(count)  # by place in the permutation
    for label in np.unique(classes):
        places = np.flatnonzero(classes[permutation] == label)
        rank[places] = (np.arange(len(places)) + 0.5) / len(places)
    by_rank = np.argsort(rank, kind="stable")
    parts = np.split(by_rank, [round(cut * count) for cut in _CUTS])
    return {split: permutation[np.sort(part)] for split, part in zip(SPLITS, parts, strict=True)}


def cut(indices: dict[Split, np.ndarray], **arrays: np.ndarray) -> dict[Split, Examples]:
    """Returns {name: rows} of every split, read-only because they are shared by all who ask.

    Args:
      indices: which rows belong to each split.
      **arrays: by name, [n, ...].
    """
    splits: dict[Split, Examples] = {}
    for split in SPLITS:
        splits[split] = {name: array[indices[split]] for name, array in arrays.items()}
        for array in splits[split].values():
            array.flags.writeable = False
    return splits
