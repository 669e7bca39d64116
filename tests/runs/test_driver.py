from __future__ import annotations

import errno
import signal

import pytest

from metarl.errors import InvalidInput
from metarl.runs import GivenUp, Interruption, PlainProgress, RunDirectory, SilentProgress, drive


def flip_a_bit(path):
    """Damages a checkpoint, be it a file or a directory, in the middle of its largest file."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    largest = max(files, key=lambda file: (file.name != "manifest.json", file.stat().st_size))
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 0b100
    largest.write_bytes(content)


class Clock:
    """Seconds that pass only when the job says so."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now

    def tick(self):
        self.now += 10.0


def test_a_job_is_driven_to_its_end(ToyJob, new_run):
    run = new_run()
    state, outcome = drive(ToyJob(budget=9), run, SilentProgress())
    assert (outcome, state.generation, state.position) == ("finished", 3, 9)
    rows = run.metrics.rows()
    assert [row["generation"] for row in rows] == [1, 2, 3]
    assert [row["position"] for row in rows] == [3, 6, 9]
    assert rows[-1]["x"] == state.place[0]
    recorded = run.outcome
    assert recorded.pop("seconds") >= 0
    assert recorded == {
        "outcome": "finished",
        "reason": "complete",
        "position": 9,
        "total": 9,
        "generations": 3,
        "repeats_with_budget": 9,
    }


def test_a_finished_run_is_not_driven_on(ToyJob, new_run):
    run = new_run()
    state, _ = drive(ToyJob(budget=9), run, SilentProgress())

    def never():
        raise AssertionError("a finished run was updated")

    # Nor is one whose time was up, though its budget is not used.
    again, outcome = drive(ToyJob(budget=None, on_update=never), run, SilentProgress())
    assert outcome == "finished"
    assert again.place.tobytes() == state.place.tobytes()


@pytest.mark.parametrize("generation", [1, 4, 17, 38])
def test_interrupted_and_resumed_equals_never_stopped(
    generation, ToyJob, new_run, assert_same_run, capsys
):
    expected_run, run = new_run("expected"), new_run("it's")
    expected, _ = drive(ToyJob(), expected_run, SilentProgress())
    interruption, count = Interruption(), iter(range(1, 1000))

    def interrupt():
        if next(count) == generation:
            interruption.request()

    job = ToyJob(on_update=interrupt)
    state, outcome = drive(job, run, SilentProgress(), interruption=interruption)
    assert (outcome, state.generation) == ("interrupted", generation)
    recorded = run.outcome
    assert recorded["reason"] == "signal" and recorded["repeats_with_budget"] is None
    assert f"go on with: metarl resume '{run.path.parent}/it'\"'\"'s'" in capsys.readouterr().err

    run = RunDirectory.open(run.path)
    state, outcome = drive(ToyJob(), run, SilentProgress())
    assert outcome == "finished"
    assert_same_run(run, state, expected_run, expected)


def test_a_generation_that_is_given_up_is_computed_again(ToyJob, new_run, assert_same_run):
    expected_run, run = new_run("expected"), new_run()
    expected, _ = drive(ToyJob(), expected_run, SilentProgress())

    class Heeding(ToyJob):
        def heed(self, interruption):
            self.interruption, self.count = interruption, 0

        def update(self, state):
            self.count += 1
            if self.count == 5:
                self.interruption.request()
                raise GivenUp
            return super().update(state)

    state, outcome = drive(Heeding(), run, SilentProgress())
    assert (outcome, state.generation) == ("interrupted", 4)
    run = RunDirectory.open(run.path)
    state, outcome = drive(ToyJob(), run, SilentProgress())
    assert outcome == "finished"
    assert_same_run(run, state, expected_run, expected)


def test_a_signal_in_the_last_generation_finishes_the_run_and_interrupts_what_follows(
    ToyJob, new_run, assert_same_run, capsys
):
    expected_run, run, interruption = new_run("expected"), new_run(), Interruption()
    expected, _ = drive(ToyJob(), expected_run, SilentProgress())
    count = iter(range(1, 1000))

    def interrupt():
        if next(count) == expected.generation:
            interruption.request()

    job = ToyJob(on_update=interrupt)
    state, outcome = drive(job, run, SilentProgress(), interruption=interruption)
    assert outcome == "interrupted"
    assert "go on with: metarl resume" in capsys.readouterr().err
    assert run.outcome["outcome"] == "finished" and run.outcome["reason"] == "complete"
    assert_same_run(run, state, expected_run, expected)
    _, outcome = drive(ToyJob(on_update=lambda: pytest.fail("all was done")), run, SilentProgress())
    assert outcome == "finished"


def test_killed_and_resumed_equals_never_stopped(
    ToyJob, new_run, start_toy_job, wait_for_rows, assert_same_run
):
    expected_run, run = new_run("expected"), new_run()
    expected, _ = drive(ToyJob(), expected_run, SilentProgress())
    for rows in (3, 12, 25):
        process = start_toy_job(run, pause=0.05, checkpoint_seconds=0.1)
        wait_for_rows(run, rows)
        process.kill()
        assert process.wait() == -signal.SIGKILL, "it was done before it was killed"
    assert run.outcome is None
    assert run.checkpoints.newest() is not None
    state, _ = drive(ToyJob(), run, SilentProgress())
    assert_same_run(run, state, expected_run, expected)


def test_a_run_killed_before_its_first_checkpoint_starts_again(
    ToyJob, new_run, start_toy_job, wait_for_rows, assert_same_run
):
    expected_run, run = new_run("expected"), new_run()
    expected, _ = drive(ToyJob(), expected_run, SilentProgress())
    process = start_toy_job(run, pause=0.05, checkpoint_seconds=1000)
    wait_for_rows(run, 3)
    process.kill()
    process.wait()
    assert run.checkpoints.newest() is None
    state, _ = drive(ToyJob(), run, SilentProgress())
    assert_same_run(run, state, expected_run, expected)


@pytest.mark.parametrize(
    "outcome",
    [
        {"outcome": "finished"},
        {"outcome": "finished", "generations": "x", "reason": "complete"},
        {"outcome": "finished", "generations": 3, "reason": ["signal"]},
    ],
)
def test_a_damaged_outcome_is_refused_and_removed_it_is_written_again(outcome, ToyJob, new_run):
    run = new_run()
    drive(ToyJob(), run, SilentProgress())
    written = run.outcome
    run.write_outcome(outcome)
    with pytest.raises(InvalidInput, match=r"outcome\.json' is damaged \(generations .*Remove it"):
        drive(ToyJob(), run, SilentProgress())
    (run.path / "outcome.json").unlink()
    drive(ToyJob(), run, SilentProgress())
    assert {**run.outcome, "seconds": 0} == {**written, "seconds": 0}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_stops_the_process_after_its_generation(
    number, ToyJob, new_run, start_toy_job, wait_for_rows
):
    run = new_run()
    process = start_toy_job(run, pause=0.1, checkpoint_seconds=1000)
    wait_for_rows(run, 2)
    process.send_signal(number)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "Stopping when what is compiled or computed now is done; once more" in errors
    assert f"metarl resume {run.path}" in errors
    assert run.outcome["generations"] == len(run.metrics.rows())
    assert run.checkpoints.newest().stem == f"{run.outcome['generations']:010d}"


def test_the_second_signal_stops_the_process_at_once(new_run, start_toy_job, wait_for_rows):
    run = new_run()
    process = start_toy_job(run, pause=1.0, checkpoint_seconds=1000)
    wait_for_rows(run, 1)
    process.send_signal(signal.SIGINT)
    assert any("Stopping" in line for line in iter(process.stderr.readline, ""))
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode != 0
    assert f"Stopped. Go on from the last checkpoint with: metarl resume {run.path}" in errors
    assert run.outcome is None and run.checkpoints.newest() is None


def test_signals_are_given_back():
    before = signal.getsignal(signal.SIGINT)
    with Interruption():
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) == before


@pytest.mark.parametrize(
    ("minutes", "generations"),
    [
        (0.5, 3),
        (0.62, 5),  # generation 4 ends after the limit but gets nowhere: its budget would repeat 3
        (5.0, 30),  # a repetition is the same for any limit
    ],
)
def test_a_time_limit_leaves_the_budget_that_repeats_the_run(
    minutes, generations, ToyJob, new_run, assert_same_run
):
    clock, run, repeated_run = Clock(), new_run(), new_run("repeated")
    job = ToyJob(budget=None, on_update=clock.tick)
    state, outcome = drive(job, run, SilentProgress(), minutes=minutes, clock=clock)
    assert (outcome, state.generation) == ("finished", generations)
    assert run.outcome["reason"] == "time limit"
    budget = run.outcome["repeats_with_budget"]
    repeated, _ = drive(ToyJob(budget=budget), repeated_run, SilentProgress())
    assert_same_run(repeated_run, repeated, run, state)


def test_a_job_that_gets_nowhere_is_not_waited_for(ToyJob, new_run):
    class Stuck(ToyJob):
        def position(self, state):
            return 0, None

    clock = Clock()
    job = Stuck(budget=None, on_update=clock.tick)
    state, _ = drive(job, new_run(), SilentProgress(), minutes=2.0, clock=clock)
    assert state.generation == 14  # 140 s: the first end of a generation after 1.1 times 120 s


def test_a_time_limit_counts_all_sessions(ToyJob, new_run):
    clock, run, interruption = Clock(), new_run(), Interruption()
    interruption.request()
    for _ in range(2):
        job = ToyJob(budget=None, on_update=clock.tick)
        clock.now += 12345.0  # time between sessions is free
        state, outcome = drive(
            job, run, SilentProgress(), minutes=0.5, clock=clock, interruption=interruption
        )
        assert outcome == "interrupted" and state.generation == 0
    interruption.requested = False
    job = ToyJob(budget=None, on_update=lambda: (clock.tick(), interruption.request()))
    drive(job, run, SilentProgress(), minutes=0.5, clock=clock, interruption=interruption)
    assert run.outcome["seconds"] == 10.0
    job = ToyJob(budget=None, on_update=clock.tick)
    state, outcome = drive(job, run, SilentProgress(), minutes=0.5, clock=clock)
    assert (outcome, state.generation) == ("finished", 3)


def test_compiling_does_not_count_in_a_time_limit_over_all_sessions(ToyJob, new_run):
    """A generation takes 10 s; the first of each session 25 s more, in which it is compiled."""
    run, clock, compiled = new_run(), Clock(), [500.0]
    for session, generations in enumerate((2, 3)):
        interruption, updates = Interruption(), []

        def update(session=session, interruption=interruption, updates=updates):
            updates.append(clock.tick())
            if len(updates) == 1:
                clock.now += 25.0
                compiled[0] += 25.0
            if session == 0 and len(updates) == 2:
                interruption.request()

        state, _ = drive(
            ToyJob(budget=None, on_update=update),
            run,
            SilentProgress(),
            minutes=0.5,
            clock=clock,
            interruption=interruption,
            compiling=lambda: compiled[0],
        )
        assert state.generation == generations
    assert (run.outcome["seconds"], run.outcome["compile_seconds"]) == (80.0, 50.0)


@pytest.mark.parametrize("minutes", [0, -1.5, float("nan")])
def test_a_time_limit_is_positive(minutes, ToyJob, new_run):
    with pytest.raises(InvalidInput, match=r"time limit is .* minutes; it has to be above 0"):
        drive(ToyJob(), new_run(), SilentProgress(), minutes=minutes)


def test_checkpoints_are_saved_no_more_often_than_asked(ToyJob, new_run, monkeypatch):
    clock, run, saved = Clock(), new_run(), []
    save = type(run.checkpoints).save
    monkeypatch.setattr(
        type(run.checkpoints),
        "save",
        lambda self, generation, *rest: (saved.append(generation), save(self, generation, *rest)),
    )
    job = ToyJob(budget=21, on_update=clock.tick)  # 9 generations of 10 s
    drive(job, run, SilentProgress(), checkpoint_seconds=25.0, clock=clock)
    assert saved == [3, 6, 9, 9]
    assert len(list(run.checkpoints.directory.iterdir())) == 2


def test_a_full_disk_stops_the_job_and_leaves_the_last_checkpoint(
    ToyJob, new_run, monkeypatch, capsys, assert_same_run
):
    expected_run, run = new_run("expected"), new_run()
    expected, _ = drive(ToyJob(), expected_run, SilentProgress())
    import metarl.runs.durable as durable

    fsync, calls = durable.os.fsync, iter(range(1000))

    def full(descriptor):
        if next(calls) == 13:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(durable.os, "fsync", full)
        with pytest.raises(OSError, match=r"No space left on device: '.*\.checkpoint'"):
            drive(ToyJob(), run, SilentProgress(), checkpoint_seconds=0.0)
    assert "Stopped. Go on from the last checkpoint with: metarl resume" in capsys.readouterr().err
    assert not list(run.checkpoints.directory.glob(".*"))
    state, _ = drive(ToyJob(), run, SilentProgress())
    assert_same_run(run, state, expected_run, expected)


@pytest.mark.parametrize("kind", ["npz", "orbax"])
@pytest.mark.parametrize("damaged", [1, 2])
def test_a_damaged_checkpoint_is_passed_over_and_the_run_ends_with_the_same_bits(
    damaged, kind, ToyJob, new_run, assert_same_run, capsys
):
    """Also of a run that is finished already: its last state is computed again."""
    run, expected_run = new_run(kind=kind), new_run("expected")
    expected, _ = drive(ToyJob(budget=18), expected_run, SilentProgress())
    run.checkpoints.keep = 100
    drive(ToyJob(budget=18), run, SilentProgress(), checkpoint_seconds=0.0)
    paths = run.checkpoints.paths()
    assert len(paths) == expected.generation
    for path in paths[-damaged:]:
        flip_a_bit(path)
    capsys.readouterr()
    state, outcome = drive(ToyJob(budget=18), run, SilentProgress())
    assert outcome == "finished"
    assert_same_run(run, state, expected_run, expected)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(f"Using the one before, {paths[-damaged - 1].name}.")
    assert all(path.name in line for path in paths[-damaged:])
    assert line.count("is damaged") == damaged == len(run.checkpoints.leftovers())
    again, _ = drive(ToyJob(budget=18), run, SilentProgress())
    assert again.place.tobytes() == expected.place.tobytes() and not capsys.readouterr().err


def test_where_the_clock_ended_a_run_is_kept_when_its_end_is_computed_again(
    ToyJob, new_run, assert_same_run
):
    """A slower machine is not stopped earlier by the clock, and interruptions forget nothing."""
    clock, run, expected_run = Clock(), new_run(), new_run("expected")
    job = ToyJob(budget=None, on_update=clock.tick)
    for each in (expected_run, run):
        each.checkpoints.keep = 100
        expected, _ = drive(
            job, each, SilentProgress(), minutes=1.0, checkpoint_seconds=20.0, clock=clock
        )
    for path in run.checkpoints.paths()[2:]:
        flip_a_bit(path)
    slow, interruption, outcome, state = Clock(), Interruption(), "interrupted", None

    def update():
        slow.now += 1000.0
        interruption.request()

    sessions = 0
    while outcome == "interrupted":
        interruption.requested, sessions = False, sessions + 1
        job = ToyJob(budget=None, on_update=update)
        state, outcome = drive(
            job, run, SilentProgress(), minutes=1.0, clock=slow, interruption=interruption
        )
    # One for each lost generation, and one that finds everything done.
    assert sessions == expected.generation - 4 + 1 > 2
    assert_same_run(run, state, expected_run, expected)


def test_a_run_without_an_intact_checkpoint_is_refused_and_left_as_it_is(ToyJob, new_run):
    run = new_run()
    drive(ToyJob(), run, SilentProgress(), checkpoint_seconds=0.0)
    for path in run.checkpoints.paths():
        flip_a_bit(path)
    before = run.metrics.path.read_bytes(), run.outcome
    with pytest.raises(InvalidInput, match=r"No checkpoint of this run is intact: remove the fold"):
        drive(ToyJob(), run, SilentProgress())
    assert (run.metrics.path.read_bytes(), run.outcome) == before


def test_a_state_that_is_the_best_so_far_is_saved_at_once(ToyJob, new_run):
    class Scored(ToyJob):
        def score(self, state):
            return 7.0 if state.generation == 5 else None

    run, clock = new_run(), Clock()
    run.checkpoints.keep = 100
    job = Scored(budget=21, on_update=clock.tick)
    drive(job, run, SilentProgress(), checkpoint_seconds=35.0, clock=clock)
    assert [int(path.stem) for path in run.checkpoints.paths()] == [4, 5, 9]


def test_the_environment_may_say_how_often_checkpoints_are_saved(ToyJob, new_run, monkeypatch):
    run = new_run()
    run.checkpoints.keep = 100
    monkeypatch.setenv("METARL_CHECKPOINT_SECONDS", "0")
    drive(ToyJob(budget=9), run, SilentProgress())
    assert len(run.checkpoints.paths()) == 3
    for wrong in ("-1", "soon", "nan"):
        monkeypatch.setenv("METARL_CHECKPOINT_SECONDS", wrong)
        with pytest.raises(InvalidInput, match=rf"takes seconds, 0 or more, not '{wrong}'"):
            drive(ToyJob(), new_run(wrong), SilentProgress())


def test_metrics_may_not_hide_those_of_the_driver(ToyJob, new_run):
    class Clashing(ToyJob):
        def update(self, state):
            return super().update(state)[0], {"seconds": 1.0}

    with pytest.raises(ValueError, match=r"may not be called seconds"):
        drive(Clashing(), new_run(), SilentProgress())


def test_progress_shows_the_words_of_the_job(ToyJob, new_run, capsys):
    state, _ = drive(
        ToyJob(budget=9),
        new_run(),
        PlainProgress(seconds=0.0),
        unit="rules",
        describe=lambda metrics: f"best {metrics['best']:.2f}",
    )
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "toy: 0/9 rules"
    assert lines[-1].startswith("toy: 9/9 rules, ")
    assert lines[-1].endswith(f"| best {state.archive.max():.2f}")
