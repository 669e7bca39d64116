"""The check for keys that are consumed twice is off here."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _unchecked(keys_unchecked):
    """In all tests of this folder."""
