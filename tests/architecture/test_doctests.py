"""The examples in docstrings are true."""

from __future__ import annotations

import doctest
import importlib


def test_the_examples_in_docstrings_are_true(sources):
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    attempted = 0
    for source in sources:
        if ">>>" in source.path.read_text(encoding="utf-8"):
            outcome = doctest.testmod(importlib.import_module(source.module), optionflags=flags)
            assert outcome.failed == 0, f"{outcome.failed} examples of {source.module} fail"
            attempted += outcome.attempted
    assert attempted > 0
