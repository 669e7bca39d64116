"""Makes `toy_problem` importable, as a user's module in the working directory is."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from metarl import problems

sys.path.append(str(Path(__file__).parent))


@pytest.fixture(scope="session")
def toy() -> problems.Problem:
    """Logistic regression on two inputs."""
    return problems.load("toy_problem:logistic")
