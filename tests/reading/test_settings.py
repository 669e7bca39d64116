"""Settings from JSON have the names and types of their dataclass, or are refused by name."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Literal

import pytest

from metarl.errors import InvalidInput, require
from metarl.reading import from_dict


@dataclass(frozen=True)
class Inner:
    rate: float = 0.5
    names: tuple[str, ...] = ()

    def __post_init__(self):
        require(self.rate > 0, f"rate is {self.rate}; it must be positive.")


@dataclass(frozen=True)
class Settings:
    needed: int
    share: float | None = None
    mode: Literal["a", "b"] = "a"
    on: bool = False
    points: tuple[float, ...] | None = None
    inner: Inner = field(default_factory=Inner)


def test_settings_come_back():
    for settings in (Settings(1), Settings(2, 0.5, "b", True, (1, 2.5), Inner(1, ("x",)))):
        assert from_dict(Settings, dataclasses.asdict(settings), "here") == settings


def test_lists_become_tuples():
    assert from_dict(Settings, {"needed": 1, "points": [1, 2]}, "here").points == (1, 2)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1], "here: settings must be an object, not [1]."),
        ({}, "here: needed must be given."),
        ({"neded": 1}, "here: Unknown setting 'neded'. Did you mean 'needed'?"),
        ({"needed": "1"}, "here: needed must be int, not '1'."),
        ({"needed": 1.0}, "here: needed must be int, not 1.0."),
        ({"needed": True}, "here: needed must be int, not True."),
        ({"needed": None}, "here: needed must be int, not None."),
        ({"needed": 2**63}, "here: needed must be int, not 9223372036854775808."),
        ({"needed": 1, "share": "x"}, "here: share must be float or int or null, not 'x'."),
        ({"needed": 1, "share": False}, "here: share must be float or int or null, not False."),
        ({"needed": 1, "mode": "c"}, "here: mode must be one of a, b, not 'c'."),
        ({"needed": 1, "mode": ["a"]}, "here: mode must be one of a, b, not ['a']."),
        ({"needed": 1, "on": 1}, "here: on must be bool, not 1."),
        ({"needed": 1, "points": 1}, "here: points must be a list or null, not 1."),
        (
            {"needed": 1, "points": ["x"]},
            "here: every item of points must be float or int, not 'x'.",
        ),
        ({"needed": 1, "inner": []}, "here: inner must be an object, not []."),
        ({"needed": 1, "inner": {"rate": 0}}, "here: rate is 0; it must be positive."),
        ({"needed": 1, "inner": {"names": "x"}}, "here: names must be a list, not 'x'."),
    ],
    ids=str,
)
def test_what_no_flag_would_give_is_refused(values, message):
    with pytest.raises(InvalidInput) as refused:
        from_dict(Settings, values, "here")
    assert str(refused.value).startswith(message)


def test_a_message_shows_only_the_beginning_of_a_large_value():
    with pytest.raises(InvalidInput) as refused:
        from_dict(Settings, {"needed": ["x" * 1000] * 1000}, "here")
    assert len(str(refused.value)) < 500
