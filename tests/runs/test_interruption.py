"""Signals while the main thread is in a call that lets none through, as compiling is; and who says how to go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from metarl.runs import Interrupted, Interruption, SilentProgress, saying_how_to_resume

# Deriving a key takes an hour, without a step of Python's in between.
BUSY = """
import hashlib, sys, threading
from metarl.runs import Interruption, leave_when_insisted
from metarl.runs.interruption import leaving_with
if int(sys.argv[1]):
    leave_when_insisted()
with Interruption(patient=bool(int(sys.argv[2]))), leaving_with("Go on with: metarl resume it"):
    threading.Timer(0.5, lambda: print("begun", file=sys.stderr, flush=True)).start()
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)
"""


# As an extension does that is interrupted while it is made: it fails in a way of its own.
FRAGILE = """
import sys, time
print("begun", file=sys.stderr, flush=True)
try:
    time.sleep(3600)
except BaseException as error:
    raise ImportError("half made") from error
"""
IMPORTING = """
import sys
from metarl.runs import Interruption, RunDirectory, SilentProgress
from metarl.runs import leave_when_insisted, saying_how_to_resume
leave_when_insisted()
with Interruption(patient=False):
    if len(sys.argv) == 1:
        import fragile
    run = RunDirectory.create("cut", "toy", {}, ["metarl"])
    with saying_how_to_resume(run, SilentProgress()):
        import fragile
"""

# Python drops what is raised in a callback of its garbage collector.
COLLECTING = """
import gc, signal, sys, time
gc.disable()  # but for the one below: the callback must not be called while the signals are still Python's
from metarl.runs import Interruption
def callback(phase, info):
    if phase == "start":
        gc.callbacks.remove(callback)
        signal.raise_signal(getattr(signal, sys.argv[1]))
gc.callbacks.append(callback)
try:
    with Interruption(patient=False):
        gc.collect()
        time.sleep(20)
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.fixture
def busy():
    """Returns a function that starts a process which is busy, and ends it with the test."""
    started = []

    def start(may_leave=True, patient=True):
        words = [sys.executable, "-c", BUSY, str(int(may_leave)), str(int(patient))]
        process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stderr is not None and process.stderr.readline() == "begun\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def lines(process, count):
    return [process.stderr.readline() for _ in range(count)]


@pytest.mark.parametrize(("number", "patient"), [(signal.SIGTERM, True), (signal.SIGINT, False)])
def test_the_first_signal_says_what_is_waited_for_and_the_second_ends_the_process(
    number, patient, busy
):
    process = busy(patient=patient)
    process.send_signal(number)
    assert "Stopping when what is compiled or computed now is done" in lines(process, 2)[1]
    assert process.poll() is None
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors == "\nGo on with: metarl resume it\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_in_the_midst_of_an_import_ends_the_process_as_elsewhere(number, tmp_path):
    assert _ended_while_importing(number, tmp_path) == (130, "\nmetarl: interrupted\n")


def test_a_signal_in_the_midst_of_an_import_says_how_to_go_on_with_a_run(tmp_path):
    code, errors = _ended_while_importing(signal.SIGINT, tmp_path, "run")
    expected = "\nInterrupted. Go on with: metarl resume cut\nmetarl: interrupted\n"
    assert (code, errors) == (130, expected)


def _ended_while_importing(number, place, *words):
    """Returns the exit code of a process that a signal ends while a module is made, and what it said."""
    (place / "fragile.py").write_text(FRAGILE, encoding="utf-8")
    path = os.pathsep.join([str(place), *filter(None, sys.path)])
    process = subprocess.Popen(
        [sys.executable, "-c", IMPORTING, *words],
        stderr=subprocess.PIPE,
        text=True,
        cwd=place,
        env={**os.environ, "PYTHONPATH": path},
    )
    try:
        assert process.stderr is not None and process.stderr.readline() == "begun\n"
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    return process.returncode, errors


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_in_the_midst_of_collecting_garbage_is_not_lost(name):
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", COLLECTING, name], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (130, "")
    assert time.monotonic() - began < 20.0


@pytest.mark.slow  # the quick form: what is allowed
def test_a_program_of_the_users_is_not_ended_unless_that_is_allowed(busy):
    process = busy(may_leave=False)
    for _ in range(3):
        process.send_signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(4)


def test_what_listens_to_signals_leaves_nothing_behind():
    def opened():
        return len(os.listdir("/proc/self/fd"))

    before = opened(), signal.set_wakeup_fd(-1)
    with Interruption(), Interruption(patient=False):
        assert opened() > before[0]
    for _ in range(100):
        if opened() == before[0]:
            break
        time.sleep(0.01)  # until the threads have ended
    assert (opened(), signal.set_wakeup_fd(-1)) == before


def test_the_hook_is_there_whenever_a_handler_is(monkeypatch):
    """A handler may raise within a collection of garbage as soon as it is set and until it is given back."""
    before, there, change = sys.unraisablehook, [], signal.signal

    def watched(number, handler):
        there.append(sys.unraisablehook != before)
        return change(number, handler)

    monkeypatch.setattr(signal, "signal", watched)
    with Interruption():
        assert there == [True, True]
    assert there == [True] * 4
    assert sys.unraisablehook is before


def test_how_to_go_on_is_said_once(new_run, capsys):
    run = new_run()
    outer = saying_how_to_resume(run, SilentProgress())
    inner = saying_how_to_resume(run, SilentProgress(), " --optimizer mine:adam")
    with pytest.raises(Interrupted), outer, inner:
        raise KeyboardInterrupt
    said = capsys.readouterr().err
    assert said == f"Interrupted. Go on with: metarl resume {run.path} --optimizer mine:adam\n"
