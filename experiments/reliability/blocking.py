"""How long saving keeps the work waiting: orbax in the background beside one file, in the same minute.

    python blocking.py [--folder DIR]

Prints, for states of several sizes, the median time that `save` blocks, of each kind, and their ratio.
Saves are some time apart, as they are in a training: the one before is done when the next begins.
"""

from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path

import numpy as np

from metarl.runs import Checkpoints, NpzCheckpoints, OrbaxCheckpoints

SIZES = (0.1, 1.0, 10.0, 100.0)  # MB
REPEATS = 7
ARRAYS = 40  # about as many as a recurrent agent with its optimizer has


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, default=Path("runs/blocking"))
    folder = parser.parse_args().folder
    print("| state, MB | npz, ms | orbax, ms | orbax / npz |\n|---|---|---|---|")
    for size in SIZES:
        kinds = [NpzCheckpoints(folder / "npz"), OrbaxCheckpoints(folder / "orbax")]
        for kind in kinds:
            kind.directory.mkdir(parents=True)
            kind.sweep()
        npz, orbax = blocked(kinds, size)
        print(f"| {size:g} | {1e3 * npz:.1f} | {1e3 * orbax:.1f} | {orbax / npz:.2f} |", flush=True)
        for kind in kinds:
            kind.close()
        shutil.rmtree(folder)


def blocked(kinds: list[Checkpoints], megabytes: float) -> list[float]:
    """Returns the median seconds that `save` blocks, of each kind, in turn."""
    random = np.random.default_rng(0)
    count = int(megabytes * 1e6 / 4 / ARRAYS)
    arrays = {f"w{n}": random.random(count, np.float32) for n in range(ARRAYS)}
    seconds = np.zeros((len(kinds), REPEATS + 1))
    for repeat in range(REPEATS + 1):
        for which, kind in enumerate(kinds):
            began = time.perf_counter()
            kind.save(repeat, arrays, {"generation": repeat})
            seconds[which, repeat] = time.perf_counter() - began
            kind.wait()
    return np.median(seconds[:, 1:], axis=1).tolist()  # the first imports orbax


if __name__ == "__main__":
    main()
