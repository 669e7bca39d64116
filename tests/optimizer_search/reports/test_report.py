"""The report: says what the numbers say, for every way in which a run can have ended."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.optimizer_search.comparing.comparison import Comparison
from metarl.optimizer_search.comparing.entrants import RANDOM_PREFIX
from metarl.optimizer_search.comparing.measurements import Measured, Record
from metarl.optimizer_search.comparing.problem_results import ProblemResult, analyse
from metarl.optimizer_search.comparing.settings_of_runs import Setting
from metarl.optimizer_search.reports.finished import read_finished
from metarl.optimizer_search.reports.protocol import repeat_command
from metarl.optimizer_search.reports.report import _letters, _usage, write_figures, write_report
from metarl.optimizer_search.reports.result import SearchResult, finalists_document
from metarl.optimizer_search.selecting.choice import Choice
from metarl.optimizer_search.settings.config import FinalistConfig, SearchConfig, to_dict
from metarl.reporting import formula_svg
from metarl.runs import RunDirectory
from metarl.update_rules import BINARY, OPERANDS, UNARY, parse

RULES = [
    "(1 + sign(g) * sign(m)) * adam",
    "exp(sign(g) * sign(m)) * g * cd",
    "adam * ld",
    "sign(m) * sqrt(rmsprop)",
    "exp(sign(g) * sign(m)) * clip(adam, 1e-3) + drop(rmsprop, 0.3) * sign(g^3) * cd10",
]
RANDOM_RULE = "exp(sign(adam)) * rmsprop"
REFERENCES = ["sgd", "rmsprop", "adam", "lion", "powersign"]
# Final losses relative to Adam's, in the order of rules, random search's rule and references.
RELATIVE = dict(
    zip(
        [*RULES, RANDOM_PREFIX + RANDOM_RULE, *REFERENCES],
        [0.85, 0.88, 0.93, 0.97, 1.02, 0.95, 1.4, 1.15, 1.0, 1.05, 0.9],
        strict=True,
    )
)
POINTS = np.linspace(15, 300, 20).astype(int)  # [C]
RATES = 10.0 ** (np.arange(-10, 5) / 2)  # [R]
REASONS = {"not finite": 310, "constant": 95, "one sign": 60, "uphill": 240, "not odd": 33}


def record(name: str, factor: float, adam: np.ndarray, rng, metric: bool, diverged: int) -> Record:
    """Returns what an optimizer of `factor` times Adam's loss would have measured."""
    final = adam if name == "adam" else factor * adam * rng.normal(1, 0.02, len(adam))
    curves = final[:, None] * (1 + 8 * (np.exp(-POINTS / 60) - np.exp(-POINTS[-1] / 60)))
    curves[:diverged, 3:] = np.inf
    place = 6 + hash_free(name) % 4
    tuning = 0.13 * factor * (1 + 0.4 * np.abs(np.arange(len(RATES)) - place) ** 1.5)
    tuning[place + 4 if diverged < len(adam) else 0 :] = np.inf
    accuracy = np.where(np.isfinite(curves), 1 - np.minimum(curves, 1) / 4, 0.1)
    return Record(
        setting=Setting(float(RATES[place])),
        tuning=tuning[:, None, None, None],
        losses=curves,
        metrics=accuracy if metric else np.full_like(curves, np.nan),
        seconds_per_step=1e-5 if name == "adam" else 1.1e-5,
        state_bytes_per_parameter=8.0,
    )


def hash_free(name: str) -> int:
    """Returns a number that depends on the name alone, the same in every process."""
    return sum(map(ord, name))


def problem(entrants: list[str], shift: float, metric: str | None, seed: int) -> ProblemResult:
    """Returns a problem where every rule is `shift` times worse relative to Adam than it usually is."""
    rng = np.random.default_rng(seed)
    adam = 0.13 * rng.normal(1, 0.05, 12)
    records = {}
    for name in entrants:
        factor = RELATIVE[name] * (1.0 if name in REFERENCES else shift)
        lost = 0 if name != RULES[4] else 2 if metric else len(adam)
        records[name] = record(name, factor, adam, rng, metric is not None, lost)
    return analyse(
        Measured(
            problem="made up",
            family="own",
            metric=metric,
            chance=0.1,
            steps=300,
            points=POINTS,
            learning_rates=RATES,
            schedules=("constant",),
            weight_decays=(0.0,),
            tuning_seeds=np.arange(1),
            report_seeds=np.arange(12),
            on_edge=("lion",),
            references=tuple(REFERENCES),
            records=records,
        )
    )


def log(run: RunDirectory, best: float, generations: int = 30) -> None:
    rng = np.random.default_rng(0)
    for generation in range(1, generations + 1):
        learnt = generation > 2
        rises = 1 - np.exp(-generation / 8)
        run.metrics.append(
            {
                "generation": generation,
                "position": 40 * generation,
                "seconds": 1.5 * generation,
                "sampled": 64 * generation,
                "trained": 40 * generation,
                "distinct_share": 0.9 - 0.4 * rises,
                "mean_reward": None if generation == 1 else -3 + 2 * rises + rng.normal(0, 0.1),
                "best_reward": -0.8 + (0.8 + best) * rises if learnt else None,
            }
        )
    run.metrics.close()


def finished_run(
    place: Path,
    rules: list[str] = RULES,
    random_rule: str | None = RANDOM_RULE,
    outcome: dict | None = None,
    log_rows: bool = True,
    **settings,
) -> Path:
    """Returns a run directory as a search leaves it, with synthetic numbers."""
    config = SearchConfig(final=FinalistConfig(held_out=("wine-mlp", "quadratic")), **settings)
    run = RunDirectory.create(place, "search", to_dict(config), ["metarl", "search", "--seed", "0"])
    rivals = [] if random_rule is None else [RANDOM_PREFIX + random_rule]
    entrants = [*rules, *rivals, *REFERENCES]
    comparison = Comparison(
        {
            "digits-mlp": problem(entrants, 1.0, "accuracy", 1),
            "wine-mlp": problem(entrants, 1 / 0.85, "accuracy", 5),
            "quadratic": problem(entrants, 1.4, None, 3),
        }
    )
    if log_rows:
        log(run, 0.17)
    if random_rule is not None:
        beside = RunDirectory.create(place / "random-search", "search", to_dict(config), ["metarl"])
        log(beside, 0.06)
    run.write_outcome(outcome or {"outcome": "finished", "reason": "complete", "seconds": 45.0})
    counts = {"filtered": REASONS, "beyond_budget": 7, "steps": 2_400_000}
    run.checkpoints.sweep()  # makes the directory
    run.checkpoints.save(30, {"x": np.zeros(1)}, {"generation": 30, "job": {"counts": counts}})
    SearchResult(
        run_dir=str(place),
        rules_sampled=1920,
        rules_trained=1200,
        duplicates=0 if not rules else 382,
        filtered=sum(REASONS.values()),
        failed=211,
        seconds=45.0,
        best=[Choice(rule, 0.2 - i / 40, 0.16 - i / 50, 0.01) for i, rule in enumerate(rules)],
        random_best=None if random_rule is None else Choice(random_rule, 0.07, 0.05, 0.003),
        finalists=finalists_document(comparison, rules),
        comparison=comparison.to_document(),
    ).write()
    return place


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory) -> Path:
    return finished_run(tmp_path_factory.mktemp("runs") / "found")


@pytest.fixture(scope="module")
def page(run_dir) -> str:
    path = write_report(run_dir)
    assert path == run_dir / "report.html"
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def bare_page(tmp_path_factory) -> str:
    """Of a run without winner, random search and log."""
    place = tmp_path_factory.mktemp("runs") / "bare"
    return write_report(finished_run(place, [], None, log_rows=False)).read_text(encoding="utf-8")


def test_the_page_begins_with_the_winner_and_a_verdict_for_every_problem(page):
    start = page.index("The winner</h2>")
    end = page.index("The finalists</h2>")
    winner = page[start:end]
    assert f"<code>{RULES[0]}</code>" in winner
    assert "digits-mlp: better than tuned Adam" in winner
    assert "wine-mlp: no clear difference to tuned Adam" in winner
    assert "quadratic: worse than tuned Adam" in winner
    assert (
        winner.index("digits-mlp: better")
        < winner.index("never saw:")
        < winner.index("wine-mlp: no")
    )


def test_the_page_says_how_to_take_the_winner_home(page, run_dir):
    assert f"metarl export {run_dir} --rank 1 --to optax" in page
    assert "to_optax(&quot;(1 + sign(g) * sign(m)) * adam&quot;, learning_rate=" in page


def test_the_snippet_of_a_rule_that_decays_gives_the_total_steps(tmp_path):
    finished = read_finished(finished_run(tmp_path / "decays", RULES[1:2], None))
    winner = finished.result.winner
    assert winner is not None
    snippet = _usage(finished, winner, parse(winner.rule))
    assert snippet.endswith("total_steps=300)")  # the rule decays, so it has to know
    compared = next(iter(finished.result.comparison.values()))
    compared["entries"][winner.rule]["schedule"] = "cosine"
    assert _usage(finished, winner, parse(winner.rule)) == (
        f"{snippet}  # the highest of a cosine schedule"
    )
    assert "p: share of the run" in _letters(parse(winner.rule))


def test_every_finalist_and_every_optimizer_is_on_the_page(page):
    for rule in [*RULES, RANDOM_RULE]:
        assert page.count(f"<code>{rule}</code>") == 1
    for reference in REFERENCES:
        assert page.count(f'<th scope="row">{reference}</th>') == 3  # problems


@pytest.mark.parametrize("name", [*OPERANDS, *UNARY, *BINARY])
def test_every_primitive_can_be_set_as_a_formula(name):
    constants = {"clip": ", 1e-4", "drop": ", 0.3"}
    text = name if name in OPERANDS else f"g {name} m" if name in BINARY else None
    rule = parse(text or f"{name}(m{constants.get(name, '')})")
    assert 'd="M' in formula_svg(rule.to_latex(), str(rule))


def test_a_winner_that_is_adam_itself_has_a_page_that_says_so(tmp_path):
    place = finished_run(tmp_path / "again", ["adam", RULES[0]], None)
    page = write_report(place).read_text(encoding="utf-8")
    winner = page[page.index("The winner</h2>") : page.index("The finalists</h2>")]
    assert "digits-mlp: this is tuned Adam itself, found again; test loss" in winner
    assert "wine-mlp: this is tuned Adam itself" in winner
    assert "tuned Adam;" not in winner  # no verdict beside itself


def test_counts_are_given_with_the_reasons_of_the_filters(page):
    assert "738 (not finite 310, constant 95, one sign 60, uphill 240, not odd 33)" in page
    assert "1,200, of which 211 failed" in page
    assert "2,400,000" in page


def test_the_page_asks_the_network_for_nothing_and_keeps_its_ids_distinct(page):
    assert not re.search(r'(src|href)="(?!#)', page)
    assert "<script" not in page
    ids = re.findall(r'\bid="([^"]*)"', page)
    assert len(ids) == len(set(ids))


def test_a_run_without_a_rule_that_learnt_still_has_a_page(bare_page):
    assert "there is no winner" in bare_page
    assert "metarl export" not in bare_page
    assert "The finalists</h2>" not in bare_page
    assert "The metric log of this run is empty." in bare_page
    assert '<th scope="row">adam</th>' in bare_page


def test_a_time_limit_is_repeated_by_its_budget(tmp_path):
    outcome = {"outcome": "finished", "reason": "time limit", "repeats_with_budget": 1200}
    place = finished_run(tmp_path / "timed", RULES[:1], None, outcome, minutes=1.0)
    command = repeat_command(RunDirectory.open(place))
    assert command == f"metarl search --config {place / 'config.json'} --minutes None --budget 1200"


def test_a_run_that_is_not_finished_says_how_to_go_on(tmp_path):
    place = tmp_path / "interrupted"
    RunDirectory.create(place, "search", to_dict(SearchConfig()), ["metarl"])
    with pytest.raises(InvalidInput, match=f"no result yet; finish it by `metarl resume {place}`"):
        write_report(place)


def test_a_run_of_another_job_and_a_damaged_result_are_refused(tmp_path):
    other = tmp_path / "other"
    RunDirectory.create(other, "train", {}, ["metarl"])
    with pytest.raises(InvalidInput, match="is a training, not a search"):
        write_report(other)
    damaged = tmp_path / "damaged"
    RunDirectory.create(damaged, "search", to_dict(SearchConfig()), ["metarl"])
    (damaged / "result.json").write_text(json.dumps({"best": []})[:-3])
    with pytest.raises(InvalidInput, match="is damaged") as caught:
        write_report(damaged)
    assert "InvalidInput" not in str(caught.value) and ".)" not in str(caught.value)


@pytest.mark.slow  # the quick form: the same charts are in the page
def test_the_figures_are_written_for_papers_too(run_dir):
    paths = write_figures(run_dir)
    names = {path.name for path in paths}
    assert {"search.png", "search-and-random.png", "digits-mlp-curves.png"} <= names
    assert len(names) == len(paths) == 2 + 3 * 3
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)
