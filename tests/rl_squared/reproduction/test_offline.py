"""Key to door, reproduced: a table of theirs and ours, and nothing that was measured is measured again."""

from __future__ import annotations

import json

import pytest

from metarl.errors import InvalidInput
from metarl.reporting import to_markdown
from metarl.rl_squared import Plan, reproduce
from metarl.rl_squared.reproduction import offline
from metarl.rl_squared.reproduction.offline import _curves, success_table
from metarl.runs import experiment_folder


def row(walks: str, agent: str, published: float | None, mean: float) -> dict:
    ours = {"mean": mean, "standard_error": 1.0, "low": mean - 2, "high": mean + 2}
    return {"walks": walks, "agent": agent, "published": published, "ours": ours, "trainings": 1}


DOCUMENTS = {
    walks: {
        "rows": [
            row(walks, "decision-transformer", published, mean),
            row(walks, "oracle", None, 100),
        ]
    }
    for walks, published, mean in (("1,000", 71.8, 64.0), ("10,000", 94.6, 90.0))
}


def test_the_table_has_theirs_beside_ours():
    text = to_markdown(success_table(DOCUMENTS))
    assert "| 1,000 | decision-transformer | 71.8 | 64.0 [62.0, 66.0]" in text
    assert "| 10,000 | oracle | – | 100" in text


def test_curves_are_success_against_walks_and_the_published_where_there_are_any():
    curves = {curve.label: curve for curve in _curves(success_table(DOCUMENTS))}
    assert list(curves) == ["decision-transformer", "decision-transformer, published", "oracle"]
    assert list(curves["decision-transformer"].x) == [1000, 10000]  # pyright: ignore[reportArgumentType]
    assert list(curves["decision-transformer"].low) == [62, 88]  # pyright: ignore[reportArgumentType]
    assert not curves["decision-transformer, published"].foreground


def test_every_scale_names_known_agents_and_the_papers_numbers():
    settings = json.loads((experiment_folder("key_to_door") / "settings.json").read_text())
    assert settings["published"]["1,000"]["decision-transformer"] == 71.8
    assert settings["published"]["10,000"]["behaviour-cloning"] == 95.1
    for scale in settings["scales"].values():
        for walks, data in scale["worlds"].items():
            assert int(walks.replace(",", "")) == data["trajectories"]


def test_what_it_has_not_is_refused(tmp_path):
    with pytest.raises(InvalidInput, match="key-to-door has no cells"):
        reproduce(Plan("key-to-door", "smoke", cells=["1,000"]), tmp_path / "run")


@pytest.mark.extras
@pytest.mark.usefixtures("keys_unchecked")
def test_a_small_run_is_written_and_gone_on_with(tmp_path, monkeypatch):
    place = tmp_path / "run"
    document = reproduce(Plan("key-to-door", "smoke"), place)
    assert (place / "key-to-door.md").is_file() and (place / "key-to-door.png").is_file()
    names = [row["agent"] for row in document["tables"]["key to door"].rows]
    assert names == ["decision-transformer", "behaviour-cloning", "random", "oracle"]
    monkeypatch.setattr(offline, "evaluate", None)  # nothing is measured again
    again = reproduce(Plan("key-to-door", "smoke"), place)
    assert again["tables"] == document["tables"]
