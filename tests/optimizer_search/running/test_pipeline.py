"""A search from settings to report, killed at any stage and resumed, and what leaves no directory behind."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.optimizer_search.comparing import comparison
from metarl.optimizer_search.comparing.entrants import RANDOM_PREFIX, entrant
from metarl.optimizer_search.judging.evaluators import LocalEvaluator
from metarl.optimizer_search.reports.result import SearchResult
from metarl.optimizer_search.running import pipeline
from metarl.optimizer_search.running.pipeline import check, resume, search
from metarl.optimizer_search.screening.probes import Probes
from metarl.optimizer_search.searching.archive import Archive
from metarl.optimizer_search.selecting.choice import choose
from metarl.optimizer_search.settings.config import (
    ControllerConfig,
    FinalistConfig,
    SearchConfig,
    TrainingConfig,
    to_dict,
)
from metarl.reporting import to_json
from metarl.runs import RunDirectory
from metarl.update_rules import Grammar, Interpreter, Space

CONFIG = SearchConfig(
    problem=("toy_problem:logistic",),
    strategy="ppo",
    space="sign",
    depth=1,
    budget=12,
    batch_size=12,
    finalists=2,
    seed=1,
    controller=ControllerConfig(hidden=8, embedding=4, epochs=1),
    training=TrainingConfig(steps=6, learning_rates=(0.1, 1.0), seeds=2),
    final=FinalistConfig(candidates=3, choice_seeds=2, tuning_seeds=2, report_seeds=4, held_out=()),
)
# What tells of the clock, and of the place.
CLOCK = (
    "run_dir",
    "seconds",
    "rules_per_second",
    "step_time_relative_to_adam",
    "seconds_to_target",
    "time",
)


class Killed(Exception):
    """Stands for a process that is gone: nothing of metarl's catches it."""


class Onlooker:
    """A progress display that keeps what it is told, and dies when it is told to."""

    def __init__(self, dies_at=None):
        self.told, self.dies_at = [], dies_at

    def begin(self, label, unit):
        self._tell("begin", f"{label} {unit}")

    def report(self, position, total, text="", seconds_left=None):
        self._tell("report", f"{position} of {total}")

    def message(self, text):
        self._tell("message", text)

    def end(self):
        self.told.append(("end", ""))

    def _tell(self, kind, text):
        self.told.append((kind, text))
        if self.dies_at is not None and self.dies_at(self.told):
            raise Killed


def reports(told):
    return [text for kind, text in told if kind == "report"]


DEATHS = {
    "before the first generation": lambda told: len(reports(told)) == 1,
    "in the search": lambda told: len(reports(told)) == 2,
    "in the random search": lambda told: (
        told[-1][0] == "report" and "Random search" in str(told) and not told[-1][1].startswith("0")
    ),
    "before the comparison": lambda told: told[-1][1].startswith("toy: tuning"),
}


@pytest.fixture(scope="module", autouse=True)
def few_references(toy):
    """Two references in place of eleven: compiling the others is most of the time, and none of the point."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comparison, "references", lambda: (entrant("sgd"), entrant("adam")))
        yield


@pytest.fixture(scope="module")
def complete(few_references, tmp_path_factory):
    """A run that nothing disturbed: its directory, result, and what its display was told."""
    place, onlooker = tmp_path_factory.mktemp("runs") / "complete", Onlooker()
    result = search(CONFIG, place, progress=onlooker)
    return place, result, onlooker.told


def timeless(value):
    """A document without what tells of the clock and of the place."""
    if isinstance(value, dict):
        return {key: timeless(item) for key, item in value.items() if key not in CLOCK}
    return [timeless(item) for item in value] if isinstance(value, list) else value


def document(place, name):
    return timeless(json.loads((place / name).read_text(encoding="utf-8")))


def test_a_search_ends_with_a_result_and_its_files(complete):
    place, result, _ = complete
    assert result.rules_trained == CONFIG.budget and result.run_dir == str(place)
    assert result.rules_sampled >= result.rules_trained + result.duplicates + result.filtered
    assert 1 <= len(result.best) <= CONFIG.finalists and result.winner is result.best[0]
    # the score of a finalist comes from seeds that had no part in the order
    assert all(choice.choice_seeds == CONFIG.final.choice_seeds for choice in result.best)
    for name in (
        "result.json",
        "comparison.json",
        "finalists.csv",
        "learning_rates.csv",
        "report.html",
    ):
        assert (place / name).stat().st_size > 0, name
    assert result.seconds > 0 and result.rules_per_second > 0
    # one generation, which compiles, is not counted
    assert result.time == {} or 0 < result.time["share_outside_training"] < 1


def test_the_document_is_the_one_that_was_promised(complete):
    place, result, _ = complete
    found = json.loads((place / "result.json").read_text(encoding="utf-8"))
    assert found["language"]["chance"] == "one draw a step of each noise and of each rate of drop"
    promised = {
        "run_dir", "rules_sampled", "rules_trained", "duplicates", "filtered", "failed", "seconds",
        "rules_per_second", "best", "finalists",
    }  # fmt: skip
    assert promised <= set(found)
    for row in found["best"]:
        assert {"rule", "reward", "choice_score", "learning_rate", "scores"} <= set(row)
    texts = [row["rule"] for row in found["best"]]
    assert list(found["finalists"]["problems"]) == ["toy"]
    assert set(found["finalists"]["problems"]["toy"]) == set(texts)
    references = found["finalists"]["references"]["toy"]
    rival = RANDOM_PREFIX + result.random_best.rule
    assert set(references) == {"sgd", "adam", rival} - set(texts)


def test_random_search_stands_beside_it_at_the_same_number_of_rules(complete):
    place, result, told = complete
    outcome = json.loads((place / "random-search" / "outcome.json").read_text(encoding="utf-8"))
    assert outcome["position"] == result.rules_trained == CONFIG.budget
    assert ("message", "Random search beside it, 12 rules.") in told
    settings = json.loads((place / "random-search" / "config.json").read_text(encoding="utf-8"))
    assert settings["strategy"] == "random" and settings["budget"] == CONFIG.budget


def test_resuming_a_finished_run_returns_its_result_and_touches_nothing(complete):
    place, result, _ = complete
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*") if path.is_file()}
    onlooker = Onlooker()
    again = resume(place, progress=onlooker)
    assert to_json(again.to_json()) == to_json(result.to_json())
    assert again.best == result.best and again.random_best == result.random_best
    assert onlooker.told == []
    assert before == {path: path.stat().st_mtime_ns for path in place.rglob("*") if path.is_file()}


@pytest.mark.slow  # the quick form: a selection that was killed; searches are resumed in tests of their own
@pytest.mark.parametrize("death", DEATHS)
def test_a_run_that_was_killed_and_resumed_equals_one_that_was_not(complete, tmp_path, death):
    place = tmp_path / "killed"
    with pytest.raises(Killed):
        search(CONFIG, place, progress=Onlooker(DEATHS[death]))
    assert SearchResult.read(place) is None
    resume(place, progress=Onlooker())
    for name in ("result.json", "comparison.json"):
        assert document(place, name) == document(complete[0], name), name
    rows = [
        (place / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        for place in (place, complete[0])
    ]
    ours, theirs = ([timeless(json.loads(row)) for row in part] for part in rows)
    assert ours == theirs


def test_a_selection_that_was_killed_is_not_computed_again(complete, tmp_path):
    place, asked = tmp_path / "killed", []

    class Counting(LocalEvaluator):
        def as_completed(self, tokens, rates, judges=None):
            asked.extend(tokens)
            return super().as_completed(tokens, rates, judges)

    with pytest.raises(Killed):
        search(CONFIG, place, progress=Onlooker(DEATHS["before the comparison"]))
    journal = (place / "journal.jsonl").read_bytes()
    resume(place, progress=Onlooker(), backend=lambda judgements: Counting(judgements, 4))
    assert asked == [] and (place / "journal.jsonl").read_bytes() == journal
    assert document(place, "result.json") == document(complete[0], "result.json")


@pytest.mark.slow  # the quick form: rules that fail in test_search_job, and the page of such a run
def test_a_search_that_finds_nothing_ends_without_a_winner(few_references, tmp_path):
    hopeless = dataclasses.replace(CONFIG.training, give_up=1e-6)
    final = dataclasses.replace(CONFIG.final, random_baseline=False)
    config = dataclasses.replace(
        CONFIG, budget=3, training=hopeless, final=final, strategy="random"
    )
    result = search(config, tmp_path / "nothing", progress=Onlooker())
    assert result.best == [] and result.winner is None and result.failed == 3
    assert result.finalists["problems"] == {"toy": {}}
    assert (tmp_path / "nothing" / "report.html").exists()


REFUSED = [
    ({"problem": ("toy_problem:broken",)}, "the loss is nan before the first step"),
    ({"problem": ("toy_problem:no_such",)}, "Unknown factory"),
    ({"strategy": "ppoo"}, "Unknown strategy 'ppoo'. Did you mean 'ppo'?"),
    ({"space": "icmi"}, "Unknown space 'icmi'. Did you mean 'icml'?"),
    ({"depth": 5}, "depth is 5; it must be from 1 to 4."),
    ({"budget": 0}, "budget is 0; it must be at least 1, or None."),
    ({"problem": ("toy_problem:gentle",), "reward": "accuracy"}, "has no metric"),
    ({"init_from": "no/such/run"}, "no/such/run"),
    (
        {"final": dataclasses.replace(CONFIG.final, held_out=("wine-mpl",))},
        "Unknown problem 'wine-mpl'. Did you mean 'wine-mlp'?",
    ),
]


@pytest.mark.parametrize(("change", "text"), REFUSED, ids=[text for _, text in REFUSED])
def test_what_is_refused_leaves_no_directory(toy, tmp_path, change, text):
    with pytest.raises(InvalidInput) as refusal:
        search(dataclasses.replace(CONFIG, **change), tmp_path / "run", progress=Onlooker())
    assert text in str(refusal.value)
    assert list(tmp_path.iterdir()) == []


def test_a_strategy_of_ones_own_that_is_refused_at_its_work_leaves_no_directory(
    toy, few_references, tmp_path, monkeypatch
):
    (tmp_path / "idle.py").write_text(
        "from metarl.optimizer_search import strategies\n"
        "def factory(grammar, config):\n"
        "    idle = strategies.make('random', grammar, config)\n"
        "    return idle._replace(ask=lambda key, state, count: (state, 7))\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    config = dataclasses.replace(CONFIG, strategy="idle:factory")
    with pytest.raises(InvalidInput, match="ask gave int beside its state; it must give"):
        search(config, tmp_path / "run", progress=Onlooker())
    assert not (tmp_path / "run").exists()


def test_a_directory_that_exists_is_refused_and_left_as_it_is(complete, tmp_path):
    (tmp_path / "mine.txt").write_text("precious", encoding="utf-8")
    for place in (complete[0], tmp_path):
        before = sorted(place.iterdir())
        with pytest.raises(InvalidInput, match=r"exists|not empty|already"):
            search(CONFIG, place, progress=Onlooker())
        assert sorted(place.iterdir()) == before


def test_what_is_no_run_cannot_be_resumed(tmp_path):
    with pytest.raises(InvalidInput, match=r"not a run|no run"):
        resume(tmp_path, progress=Onlooker())


def test_a_good_configuration_passes_the_check(toy):
    assert check(CONFIG) == [toy]


def test_an_earlier_run_hands_over_controller_and_archive(complete, few_references, tmp_path):
    place = complete[0]
    new = RunDirectory.create(tmp_path / "new", "search", {"seed": 0}, ["metarl"])
    config = dataclasses.replace(CONFIG, init_from=str(place), budget=3)
    check(config)
    job = pipeline._job(new, config)
    assert len(job.init().archive) > 0
    for change, text in (
        ({"depth": 2}, "that run has depth 1"),
        ({"strategy": "trpo"}, "that run has strategy 'ppo'"),
    ):
        with pytest.raises(InvalidInput) as refusal:
            check(dataclasses.replace(config, **change))
        assert text in str(refusal.value)


LOOSE = dataclasses.replace(CONFIG, strategy="mcts", depth=2)


@pytest.mark.parametrize(
    ("before", "asked", "text"),
    [
        (
            {},
            {"different_operands": True, "no_final_addition": True, "reuse_values": True},
            "that run has different_operands False and no_final_addition False and reuse_values False, not "
            "different_operands True and no_final_addition True and reuse_values True; its strategy would go on from "
            "rules that are not those of this grammar. Take the same different_operands, no_final_addition, "
            "reuse_values, for example with --config ",
        ),
        ({"reuse_values": True}, {}, "that run has reuse_values True, not reuse_values False; its"),
        (
            {},
            {"normalised": True},
            "that run has normalised False, not normalised True; the rules that its strategy remembers are others here",
        ),
        (
            {"space": "icml"},
            {"strategy": "evolution"},
            "that run has strategy 'mcts' and space 'icml', not strategy 'evolution' and space 'sign'; its strategy "
            "does not fit. Take the same strategy, space, for example with --config ",
        ),
    ],
    ids=("tighter", "looser", "normalised", "several"),
)
def test_a_search_goes_on_in_the_grammar_of_the_earlier_one_alone(
    toy, tmp_path, before, asked, text
):
    earlier = dataclasses.replace(LOOSE, **before)
    RunDirectory.create(tmp_path / "run", "search", to_dict(earlier), ["metarl"])
    with pytest.raises(InvalidInput) as refusal:
        check(dataclasses.replace(LOOSE, **asked, init_from=str(tmp_path / "run")))
    assert f"--init-from {tmp_path / 'run'}: {text}" in str(refusal.value)
    assert str(refusal.value).endswith("/run/config.json, or begin anew without --init-from.")


def test_a_search_goes_on_under_other_filters(toy, tmp_path):
    """Which rules are worth training is part of how they are judged, as the problem is."""
    run = RunDirectory.create(tmp_path / "run", "search", to_dict(LOOSE), ["metarl"])
    (run.path / "checkpoints").mkdir()
    run.checkpoints.save(1, {}, {"job": {}})
    filters = dataclasses.replace(LOOSE.filters, min_oddness=-1.0)
    check(dataclasses.replace(LOOSE, filters=filters, init_from=str(run.path)))


@pytest.mark.parametrize("rule", ["adam", "g"])
def test_a_rule_called_like_a_reference_may_win(complete, rule):
    """Adam found again is the baseline itself; any other rule stands beside the reference of its name."""
    _, result, _ = complete
    choice = result.best[0]._replace(rule=rule)
    entrants = pipeline._entrants([choice], choice)
    labels = [entrant.label for entrant in entrants]
    assert labels == ([] if rule == "adam" else [rule]) + [RANDOM_PREFIX + rule]


def test_one_text_is_one_rule_and_one_choice_whatever_slot_draws(toy, few_references):
    space = Space("drops", ("g", "1"), ("x", "drop(x, 0.5)"), ("*", "keep"), "for dropping")
    grammar = Grammar(space, depth=1)
    tokens = np.array([[0, 1, 1, 0, 0], [1, 0, 0, 1, 0], [0, 0, 0, 0, 1]])  # the last is g
    archive, rows = Archive(), np.ones((3, 1))
    outputs = Probes(Interpreter(grammar)).outputs(tokens).update
    archive.add(tokens, np.array([0.3, 0.2, 0.1]), 0.1 * rows, rows, outputs)
    texts = [str(grammar.to_rule(entry.tokens).canonical()) for entry in archive.best(9)]
    assert sorted(texts) == ["drop(g, 0.5)", "g"]
    choices = choose(archive, grammar, [toy], CONFIG)
    assert sorted(choice.rule for choice in choices) == ["drop(g, 0.5)", "g"]
