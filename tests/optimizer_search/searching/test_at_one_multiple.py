"""One multiple of tuned Adam's rate for all problems: what a loop would do, whoever stands beside, after any stop."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from driving import bits, driven

from metarl.errors import InvalidInput
from metarl.optimizer_search.journal.journal import Journal
from metarl.optimizer_search.journal.journaled import journaling
from metarl.optimizer_search.judging.evaluators import LocalEvaluator
from metarl.optimizer_search.judging.one_multiple import scores_of_multiples
from metarl.optimizer_search.searching.at_one_multiple import tried_multiples
from metarl.optimizer_search.searching.earnings import train
from metarl.optimizer_search.searching.programs import short_name
from metarl.optimizer_search.searching.search_job import SearchJob
from metarl.optimizer_search.settings.config import FinalistConfig, SearchConfig, TrainingConfig
from metarl.update_rules import parse

TOY = SearchConfig(
    problem=("toy_problem:logistic", "toy_problem:in_other_units"),
    strategy="random",
    space="sign",
    depth=1,
    budget=9,
    batch_size=12,
    seed=5,
    training=TrainingConfig(
        steps=8,
        one_rate=True,
        multiples=(0.1, 1.0, 10.0),
        seeds=2,
        schedule="cosine",
        random_horizon=2.0,
        random_scale=2.0,
        random_batch=2.0,
    ),
)


def replaced(config=TOY, **training):
    return dataclasses.replace(config, training=dataclasses.replace(config.training, **training))


def generation(job, texts):
    """Tokens and their sorting, as a generation has them."""
    tokens = np.stack([job.grammar.to_tokens(parse(text)) for text in texts])
    return tokens, job.programs.sort(tokens, {})


RULES = ("g", "adam", "sign(m)", "sign(g) + sign(m)", "exp(m) * g")


@pytest.fixture(scope="module")
def job(toy):
    job = SearchJob(TOY)
    yield job
    job.close()


def test_the_best_multiple_is_that_of_all_judges_together_and_of_no_use_where_one_diverges():
    adam = {"a": np.ones(2), "b": np.full(2, 2.0)}
    losses = {
        "a": np.exp([[[-1.0, -1.0], [-0.2, -0.4], [-3.0, -3.0]]]),
        "b": 2 * np.exp([[[0.9, 0.9], [-0.2, 0.0], [0.0, np.inf]]]),
    }
    np.testing.assert_allclose(scores_of_multiples(losses, adam), [[0.05, 0.2, -np.inf]])
    capped = scores_of_multiples(losses, adam, cap=0.2)
    np.testing.assert_allclose(capped, [[-0.35, 0.15, -np.inf]])
    limited = scores_of_multiples(losses, adam, None, {"a": np.inf, "b": 1.85})
    np.testing.assert_allclose(limited, [[-np.inf, 0.2, -np.inf]])


def test_a_generation_is_judged_as_a_loop_judges_it(job):
    programs, training = job.programs, TOY.training
    tokens, sorting = generation(job, RULES)
    earned = train(tokens, sorting, programs)
    assert earned is not None and len(earned.rewards) == len(RULES)
    names = [judge.name for judge in programs.judges]

    def mean_score(row, multiple, ending, references):
        scores = []
        for name in names:
            rate = np.float32(multiple * references[name].learning_rate)
            found = programs.evaluator.evaluate(row[None], np.array([[rate]]), [ending(name)])
            losses = found[ending(name)].losses[0]
            start = programs.short_starts[name]
            hopeless = ending is short_name and not losses.mean() < start
            ratios = np.log(references[name].losses) - np.log(losses)  # a diverged run has inf
            scores.append(-np.inf if hopeless else ratios.mean())
        return np.mean(scores)

    for row, reward, rates in zip(tokens, earned.rewards, earned.rates, strict=True):
        short = {
            m: mean_score(row, m, short_name, programs.short_references) for m in training.multiples
        }
        best = max(short, key=lambda m: short[m])
        for factor in (10.0**-0.5, 10.0**0.5):
            multiple = best * factor
            short[multiple] = mean_score(row, multiple, short_name, programs.short_references)
        two = sorted(short, key=lambda m: -short[m])[:2]
        full = {m: mean_score(row, m, str, programs.references) for m in two}
        chosen = max(full, key=lambda m: full[m])
        assert reward == pytest.approx(full[chosen], abs=1e-5)
        np.testing.assert_allclose(rates, chosen, rtol=1e-6)


def test_a_rule_earns_the_same_bits_whatever_stands_beside_it(job):
    tokens, sorting = generation(job, RULES)
    together = train(tokens, sorting, job.programs)
    assert together is not None
    for place in range(len(RULES)):
        alone = train(
            tokens[place : place + 1], generation(job, RULES[place : place + 1])[1], job.programs
        )
        assert alone is not None
        assert alone.rewards[0] == together.rewards[place]
        np.testing.assert_array_equal(alone.rates[0], together.rates[place])
        np.testing.assert_array_equal(alone.losses[0], together.losses[place])


def test_adam_at_one_times_its_own_rate_earns_nothing_though_the_rates_differ_by_orders(toy):
    job = SearchJob(replaced(multiples=(1.0,), refine=False))
    tokens, sorting = generation(job, ("adam",))
    earned = train(tokens, sorting, job.programs)
    rates = [reference.learning_rate for reference in job.programs.references.values()]
    job.close()
    assert earned is not None
    assert earned.rewards[0] == pytest.approx(0.0, abs=1e-3)
    np.testing.assert_array_equal(earned.rates, 1.0)
    assert rates[1] / rates[0] == pytest.approx(100, rel=0.01)


def test_racing_tries_the_three_multiples_that_the_size_of_the_update_predicts(toy):
    job = SearchJob(
        dataclasses.replace(replaced(multiples=(1e-2, 0.1, 1.0, 10.0, 100.0)), racing=True)
    )
    _, sorting = generation(job, ("adam", "exp(2) * adam"))
    found = tried_multiples(job.programs, sorting.outputs.update)
    np.testing.assert_allclose(found, [[0.1, 1.0, 10.0], [1e-2, 0.1, 1.0]])


@pytest.mark.parametrize(
    ("racing", "width"),
    [
        pytest.param(False, 1.0, marks=pytest.mark.slow),
        (True, 1.0),
        pytest.param(True, 2.0, marks=pytest.mark.slow),
    ],
)
def test_a_search_that_was_stopped_equals_one_that_was_not_and_finds_all_in_its_journal(
    toy, tmp_path, racing, width
):
    config = dataclasses.replace(replaced(random_width=width), racing=racing, batch_size=4)
    if width != 1.0:
        config = dataclasses.replace(config, problem=("toy_problem:perceptron",))
    first = SearchJob(config)

    def another(journal):
        job = SearchJob(config)
        job.programs.share(first.programs)
        job.programs.train_with(journaling(lambda found: LocalEvaluator(found, 4), journal))
        return job

    with Journal(tmp_path / "journal.jsonl") as journal, Journal(tmp_path / "other") as other:
        whole = another(journal)
        state, rows = driven(whole)
        expected, known = bits(whole, state), len(journal)
        stopped = another(other)
        halfway, before = driven(stopped, stopped.init(), 2)
        resumed = another(other)
        state, after = driven(resumed, resumed.load(*stopped.save(halfway)))
        assert before + after == rows and bits(resumed, state) == expected and len(after) > 0
        again = another(journal)  # all of it lies in the journal
        state, found = driven(again)
        assert found == rows and bits(again, state) == expected and len(journal) == known > 9
        for job in (whole, stopped, resumed, again):
            job.close()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reward": "accuracy"}, "it goes with --reward loss, not with accuracy"),
        ({"table": "sign-1"}, "a table holds rules at learning rates, not at multiples of Adam's"),
        ({"final": FinalistConfig(simplify=0.02)}, "leave --final.simplify out"),
    ],
)
def test_what_does_not_go_with_one_rate_is_refused(change, message):
    with pytest.raises(InvalidInput, match=message):
        dataclasses.replace(TOY, **change).validate()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hurdle": 0.0}, "leave --training.hurdle out"),
        ({"multiples": ()}, "must be one or more different positive numbers, not \\(\\)"),
        ({"one_rate": False}, "--training.multiples are tried with --training.one-rate alone"),
    ],
)
def test_settings_of_training_that_do_not_go_with_one_rate_are_refused(change, message):
    with pytest.raises(InvalidInput, match=message):
        replaced(**change).validate()
