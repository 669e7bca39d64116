"""Any bytes end in a valid value that survives being written and read again, or in a documented error.

A short version of experiments/reliability/fuzz.py: the same targets and the same edits, drawn by
hypothesis, which makes a finding small before it shows it.
"""

from __future__ import annotations

import random
import time
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutations import KINDS, Edit, any_edits, edited, rule_text
from targets import BETWEEN, SIGN_HERE, TARGETS

from metarl.errors import InvalidInput
from metarl.update_rules import Rule, resolve
from metarl.update_rules.parser import MAX_CHARACTERS

# How many inputs each target gets here; an agent's settings are compiled, which takes a while.
EXAMPLES = {"rule": 300, "rule-json": 200, "agent": 25}
FEW = 100

NUMBERS = st.integers(0, 2**16)
EDITS = st.lists(st.builds(Edit, NUMBERS, NUMBERS, NUMBERS, NUMBERS), max_size=4)


def fuzzing(examples: int):
    """Returns the settings of a test that is the same in every run."""
    return settings(
        derandomize=True,
        database=None,
        deadline=None,
        max_examples=examples,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


@pytest.mark.parametrize("name", TARGETS)
def test_what_metarl_wrote_is_accepted(name):
    target = TARGETS[name]
    assert all(target.accepts(data) for data in target.corpus())


@pytest.mark.parametrize("name", TARGETS)
def test_an_edited_input_is_valid_or_refused_by_a_documented_error(name):
    target = TARGETS[name]
    corpus = target.corpus()

    @fuzzing(EXAMPLES.get(name, FEW))
    @given(st.sampled_from(corpus), EDITS)
    def holds(data, edits):
        target.accepts(edited(data, edits, target.words, corpus))

    holds()


@pytest.mark.parametrize("name", TARGETS)
def test_any_bytes_are_valid_or_refused_by_a_documented_error(name):
    @fuzzing(40)
    @given(st.binary(max_size=200))
    def holds(data):
        TARGETS[name].accepts(data)

    holds()


@fuzzing(250)
@given(st.data())
def test_what_looks_like_a_rule_is_one_or_is_refused(data):
    text = rule_text(lambda below: data.draw(st.integers(0, below - 1)), depth=4)
    TARGETS["rule"].accepts(text)


@fuzzing(200)
@given(st.text(max_size=60))
def test_any_text_is_a_rule_or_is_refused(text):
    TARGETS["rule"].accepts(text.encode("utf-8", errors="surrogatepass"))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_edit_changes_something(kind):
    edit = Edit(KINDS.index(kind), 3, 2, 9)
    data = b"exp(sign(g) * sign(m)) * g"
    assert edited(data, [edit], [b"clip("], [b"adam"]) != data


def test_edits_by_chance_reach_both_sides_of_every_law():
    draw = random.Random(0)
    for name in ("rule", "rule-json", "config", "arrays", "log", "run", "checkpoint"):
        target = TARGETS[name]
        corpus = target.corpus()
        inputs = (
            edited(draw.choice(corpus), any_edits(draw), target.words, corpus) for _ in range(150)
        )
        answers = [target.accepts(data) for data in inputs]
        assert 0 < sum(answers) < len(answers), name


HUGE = [
    *("(" * 10**6, "-" * 10**6, "g" * 10**6, "g^" * 10**6, "1" * 10**6, "1e" + "9" * 10**6),
    *("exp(" * 10**6, "\n" * 10**6, "g*" * 10**6 + "g", "\ud800" * 10**6, "é" * 10**6),
]


@pytest.mark.parametrize("text", HUGE, ids=lambda text: ascii(text[:6]))
def test_a_million_characters_are_refused_at_once(text):
    tracemalloc.start()
    start = time.process_time()
    try:
        for read in (Rule.parse, resolve):
            with pytest.raises(InvalidInput, match=f"at most {MAX_CHARACTERS}|Unknown rule 'ggg"):
                read(text)
        assert tracemalloc.get_traced_memory()[1] < 10 * len(text)
        assert time.process_time() - start < 5.0
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "text", [*(text[:MAX_CHARACTERS] for text in HUGE), "٣ * g", "g²", "１", "1_0 * g", "0x1 * g"]
)
def test_the_longest_text_that_is_read_is_refused_in_a_message_for_a_person(text):
    with pytest.raises(InvalidInput) as refused:
        Rule.parse(text)
    assert len(str(refused.value)) < 1_000
    str(refused.value).encode()  # could be printed


def test_a_forged_agent_runs_nothing_and_imports_nothing(monkeypatch):
    monkeypatch.setattr("os.system", lambda command: pytest.fail(f"ran {command!r}"))
    card, _, payload = TARGETS["agent"].corpus()[0].partition(BETWEEN)
    assert SIGN_HERE in card
    forged = card.replace(b'"bandit"', b'"os:system"').replace(
        b'"setting": []', b'"setting": ["command=true"]'
    )
    assert forged != card
    with pytest.raises(InvalidInput, match="acts in 'os:system', which is code outside metarl"):
        TARGETS["agent"].read(forged + BETWEEN + payload)


def test_a_forged_line_of_a_journal_gives_no_verdict():
    forged = TARGETS["journal"].corpus()[1].replace(b'"sweep": [0.5, "inf"]', b'"sweep": [0.5]')
    assert forged != TARGETS["journal"].corpus()[1]
    TARGETS["journal"].accepts(forged)  # its law: lengths agree in all that is given
