"""Settings: what is refused and in which words, and the way through JSON and back."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import pytest

from metarl import problems
from metarl.errors import InvalidInput
from metarl.optimizer_search.settings import config as configuration
from metarl.optimizer_search.settings.compare_config import CompareConfig
from metarl.optimizer_search.settings.config import (
    BayesianConfig,
    ControllerConfig,
    EvolutionConfig,
    FilterConfig,
    FinalistConfig,
    SearchConfig,
    TrainingConfig,
    from_dict,
    preset,
    to_dict,
)
from metarl.problems.catalogue import CARDS

training = lambda **fields: {"training": TrainingConfig(**fields)}  # noqa: E731
final = lambda **fields: {"final": FinalistConfig(**fields)}  # noqa: E731

REFUSED = [
    ({"problem": ()}, "A search needs at least one problem"),
    ({"depth": 0}, "depth is 0; it must be from 1 to 4."),
    ({"depth": 5}, "depth is 5; it must be from 1 to 4."),
    ({"batch_size": 0}, "batch_size is 0; it must be from 1 to 100000."),
    ({"batch_size": 10**14}, "batch_size is 100000000000000; it must be from 1 to 100000."),
    (
        {"budget": 10**20},
        "budget is 100000000000000000000; it must be at most 9223372036854775807.",
    ),
    ({"finalists": 0}, "finalists is 0; it must be at least 1."),
    ({"budget": 0}, "budget is 0; it must be at least 1, or None."),
    ({"budget": -3}, "budget is -3; it must be at least 1, or None."),
    ({"minutes": 0.0}, "minutes is 0.0; it must be positive, or None."),
    ({"minutes": float("nan")}, "minutes is nan; it must be a finite number, or None."),
    ({"budget": 5, "minutes": 1.0}, "Give either a budget or minutes, not both."),
    ({"seed": -1}, "seed is -1; it must be from 0 to 4294967295."),
    ({"seed": 2**32}, "seed is 4294967296; it must be from 0 to 4294967295."),
    (training(steps=0), "training.steps is 0; it must be from 1 to 2000000, or None."),
    (
        training(steps=10**10),
        "training.steps is 10000000000; it must be from 1 to 2000000, or None.",
    ),
    (training(horizons=(1.0, 1e9)), "it must be above 0 and at most 1000."),
    (training(seeds=0), "training.seeds is 0; it must be from 1 to 100000."),
    (training(seeds=10**12), "training.seeds is 1000000000000; it must be from 1 to 100000."),
    (final(report_seeds=10**12), "it must be from 2 to 100000, or None."),
    (
        training(sweep_fraction=0.0),
        "training.sweep_fraction is 0.0; it must be above 0 and at most 1.",
    ),
    (
        training(sweep_fraction=1.5),
        "training.sweep_fraction is 1.5; it must be above 0 and at most 1.",
    ),
    (training(learning_rates=()), "training.learning_rates must be positive"),
    (
        training(learning_rates=(0.1, -1.0)),
        "an item of training.learning_rates is -1.0; it must be positive.",
    ),
    (
        training(learning_rates=(float("inf"),)),
        "an item of training.learning_rates is inf; it must be a finite number.",
    ),
    (
        {"evolution": EvolutionConfig(population=1)},
        "evolution.population is 1; it must be at least 2.",
    ),
    ({"evolution": EvolutionConfig(sample=0)}, "evolution.sample is 0; it must be at least 1."),
    (
        {"bayesian": BayesianConfig(start=11, memory=10)},
        "choose a start of at most the memory",
    ),
    (
        training(give_up=float("inf")),
        "training.give_up is inf; it must be a finite number.",
    ),
    (training(give_up=0.0), "training.give_up is 0.0; it must be positive."),
    ({"controller": ControllerConfig(hidden=0)}, "controller.hidden is 0; it must be at least 1."),
    (
        {"controller": ControllerConfig(learning_rate=float("nan"))},
        "controller.learning_rate is nan; it must be a finite number.",
    ),
    (
        {"controller": ControllerConfig(entropy_weight=-1.0)},
        "controller.entropy_weight is -1.0; it must not be negative.",
    ),
    (
        training(horizons=()),
        "training.horizons must be positive multiples of the steps, such as 1 4, not ().",
    ),
    (
        training(horizons=(1.0, 0.0)),
        "an item of training.horizons is 0.0; it must be above 0 and at most 1000.",
    ),
    (
        training(horizons=(-4.0,)),
        "an item of training.horizons is -4.0; it must be above 0 and at most 1000.",
    ),
    (
        training(horizons=(float("inf"),)),
        "an item of training.horizons is inf; it must be a finite number.",
    ),
    (training(horizons=(1.0, 4.0, 1.0)), "training.horizons holds a horizon twice"),
    (training(schedule="cosin"), "Did you mean 'cosine'?"),
    (training(random_horizon=0.5), "training.random_horizon is 0.5; it must be from 1 to 1000."),
    (training(random_scale=float("nan")), "training.random_scale is nan; it must be"),
    (training(random_batch=1001.0), "training.random_batch is 1001.0; it must be from 1 to 1000."),
    (training(random_width=17.0), "training.random_width is 17.0; it must be from 1 to 16."),
    (
        {"table": "sign-1", **training(random_batch=2.0, random_width=2.0)},
        "--training.random-batch and --training.random-width: a table holds runs of equal length",
    ),
    (
        {"table": "sign-1", **training(random_scale=2.0)},
        "--training.random-scale: a table holds runs of equal length",
    ),
    (final(schedules=("constant", "linaer")), "Did you mean 'linear'?"),
    (training(judge_cap=0.0), "training.judge_cap is 0.0; it must be positive, or None."),
    (training(hurdle=float("nan")), "training.hurdle is nan; it must be a finite number, or None."),
    (
        {"filters": FilterConfig(oddness_penalty=-0.1)},
        "filters.oddness_penalty is -0.1; it must not be negative.",
    ),
    (
        final(funnel_horizons=(0.0,)),
        "an item of final.funnel_horizons is 0.0; it must be above 0 and at most 1000.",
    ),
    (final(funnel_rules=0), "final.funnel_rules is 0; it must be at least 1."),
    (
        final(funnel_order="mean"),
        "--final.funnel-order mean orders rules by problems of --final.funnel beside those searched, and",
    ),
    (
        {"reward": "accuracy", **final(funnel=("digits-conv",), funnel_order="worst")},
        "--final.funnel-order worst compares scores of different problems",
    ),
    (final(funnel_order="best"), "final.funnel_order"),
    (final(funnel_seeds=0), "final.funnel_seeds is 0; it must be from 1 to 100000."),
    (final(simplify=-0.01), "final.simplify is -0.01; it must not be negative, or None."),
    (final(simplify=float("inf")), "final.simplify is inf; it must be a finite number, or None."),
    (final(candidates=0), "final.candidates is 0; it must be at least 1."),
    (final(choice_seeds=0), "final.choice_seeds is 0; it must be from 1 to 100000."),
    (final(tuning_seeds=0), "final.tuning_seeds is 0; it must be from 1 to 100000."),
    (final(report_seeds=1), "final.report_seeds is 1; it must be from 2 to 100000, or None."),
]


@pytest.mark.parametrize(("fields", "text"), REFUSED, ids=lambda value: str(value)[:40])
def test_a_search_refuses_numbers_that_make_no_sense(fields, text):
    with pytest.raises(InvalidInput) as refusal:
        SearchConfig(**fields).validate()
    assert text in str(refusal.value)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"problem": ()}, "A comparison needs at least one problem."),
        ({"steps": 0}, "steps is 0; it must be from 1 to 2000000, or None."),
        ({"seeds": 1}, "seeds is 1; it must be from 2 to 100000, or None."),
        ({"tuning_seeds": 0}, "tuning_seeds is 0; it must be from 1 to 100000."),
        ({"seed": -1}, "seed is -1; it must be from 0 to 4294967295."),
        ({"schedules": ("cosin",)}, "Did you mean 'cosine'?"),
        ({"schedules": ()}, "schedules must be one or more different values, not none."),
        (
            {"weight_decays": (0.1, 0.1)},
            "weight_decays must be one or more different values, not 0.1, 0.1.",
        ),
        ({"weight_decays": (-0.1,)}, "an item of weight_decays is -0.1; it must not be negative."),
        ({"horizons": (0.0,)}, "an item of horizons is 0.0; it must be above 0 and at most 1000."),
    ],
)
def test_a_comparison_refuses_numbers_that_make_no_sense(fields, text):
    with pytest.raises(InvalidInput) as refusal:
        CompareConfig(**fields).validate()
    assert text in str(refusal.value)


@pytest.mark.parametrize("name", ["laptop", "demo", "paper", "smoke"])
def test_presets_are_valid_and_survive_json(name):
    settings = preset(name)
    assert settings.validate() is settings
    written = json.dumps(to_dict(settings), allow_nan=False)
    assert from_dict(SearchConfig, json.loads(written), "config.json") == settings


@pytest.mark.parametrize("name", ["laptop", "demo", "paper", "smoke"])
def test_held_out_problems_of_a_preset_tell_optimizers_apart_and_are_of_other_families(name):
    held_out = preset(name).final.held_out
    families = [CARDS[problem].family for problem in held_out]
    searched = {CARDS[problem].family for problem in problems.suite("search")}
    assert held_out and set(held_out) <= set(problems.suite("held-out"))
    assert len(set(families)) == len(families) and not searched & set(families)


def test_settings_other_than_the_defaults_survive_json():
    settings = SearchConfig(
        problem=("a", "b"),
        minutes=2,
        init_from="runs/x",
        controller=ControllerConfig(hidden=3),
        evolution=EvolutionConfig(init_from="g"),
        training=TrainingConfig(steps=7, learning_rates=(0.5, 1)),
        final=FinalistConfig(held_out=(), random_baseline=False, funnel=("c",), simplify=0.02),
    )
    again = from_dict(SearchConfig, json.loads(json.dumps(to_dict(settings))), "config.json")
    assert again == settings and again.validate() is again
    comparison = CompareConfig(problem=("wine-mlp",), seeds=3, references=(), schedules=("cosine",))
    assert from_dict(CompareConfig, to_dict(comparison), "here") == comparison


def test_missing_fields_have_their_defaults():
    assert from_dict(SearchConfig, {}, "here") == SearchConfig()
    given = from_dict(SearchConfig, {"training": {"seeds": 2}}, "here")
    assert given == dataclasses.replace(SearchConfig(), training=TrainingConfig(seeds=2))


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"bugdet": 5}, "config.json: Unknown setting 'bugdet'. Did you mean 'budget'?"),
        ({"training": {"seed": 5}}, "Unknown setting 'seed'. Did you mean 'seeds'?"),
        ({"training": 5}, "config.json: training must be an object, not 5."),
        ({"depth": "2"}, "config.json: depth must be int, not '2'."),
        ({"depth": 2.0}, "config.json: depth must be int, not 2.0."),
        ({"depth": True}, "config.json: depth must be int, not True."),
        ({"depth": None}, "config.json: depth must be int, not None."),
        ({"budget": "many"}, "config.json: budget must be int or null, not 'many'."),
        ({"minutes": [1]}, "config.json: minutes must be float or int or null"),
        ({"problem": "digits-mlp"}, "config.json: problem must be a list, not 'digits-mlp'."),
        ({"problem": ["digits-mlp", 3]}, "config.json: every item of problem must be str, not 3."),
        ({"reward": "glory"}, "config.json: reward must be one of loss, accuracy, not 'glory'."),
        ({"reuse_values": 1}, "config.json: reuse_values must be bool, not 1."),
        ({"init_from": 7}, "config.json: init_from must be str or null, not 7."),
        (
            {"training": {"learning_rates": [0.1, "fast"]}},
            "config.json: every item of learning_rates must be float or int, not 'fast'.",
        ),
    ],
    ids=str,
)
def test_values_of_the_wrong_type_are_refused_by_name(values, text):
    with pytest.raises(InvalidInput) as refusal:
        from_dict(SearchConfig, values, "config.json")
    assert text in str(refusal.value)


def test_settings_need_no_jax():
    program = f"import sys, {configuration.__name__}; sys.exit('jax' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
