from __future__ import annotations

import io

import pytest
from rich.console import Console

from metarl.runs import PlainProgress, SilentProgress, progress_on_stderr
from metarl.runs.progress import LiveProgress


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_plain_lines_come_now_and_then_and_at_the_end():
    clock, stream = Clock(), io.StringIO()
    progress = PlainProgress(stream, seconds=5.0, clock=clock)
    progress.begin("search", "rules")
    for clock.now in range(13):
        progress.report(100 + 10 * clock.now, 1500, f"best g * {clock.now}")
    progress.message("half-way")
    progress.end()
    assert stream.getvalue().splitlines() == [
        "search: 100/1,500 rules | best g * 0",
        "search: 150/1,500 rules, 10 rules/s, 2:15 left | best g * 5",
        "search: 200/1,500 rules, 10 rules/s, 2:10 left | best g * 10",
        "half-way",
        "search: 220/1,500 rules, 10 rules/s, 2:08 left | best g * 12",
    ]


def test_a_position_is_printed_once():
    stream = io.StringIO()
    progress = PlainProgress(stream, clock=Clock())
    progress.begin("search", "rules")
    progress.report(1, None)
    progress.end()
    progress.end()
    assert stream.getvalue() == "search: 1 rule\n"


@pytest.mark.parametrize(
    ("total", "seconds_left", "expected"),
    [
        (None, None, "40 rules, 4 rules/s"),
        (None, 3600.0, "40 rules, 4 rules/s, 1:00:00 left"),
        (80, 3600.0, "40/80 rules, 4 rules/s, 0:10 left"),
        (80, 2.0, "40/80 rules, 4 rules/s, 0:02 left"),
        (30, None, "40/30 rules, 4 rules/s, 0:00 left"),
    ],
)
def test_the_time_left_is_that_of_the_nearer_end(total, seconds_left, expected):
    clock, stream = Clock(), io.StringIO()
    progress = PlainProgress(stream, seconds=0.0, clock=clock)
    progress.begin("search", "rules")
    progress.report(0, total)
    clock.now = 100.0
    progress.report(20, total)
    clock.now = 105.0
    progress.report(40, total, seconds_left=seconds_left)
    assert stream.getvalue().splitlines()[-1] == f"search: {expected}"


def test_the_first_step_which_compiles_is_no_measure_of_the_time_left():
    clock, stream = Clock(), io.StringIO()
    progress = PlainProgress(stream, seconds=0.0, clock=clock)
    progress.begin("search", "rules")
    for clock.now, position in ((0.0, 0), (40.0, 20), (41.0, 20), (45.0, 30)):
        progress.report(position, 130)
    assert stream.getvalue().splitlines() == [
        "search: 0/130 rules",
        "search: 20/130 rules, 0.5 rules/s",
        "search: 20/130 rules, 0.488 rules/s",
        "search: 30/130 rules, 2 rules/s, 0:50 left",
    ]


def test_a_live_display_shows_brackets_as_they_are():
    stream, clock = io.StringIO(), Clock()
    progress = LiveProgress(Console(file=stream, force_terminal=True, width=80), clock)
    progress.begin("search", "rules")
    progress.report(0, 100)
    clock.now = 5.0
    progress.report(25, 100)
    clock.now = 10.0
    progress.report(50, 100, "best [red] sign(g)")
    progress.message("see [bold]here")
    progress.end()
    progress.end()
    shown = stream.getvalue()
    assert "50/100 rules, 5 rules/s, 0:10 left" in shown
    assert "best [red] sign(g)" in shown and "see [bold]here" in shown


def test_a_live_display_does_not_need_a_total():
    stream = io.StringIO()
    progress = LiveProgress(Console(file=stream, force_terminal=True, width=80), Clock())
    progress.begin("search", "rules")
    progress.report(7, None)
    progress.end()
    assert "search  7 rules" in stream.getvalue()


def test_without_a_terminal_progress_is_plain(capsys):
    progress = progress_on_stderr()
    progress.begin("search", "rules")
    progress.report(1, 2, "now")
    progress.end()
    captured = capsys.readouterr()
    assert captured.err == "search: 1/2 rules | now\n" and captured.out == ""


def test_quiet_prints_messages_only(capsys):
    progress = progress_on_stderr(quiet=True)
    assert isinstance(progress, SilentProgress)
    progress.begin("search", "rules")
    progress.report(1, 2, "now")
    progress.message("go on with ...")
    progress.end()
    captured = capsys.readouterr()
    assert captured.err == "go on with ...\n" and captured.out == ""
