"""Reproductions of figures and tables: the table of experiments, their settings, and that nothing is done twice."""

from __future__ import annotations

import importlib
import json

import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.optimizer_search import EXPERIMENTS, reproduce
from metarl.optimizer_search.reproduction import Work, rosenbrock
from metarl.optimizer_search.reproduction.reproducing import read_settings
from metarl.optimizer_search.reproduction.titled_rules import titled_rules
from metarl.reporting import to_json
from metarl.runs import SCALES, RunDirectory, SilentProgress, experiment_folder


@pytest.fixture(scope="module", autouse=True)
def checkout():
    try:
        return experiment_folder("nos_rosenbrock").parent
    except InvalidInput:
        pytest.skip("needs a checkout")


class Told(SilentProgress):
    """Keeps what is said."""

    def __init__(self):
        self.texts: list[str] = []

    def message(self, text: str) -> None:
        self.texts.append(text)


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Rosenbrock's valley with settings of the test's own, and a directory to work in."""
    folder = tmp_path / "experiments/nos_rosenbrock"
    folder.mkdir(parents=True)
    settings = {"rules": ["SGD = g", "adam"], "steps": 5, "exponents": [-3.0, -2.0]}
    few = {"tuning_starts": 3, "fresh_starts": 4}
    (folder / "settings.json").write_text(json.dumps({"every": settings, "smoke": few}))
    monkeypatch.setattr(
        "metarl.optimizer_search.reproduction.reproducing.experiment_folder", lambda name: folder
    )
    monkeypatch.chdir(tmp_path)
    return folder


def again(**settings) -> dict:
    return reproduce("nos-rosenbrock", "smoke", **{"progress": SilentProgress(), **settings})


def test_every_experiment_has_a_folder_with_settings_and_a_readme(checkout):
    folders = {path.name for path in checkout.glob("nos_*")}
    assert folders == {row.folder for row in EXPERIMENTS.values() if row.name.startswith("nos-")}
    for row in EXPERIMENTS.values():
        readme = (checkout / row.folder / "README.md").read_text(encoding="utf-8")
        assert f"metarl reproduce {row.name}" in readme
        assert set(row.costs) == set(SCALES)


@pytest.mark.parametrize("name", sorted(EXPERIMENTS))
@pytest.mark.parametrize("scale", SCALES)
def test_the_settings_of_every_scale_can_be_read(name, scale):
    settings, seed = read_settings(EXPERIMENTS[name], scale)
    module = importlib.import_module(
        f"metarl.optimizer_search.reproduction.{EXPERIMENTS[name].module}"
    )
    assert isinstance(settings, module.Settings) and seed >= 0
    assert callable(getattr(module, EXPERIMENTS[name].function))


def test_names_scales_and_settings_that_do_not_exist_are_refused(small):
    with pytest.raises(InvalidInput, match="Did you mean 'nos-rosenbrock'"):
        reproduce("nos-rosenbrok", "smoke")
    with pytest.raises(InvalidInput, match="Unknown scale 'laptop'"):
        reproduce("nos-rosenbrock", "laptop")
    (small / "settings.json").write_text('{"smoke": {"rules": ["g"], "step": 3}}')
    with pytest.raises(InvalidInput, match=r"Unknown setting 'step'\. Did you mean 'steps'"):
        again()
    (small / "settings.json").write_text("{")
    with pytest.raises(InvalidInput, match="it is not JSON"):
        again()


def test_data_that_are_not_there_are_asked_for_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("METARL_DATA_DIR", raising=False)
    for name in ("nos-small-convnet", "nos-controller-reward"):
        with pytest.raises(InvalidInput, match="give --data-dir DIR"):
            reproduce(name, "paper", progress=SilentProgress())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow  # the quick form: what is done is not done again
def test_a_reproduction_that_was_interrupted_ends_as_one_that_was_not(small, monkeypatch):
    whole = again(run_dir="whole")
    kept, calls = Work.arrays, []

    def interrupted(work, name, measure):
        if name == "adam" and not calls:
            calls.append(name)
            raise KeyboardInterrupt
        return kept(work, name, measure)

    monkeypatch.setattr(Work, "arrays", interrupted)
    with pytest.raises(KeyboardInterrupt):
        again(run_dir="stopped")
    assert [path.name for path in (small.parents[1] / "stopped/parts").iterdir()] == ["sgd.npz"]
    resumed = again(run_dir="stopped")
    for document in (whole, resumed):
        document["run_dir"] = document["files"] = None
    assert to_json(resumed) == to_json(whole)
    for name in ("values.csv", "paths.svg", "nos-rosenbrock.json"):
        files = [(small.parents[1] / run / name).read_text("utf-8") for run in ("whole", "stopped")]
        assert files[0] == files[1]


def test_what_is_done_is_not_done_again_and_other_settings_are_refused(small, monkeypatch):
    first = again()
    assert first["run_dir"] == "runs/nos_rosenbrock-smoke"
    monkeypatch.setattr(
        "metarl.optimizer_search.reproduction.rosenbrock._paths", lambda *_, **__: 1 / 0
    )
    assert to_json(again()) == to_json(first)
    settings = json.loads((small / "settings.json").read_text())
    settings["every"]["steps"] = 6
    (small / "settings.json").write_text(json.dumps(settings))
    with pytest.raises(InvalidInput, match="was begun with other settings"):
        again()


def test_settings_that_may_change_are_no_reason_to_refuse_a_run_and_what_changed_is_told(
    small, monkeypatch
):
    """A run that was begun before there was such a setting goes on too."""
    first = again()
    monkeypatch.setattr(rosenbrock.Settings, "MAY_CHANGE", ("exponents",), raising=False)
    with pytest.raises(InvalidInput, match="was begun with other settings"):
        again()  # until now it was a part of the configuration
    begun = again(run_dir="begun")
    settings = json.loads((small / "settings.json").read_text())
    settings["every"]["exponents"] = [-3.0, -1.0]
    (small / "settings.json").write_text(json.dumps(settings))
    told = Told()
    assert again(run_dir="begun", progress=told)["run_dir"] == begun["run_dir"] != first["run_dir"]
    assert any("settings in experiments/ have changed: exponents" in text for text in told.texts)


def test_parts_keep_infinities_and_are_read_back_as_they_were_measured(tmp_path):
    run = RunDirectory.create(tmp_path / "run", "reproduce", {}, ["metarl"])
    work = Work(None, run, tmp_path, 0, SilentProgress())
    measured = {"values": np.array([1.5, np.inf, -np.inf])}
    for measure in (lambda: measured, lambda: 1 / 0):
        found = work.arrays("part", measure)  # type: ignore[arg-type]
        assert found["values"].tolist() == [1.5, np.inf, -np.inf]
    for measure in (lambda: {"a": [1, 2]}, lambda: 1 / 0):
        assert work.document("part", measure) == {"a": [1, 2]}  # type: ignore[arg-type]


def test_titled_rules_are_named_rules_texts_and_the_rules_found_here():
    rules = titled_rules(["SGD = g", "powersign", "m * 2", "found"])
    assert list(rules)[:3] == ["SGD", "powersign", "m * 2"]
    assert str(rules["SGD"]) == "g" and "sign" in str(rules["powersign"])
    assert "drop30-rmsprop-plus-drop10-adam" in rules
    with pytest.raises(InvalidInput, match="title 'SGD' stands twice"):
        titled_rules(["SGD = g", "SGD = m"])
