"""One million inputs for the readers of metarl; any answer but a value or a documented error is a finding.

    python experiments/reliability/fuzz.py --inputs 1000000 --target all --work runs/fuzz

Inputs are made from what metarl itself wrote, by atheris (guided by the branches that are reached;
`pip install atheris`), by hypothesis or by chance ("mutation"). The work is cut into chunks, each a
process of its own with a file of what it found, so that a fuzzing that was stopped goes on. Inputs
that are findings are kept in WORK/findings, with their traceback; each becomes a test in
tests/fuzz.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "tests" / "fuzz"), str(HERE.parents[1])]

# Parts of all inputs in per cent; the first five are what users hand around.
SHARES = {
    **{"rule": 30, "rule-json": 15, "agent": 5, "journal": 15, "config": 15},
    **{"json": 5, "arrays": 7, "checkpoint": 3, "log": 3, "run": 2},
}
CHUNK = 25_000
TIMEOUT = 20.0  # seconds of processor time that one input may take
MOST_BYTES = 20_000  # of an input that atheris makes


def main() -> int:
    """Fuzzes what is left to be fuzzed, and writes the table."""
    arguments = _arguments()
    if arguments.chunk is not None:
        return run_chunk(arguments)
    targets = list(SHARES) if arguments.target == "all" else [arguments.target]
    for target in targets:
        share = SHARES[target] / 100 if len(targets) > 1 else 1.0
        inputs = round(arguments.inputs * share)
        for chunk, start in enumerate(range(0, inputs, CHUNK)):
            count = min(CHUNK, inputs - start)
            path = outcome_path(arguments.work, target, arguments.engine, chunk)
            if not path.exists():
                start_chunk(arguments, target, chunk, count)
    return write_tables(arguments.work, arguments.output)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=1_000_000, help="over all targets")
    parser.add_argument("--target", choices=[*SHARES, "all"], default="all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--engine", choices=("atheris", "hypothesis", "mutation"), default="atheris"
    )
    parser.add_argument("--work", type=Path, default=Path("runs/fuzz"), help="what is found so far")
    parser.add_argument("--output", type=Path, default=HERE, help="where the tables are written")
    parser.add_argument("--chunk", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


# Chunks: what a process of its own does ------------------------------------------------------------


def start_chunk(arguments: argparse.Namespace, target: str, chunk: int, count: int) -> None:
    """Runs one chunk in a process of its own, and says how it went."""
    words = ["--target", target, "--chunk", str(chunk), "--inputs", str(count)]
    words += ["--seed", str(arguments.seed), "--engine", arguments.engine]
    done = subprocess.run(
        [sys.executable, __file__, *words, "--work", str(arguments.work)],
        capture_output=True,
        text=True,
        check=False,
    )
    path = outcome_path(arguments.work, target, arguments.engine, chunk)
    if not path.exists():  # the process itself died: the gravest finding of all
        raise SystemExit(f"{target} {chunk} ended with {done.returncode}:\n{done.stderr[-3000:]}")
    print(path.stem, path.read_text(encoding="utf-8").strip(), flush=True)


def run_chunk(arguments: argparse.Namespace) -> int:
    """Reads the inputs of one chunk and writes what came of them."""
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    engine = {"atheris": by_atheris, "hypothesis": by_hypothesis, "mutation": by_mutation}
    engine[arguments.engine](arguments)
    return 0


class Bench:
    """Gives inputs to a target and counts its answers."""

    def __init__(self, arguments: argparse.Namespace):
        """Loads the target."""
        from targets import TARGETS

        self.target, self.arguments = TARGETS[arguments.target], arguments
        self.corpus, self.answers = list(self.target.corpus()), Counter()
        self.seed = f"{arguments.seed}-{arguments.target}-{arguments.chunk}"
        self.count, self.findings, self.start = 0, 0, time.monotonic()
        signal.signal(signal.SIGVTALRM, _too_slow)

    def read(self, data: bytes) -> None:
        """Gives one input to the target; ends the process with the last one of the chunk."""
        signal.setitimer(signal.ITIMER_VIRTUAL, TIMEOUT)
        try:
            self.answers[self.target.answer(data)] += 1
        except BaseException as error:  # a finding, whatever it is
            if isinstance(error, KeyboardInterrupt):
                raise
            self.findings += 1
            self._keep(data, error)
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        self.count += 1
        if self.count >= self.arguments.inputs:
            self._finish()

    def _keep(self, data: bytes, error: BaseException) -> None:
        folder = self.arguments.work / "findings"
        folder.mkdir(parents=True, exist_ok=True)
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{type(error).__name__}-{Path(frame.filename).stem}-{frame.lineno}"
        stem = f"{self.arguments.target}-{place}-{hashlib.sha256(data).hexdigest()[:8]}"
        if len(list(folder.glob(f"{self.arguments.target}-{place}-*.bin"))) < 3:  # some are enough
            (folder / f"{stem}.bin").write_bytes(data)
            (folder / f"{stem}.txt").write_text("".join(traceback.format_exception(error)))

    def _finish(self) -> None:
        from targets import place

        used = self.arguments
        outcome = {
            "target": used.target,
            "engine": used.engine,
            "inputs": self.count,
            "answers": dict(self.answers),
            "findings": self.findings,
            "seconds": round(time.monotonic() - self.start, 1),
            "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        }
        path = outcome_path(used.work, used.target, used.engine, used.chunk)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(outcome) + "\n", encoding="utf-8")
        shutil.rmtree(place(), ignore_errors=True)
        os._exit(0)  # libFuzzer would go on

    def draw(self, chance: random.Random) -> bytes:
        """Returns an input by chance: something that metarl wrote, edited."""
        from mutations import any_edits, edited, rule_text

        written = self.arguments.target == "rule" and chance.random() < 0.5
        data = rule_text(chance.randrange) if written else chance.choice(self.corpus)
        edits = any_edits(chance) if chance.random() < 0.95 else []
        return edited(data, edits, self.target.words, self.corpus)


def _too_slow(signal_number: int, frame: object) -> None:
    raise TimeoutError(f"one input took more than {TIMEOUT:.0f} seconds of processor time")


def by_mutation(arguments: argparse.Namespace) -> None:
    """Draws inputs by chance alone."""
    bench = Bench(arguments)
    chance = random.Random(bench.seed)
    while True:
        bench.read(bench.draw(chance))


def by_hypothesis(arguments: argparse.Namespace) -> None:
    """Lets hypothesis draw the edits."""
    from hypothesis import HealthCheck, Phase, given, seed, settings
    from hypothesis import strategies as st

    bench = Bench(arguments)

    @seed(int(hashlib.sha256(bench.seed.encode()).hexdigest()[:8], 16))
    @settings(
        database=None,
        deadline=None,
        max_examples=2 * arguments.inputs,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.randoms(use_true_random=False))
    def read(chance: random.Random) -> None:
        bench.read(bench.draw(chance))

    read()


def by_atheris(arguments: argparse.Namespace) -> None:
    """Lets libFuzzer choose what to edit, by the branches of metarl that inputs reach."""
    import atheris

    with atheris.instrument_imports(include=["metarl"]):
        bench = Bench(arguments)
        for data in bench.corpus:  # modules are imported when they are first used
            bench.target.answer(data)
    chance = random.Random(bench.seed)
    folder = arguments.work / "corpus" / arguments.target
    folder.mkdir(parents=True, exist_ok=True)
    for data in bench.corpus:
        (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        if chance.random() < 0.5:
            return atheris.Mutate(data, most)
        from mutations import any_edits, edited

        base = bench.draw(chance) if chance.random() < 0.1 else data
        return edited(base, any_edits(chance), bench.target.words, bench.corpus)[:most]

    number = int(hashlib.sha256(bench.seed.encode()).hexdigest()[:7], 16) or 1
    flags = [f"-seed={number}", f"-max_len={MOST_BYTES}", "-timeout=300", "-rss_limit_mb=0"]
    atheris.Setup(["fuzz", *flags, str(folder)], bench.read, custom_mutator=mutate)
    atheris.Fuzz()


# Tables ------------------------------------------------------------------------------------------


def outcome_path(work: Path, target: str, engine: str, chunk: int) -> Path:
    """Returns the file of what came of a chunk."""
    return work / "chunks" / f"{target}-{engine}-{chunk:03d}.json"


def write_tables(work: Path, output: Path) -> int:
    """Writes a line per target and engine as CSV and Markdown; returns 1 if there are findings."""
    from metarl.reporting import Column, Table, to_markdown, write_csv, write_file

    chunks = [json.loads(path.read_text()) for path in sorted((work / "chunks").glob("*.json"))]
    rows = []
    for target in SHARES:
        for engine in sorted({one["engine"] for one in chunks if one["target"] == target}):
            own = [x for x in chunks if (x["target"], x["engine"]) == (target, engine)]
            rows.append({"target": target, "engine": engine, **_summed(own)})
    rows.append({"target": "all", **_summed(chunks)})
    names = ("target", "engine", "inputs", "accepted", "refused", "findings", "seconds")
    columns = [*map(Column, names), Column("peak_memory_mb", "peak memory, MB")]
    title, notes = "Inputs for the readers", [_surroundings()]
    write_csv(output / "fuzz.csv", Table(title, columns, rows))
    read = [{name: _in_full(value) for name, value in row.items()} for row in rows]
    text = to_markdown(Table(title, columns, read, notes))
    write_file(output / "fuzz.md", text)
    print(text)
    return int(any(row["findings"] for row in rows))


def _in_full(value: str | int) -> str:
    return f"{value:,}" if isinstance(value, int) else value


def _summed(chunks: list[dict]) -> dict:
    answers: Counter = sum((Counter(one["answers"]) for one in chunks), Counter())
    inputs = sum(one["inputs"] for one in chunks)
    findings = sum(one["findings"] for one in chunks)
    return {
        "inputs": inputs,
        "accepted": answers["accepted"],
        "refused": inputs - answers["accepted"] - findings,
        "findings": findings,
        "seconds": round(sum(one["seconds"] for one in chunks)),
        "peak_memory_mb": max(one["peak_memory_mb"] for one in chunks),
    }


def _surroundings() -> str:
    names = ("metarl", "numpy", "jax", "hypothesis")
    packages = ", ".join(f"{name} {version(name)}" for name in names)
    return (
        f"Python {platform.python_version()}, {packages}. Refused: by InvalidInput or a kind of it."
    )


if __name__ == "__main__":
    sys.exit(main())
