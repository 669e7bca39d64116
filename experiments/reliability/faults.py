"""The faults: each does its harm to a small run, has it resumed, and tells how that ended.

A fault strikes at a moment drawn uniformly over the measured length of an undisturbed run, from the
line "driving" on; or over what is left of it when the first checkpoint is there. A run that was done
before it struck does not count: another moment is drawn.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from comparing import Fingerprint, differing, fingerprint

WORKER = Path(__file__).with_name("small_runs.py")
_DRAWS = 20  # moments, until one falls into the run
_DEADLINE = 1800.0  # seconds; a machine may be busy
_TMPFS_MEGABYTES = 16


class Finding(NamedTuple):
    """How a fault ended."""

    verdict: str  # "equal", "different", "lost" (not resumed), "unsaid" or "skipped"
    said: str = ""  # the last line on standard error when the fault struck, or what went wrong
    moment: float | None = None  # seconds from "driving" to the fault
    between: bool | None = None  # whether it struck between the first and the last checkpoint


class Reference(NamedTuple):
    """An undisturbed run."""

    place: Path
    seconds: float  # from "driving" to the end
    fingerprint: Fingerprint


@dataclass
class Bench:
    """One fault's working place: a job, an empty folder, what it is compared with, and chance."""

    job: str
    place: Path
    reference: Reference
    random: np.random.Generator
    flags: list[str] = field(default_factory=list)
    repair: Callable[[], object] = lambda: None  # undoes the harm

    @property
    def run(self) -> Path:
        """The run directory."""
        return self.place / "run"

    def start(self, *runs: Path) -> subprocess.Popen[str]:
        """Starts the worker on the run (or on others) and returns when it drives."""
        process = launch(self.job, *(runs or (self.run,)), flags=self.flags)
        for line in process.stdout or ():
            if line == "driving\n":
                break
        return process

    def strike(
        self,
        harm: Callable[[subprocess.Popen[str]], None],
        *,
        ends: bool = False,
        saved: bool = False,
    ) -> tuple[float, str, bool]:
        """Begins the run and does harm to it at a random moment.

        Args:
          harm: what is done to the worker.
          ends: whether the run is to come to its end all the same.
          saved: whether the first checkpoint is waited for.

        Returns:
          The moment, what the worker said last, and whether that was between the first and the last
          checkpoint.
        """
        for _ in range(_DRAWS):
            self.repair()
            shutil.rmtree(self.run, ignore_errors=True)
            process, began = self.start(), time.monotonic()
            while saved and process.poll() is None and not has_checkpoint(self.run):
                time.sleep(0.01)
            left = self.reference.seconds - (time.monotonic() - began)
            # On a busy machine a run may take longer than the undisturbed one did.
            time.sleep(self.random.uniform(0.0, max(left, self.reference.seconds / 4)))
            moment = time.monotonic() - began
            alive = process.poll() is None and not has_ended(self.run)
            between = alive and has_checkpoint(self.run)
            if alive:
                harm(process)
            said = ended(process)
            if alive and (process.returncode == 0) == ends:
                return moment, said, between
        raise TimeoutError(f"the run was done before {_DRAWS} faults could strike")

    def resumed(self, moment: float, said: str, between: bool) -> Finding:
        """Has the run resumed to its end, once the harm is repaired, and compares it."""
        self.repair()
        process = self.start()
        words = ended(process)
        if process.returncode != 0:
            return Finding("lost", words, moment, between)
        return self.compared(self.run, said)._replace(moment=moment, between=between)

    def compared(self, run: Path, said: str) -> Finding:
        """Compares a run that has ended with the undisturbed one."""
        try:
            names = differing(fingerprint(run), self.reference.fingerprint)
        except (ValueError, OSError) as error:
            return Finding("lost", str(error))
        return (
            Finding("different", f"{', '.join(names)} differ") if names else Finding("equal", said)
        )


def launch(job: str, *runs: Path, flags: list[str] | None = None) -> subprocess.Popen[str]:
    """Starts the worker in a process of its own."""
    words = [sys.executable, str(WORKER), job, *map(str, runs), *(flags or [])]
    return subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace"
    )


def ended(process: subprocess.Popen[str]) -> str:
    """Waits for a worker and returns the last line that it wrote on standard error."""
    _, errors = process.communicate(timeout=_DEADLINE)
    return (errors.strip().splitlines() or [""])[-1]


def has_ended(run: Path) -> bool:
    """Tells whether a run has written how it ended."""
    return (run / "outcome.json").exists()


def has_checkpoint(run: Path) -> bool:
    """Tells whether a run has a finished checkpoint."""
    place = run / "checkpoints"
    return any(place.glob("*.checkpoint")) or any(place.glob("[0-9]*/manifest.json"))


# The faults ---------------------------------------------------------------------------------------


def killed(bench: Bench) -> Finding:
    """SIGKILL; there is nothing to be said."""
    moment, _, between = bench.strike(lambda process: process.kill())
    return bench.resumed(moment, "", between)


def killed_later(bench: Bench) -> Finding:
    """SIGKILL, once there is a checkpoint."""
    moment, _, between = bench.strike(lambda process: process.kill(), saved=True)
    return bench.resumed(moment, "", between)


def signalled(number: signal.Signals, times: int = 1) -> Callable[[Bench], Finding]:
    """Returns a fault: signals that ask for an end, which is to come in order."""

    def fault(bench: Bench) -> Finding:
        def harm(process: subprocess.Popen[str]) -> None:
            for _ in range(times):
                process.send_signal(number)
                time.sleep(bench.random.uniform(0.0, 0.1))

        moment, said, between = bench.strike(harm)
        # Before the work has begun there is nothing to be left in order.
        if times == 1 and between and said != "metarl: interrupted":
            return Finding("unsaid", said, moment, between)
        return bench.resumed(moment, said, between)

    return fault


def full_disk(bench: Bench) -> Finding:
    """A small file system of its own is filled up."""
    if not can_mount():
        return Finding("skipped", "mounting is not allowed here")
    with mounted(bench.place):
        filler = bench.place / "filler"
        bench.repair = lambda: filler.unlink(missing_ok=True)
        return _refused_with(bench, "No space left on device", lambda _: fill(filler))


def file_too_large(bench: Bench) -> Finding:
    """No file may grow beyond a limit (RLIMIT_FSIZE), which the log or a checkpoint soon meets."""
    files = [path for path in bench.reference.place.rglob("*") if path.is_file()]
    largest = max(path.stat().st_size for path in files)
    limit = int(largest * bench.random.uniform(0.1, 0.5))

    def harm(process: subprocess.Popen[str]) -> None:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (limit, limit))

    return _refused_with(bench, "File too large", harm)


def read_only(bench: Bench) -> Finding:
    """The file system cannot be written when a killed run is to be resumed."""
    if not can_mount():
        return Finding("skipped", "mounting is not allowed here")
    with mounted(bench.place):
        moment, _, between = bench.strike(lambda process: process.kill())
        subprocess.run(["mount", "-o", "remount,ro", str(bench.place)], check=True)
        said = ended(bench.start())
        subprocess.run(["mount", "-o", "remount,rw", str(bench.place)], check=True)
        if "Read-only file system" not in said:
            return Finding("unsaid", said, moment, between)
        return bench.resumed(moment, said, between)


def second_process(bench: Bench) -> Finding:
    """Another process wants the same run; it is refused, and the first goes on."""
    said = ""

    def harm(first: subprocess.Popen[str]) -> None:
        nonlocal said
        first.send_signal(signal.SIGSTOP)  # or it would be done before the second has started
        second = bench.start()
        said = ended(second)
        first.send_signal(signal.SIGCONT)

    moment, _, between = bench.strike(harm, ends=True)
    if "is in use by process" not in said:
        return Finding("unsaid", said, moment, between)
    return bench.compared(bench.run, said)._replace(moment=moment, between=between)


def backwards_clock(bench: Bench) -> Finding:
    """The wall clock jumps back by an hour twice a second, also over a SIGKILL."""
    bench.flags = ["--backwards"]
    return killed(bench)


def damaged(benches: list[Bench]) -> list[Finding]:
    """Copies of a killed run, the newest checkpoint of each damaged at a random byte, all resumed."""
    first = benches[0]
    while True:
        first.strike(lambda process: process.kill())
        checkpoints = first.run / "checkpoints"
        if len([path for path in checkpoints.glob("[0-9]*") if _is_whole(path)]) >= 2:
            break
    killed_run = first.run.rename(first.place / "killed")
    for bench in benches:
        shutil.copytree(killed_run, bench.run)
        flip_a_byte(newest_checkpoint(bench.run), bench.random)
    process = launch(first.job, *(bench.run for bench in benches))
    _, errors = process.communicate(timeout=_DEADLINE)
    return [_noticed(bench, errors.splitlines()) for bench in benches]


def _noticed(bench: Bench, lines: list[str]) -> Finding:
    said = next((line for line in lines if f"{bench.run}/" in line), "")
    if "Using the one before" not in said:
        return Finding("unsaid", said)
    return bench.compared(bench.run, said)


def _refused_with(
    bench: Bench,
    words: str,
    harm: Callable[[subprocess.Popen[str]], None],
) -> Finding:
    """Does harm that the worker is to name in one line, and has the run resumed."""
    moment, said, between = bench.strike(harm)
    if not (said.startswith("metarl: error: ") and words in said):
        return Finding("unsaid", said, moment, between)
    return bench.resumed(moment, said, between)


# Harm ---------------------------------------------------------------------------------------------


def newest_checkpoint(run: Path) -> Path:
    """Returns the newest finished checkpoint."""
    return max(path for path in (run / "checkpoints").glob("[0-9]*") if _is_whole(path))


def _is_whole(path: Path) -> bool:
    return path.suffix == ".checkpoint" or (path / "manifest.json").exists()


def flip_a_byte(checkpoint: Path, random: np.random.Generator) -> None:
    """Changes one byte of a checkpoint; each of its bytes is as likely as any other."""
    files = sorted(path for path in [checkpoint, *checkpoint.rglob("*")] if path.is_file())
    sizes = np.array([path.stat().st_size for path in files])
    file = files[random.choice(len(files), p=sizes / sizes.sum())]
    content = bytearray(file.read_bytes())
    content[random.integers(len(content))] ^= int(random.integers(1, 256))
    file.write_bytes(content)


def fill(path: Path) -> None:
    """Writes a file that leaves no room for another byte."""
    with open(path, "wb", buffering=0) as file:
        for size in (1 << 16, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue


def can_mount() -> bool:
    """Tells whether this user may mount a file system."""
    return sys.platform == "linux" and os.geteuid() == 0 and shutil.which("mount") is not None


@contextmanager
def mounted(place: Path) -> Iterator[None]:
    """A small file system in memory at a place, while the block runs."""
    options = ["-t", "tmpfs", "-o", f"size={_TMPFS_MEGABYTES}m", "tmpfs"]
    subprocess.run(["mount", *options, str(place)], check=True)
    try:
        yield
    finally:
        empty(place)


def empty(place: Path) -> None:
    """Removes a working place with all that is in it, mounted or not; one that is not there is none."""
    if os.path.ismount(place):
        subprocess.run(["umount", "--lazy", str(place)], check=True)
    shutil.rmtree(place, ignore_errors=True)
