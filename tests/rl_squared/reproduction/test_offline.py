"""Key to door, reproduced: a table of theirs and ours, and nothing that was measured is measured again."""

from __future__ import annotations

import json

import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.reporting import to_markdown
from metarl.rl_baselines import parse
from metarl.rl_squared import Plan, reproduce
from metarl.rl_squared.reproduction import offline
from metarl.rl_squared.reproduction.offline import _curves, agent_of, success_table
from metarl.runs import experiment_folder


def row(walks: str, agent: str, published: float | None, trainings: int | None, *shares: float):
    opened = {"train": list(shares), "test": [share / 2 for share in shares]}
    return {
        "walks": walks,
        "agent": agent,
        "published": published,
        "trainings": trainings,
        **opened,
    }


DOCUMENTS = {
    walks: {
        "rows": [
            row(walks, "decision-transformer", published, 8, *[mean - 2, mean + 2] * 4),
            row(walks, "behaviour-cloning", published, 2, mean, mean),
            row(walks, "oracle", None, None, 100),
            {**row(walks, "CQL", 13.1, None), "train": None, "test": None},
        ]
    }
    for walks, published, mean in (("1,000", 71.8, 64.0), ("10,000", 94.6, 90.0))
}


def test_the_table_has_theirs_beside_ours_and_an_interval_over_trainings_where_there_are_enough():
    table = success_table(DOCUMENTS)
    taught, few, oracle, quoted = table.rows[:4]
    assert taught["published"] == 71.8 and taught["train"].estimate == 64
    assert 62 <= taught["train"].low < 64 < taught["train"].high <= 66
    assert taught["test"].estimate == 32 and taught["range"] == "31 to 33"
    assert few["train"] == 64 and few["range"] == "32 to 32"
    assert oracle["train"] == 100 and oracle["range"] is None
    assert (quoted["published"], quoted["train"], quoted["range"]) == (13.1, None, None)
    text = to_markdown(table)
    assert "| 1,000 | decision-transformer | 71.8 | 64" in text
    assert "nine the others" in text


def test_curves_are_success_against_walks_and_the_published_where_there_are_any():
    curves = {curve.label: curve for curve in _curves(success_table(DOCUMENTS))}
    taught = curves["decision-transformer"]
    assert list(np.asarray(taught.x)) == [1000, 10000] and list(np.asarray(taught.y)) == [64, 90]
    assert taught.low is not None and curves["behaviour-cloning"].low is None
    assert not curves["decision-transformer, published"].foreground
    assert "oracle, published" not in curves and "CQL" not in curves


def test_rows_of_one_agent_stand_beside_one_published_number_that_is_drawn_once():
    again = {
        walks: {
            "rows": [
                *document["rows"],
                {**document["rows"][0], "agent": "decision-transformer, balanced"},
            ]
        }
        for walks, document in DOCUMENTS.items()
    }
    labels = [curve.label for curve in _curves(success_table(again))]
    assert "decision-transformer, balanced" in labels
    assert [label for label in labels if label.endswith("published")] == [
        "decision-transformer, published",
        "behaviour-cloning, published",
        "CQL, published",
    ]


def test_every_scale_names_known_agents_and_the_papers_numbers():
    settings = json.loads((experiment_folder("key_to_door") / "settings.json").read_text())
    assert settings["published"]["1,000"]["decision-transformer"] == 71.8
    assert settings["published"]["10,000"]["behaviour-cloning"] == 95.1
    for name, own in settings["agents"].items():
        given = "".join(f",{key}={value}" for key, value in own.items())
        parse(f"{agent_of(name)}:seed=0{given}")
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
    taught = ["decision-transformer", "decision-transformer, balanced", "behaviour-cloning"]
    assert names == [*taught, "random", "oracle"]  # nothing is published of 300 walks
    kept = {file.stem for file in (place / "trainings").iterdir()}
    assert "decision-transformer-steps-20-balance-0-5-trajectories-300-seed-0" in kept
    monkeypatch.setattr(offline, "play_split", None)  # nothing is measured again
    again = reproduce(Plan("key-to-door", "smoke"), place)
    assert again["tables"] == document["tables"]
