"""The front door: exit codes, what goes to which stream, and the nearest verb."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from types import SimpleNamespace

import jax
import pytest

import metarl
from metarl.cli import VERBS, main
from metarl.errors import InvalidInput


@dataclass(frozen=True)
class Arguments:
    """Does what the test wants."""

    learning_rate: float = 0.1
    """Of the optimizer."""
    problem: tuple[str, ...] = ("digits-mlp",)
    """One or several."""
    json: bool = False
    """Print one JSON document."""


@pytest.fixture
def verb(monkeypatch):
    """Returns a function that puts a made-up verb `try` on the table, whose `run` is given."""

    def add(run):
        module = SimpleNamespace(Arguments=Arguments, run=run, show=lambda document: print("shown"))
        row = SimpleNamespace(name="try", caption="tries", load=lambda: module)
        monkeypatch.setattr("metarl.cli.verbs.VERBS", (row,))

    return add


def raising(error):
    def run(arguments):
        raise error

    return run


def test_without_a_verb_the_help_names_every_verb(capsys):
    assert main([]) == 0
    printed = capsys.readouterr().out
    assert all(f"  {verb.name} " in printed and verb.caption in printed for verb in VERBS)


def test_version_is_one_line(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"metarl {metarl.__version__}\n"


def test_version_as_json_has_packages_and_devices(capsys):
    assert main(["--version", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["metarl"] == metarl.__version__
    assert document["packages"]["jax"].count(".") >= 2
    assert len(document["devices"]) == 2  # as many as tests/conftest.py forces


def test_an_unknown_verb_suggests_the_nearest(capsys):
    assert main(["lisst"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("metarl: error: Unknown command 'lisst'. Did you mean 'list'?")
    assert captured.err.count("\n") == 1


def test_arguments_reach_the_verb_with_hyphens_and_underscores(verb, capsys):
    seen = []
    verb(lambda arguments: seen.append(arguments))
    assert main(["try", "--learning_rate", "0.5", "--problem", "a", "b"]) == 0
    assert main(["try", "--learning-rate", "0.5", "--problem", "a", "b"]) == 0
    assert seen == 2 * [Arguments(learning_rate=0.5, problem=("a", "b"))]
    assert capsys.readouterr().out == "shown\nshown\n"


def test_json_is_the_only_thing_on_standard_output(verb, capsys):
    def run(arguments):
        print("a stray line")
        return {"loss": float("nan"), "seeds": (1, 2)}

    verb(run)
    assert main(["try", "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"loss": None, "seeds": [1, 2]}
    assert captured.err == "a stray line\n"


@pytest.mark.parametrize(
    "words", [["--nope"], ["--learning-rate", "fast"], ["--problem", "a", "--json", "more"]]
)
def test_what_cannot_be_parsed_ends_with_code_2_and_nothing_on_standard_output(verb, capsys, words):
    verb(raising(AssertionError("must not run")))
    assert main(["try", "--json", *words]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert words[-1].lstrip("-") in captured.err or words[0] in captured.err


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (InvalidInput("Depth 9."), "metarl: error: Depth 9.\n"),
        (OSError(28, "No space left on device"), "metarl: error: No space left on device\n"),
        (
            PermissionError(13, "Permission denied", "runs/a"),
            "metarl: error: Permission denied: runs/a\n",
        ),
    ],
)
def test_what_a_user_can_cause_is_one_message_and_code_2(verb, capsys, error, message):
    verb(raising(error))
    assert main(["try", "--json"]) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", message)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (MemoryError(), ""),
        (MemoryError("Unable to allocate 745. GiB."), " Unable to allocate 745. GiB."),
        (
            jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes.\nAt"),
            " Out of memory allocating 9 bytes.",
        ),
    ],
)
def test_who_asks_for_more_memory_than_there_is_is_told_so_in_one_line(verb, capsys, error, told):
    verb(raising(error))
    assert main(["try"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("metarl: error: There is not enough memory for this; take less of ")
    assert err.endswith(f"units of a network.{told}\n") and err.count("\n") == 1


def test_another_error_of_jax_keeps_its_traceback(verb):
    verb(raising(jax.errors.JaxRuntimeError("INTERNAL: a defect")))
    with pytest.raises(jax.errors.JaxRuntimeError, match="a defect"):
        main(["try"])


def test_a_defect_keeps_its_traceback(verb):
    verb(raising(KeyError("a defect")))
    with pytest.raises(KeyError, match="a defect"):
        main(["try"])


def test_an_interrupt_ends_as_a_shell_expects(verb, capsys):
    verb(raising(KeyboardInterrupt()))
    assert main(["try"]) == 130
    assert capsys.readouterr().err == "metarl: interrupted\n"


def test_a_request_to_end_is_an_interrupt_too_and_the_signal_is_given_back(verb, capsys):
    before = signal.getsignal(signal.SIGTERM)
    verb(lambda arguments: signal.raise_signal(signal.SIGTERM))
    assert main(["try"]) == 130
    assert capsys.readouterr().err == "metarl: interrupted\n"
    assert signal.getsignal(signal.SIGTERM) == before


LEFT_BEHIND = """
import hashlib, sys, threading
from types import SimpleNamespace
from metarl.cli import dispatch
def run(arguments):
    threading.Thread(target=hashlib.pbkdf2_hmac, args=("sha256", b"", b"", 2**31 - 1)).start()
    raise KeyboardInterrupt
from metarl.cli import listing
listing.run = run
sys.argv = ["metarl", "list", "rules"]
sys.exit(dispatch.main())
"""


def test_an_interrupted_process_does_not_wait_for_what_its_threads_compute():
    done = subprocess.run(
        [sys.executable, "-c", LEFT_BEHIND], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (130, "metarl: interrupted\n")


def test_a_reader_that_goes_away_is_no_error():
    script = "import sys; from metarl.cli import main; sys.exit(main(['--help']))"
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(timeout=60) == 141


@pytest.mark.parametrize("words", [["list", "rules"], ["--version"], ["list", "rule"]])
def test_streams_that_a_shell_has_closed_take_nothing(monkeypatch, words):
    """As after `metarl ... >&- 2>&- <&-`, where Python has None for each of them."""
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    assert main(words) == (2 if words[-1] == "rule" else 0)
    opened = [sys.stdin, sys.stdout, sys.stderr]
    monkeypatch.undo()
    assert all(stream.name == os.devnull for stream in opened)
    for stream in opened:
        stream.close()


def test_the_completion_of_bash_knows_the_verbs(capsys):
    assert main(["--print-completion", "bash"]) == 0
    script = capsys.readouterr().out
    assert all(verb.name in script for verb in VERBS)
    assert "Completion for metarl" in script.replace("completion", "Completion")


def test_the_completion_of_an_unknown_shell_is_refused(capsys):
    assert main(["--print-completion", "pash"]) == 2
    assert "one of bash, zsh, tcsh, not 'pash'" in capsys.readouterr().err


def test_python_m_metarl_is_the_same_door():
    answer = subprocess.run(
        [sys.executable, "-m", "metarl", "--version"], capture_output=True, text=True, check=True
    )
    assert answer.stdout == f"metarl {metarl.__version__}\n"


def test_the_help_needs_no_docstrings():
    """`python -OO` leaves none."""
    answer = subprocess.run(
        [sys.executable, "-OO", "-m", "metarl", "--help"], capture_output=True, text=True
    )
    assert (answer.returncode, answer.stderr) == (0, "")
    assert "usage: metarl VERB" in answer.stdout
