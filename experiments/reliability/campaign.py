"""A campaign of faults against small searches and trainings, each resumed and compared byte for byte.

    python campaign.py --faults 200 --jobs search train --workers 2

Every fault is a row of campaign.csv; one that is there is not done again, so the campaign itself can
be stopped and begun again. At the end campaign.md is written from all rows.
"""

from __future__ import annotations

import argparse
import csv
import os
import signal
import sys
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from comparing import differing, fingerprint
from faults import (
    Bench,
    Finding,
    Reference,
    backwards_clock,
    damaged,
    empty,
    ended,
    file_too_large,
    full_disk,
    killed,
    killed_later,
    launch,
    read_only,
    second_process,
    signalled,
)

HERE = Path(__file__).parent
CSV, TABLE = "campaign.csv", "campaign.md"
COLUMNS: tuple[str, ...] = ("fault", "job", "number", "moment", "between", "verdict", "said")
KILLS, DAMAGE = "SIGKILL", "damaged checkpoint"
_BETWEEN = 0.75  # of the kills, at least, fall between the first and the last checkpoint
_DAMAGED_TOGETHER = 10  # copies of one killed run that a process resumes in turn
_SEED = 5


class Kind(NamedTuple):
    """One kind of fault, beside SIGKILL and damage, which are counted by the user."""

    name: str
    fault: Callable[[Bench], Finding]
    count: int  # for each job


KINDS = (
    Kind("SIGINT", signalled(signal.SIGINT), 5),
    Kind("SIGTERM", signalled(signal.SIGTERM), 5),
    Kind("SIGINT twice", signalled(signal.SIGINT, times=2), 5),
    Kind("full disk", full_disk, 5),
    Kind("file too large", file_too_large, 3),
    Kind("read-only directory", read_only, 3),
    Kind("second process", second_process, 5),
    Kind("clock going backwards", backwards_clock, 5),
)


class Case(NamedTuple):
    """One fault to be done."""

    fault: str
    job: str
    number: int


class Records:
    """The rows that are done, in a file; several threads add to them."""

    def __init__(self, path: Path):
        """Reads what an earlier session has left."""
        self.path, self._lock = path, threading.Lock()
        self.rows: list[dict[str, str]] = []
        if path.exists():
            with open(path, newline="", encoding="utf-8") as file:
                self.rows = list(csv.DictReader(file))

    def has(self, case: Case) -> bool:
        """Tells whether a case is done."""
        wanted = [case.fault, case.job, str(case.number)]
        return any([row["fault"], row["job"], row["number"]] == wanted for row in self.rows)

    def add(self, case: Case, finding: Finding) -> None:
        """Adds a row, on the disk when this returns."""
        found = finding._asdict()
        moment, between = found.pop("moment"), found.pop("between")
        row = {
            **case._asdict(),
            "moment": "" if moment is None else f"{moment:.3f}",
            "between": "" if between is None else "yes" if between else "no",
            **found,
        }
        with self._lock:
            begins = not self.path.exists()
            with open(self.path, "a", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, list(COLUMNS), lineterminator="\n")
                if begins:
                    writer.writeheader()
                writer.writerow(row)
            self.rows.append({name: str(value) for name, value in row.items()})
            print(
                f"{case.fault}, {case.job} {case.number}: {finding.verdict}  {finding.said}"[:150]
            )


class Campaign:
    """What all cases share."""

    def __init__(self, folder: Path, records: Records, workers: int):
        """Works in `folder`, which is made if need be."""
        self.folder, self.records, self.workers = folder, records, workers
        self.references: dict[str, Reference] = {}

    def prepare(self, job: str) -> None:
        """Drives an undisturbed run three times: to compile, to compare, and to measure."""
        runs = [self.folder / f"{job}-undisturbed-{n}" for n in range(3)]
        seconds = 0.0
        for run in runs:
            empty(run)
            process = launch(job, run)
            for line in process.stdout or ():
                if line == "driving\n":
                    break
            began = time.monotonic()
            said = ended(process)
            seconds = time.monotonic() - began
            if process.returncode != 0:
                raise SystemExit(f"the undisturbed {job} failed: {said}")
        first, *others = [fingerprint(run) for run in runs]
        if any(differing(first, other) for other in others):
            raise SystemExit(f"undisturbed runs of {job} differ already")
        self.references[job] = Reference(runs[-1], seconds, first)
        print(f"{job}: {seconds:.1f} s of driving, undisturbed")

    def do(self, kind: str, fault: Callable[[Bench], Finding], cases: list[Case]) -> None:
        """Does those of the cases of a kind that are not done yet."""
        todo = [case for case in cases if not self.records.has(case)]
        with ThreadPoolExecutor(self.workers) as pool:
            list(pool.map(lambda case: self._one(fault, case), todo))

    def damage(self, cases: list[Case]) -> None:
        """Does those cases of damage that are not done yet, some at a time."""
        todo = [case for case in cases if not self.records.has(case)]
        starts = range(0, len(todo), _DAMAGED_TOGETHER)
        with ThreadPoolExecutor(self.workers) as pool:
            list(pool.map(lambda n: self._together(todo[n : n + _DAMAGED_TOGETHER]), starts))

    def _one(self, fault: Callable[[Bench], Finding], case: Case) -> None:
        bench = self._bench(case)
        self._add(case, fault(bench), bench)
        empty(bench.place)

    def _together(self, cases: list[Case]) -> None:
        benches = [self._bench(case) for case in cases]
        for case, finding, bench in zip(cases, damaged(benches), benches, strict=True):
            self._add(case, finding, bench)
            empty(bench.place)

    def _add(self, case: Case, finding: Finding, bench: Bench) -> None:
        """Records a finding, without the path of the place, which is nobody's business."""
        self.records.add(case, finding._replace(said=finding.said.replace(f"{bench.place}/", "")))

    def _bench(self, case: Case) -> Bench:
        name = f"{case.fault} {case.job} {case.number}"
        place = self.folder / name.replace(" ", "-")
        empty(place)  # an earlier session may have been killed here
        place.mkdir()
        random = np.random.default_rng([_SEED, zlib.crc32(name.encode())])
        return Bench(case.job, place, self.references[case.job], random)


def main() -> int:
    """Does the campaign; returns 1 if anything was lost or differs."""
    options = _options()
    options.folder.mkdir(parents=True, exist_ok=True)
    # Its own cache of compiled programs, so that the first undisturbed run warms it for all others.
    os.environ["XDG_CACHE_HOME"] = str((options.folder / "cache").absolute())
    os.environ["METARL_CHECKPOINT_SECONDS"] = "0.1"
    records = Records(options.results / CSV)
    campaign = Campaign(options.folder.absolute(), records, options.workers)
    for job in options.jobs:
        campaign.prepare(job)
        for kind in KINDS:
            if options.only in (None, kind.name):
                count = kind.count if options.others is None else options.others
                cases = [Case(kind.name, job, n) for n in range(count)]
                campaign.do(kind.name, kind.fault, cases)
    share = len(options.jobs)
    for job in options.jobs:
        if options.only in (None, KILLS):
            for fault, cases in _kills(records, job, options.faults // share):
                campaign.do(KILLS, fault, cases)
        if options.only in (None, DAMAGE):
            campaign.damage([Case(DAMAGE, job, n) for n in range(options.damages // share)])
    (options.results / TABLE).write_text(table(records.rows), encoding="utf-8")
    print(table(records.rows))
    return int(any(row["verdict"] not in ("equal", "skipped") for row in records.rows))


def _kills(
    records: Records, job: str, count: int
) -> Iterator[tuple[Callable[[Bench], Finding], list[Case]]]:
    """Yields kills, then some later ones until enough fell between the first and last checkpoint."""
    done = count
    yield killed, [Case(KILLS, job, n) for n in range(done)]
    while done < 2 * count:
        rows = [row for row in records.rows if row["fault"] == KILLS and row["job"] == job]
        missing = round(_BETWEEN * count) - sum(row["between"] == "yes" for row in rows)
        if missing <= 0:
            return
        yield killed_later, [Case(KILLS, job, n) for n in range(done, done + missing)]
        done += missing


def table(rows: list[dict[str, str]]) -> str:
    """Returns the table of a campaign, as Markdown: a line per fault and job."""
    verdicts = ("equal", "different", "lost", "unsaid", "skipped")
    keys = dict.fromkeys((row["fault"], row["job"]) for row in rows)
    lines = [
        f"| fault | job | done | between checkpoints | {' | '.join(verdicts)} |",
        f"|---|---|{'---|' * (2 + len(verdicts))}",
    ]
    for fault, job in sorted(keys, key=lambda key: (key[0] != KILLS, key)):
        of_kind = [row for row in rows if (row["fault"], row["job"]) == (fault, job)]
        found = Counter(row["verdict"] for row in of_kind)
        between = sum(row["between"] == "yes" for row in of_kind)
        counted = any(row["between"] for row in of_kind)
        numbers = [str(found[verdict]) for verdict in verdicts]
        cells = [fault, job, str(len(of_kind)), str(between) if counted else "–", *numbers]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--faults", type=int, default=200, help="SIGKILLs, over all jobs")
    parser.add_argument(
        "--damages", type=int, default=100, help="damaged checkpoints, over all jobs"
    )
    parser.add_argument(
        "--jobs", nargs="+", default=["search", "train"], choices=["search", "train"]
    )
    parser.add_argument("--others", type=int, help="of each other fault, for each job")
    parser.add_argument("--only", choices=[KILLS, DAMAGE, *(kind.name for kind in KINDS)])
    parser.add_argument("--workers", type=int, default=2, help="faults done at the same time")
    parser.add_argument("--folder", type=Path, default=Path("runs/reliability"), help="to work in")
    parser.add_argument("--results", type=Path, default=HERE, help=f"where {CSV} and {TABLE} go")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
