"""The search as a job: every rule accounted for, nothing trained twice, and stopping changes no bit."""

from __future__ import annotations

import dataclasses
import itertools
import math
import threading

import jax
import numpy as np
import pytest
from driving import bits, driven

from metarl.errors import InvalidInput
from metarl.optimizer_search import strategies
from metarl.optimizer_search.journal.journal import Journal
from metarl.optimizer_search.journal.journaled import journaling
from metarl.optimizer_search.judging.evaluators import LocalEvaluator
from metarl.optimizer_search.judging.rewards import FLOOR
from metarl.optimizer_search.screening.filters import oddness
from metarl.optimizer_search.searching import search_job
from metarl.optimizer_search.searching.counts import barren_text, describe
from metarl.optimizer_search.searching.programs import (
    SHARED_WITH_ARCHIVE,
    grammar_of,
    search_trial,
)
from metarl.optimizer_search.searching.search_job import SearchJob, drive_search
from metarl.optimizer_search.settings.config import (
    ControllerConfig,
    EvolutionConfig,
    FilterConfig,
    SearchConfig,
    TrainingConfig,
)
from metarl.optimizer_search.strategies import Proposals, Strategy
from metarl.runs import Interrupted, RunDirectory, SilentProgress
from metarl.update_rules import parse

CONFIG = SearchConfig(
    problem=("toy_problem:logistic",),
    strategy="random",
    space="sign",
    depth=1,
    budget=7,
    batch_size=12,
    seed=4,
    controller=ControllerConfig(hidden=8, embedding=4, epochs=1),
    evolution=EvolutionConfig(population=4, sample=2, first="random"),
    training=TrainingConfig(steps=6, learning_rates=(0.1, 1.0), seeds=2),
)


def with_strategy(name):
    return dataclasses.replace(CONFIG, strategy=name)


def whole(config, twin=None):
    job = sharing(twin, config)
    state, rows = driven(job)
    saved = bits(job, state)
    job.close()
    return job, state, rows, saved


def sharing(twin, config):
    """A new job, which takes over the compiled programs of its twin if there is one."""
    job = SearchJob(config)
    if twin is not None:
        job.programs.share(twin.programs)
    return job


def judges_alike(config, other):
    """Whether two searches have the same compiled programs."""
    names = (*SHARED_WITH_ARCHIVE, "space", "depth")
    return all(getattr(config, name) == getattr(other, name) for name in names)


@pytest.fixture(scope="module")
def twin(toy):
    """A search whose compiled programs others of its settings, but for the strategy, take over."""
    job = SearchJob(CONFIG)
    yield job
    job.close()


@pytest.fixture(scope="module")
def searched(twin):
    """Complete searches, by strategy: job, state, metrics, and the bits of the state."""
    return {name: whole(with_strategy(name), twin) for name in ("random", "ppo", "evolution")}


@pytest.mark.slow  # the quick form: one that was resumed equals one that was not stopped
@pytest.mark.parametrize("name", ["random", "ppo"])
def test_the_same_settings_give_the_same_bits(searched, name):
    """The second time everything is compiled anew."""
    _, _, rows, saved = searched[name]
    _, _, rows_again, saved_again = whole(with_strategy(name))
    assert rows == rows_again and saved == saved_again


def test_another_seed_searches_otherwise(searched):
    job = SearchJob(dataclasses.replace(CONFIG, seed=5))
    _, rows = driven(job, generations=1)
    job.close()
    assert rows != searched["random"][2][:1]


@pytest.mark.parametrize("name", ["random", "ppo", "evolution"])
def test_a_search_resumed_midway_equals_one_that_was_not_stopped(searched, twin, name):
    _, _, rows, saved = searched[name]
    assert len(rows) > 1, "the search is over before it can be stopped"
    first = sharing(twin, with_strategy(name))
    state, before = driven(first, first.init(), 1)
    arrays, meta = first.save(state)
    first.close()
    second = sharing(twin, with_strategy(name))
    state, after = driven(second, second.load(arrays, meta), 50)
    assert before + after == rows
    assert bits(second, state) == saved
    second.close()


@pytest.mark.parametrize("name", ["random", "ppo", "evolution"])
def test_the_budget_counts_distinct_rules_trained_to_the_rule(searched, name):
    job, state, rows, _ = searched[name]
    assert state.counts.trained == CONFIG.budget == len(state.cache)
    assert job.finished(state) and job.position(state) == (CONFIG.budget, CONFIG.budget)
    assert rows[-1]["trained"] == CONFIG.budget and all(row["trained"] < 7 for row in rows[:-1])


@pytest.mark.parametrize("name", ["random", "ppo", "evolution"])
def test_every_sampled_rule_is_counted_once(searched, name):
    _, state, rows, _ = searched[name]
    counts = state.counts
    assert counts.sampled == CONFIG.batch_size * counts.generation == rows[-1]["sampled"]
    filtered = sum(counts.filtered.values())
    assert counts.sampled == counts.trained + counts.repeated + filtered + counts.beyond_budget
    assert counts.failed <= counts.trained and rows[-1]["filtered"] == filtered
    for row in rows[:-1]:
        assert row["sampled"] == row["trained"] + row["repeated"] + row["filtered"]


def test_what_is_logged_of_a_generation_is_finite_and_tells_the_best(searched):
    for job, state, rows, _ in searched.values():
        best = state.archive.best(1)[0]
        assert rows[-1]["best_reward"] == float(best.reward)
        assert rows[-1]["best_rule"] == state.archive.texts(job.grammar, 1)[0]
        assert rows[-1]["best_rule"] in describe(rows[-1])
        numbers = [value for row in rows for value in row.values() if isinstance(value, float)]
        assert numbers and all(map(math.isfinite, numbers))
        rewards = [row["best_reward"] for row in rows if row["best_reward"] is not None]
        assert rewards == sorted(rewards)


class Script:
    """A strategy that proposes given generations of rules, and remembers what it is told."""

    def __init__(self, grammar, generations):
        self.tokens = [
            np.stack([grammar.to_tokens(parse(text)) for text in texts]) for texts in generations
        ]
        self.told = []

    def strategy(self):
        return Strategy(
            lambda key: np.int32(0),
            lambda key, state, count: (state + 1, Proposals(self.tokens[int(state)])),
            self._tell,
        )

    def _tell(self, key, state, proposals, feedback):
        self.told.append(jax.tree.map(np.asarray, feedback))
        return state, {}


GENERATIONS = (
    ("g", "2 * g", "-g", "adam", "g"),  # new, the same up to a factor, uphill, new, repeated
    (
        "m",
        "adam",
        "sign(g)",
        "sign(m)",
        "m",
    ),  # new, repeated, new, beyond, repeated and not trained
)


@pytest.fixture
def scripted(twin, monkeypatch):
    """(generations, settings) -> a job that runs the script, the script, and the rules that were trained."""
    jobs = []

    def make(generations, **settings):
        config = dataclasses.replace(CONFIG, batch_size=len(generations[0]), **settings)
        script = Script(grammar_of(config), generations)
        monkeypatch.setattr(strategies, "make", lambda *_: script.strategy())
        job = sharing(twin if judges_alike(config, CONFIG) else None, config)
        jobs.append(job)
        trained, evaluate = [], job.programs.evaluator.evaluate

        def spy(tokens, rates, judges):
            trained.extend(str(job.grammar.to_rule(row)) for row in tokens)
            return evaluate(tokens, rates, judges)

        monkeypatch.setattr(job.programs.evaluator, "evaluate", spy)
        return job, script, trained

    yield make
    for job in jobs:
        job.close()


def test_only_new_rules_that_pass_are_trained_up_to_the_budget(scripted):
    job, _script, trained = scripted(GENERATIONS, budget=4)
    state, rows = driven(job, job.init(), 5)
    assert trained == ["g", "adam", "m", "sign(g)"] and len(rows) == 2
    counts = state.counts
    assert (counts.sampled, counts.trained, counts.repeated, counts.beyond_budget) == (10, 4, 4, 1)
    assert counts.filtered["uphill"] == 1 == sum(counts.filtered.values())
    assert rows[0]["distinct_share"] == 2 / 5 and rows[1]["distinct_share"] == 4 / 5


def test_a_repeated_rule_is_told_what_it_earned_and_others_the_floor(scripted):
    job, script, _ = scripted(GENERATIONS, budget=4)
    state, _ = driven(job, job.init(), 5)
    first, second = script.told
    assert first.repeated.tolist() == [False, True, False, False, True]
    assert second.repeated.tolist() == [False, True, False, False, True]
    g, adam = first.rewards[0], first.rewards[3]
    assert first.rewards.tolist() == [g, g, np.float32(FLOOR), adam, g] and g > FLOOR
    assert second.rewards[1] == adam and second.rewards[3] == FLOOR  # beyond the budget
    assert second.rewards[4] == second.rewards[0] > FLOOR
    assert first.floor == second.floor == FLOOR
    assert {round(float(entry.reward), 6) for entry in state.archive.best(9)} <= {
        round(float(reward), 6) for reward in (*first.rewards, *second.rewards)
    }


def test_rules_that_fail_are_counted_floored_and_kept_out_of_the_archive(scripted):
    never_learns = dataclasses.replace(CONFIG.training, learning_rates=(1e-9,), refine=False)
    job, script, _ = scripted((("g", "adam"),), budget=2, training=never_learns)
    state, rows = driven(job, job.init(), 1)
    assert state.counts.failed + len(state.archive) == 2
    for reward in script.told[0].rewards:
        assert math.isfinite(reward) and reward >= FLOOR
    hopeless = dataclasses.replace(never_learns, give_up=1e-6)
    job, script, _ = scripted((("g", "adam"),), budget=2, training=hopeless)
    state, rows = driven(job, job.init(), 1)
    assert state.counts.failed == 2 and len(state.archive) == 0 and len(state.cache) == 2
    assert script.told[0].rewards.tolist() == [FLOOR, FLOOR]
    assert rows[0]["best_rule"] is None and describe(rows[0]) == "no rule has learnt yet"
    sweep = search_trial(job.programs.judges[0].steps, job.config).sweep_steps
    assert state.counts.steps == 2 * sweep  # two rules, one rate, no full run


def test_a_generation_of_repeats_trains_nothing(scripted):
    job, script, trained = scripted((("g", "adam"), ("adam", "g"), ("m", "g")), budget=3)
    _state, rows = driven(job, job.init(), 5)
    assert trained == ["g", "adam", "m"]
    assert rows[1]["mean_reward"] is None and rows[1]["steps"] == rows[0]["steps"]
    assert script.told[1].rewards.tolist() == script.told[0].rewards[::-1].tolist()


def test_a_search_ends_where_nothing_new_comes_any_more(scripted, monkeypatch):
    """A small space, or filters that pass nothing, hold fewer rules than the budget."""
    monkeypatch.setattr(search_job, "_BARREN_GENERATIONS", 3)
    monkeypatch.setattr(search_job, "_BARREN_RULES", 8)
    known, nothing = ("g", "adam"), ("-g", "g")
    job, _, trained = scripted((known, nothing, known, ("m", "g"), *[nothing] * 9), budget=9)
    state, rows = driven(job, job.init(), 6)
    again, more = driven(job, job.load(*job.save(state)), 50)  # resumed, it ends at the same place
    assert trained == ["g", "adam", "m"] and not job.finished(state)
    assert len(rows + more) == 8 and job.finished(again)  # 4 + 4 barren ones, of two rules each
    assert job.position(again) == (3, 9)
    assert barren_text(again.counts, 2).startswith(
        "The last 8 rules held none that passes the filters and is new, so the search ends with 3. "
        "Of 16 rules 8 were met before and 5 filtered (5 uphill). A larger --space or --depth has more rules; "
    )
    assert (
        "(5 uphill). There may be no others of at most 3 nodes: without --filters.max-size 3 there are more rules; `me"
        in barren_text(again.counts, 2, 3)
    )


def test_several_problems_judge_a_rule_jointly(scripted):
    both = ("toy_problem:logistic", "toy_problem:without_metric")
    job, _script, _ = scripted((("g", "adam"),), budget=2, problem=both)
    state, _ = driven(job, job.init(), 1)
    assert list(job.programs.references) == ["toy", "without-metric"]
    entry = state.archive.best(1)[0]
    assert entry.losses.shape == entry.learning_rates.shape == (2,)
    # the second is the first without its metric, on the same replicates
    assert entry.losses[0] == pytest.approx(entry.losses[1], rel=1e-5)


EVERYTHING = dataclasses.replace(
    CONFIG,
    space="constants",
    strategy="evolution",
    filters=FilterConfig(oddness_penalty=0.5),
    training=dataclasses.replace(
        CONFIG.training, horizons=(2.0, 1.0), hurdle=-1.0, schedule="linear"
    ),
)


def test_a_search_with_all_options_resumes_to_the_same_bits(toy):
    job, _, rows, saved = whole(EVERYTHING)
    first = sharing(job, EVERYTHING)
    state, before = driven(first, first.init(), 4)
    arrays, meta = first.save(state)
    first.close()
    assert len(rows) > 4 and any(name.startswith("records|") for name in arrays)
    second = sharing(job, EVERYTHING)
    state, after = driven(second, second.load(arrays, meta), 50)
    assert before + after == rows and bits(second, state) == saved
    second.close()


def test_a_checkpoint_without_records_is_one_of_a_search_that_kept_none(searched):
    job, state, _, _ = searched["random"]
    arrays, meta = job.save(state)
    older = {name: array for name, array in arrays.items() if not name.startswith("records|")}
    assert len(older) < len(arrays)
    assert len(job.load(older, meta).records) == 0
    assert len(job.load(arrays, meta).records) == len(state.records) > 0


def test_what_was_searched_in_an_older_rule_language_is_not_mixed_with_the_new(searched):
    job, state, _, _ = searched["ppo"]
    arrays, meta = job.save(state)
    older = {name: value for name, value in meta.items() if name != "language"}
    with pytest.raises(InvalidInput, match="of version 1 of the rule language, this metarl has 2"):
        job.load(arrays, older)
    begun = SearchJob(job.config, (job.config, arrays, older)).init()
    assert len(begun.archive) == len(begun.cache) == 0
    jax.tree.map(
        np.testing.assert_array_equal, begun.strategy.learner.params, state.strategy.learner.params
    )


def test_records_are_the_rules_that_led(searched):
    for job, state, rows, _ in searched.values():
        led = {}
        for row in rows:
            if row["best_reward"] is not None:
                led.setdefault(row["best_reward"], (row["trained"], row["best_rule"]))
        found = [
            (int(r.trained), str(job.grammar.to_rule(r.tokens).canonical()))
            for r in state.records.spaced(10_000)
        ]
        assert found == list(led.values())


def test_the_reward_is_the_mean_over_horizons_each_with_its_own_rate_and_reference(scripted):
    rules = ("g", "adam", "sign(m)")
    alone = []
    for horizon in (1.0, 3.0):
        training = dataclasses.replace(CONFIG.training, horizons=(horizon,))
        job, script, _ = scripted((rules,), budget=3, training=training)
        driven(job, job.init(), 1)
        alone.append(script.told[0].rewards)
    both = dataclasses.replace(CONFIG.training, horizons=(1.0, 3.0))
    job, script, trained = scripted((rules,), budget=3, training=both)
    state, _ = driven(job, job.init(), 1)
    assert list(job.programs.references) == ["toy", "toy x3"]
    assert [judge.steps for judge in job.programs.judges] == [6, 18]
    assert trained == [*rules, *rules]
    assert all(entry.losses.shape == (2,) for entry in state.archive.best(9))
    adam = {name: reference.losses for name, reference in job.programs.references.items()}
    for rule, reward in zip(rules, script.told[0].rewards, strict=True):
        tokens = job.grammar.to_tokens(parse(rule))[None]
        grid = np.asarray([both.learning_rates], np.float32)
        verdicts = job.programs.evaluator.evaluate(tokens, grid, None)
        expected = np.mean([-np.log(v.losses[0] / adam[name]) for name, v in verdicts.items()])
        assert reward == pytest.approx(expected, rel=1e-5, abs=1e-5)
    assert script.told[0].rewards[0] != alone[0][0]


def test_a_rule_below_the_hurdle_keeps_its_reward_and_is_not_trained_for_longer(scripted):
    rules = ("g", "adam", "sign(m)")
    job, script, _ = scripted((rules,), budget=3)
    driven(job, job.init(), 1)
    short = script.told[0].rewards
    hurdle = float(np.sort(short)[0])  # the worst does not exceed it
    training = dataclasses.replace(CONFIG.training, horizons=(1.0, 2.0), hurdle=hurdle)
    job, script, trained = scripted((rules,), budget=3, training=training)
    state, _ = driven(job, job.init(), 1)
    worst = int(np.argmin(short))
    assert trained == [*rules, *(rule for place, rule in enumerate(rules) if place != worst)]
    assert script.told[0].rewards[worst] == short[worst]
    others = [place for place in range(3) if place != worst]
    assert (script.told[0].rewards[others] != short[others]).all()
    texts = state.archive.texts(job.grammar, 9)
    assert rules[worst] not in texts and len(texts) == 2
    assert len(state.cache) == 3 and state.counts.failed == 0


def test_a_rule_that_fails_at_the_short_horizon_is_not_trained_at_the_long_one(scripted):
    hopeless = dataclasses.replace(CONFIG.training, give_up=1e-6, horizons=(1.0, 2.0))
    job, script, trained = scripted((("g", "adam"),), budget=2, training=hopeless)
    state, _ = driven(job, job.init(), 1)
    assert trained == ["g", "adam"] and script.told[0].rewards.tolist() == [FLOOR, FLOOR]
    assert state.counts.failed == 2 and len(state.archive) == 0


def test_what_is_not_odd_pays_and_never_falls_below_the_floor(scripted):
    rules = ("g", "g * exp(adam)")
    open_door = dataclasses.replace(CONFIG.filters, min_oddness=-1.0, min_cosine=-1.0)
    free, dear, ruinous = (
        dataclasses.replace(open_door, oddness_penalty=penalty) for penalty in (0.0, 0.1, 1e6)
    )
    told = []
    for filters in (free, dear, ruinous):
        job, script, _ = scripted((rules,), budget=2, filters=filters)
        driven(job, job.init(), 1)
        told.append(script.told[0].rewards)
    outputs = job.programs.probes.outputs(
        np.stack([job.grammar.to_tokens(parse(r)) for r in rules])
    )
    odd, uneven = 1 - oddness(outputs)
    assert odd == pytest.approx(0.0, abs=1e-6) and uneven > 0.1
    np.testing.assert_allclose(told[1], told[0] - 0.1 * np.array([odd, uneven]), rtol=1e-5)
    assert told[2][1] == FLOOR


def test_the_accuracy_reward_is_the_mean_metric(scripted):
    job, script, _ = scripted((("adam", "-adam"),), budget=1, reward="accuracy")
    driven(job, job.init(), 1)
    good, filtered = script.told[0].rewards
    assert filtered == script.told[0].floor == 0.5 < good <= 1.0


def test_without_a_budget_a_search_never_finishes_by_itself(toy):
    job = SearchJob(dataclasses.replace(CONFIG, budget=None, minutes=1.0))
    state = job.init()
    assert job.position(state) == (0, None) and not job.finished(state)
    assert SearchJob(dataclasses.replace(CONFIG, budget=None)).position(state) == (0, 2000)


def test_a_stop_is_heeded_in_the_midst_of_a_generation_and_no_bit_is_lost(searched, twin, tmp_path):
    """The second chunk trains for ever; a stop is requested then."""
    _, whole, rows, saved = searched["random"]
    release, run = (
        threading.Event(),
        RunDirectory.create(tmp_path / "run", "search", {"seed": 0}, []),
    )
    interruptions, begun = [], itertools.count()

    class Watched(SearchJob):
        def heed(self, interruption):
            super().heed(interruption)
            interruptions.append(interruption)

    def waiting(judgement):
        def program(data, chunk):
            if next(begun):
                interruptions[0].request()
                release.wait(60)
            return judgement.program(data, chunk)

        return dataclasses.replace(judgement, program=program)

    job = Watched(CONFIG)
    job.programs.share(twin.programs)
    with Journal(run.path / "journal.jsonl") as journal:
        stuck = journaling(
            lambda judgements: LocalEvaluator(
                {name: waiting(one) for name, one in judgements.items()},
                devices=jax.local_devices()[:1],
            ),
            journal,
        )
        with pytest.raises(Interrupted):
            drive_search(job, run, SilentProgress(), backend=stuck)
        kept = len(journal)
    assert not release.is_set() and 0 < kept < (CONFIG.budget or 0)
    release.set()
    assert (run.outcome or {"generations": None})["generations"] in range(len(rows))
    again = sharing(twin, CONFIG)
    state = drive_search(again, run, SilentProgress())
    assert bits(again, state) == saved and state.counts == whole.counts


def test_a_time_limit_does_not_count_what_the_search_compiles(twin, tmp_path, monkeypatch):
    """All of its time is said to be spent on compiling, so that another end than the clock's is met."""
    clock = itertools.count(step=1_000_000.0)
    monkeypatch.setattr(search_job, "compilation_seconds", lambda: next(clock))
    run = RunDirectory.create(tmp_path / "run", "search", {"seed": 0}, [])
    drive_search(sharing(twin, CONFIG), run, SilentProgress(), minutes=1e-9)
    outcome = run.outcome or {}
    assert (outcome["reason"], outcome["position"]) == ("complete", CONFIG.budget)
    assert outcome["compile_seconds"] > 0


def test_a_search_goes_on_from_an_earlier_ones_archive_where_rewards_mean_the_same(searched):
    job, state, _, _ = searched["ppo"]
    arrays, meta = job.save(state)
    taken = SearchJob(job.config, (job.config, arrays, meta)).init()
    assert len(taken.archive) == len(state.archive) > 0 and len(taken.cache) == CONFIG.budget
    assert taken.counts.trained == taken.counts.sampled == 0
    assert taken.strategy.met.digests() == state.strategy.met.digests() != set()
    jax.tree.map(
        np.testing.assert_array_equal, taken.strategy.learner.params, state.strategy.learner.params
    )
    for change in ({"seed": 5}, {"reward": "accuracy"}, {"different_operands": True}):
        other = dataclasses.replace(job.config, **change)
        fresh = SearchJob(other, (job.config, arrays, meta)).init()
        assert len(fresh.archive) == len(fresh.cache) == 0, change
        assert not fresh.strategy.met.digests()  # what was met there is new here
        jax.tree.map(
            np.testing.assert_array_equal,
            fresh.strategy.learner.params,
            state.strategy.learner.params,
        )


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"strategy": "pppo"}, "Unknown strategy 'pppo'. Did you mean 'ppo'?"),
        ({"space": "arxif"}, "Unknown space 'arxif'. Did you mean 'arxiv'?"),
        ({"problem": ("digit-mlp",)}, "Unknown problem 'digit-mlp'. Did you mean 'digits-mlp'?"),
        ({"problem": ("toy_problem:logistik",)}, "Did you mean 'logistic'?"),
        ({"problem": ("no_such_module:x",)}, "module 'no_such_module' cannot be imported"),
        ({"depth": 5}, "1, 2, 3 or 4"),
        (
            {"problem": ("toy_problem:without_metric",), "reward": "accuracy"},
            "Problem 'without-metric' has no metric, so `--reward accuracy` cannot judge on it.",
        ),
        ({"strategy": "evolution", "evolution": EvolutionConfig(init_from="g +")}, "^"),
    ],
    ids=str,
)
def test_what_does_not_exist_is_refused_before_anything_is_compiled(toy, change, text):
    with pytest.raises(InvalidInput) as refusal:
        SearchJob(dataclasses.replace(CONFIG, **change))
    assert text in str(refusal.value)
