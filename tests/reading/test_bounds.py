"""Every number of every configuration has bounds, and whoever takes the configuration keeps them."""

from __future__ import annotations

import dataclasses
import importlib
import math
import pkgutil
from typing import Annotated, Any, Literal, get_type_hints

import pytest

import metarl
from metarl import classical_agents, environments
from metarl.cli.verbs import VERBS
from metarl.errors import InvalidInput
from metarl.optimizer_search import reproduction
from metarl.optimizer_search.settings.config import FilterConfig, SearchConfig
from metarl.reading import (
    Bounds,
    Budget,
    Count,
    Fraction,
    NotNegative,
    Positive,
    Real,
    check_fields,
    field_rows,
)
from metarl.rl_squared.settings.config import ImitationConfig


def _configurations() -> list[type]:
    """Returns all dataclasses of modules called config, of the verbs, and of the experiments' settings."""
    names = [m.name for m in pkgutil.walk_packages(metarl.__path__, "metarl.")]
    modules = [importlib.import_module(name) for name in names if name.endswith("config")]
    modules += [verb.load() for verb in VERBS]
    folder = pkgutil.iter_modules(reproduction.__path__, f"{reproduction.__name__}.")
    modules += [importlib.import_module(m.name) for m in folder if not m.name.endswith("work")]
    found = {kind for module in modules for kind in vars(module).values() if isinstance(kind, type)}
    named = ("Config", "Settings", "Protocol", "Arguments", "Exploration", "PolicyNetwork")
    kinds = [
        kind for kind in found if dataclasses.is_dataclass(kind) and kind.__name__.endswith(named)
    ]
    return sorted(kinds, key=lambda kind: (kind.__module__, kind.__qualname__))


CONFIGURATIONS = _configurations()
NAMES = [f"{kind.__module__.removeprefix('metarl.')}.{kind.__name__}" for kind in CONFIGURATIONS]
PARTS = {type(getattr(SearchConfig(), f.name)): f.name for f in dataclasses.fields(SearchConfig)}
TRIED: tuple[Any, ...] = (
    math.nan,
    math.inf,
    -math.inf,
    -1,
    0,
    0.5,
    1,
    2,
    10**9,
    2**31 - 1,
    "many",
    True,
    None,
)


@pytest.mark.parametrize("kind", CONFIGURATIONS, ids=NAMES)
def test_every_number_has_bounds(kind):
    """A new field gets a type with bounds (metarl/reading/bounds.py): Count, Positive, Fraction ..."""
    unbounded = [
        name
        for name, row in field_rows(kind).items()
        if row.bounds is None and {int, float} & set(row.kinds)
    ]
    assert not unbounded, f"{kind.__name__}: {', '.join(unbounded)}"


def taken(kind: type, fields: dict[str, Any]) -> None:
    """Does with a configuration what its users do first."""
    if kind in PARTS:
        SearchConfig(**{PARTS[kind]: kind(**fields)}).validate()
    elif hasattr(kind, "validate"):
        kind(**fields).validate()
    else:
        needed = {
            field.name: _example(get_type_hints(kind)[field.name])
            for field in dataclasses.fields(kind)
            if field.default is field.default_factory is dataclasses.MISSING
        }
        check_fields(kind(**(needed | fields)), within=True)


def _example(hint: Any) -> Any:
    made: Any = hint
    return made(problems=("beale",)) if dataclasses.is_dataclass(hint) else ("g = g",)


@pytest.mark.parametrize("kind", [k for k in CONFIGURATIONS if k.__name__ != "Arguments"], ids=str)
def test_every_field_takes_what_its_bounds_hold_and_nothing_else(kind):
    for name, row in field_rows(kind).items():
        if row.bounds is None:
            continue
        for value in TRIED:
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            whole = float not in row.kinds and not isinstance(value, int)
            good = (number and not whole and row.bounds.hold(value)) or (value is None and row.none)
            try:
                taken(kind, {name: (value,) if row.many else value})
                refusal = ""
            except InvalidInput as error:
                refusal = str(error)
            if good:  # but for what hangs on other fields
                assert "it must" not in refusal or "multiple" in refusal, (name, value, refusal)
            else:
                assert (name in refusal and "it must be" in refusal) or "it must" in refusal, (
                    name,
                    value,
                )


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda: ImitationConfig(max_gradient_norm=-1.0),
            "max_gradient_norm is -1.0; it must be positive.",
        ),
        (
            lambda: SearchConfig(filters=FilterConfig(min_cosine=2.0)).validate(),
            "filters.min_cosine is 2.0; it must lie between -1 and 1.",
        ),
        (
            lambda: SearchConfig(filters=FilterConfig(min_oddness=math.nan)).validate(),
            "filters.min_oddness is nan; it must be a finite number.",
        ),
    ],
)
def test_numbers_that_turn_a_training_or_a_search_round_are_refused(make, text):
    with pytest.raises(InvalidInput) as refusal:
        make()
    assert str(refusal.value) == text


BUDGETS = ("env_steps", "validation_every", "patience", "budget")  # may be more than 32 bits count


@pytest.mark.parametrize("kind", CONFIGURATIONS, ids=NAMES)
def test_no_count_is_larger_than_the_whole_numbers_of_jax_but_for_budgets(kind):
    for name, row in field_rows(kind).items():
        if int not in row.kinds or float in row.kinds or name in BUDGETS:
            continue
        assert row.bounds is not None and min(row.bounds.most, row.most_whole) < 2**32


@dataclasses.dataclass(frozen=True)
class Inner:
    share: Fraction = 0.5


@dataclasses.dataclass(frozen=True)
class Everything:
    count: Count = 1
    budget: Budget = 2**62
    rate: Positive | None = None
    rates: tuple[NotNegative, ...] = (0.0,)
    level: Real = 0.0
    place: Annotated[int | None, "metadata of others"] = None
    depth: Annotated[int, Bounds(least=1, most=4)] = 1
    part: Annotated[float, Bounds(above=0, most=1)] = 1.0
    mode: Literal["a", "b"] = "a"
    on: bool = False
    text: str = ""
    inner: Inner = Inner()


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"count": 0}, "count is 0; it must be at least 1."),
        ({"count": 2**31}, "count is 2147483648; it must be at most 2147483647."),
        (
            {"budget": 2**63},
            "budget is 9223372036854775808; it must be at most 9223372036854775807.",
        ),
        ({"rate": 2**63}, "rate is 9223372036854775808; it must be at most 9223372036854775807."),
        ({"count": 1.0}, "count is 1.0; it must be a whole number."),
        ({"count": True}, "count is True; it must be a whole number."),
        ({"rate": 0}, "rate is 0; it must be positive, or None."),
        ({"rate": "x"}, "rate is 'x'; it must be a number, or None."),
        ({"rate": math.inf}, "rate is inf; it must be a finite number, or None."),
        ({"rates": (0, -1)}, "an item of rates is -1; it must not be negative."),
        ({"rates": 0.1}, "rates is 0.1; it must be a list."),
        ({"level": -math.inf}, "level is -inf; it must be a finite number."),
        ({"place": 0.5}, "place is 0.5; it must be a whole number, or None."),
        ({"depth": 5}, "depth is 5; it must be from 1 to 4."),
        ({"part": 1.5}, "part is 1.5; it must be above 0 and at most 1."),
        ({"mode": "c"}, "mode is 'c'; it must be one of a, b."),
        ({"on": 1}, "on is 1; it must be true or false."),
        ({"text": 3}, "text is 3; it must be a text."),
        ({"inner": Inner(2.0)}, "inner.share is 2.0; it must lie between 0 and 1."),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_refusal_says_what_it_is_and_what_it_may_be(fields, text):
    check_fields(Everything(), within=True)
    with pytest.raises(InvalidInput) as refusal:
        check_fields(Everything(**fields), within=True)
    assert str(refusal.value) == text


def test_no_setting_of_a_family_or_of_an_agent_takes_what_is_no_number():
    """A mean may be negative; infinity and NaN are nowhere taken, and what was received is named."""
    for card in environments.cards():
        for name in card.settings:
            for value in (math.nan, math.inf, -math.inf, "many"):
                with pytest.raises(InvalidInput, match=name):
                    environments.load(card.name, **{name: value})
    for row in classical_agents.rows():
        for name in row.settings:
            for text in ("nan", "inf", "-inf", "many"):
                with pytest.raises(InvalidInput, match=name):
                    row.check(name, text)
