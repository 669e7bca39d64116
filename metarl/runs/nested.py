"""Nested documents beside each other: which of their values differ, by names joined with dots."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Pair = list[Any]  # of the first and of the second; None where one has nothing


def differing(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Pair]:
    """Returns {name: [of the first, of the second]} where two nested documents differ.

    >>> differing({"versions": {"jax": "0.9.0", "numpy": "2.3"}}, {"versions": {"jax": "0.10.2", "numpy": "2.3"}})
    {'versions.jax': ['0.9.0', '0.10.2']}
    """
    ours, theirs = _flat(first), _flat(second)
    names = [*ours, *(name for name in theirs if name not in ours)]
    pairs = {name: [ours.get(name), theirs.get(name)] for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns {"a": {"b": 1}} as {"a.b": 1}; lists stay whole."""
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping) and value:
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat
