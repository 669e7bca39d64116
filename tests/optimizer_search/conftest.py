"""Makes `toy_problem` importable, as a user's module in the working directory is; what evaluators are asked."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from metarl import problems
from metarl.optimizer_search.judging.evaluators import LocalEvaluator
from metarl.runs import SilentProgress
from metarl.runs.directory import is_in_use

sys.path.append(str(Path(__file__).parent))

import few_rules


@pytest.fixture(scope="session")
def toy() -> problems.Problem:
    """Logistic regression on two inputs."""
    return problems.load("toy_problem:logistic")


@pytest.fixture(scope="session")
def perceptron() -> problems.Problem:
    """Two classes by four hidden units, or other numbers of them."""
    return problems.load("toy_problem:perceptron")


@pytest.fixture(scope="session")
def judgements(toy):
    """Two judges of the rules in `few_rules`."""
    return few_rules.two_judges(toy)


@pytest.fixture(scope="session")
def asked():
    """Tokens [K, L] and rates [K, R] of the rules in `few_rules`."""
    return few_rules.tokens_and_rates()


@pytest.fixture(scope="session")
def verdicts(judgements, asked):
    """What threads of this process say of them."""
    evaluator = LocalEvaluator(judgements, few_rules.WIDTH)
    yield evaluator.evaluate(*asked)
    evaluator.close()


@pytest.fixture
def stopped_at_the_end(monkeypatch):
    """Returns a function that goes on with a run until a signal comes as its result is made.

    It takes the run, what goes on with it, and the module and the name of what makes the result; it returns whether the
    run was in use then, and the last line that was told.
    """

    def stopped(run, resume, module, name):
        used, told = [], []

        def signalled(*_):
            used.append(is_in_use(run.path))
            raise KeyboardInterrupt

        class Telling(SilentProgress):
            def message(self, text):
                told.append(text)

        monkeypatch.setattr(module, name, signalled)
        with pytest.raises(KeyboardInterrupt):
            resume(run.path, progress=Telling())
        return used, told[-1]

    return stopped
