"""A terminal in which metarl's commands run as users run them, in processes of their own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

_METARL = (sys.executable, "-m", "metarl")


class Terminal(NamedTuple):
    """Commands in one working directory."""

    place: Path

    def run(self, *words: str) -> subprocess.CompletedProcess:
        """Runs a command and returns what it printed."""
        return subprocess.run(
            [*_METARL, *words], cwd=self.place, capture_output=True, text=True, timeout=900
        )

    def document(self, *words: str) -> dict:
        """Returns the one document of a command that must succeed."""
        done = self.run(*words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def interrupt(self, *words: str, run_dir: str) -> None:
        """Begins a run, interrupts it after its first line of metrics, and sees it end cleanly."""
        process = subprocess.Popen(
            [*_METARL, *words, "--run-dir", run_dir],
            cwd=self.place,
            stderr=subprocess.PIPE,
            text=True,
        )
        log = self.place / run_dir / "metrics.jsonl"
        while process.poll() is None and not (log.exists() and log.read_text().count("\n") >= 1):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, printed = process.communicate(timeout=600)
        assert process.returncode == 130, printed
        assert f"metarl resume {run_dir}" in printed and "Traceback" not in printed


@pytest.fixture(scope="module")
def terminal(tmp_path_factory):
    return Terminal(tmp_path_factory.mktemp("smoke"))
