"""The journal: exact numbers, nothing lost that landed, damage noticed and said; and evaluators that know it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import threading

import numpy as np
import pytest
from few_rules import GRAMMAR, RULES, TRIAL, WIDTH

from metarl.errors import InvalidInput
from metarl.optimizer_search.journal.journal import Journal, JournalEntry
from metarl.optimizer_search.journal.journaled import Journaled
from metarl.optimizer_search.journal.specification import digest, identity, specification
from metarl.optimizer_search.judging.candidates import Verdicts, make_judgement
from metarl.optimizer_search.judging.evaluators import LocalEvaluator

SPECIFIED = {"problem": "toy", "seeds": [1, 2]}


def verdict(number: float) -> Verdicts:
    """A verdict with every kind of number that a program can give, none of them round."""
    tiny, odd = np.float32(1e-45), np.float32(number) / np.float32(3)
    return Verdicts(
        np.array([odd, 0.1], np.float32),
        np.array([np.inf, -np.inf], np.float32),
        np.float32(odd),
        np.array([tiny, -0.0, np.float32(3.4028235e38)], np.float32),
        np.array([np.nan, odd, 1.0], np.float32),
        np.int32(number),
    )


def entry(number: int) -> JournalEntry:
    grid = np.array([0.1, 1.0], np.float32)
    return JournalEntry(
        digest(number), digest(SPECIFIED), np.array([number, 2]), grid, verdict(number)
    )


def written(path, count=4):
    with Journal(path) as journal:
        journal.add([entry(number) for number in range(count)], SPECIFIED)
    return path.read_bytes()


def known(path, count=4):
    """Which of the first results a journal knows, and what it says about its file."""
    said = []
    with Journal(path, said.append) as journal:
        found = [number for number in range(count) if journal.get(digest(number)) is not None]
    return found, said


def assert_same(one: Verdicts, other: Verdicts):
    for ours, theirs in zip(one, other, strict=True):
        ours, theirs = np.asarray(ours), np.asarray(theirs)
        assert ours.dtype == theirs.dtype and ours.shape == theirs.shape
        assert ours.tobytes() == theirs.tobytes()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.jsonl"


def test_every_number_comes_back_to_the_bit(path):
    written(path)
    with Journal(path) as journal:
        assert len(journal) == 4
        for number in range(4):
            found = journal.get(digest(number))
            assert found is not None
            assert_same(found, verdict(number))
        assert journal.get(digest("unknown")) is None


def test_a_line_is_plain_json_and_tells_no_time(path, tmp_path):
    content = written(path)
    heading, specified, *results = [json.loads(line) for line in content.splitlines()]
    assert heading["format"] == "metarl-journal" and heading["version"] == 1
    assert specified["specification"] == SPECIFIED
    assert len(results) == 4 and results[3]["tokens"] == [3, 2]
    assert results[0]["sweep"] == ["inf", "-inf"] and results[0]["metrics"][0] == "nan"
    for line in content.splitlines():
        body, _, seal = line.rpartition(b', "sha256": "')
        assert seal == hashlib.sha256(body).hexdigest()[:16].encode() + b'"}'
    assert written(tmp_path / "again.jsonl") == content  # later, and the same bytes


def test_a_result_is_written_once_and_is_there_at_once(path):
    with Journal(path) as journal:
        journal.add([entry(1)], SPECIFIED)
        before = path.read_bytes()
        journal.add([entry(1)], SPECIFIED)
        assert path.read_bytes() == before and journal.get(digest(1)) is not None
    with Journal(path) as journal:
        journal.add([entry(1), entry(2)], SPECIFIED)
    assert path.read_bytes().startswith(before) and len(path.read_bytes().splitlines()) == 4


def test_a_journal_of_nothing_makes_no_file(path):
    with Journal(path) as journal:
        journal.sync()
    assert not path.exists()


def test_a_file_cut_anywhere_keeps_its_whole_lines_and_is_written_on(path):
    content = written(path)
    ends = np.cumsum([len(line) for line in content.splitlines(keepends=True)])
    for cut in range(0, len(content), 7):
        path.write_bytes(content[:cut])
        found, said = known(path)
        whole = int(np.sum(ends <= cut))
        assert found == list(range(max(0, whole - 2)))
        assert ["left unfinished" in text for text in said] == [True] * (cut not in (0, *ends))
        with Journal(path) as journal:
            journal.add([entry(number) for number in range(4)], SPECIFIED)
        assert known(path) == ([0, 1, 2, 3], [])
        assert sorted(path.read_bytes().splitlines()) == sorted(content.splitlines())


def test_every_changed_byte_is_noticed_and_costs_one_result(path):
    content = written(path)
    line_of = np.repeat(np.arange(6), [len(line) for line in content.splitlines(keepends=True)])
    rng = np.random.default_rng(0)
    for place in range(0, len(content) - 1, 5):
        flipped = bytearray(content)
        flipped[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(flipped)
        found, said = known(path)
        lost = {int(line_of[place]) - 2}
        if content[place : place + 1] == b"\n" or b"\n" in flipped[place : place + 1]:
            assert set(range(4)) - set(found) <= lost | {int(line_of[place]) - 1}
        else:
            assert set(found) == set(range(4)) - lost
        assert said and "computed again" in said[0]


def test_a_power_cut_may_leave_zeros(path):
    content = written(path)
    path.write_bytes(content + bytes(1000))
    found, said = known(path)
    assert found == [0, 1, 2, 3] and "left unfinished" in said[0]


def test_what_is_no_journal_is_refused_and_left_alone(path):
    path.write_text("dear diary\nnothing happened\n")
    with pytest.raises(InvalidInput, match="not a journal"):
        Journal(path)
    assert path.read_text().startswith("dear diary")


def test_a_later_format_is_refused_by_its_number(path):
    body = b'{"format": "metarl-journal", "version": 2'
    seal = hashlib.sha256(body).hexdigest()[:16].encode()
    path.write_bytes(body + b', "sha256": "' + seal + b'"}\n')
    with pytest.raises(InvalidInput, match="format 2; this metarl reads 1"):
        Journal(path)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"key": 3, "steps": 1',
        b'{"key": "a", "rates": 1, "sweep": [], "rate": 0, "losses": [], "metrics": [], "steps": 1',
        b'{"key": "a", "rates": ["x"], "sweep": [], "rate": 0, "losses": [], "metrics": [], "steps": 1',
        b'{"key": "a", "rates": [], "sweep": [], "rate": 0, "losses": [], "metrics": [], "steps": 1e99',
    ],
    ids=["deep", "key", "scalar", "text", "steps"],
)
def test_a_forged_line_is_a_damaged_line(path, body):
    content = written(path)
    seal = hashlib.sha256(body).hexdigest()[:16].encode()
    path.write_bytes(content + body + b', "sha256": "' + seal + b'"}\n')
    found, said = known(path)
    assert found == [0, 1, 2, 3] and "1 damaged line" in said[0]


def test_a_full_disk_is_named_and_leaves_whole_lines(path, monkeypatch):
    write = os.write

    def full(file, content):
        if b'"key"' in bytes(content):
            write(file, content[:30])
            raise OSError(28, "No space left on device")
        return write(file, content)

    with Journal(path) as journal:
        journal.add([entry(0)], SPECIFIED)
        before = path.read_bytes()
        monkeypatch.setattr(os, "write", full)
        with pytest.raises(OSError, match=r"No space left on device: .*journal\.jsonl"):
            journal.add([entry(1)], SPECIFIED)
        assert path.read_bytes() == before
        monkeypatch.undo()
        journal.add([entry(1)], SPECIFIED)
    assert known(path) == ([0, 1], [])


def test_many_threads_write_whole_lines(path):
    with Journal(path) as journal:
        threads = [
            threading.Thread(target=journal.add, args=([entry(n) for n in range(40)], SPECIFIED))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found, said = known(path, 40)
    assert found == list(range(40)) and said == []
    assert len(path.read_bytes().splitlines()) == 42


# Evaluators that know a journal -----------------------------------------------------------------


class Spy(LocalEvaluator):
    """Counts the candidates that it trains, and dies of the chunk after so many."""

    def __init__(self, judgements, dies_after=None):
        super().__init__(judgements, WIDTH)
        self.trained, self.dies_after = [], dies_after

    def as_completed(self, tokens, rates, judges=None):
        for result in super().as_completed(tokens, rates, judges):
            if self.dies_after is not None and len(self.trained) >= self.dies_after:
                raise SystemExit
            rows = range(result.first, result.first + len(result.verdicts.rate))
            self.trained += [(result.judge, float(rates[row, 0])) for row in rows]
            yield result


def evaluated(judgements, path, *asked, dies_after=None):
    """The verdicts through a journal, and what was trained for them."""
    spy = Spy(judgements, dies_after)
    with Journal(path) as journal:
        evaluator = Journaled(spy, journal)
        try:
            return evaluator.evaluate(*asked), spy.trained
        finally:
            evaluator.close()


def test_what_is_known_is_not_trained_again(judgements, asked, verdicts, path):
    first, trained = evaluated(judgements, path, *asked)
    again, trained_again = evaluated(judgements, path, *asked)
    assert len(trained) == 2 * RULES and trained_again == []
    for name, expected in verdicts.items():
        assert_same(first[name], expected)
        assert_same(again[name], expected)


def test_an_evaluation_that_was_killed_goes_on_where_it_was(judgements, asked, verdicts, path):
    for dies_after in (3, 1, 4):
        with pytest.raises(SystemExit):
            evaluated(judgements, path, *asked, dies_after=dies_after)
    with Journal(path) as journal:
        landed = len(journal)
    found, trained = evaluated(judgements, path, *asked)
    assert 3 + 1 + 4 <= landed < 2 * RULES and len(trained) == 2 * RULES - landed
    for name, expected in verdicts.items():
        assert_same(found[name], expected)


def test_other_chunks_and_other_orders_change_no_bit(judgements, asked, verdicts, path):
    tokens, rates = asked
    evaluated(judgements, path, tokens[3:5], rates[3:5], ["two"])
    evaluated(judgements, path, tokens[::-2], rates[::-2])
    found, trained = evaluated(judgements, path, *asked)
    assert 0 < len(trained) < 2 * RULES
    for name, expected in verdicts.items():
        assert_same(found[name], expected)


def test_only_the_same_question_is_known(judgements, asked, path, toy):
    tokens, rates = asked
    evaluated(judgements, path, tokens[:2], rates[:2], ["one"])
    other_rates = rates[:2] * np.float32(1.5)
    assert len(evaluated(judgements, path, tokens[:2], other_rates, ["one"])[1]) == 2
    assert len(evaluated(judgements, path, tokens[:2], rates[:2], ["two"])[1]) == 2
    for other in (
        {"one": make_judgement(toy, GRAMMAR, TRIAL, "search", [1, 2, 4])},
        {"one": make_judgement(toy, GRAMMAR, TRIAL, "choice", [1, 2, 3])},
    ):
        assert len(evaluated(other, path, tokens[:2], rates[:2])[1]) == 2


def test_a_line_of_another_shape_is_computed_again(judgements, asked, path):
    tokens, rates = asked
    with Journal(path) as journal:
        specified = specification(judgements["one"], 3)
        key = identity(digest(specified), tokens[0], rates[0])
        wrong = entry(0)._replace(key=key, specification=digest(specified))
        journal.add([wrong], specified)
    found, trained = evaluated(judgements, path, tokens[:1], rates[:1], ["one"])
    assert len(trained) == 1 and found["one"].losses.shape == (1, 2)


def test_a_constant_rate_keeps_the_identity_that_results_had_before_there_were_schedules(
    judgements,
):
    one = judgements["one"]
    found = specification(one, 3)["trial"]
    before = {"sweep_steps", "full_steps", "sweep_replicates", "full_replicates", "num_rates"}
    assert set(found) == before | {"refine", "give_up", "early_stopping"}
    falling = dataclasses.replace(one.recipe.trial, schedule="cosine")
    other = dataclasses.replace(one, recipe=one.recipe._replace(trial=falling))
    assert specification(other, 3)["trial"] == {**found, "schedule": "cosine"}
    spread = dataclasses.replace(one.recipe.trial, random_horizon=2.0, random_scale=4.0)
    spread = dataclasses.replace(spread, random_batch=8.0, random_width=2.0)
    other = dataclasses.replace(one, recipe=one.recipe._replace(trial=spread))
    expected = {
        **found,
        "random_horizon": 2.0,
        "random_scale": 4.0,
        "random_batch": 8.0,
        "random_width": 2.0,
    }
    assert specification(other, 3)["trial"] == expected


def test_a_specification_holds_all_that_bits_depend_on_and_is_plain_json(judgements):
    found = specification(judgements["one"], 3)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["problem"] == "toy" and found["seeds"] == [1, 2, 3] and found["width"] == 3
    assert found["trial"]["full_steps"] == 3 and found["executor"] == "switch"
    assert {"threads", "matmul_precision", "device", "held_out", "grammar"} <= set(found)
    others = [specification(judgements["two"], 3), specification(judgements["one"], 4)]
    assert found["language"] == 2
    others.append({**found, "language": 1})  # a verdict from before is never taken for one of today
    assert len({digest(found), *map(digest, others)}) == 4
