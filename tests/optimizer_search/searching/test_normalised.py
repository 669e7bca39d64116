"""A search whose rules are normalised: what is judged is what is written, and the rate means the same at any scale."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from driving import driven

from metarl.errors import InvalidInput
from metarl.optimizer_search.journal.specification import specification
from metarl.optimizer_search.searching.earnings import train
from metarl.optimizer_search.searching.search_job import SearchJob
from metarl.optimizer_search.settings.config import EvolutionConfig, SearchConfig, TrainingConfig
from metarl.update_rules import parse

TOY = SearchConfig(
    problem=("toy_problem:logistic",),
    strategy="random",
    space="modern",
    depth=1,
    budget=6,
    batch_size=12,
    seed=5,
    training=TrainingConfig(steps=8, learning_rates=(0.01, 0.1, 1.0), seeds=2),
)


def earned(config, texts):
    job = SearchJob(config)
    tokens = np.stack([job.grammar.to_tokens(parse(text)) for text in texts])
    found = train(tokens, job.programs.sort(tokens, {}), job.programs)
    job.close()
    assert found is not None
    return found


def test_a_normalised_rule_earns_what_its_text_earns_in_a_space_that_can_write_it(toy):
    written = earned(TOY, ["rms(m)", "rms(g)"])
    normalised = earned(dataclasses.replace(TOY, normalised=True), ["rms(m)", "rms(g)"])
    np.testing.assert_allclose(normalised.rewards, written.rewards, atol=1e-5)
    np.testing.assert_array_equal(normalised.rates, written.rates)


def test_a_search_hands_over_normalised_rules_and_begins_with_the_simplest(toy):
    config = dataclasses.replace(
        TOY,
        normalised=True,
        strategy="evolution",
        evolution=EvolutionConfig(population=8, sample=2),
    )
    job = SearchJob(config)
    state, rows = driven(job, None, 1)
    texts = state.archive.texts(job.grammar, 4)
    job.close()
    assert texts and all(text.removeprefix("-").startswith("rms(") for text in texts)
    assert rows[0]["best_rule"] == texts[0]


def test_the_journal_tells_normalised_rules_from_others_and_names_nothing_where_there_are_none(toy):
    def grammar(config):
        job = SearchJob(config)
        judgement = next(iter(job.programs.judgements.values()))
        return specification(judgement, 4)["grammar"]

    plain = grammar(TOY)
    assert set(plain) == {"operands", "unary", "binary", "depth"}
    assert grammar(dataclasses.replace(TOY, normalised=True)) == {**plain, "normalised": True}


def test_a_table_of_rules_as_they_are_is_not_searched_for_normalised_ones():
    with pytest.raises(InvalidInput, match="--normalised: a table holds rules as they are"):
        dataclasses.replace(TOY, normalised=True, table="sign-1").validate()
