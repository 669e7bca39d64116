from __future__ import annotations

import errno
import importlib.metadata
import json
import re
import signal

import pytest

from metarl.errors import InvalidInput
from metarl.runs import RunDirectory, changed_bits
from metarl.user_code import own_sources

CONFIG = {"seed": 7, "rates": (1e-3, 1e-2), "nested": {"depth": 2, "text": "m * g"}}


def create(path, **changes):
    return RunDirectory.create(
        path, "search", CONFIG, ["metarl", "search", "--seed", "7"], **changes
    )


def test_a_created_run_can_be_opened(tmp_path):
    create(tmp_path / "run")
    run = RunDirectory.open(tmp_path / "run")
    assert run.job == "search"
    assert run.config == {**CONFIG, "rates": [1e-3, 1e-2]}
    assert run.outcome is None and run.metrics.rows() == [] and run.checkpoints.newest() is None


def test_the_configuration_is_a_file_of_its_own(tmp_path):
    run = create(tmp_path / "run")
    assert json.loads((run.path / "config.json").read_text()) == run.config


def test_a_run_without_a_path_gets_a_name_that_nobody_else_gets(tmp_path):
    paths = [create(None, root=tmp_path / "runs").path for _ in range(3)]
    assert len(set(paths)) == 3
    assert all(re.fullmatch(r"search-\d{8}-\d{6}-[0-9a-f]{6}", path.name) for path in paths)
    assert {path.parent for path in paths} == {tmp_path / "runs"}


def test_provenance_says_what_the_numbers_depend_on(tmp_path):
    provenance = create(tmp_path / "run").provenance
    assert provenance["seed"] == 7
    assert provenance["command"] == ["metarl", "search", "--seed", "7"]
    assert provenance["matmul_precision"] is None
    assert provenance["own_code"] == own_sources()  # of what other tests have imported
    assert [device["platform"] for device in provenance["devices"]] == ["cpu", "cpu"]
    versions = provenance["versions"]
    assert set(versions) >= {"python", "metarl", "jax", "jaxlib", "optax", "dm-haiku", "numpy"}
    assert versions["jax"] == importlib.metadata.version("jax")
    assert provenance["cores"]["usable"] >= 1
    assert set(provenance["processor"]) == {"architecture", "model", "features"}
    assert str(tmp_path) not in json.dumps(provenance)


def test_provenances_differ_in_what_decides_bits_only(tmp_path):
    recorded = create(tmp_path / "run").provenance
    again = {**recorded, "started": "later", "command": [], "revision": None}
    assert changed_bits(recorded, again) is None
    versions = {**recorded["versions"], "jax": "0.1"}
    settings = {**recorded["settings"], "OMP_NUM_THREADS": "3"}
    other = {**recorded, "versions": versions, "devices": recorded["devices"][:1]}
    old = recorded["versions"]["jax"]
    assert changed_bits(recorded, other) == (
        f"Since the run began these have changed: versions.jax ({old}, now 0.1), devices (2 of "
        "them, now 1 of them). Its last bits may differ from those of an uninterrupted run."
    )
    told = changed_bits(recorded, {**recorded, "settings": settings})
    assert told is not None and "settings.OMP_NUM_THREADS (" in told


def test_an_empty_directory_becomes_a_run(tmp_path):
    (tmp_path / "empty").mkdir()
    create(tmp_path / "empty")
    RunDirectory.open(tmp_path / "empty")


def test_a_run_where_none_can_be_made_is_told_as_such(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="Cannot make a run directory: Not a directory"):
        create(tmp_path / "file" / "run")


def test_an_existing_run_is_refused(tmp_path):
    path = create(tmp_path / "run").path
    before = snapshot(tmp_path)
    with pytest.raises(InvalidInput, match=r"exists already") as error:
        create(path)
    assert str(error.value) == (
        f"Run directory '{path}' exists already. Go on with it by `metarl resume {path}`, "
        "or choose another --run-dir."
    )
    assert snapshot(tmp_path) == before


def test_a_directory_with_something_in_it_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(InvalidInput, match=r"is not empty, and holds no run. Choose another --run"):
        create(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput, match=r"it is a file. Choose another --run-dir"):
        create(tmp_path / "file")
    with pytest.raises(InvalidInput, match=r"is not a run: it is a file"):
        RunDirectory.open(tmp_path / "file")


def test_a_configuration_with_nan_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(InvalidInput, match=r"JSON has no NaN"):
        RunDirectory.create(tmp_path / "run", "search", {"rate": float("nan")}, [])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("call", range(4))
@pytest.mark.parametrize("place", ["new", "empty", "deep/new"])
def test_a_full_disk_leaves_nothing_half_written(call, place, tmp_path, monkeypatch):
    import metarl.runs.durable as durable

    (tmp_path / "empty").mkdir()
    (tmp_path / "deep").mkdir()
    before, calls, fsync = snapshot(tmp_path), iter(range(100)), durable.os.fsync

    def full(descriptor):
        if next(calls) == call:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(durable.os, "fsync", full)
    with pytest.raises(OSError, match=rf"No space left on device: '.*{place}'"):
        create(tmp_path / place)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("function", ["mkdir", "rename"])
def test_a_directory_that_cannot_be_written_is_named(function, tmp_path, monkeypatch):
    def refuse(*arguments, **keywords):
        raise PermissionError(errno.EACCES, "Permission denied", str(arguments[0]))

    import metarl.runs.directory as directory

    owner = directory.Path if function == "mkdir" else directory.os
    with monkeypatch.context() as patch:
        patch.setattr(owner, function, refuse)
        with pytest.raises(PermissionError, match=r"Permission denied: '.*/run'"):
            create(tmp_path / "run")
    assert not list(tmp_path.iterdir())


def test_of_two_that_create_the_same_run_one_is_refused(tmp_path, monkeypatch):
    import metarl.runs.directory as directory

    collect = directory.collect_provenance

    def overtaken(*arguments, **keywords):
        monkeypatch.setattr(directory, "collect_provenance", collect)
        create(tmp_path / "run")
        return collect(*arguments, **keywords)

    monkeypatch.setattr(directory, "collect_provenance", overtaken)
    with pytest.raises(InvalidInput, match=r"exists already"):
        create(tmp_path / "run")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_directory_that_is_not_there_is_refused_with_the_nearest_run(tmp_path):
    create(tmp_path / "search-quick")
    with pytest.raises(InvalidInput, match=r"there is no such directory") as error:
        RunDirectory.open(tmp_path / "serch-quick")
    assert f"Did you mean '{tmp_path / 'search-quick'}'?" in str(error.value)


def test_a_directory_that_is_not_a_run_is_refused(tmp_path):
    with pytest.raises(InvalidInput, match=r"is not a run: it has no run\.json"):
        RunDirectory.open(tmp_path)
    (tmp_path / "run.json").write_text('{"format": "shopping list"}')
    with pytest.raises(InvalidInput, match=r"is not a run of metarl: its run\.json belongs to"):
        RunDirectory.open(tmp_path)


def test_a_run_of_another_version_is_refused(tmp_path):
    path = create(tmp_path / "run").path
    identity = json.loads((path / "run.json").read_text())
    (path / "run.json").write_text(json.dumps({**identity, "version": 99}))
    with pytest.raises(
        InvalidInput, match=r"has format 99; this metarl reads formats 1 to 2. Use the"
    ):
        RunDirectory.open(path)


@pytest.mark.parametrize("name", ["run.json", "config.json", "provenance.json"])
def test_a_damaged_run_is_refused(name, tmp_path):
    path = create(tmp_path / "run").path
    told = "" if name == "run.json" else r"run' is damaged: .*"
    whole = (path / name).read_bytes()
    (path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InvalidInput, match=rf"{told}{name}' cannot be read, it is not JSON") as cut:
        RunDirectory.open(path)
    assert name == "run.json" or str(cut.value).endswith(". Start a new run.")
    (path / name).write_bytes(b"[1]")
    with pytest.raises(InvalidInput, match=rf"{told}{name}' does not hold a JSON object, but a li"):
        RunDirectory.open(path)


def test_a_run_without_its_configuration_is_refused(tmp_path):
    path = create(tmp_path / "run").path
    (path / "config.json").unlink()
    with pytest.raises(InvalidInput, match=r"is damaged: it has no config\.json. Start a new run"):
        RunDirectory.open(path)


def test_a_run_without_its_command_is_refused(tmp_path):
    path = create(tmp_path / "run").path
    (path / "provenance.json").write_text("{}")
    with pytest.raises(InvalidInput, match=r"damaged: its provenance\.json has no command\. Start"):
        RunDirectory.open(path)


def test_a_damaged_outcome_is_to_be_removed(tmp_path):
    run = create(tmp_path / "run")
    (run.path / "outcome.json").write_text('{"outcome": "fin')
    with pytest.raises(
        InvalidInput, match=r"outcome\.json' is damaged \(.*\)\. Remove it; resuming"
    ):
        _ = run.outcome


def test_a_locked_run_is_refused_until_its_process_dies(tmp_path, start):
    path = create(tmp_path / "run").path
    program = (
        "import sys, time; from metarl.runs import RunDirectory\n"
        "with RunDirectory.open(sys.argv[1]).lock(): print('locked', flush=True); time.sleep(60)"
    )
    process = start("-c", program, path)
    assert process.stdout.readline() == "locked\n"
    run = RunDirectory.open(path)
    with pytest.raises(InvalidInput, match=f"in use by process {process.pid}. Wait until it"):
        run.lock().__enter__()
    process.send_signal(signal.SIGKILL)
    process.wait()
    refused = pytest.raises(InvalidInput, match=r"is in use by process")
    with run.lock(), run.lock(), refused:  # it may be nested in one run, but not in two
        RunDirectory.open(path).lock().__enter__()
    with RunDirectory.open(path).lock():
        pass


def test_the_package_is_light_to_import(start):
    program = (
        "import sys, metarl.runs as runs; [getattr(runs, name) for name in runs.__all__]\n"
        "print(sorted({'jax', 'rich', 'ml_dtypes', 'optax', 'haiku'} & set(sys.modules)))"
    )
    output, errors = start("-c", program).communicate(timeout=60)
    assert output == "[]\n", errors


def snapshot(directory):
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))
