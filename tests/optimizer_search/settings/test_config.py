"""Settings: what is refused and in which words, and the way through JSON and back."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import pytest

from metarl.errors import InvalidInput
from metarl.optimizer_search.settings import config as configuration
from metarl.optimizer_search.settings.compare_config import CompareConfig
from metarl.optimizer_search.settings.config import (
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

training = lambda **fields: {"training": TrainingConfig(**fields)}  # noqa: E731
final = lambda **fields: {"final": FinalistConfig(**fields)}  # noqa: E731

REFUSED = [
    ({"problem": ()}, "A search needs at least one problem"),
    ({"depth": 0}, "depth must be at least 1, not 0."),
    ({"depth": 5}, "depth must be 1, 2, 3 or 4, not 5."),
    ({"batch_size": 0}, "batch_size must be at least 1, not 0."),
    ({"finalists": 0}, "finalists must be at least 1, not 0."),
    ({"budget": 0}, "budget must be at least 1 rule, not 0."),
    ({"budget": -3}, "budget must be at least 1 rule, not -3."),
    ({"minutes": 0.0}, "minutes must be positive, not 0.0."),
    ({"minutes": float("nan")}, "minutes must be positive, not nan."),
    ({"budget": 5, "minutes": 1.0}, "Give either a budget or minutes, not both."),
    ({"seed": -1}, "seed must be from 0 to 2^32 - 1, not -1."),
    ({"seed": 2**32}, "seed must be from 0 to 2^32 - 1, not 4294967296."),
    (training(steps=0), "training.steps must be at least 1, not 0."),
    (training(seeds=0), "training.seeds must be at least 1, not 0."),
    (training(sweep_fraction=0.0), "training.sweep_fraction must be in (0, 1], not 0.0."),
    (training(sweep_fraction=1.5), "training.sweep_fraction must be in (0, 1], not 1.5."),
    (training(learning_rates=()), "training.learning_rates must be positive"),
    (training(learning_rates=(0.1, -1.0)), "training.learning_rates must be positive"),
    (training(learning_rates=(float("inf"),)), "training.learning_rates must be positive"),
    (
        {"evolution": EvolutionConfig(population=1)},
        "evolution.population must be at least 2, not 1.",
    ),
    ({"evolution": EvolutionConfig(sample=0)}, "evolution.sample must be at least 1, not 0."),
    (training(give_up=0.0), "training.give_up must be positive, not 0.0."),
    ({"controller": ControllerConfig(hidden=0)}, "controller.hidden must be at least 1, not 0."),
    (
        {"controller": ControllerConfig(learning_rate=float("nan"))},
        "controller.learning_rate must be a positive number, not nan.",
    ),
    (
        {"controller": ControllerConfig(entropy_weight=-1.0)},
        "controller.entropy_weight must not be negative, not -1.0.",
    ),
    (
        training(horizons=()),
        "training.horizons must be positive multiples of the steps, such as 1 4, not ().",
    ),
    (training(horizons=(1.0, 0.0)), "training.horizons must be positive multiples"),
    (training(horizons=(-4.0,)), "training.horizons must be positive multiples"),
    (training(horizons=(float("inf"),)), "training.horizons must be positive multiples"),
    (training(horizons=(1.0, 4.0, 1.0)), "training.horizons holds a horizon twice"),
    (training(judge_cap=0.0), "training.judge_cap must be a positive number, not 0.0."),
    (training(hurdle=float("nan")), "training.hurdle must be a finite reward, not nan."),
    (
        {"filters": FilterConfig(oddness_penalty=-0.1)},
        "filters.oddness_penalty must be a number of at least 0, not -0.1.",
    ),
    (final(funnel_horizons=(0.0,)), "final.funnel_horizons must be positive multiples"),
    (final(funnel_rules=0), "final.funnel_rules must be at least 1, not 0."),
    (final(funnel_seeds=0), "final.funnel_seeds must be at least 1, not 0."),
    (final(simplify=-0.01), "final.simplify must be a number of at least 0, not -0.01."),
    (final(simplify=float("inf")), "final.simplify must be a number of at least 0, not inf."),
    (final(candidates=0), "final.candidates must be at least 1, not 0."),
    (final(choice_seeds=0), "final.choice_seeds must be at least 1, not 0."),
    (final(tuning_seeds=0), "final.tuning_seeds must be at least 1, not 0."),
    (final(report_seeds=1), "final.report_seeds must be at least 2, not 1."),
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
        ({"steps": 0}, "steps must be at least 1, not 0."),
        ({"seeds": 1}, "seeds must be at least 2 (an interval needs them), not 1."),
        ({"tuning_seeds": 0}, "tuning_seeds must be at least 1, not 0."),
        ({"seed": -1}, "seed must be from 0 to 2^32 - 1, not -1."),
        ({"schedules": ("cosin",)}, "Did you mean 'cosine'?"),
        ({"schedules": ()}, "schedules must be one or more different values, not none."),
        (
            {"weight_decays": (0.1, 0.1)},
            "weight_decays must be one or more different values, not 0.1, 0.1.",
        ),
        ({"weight_decays": (-0.1,)}, "weight_decays must be finite numbers of at least 0"),
        ({"horizons": (0.0,)}, "horizons must be positive numbers"),
    ],
)
def test_a_comparison_refuses_numbers_that_make_no_sense(fields, text):
    with pytest.raises(InvalidInput) as refusal:
        CompareConfig(**fields).validate()
    assert text in str(refusal.value)


@pytest.mark.parametrize("name", ["laptop", "paper", "smoke"])
def test_presets_are_valid_and_survive_json(name):
    settings = preset(name)
    assert settings.validate() is settings
    written = json.dumps(to_dict(settings), allow_nan=False)
    assert from_dict(SearchConfig, json.loads(written), "config.json") == settings


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
