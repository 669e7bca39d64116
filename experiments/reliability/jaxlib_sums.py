"""Which releases of jaxlib give wrong sums on a CPU, and whether turning the loops at fault off mends them.

    python experiments/reliability/jaxlib_sums.py [RELEASE ...]

Each release is installed in an environment of its own in a temporary folder, and sums a thousand times by
`metarl.cli.sums` on two threads: as it starts by itself, and with the loops off. Writes `jaxlib_sums.md` beside it
when no release is named. Releases from 0.11 on want Python 3.12; run it by a Python that all releases take. Exit code 1
if a release is at fault that metarl does not list, or one that it lists is not.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from metarl.cli.startup import FAULTY_FUSIONS

CHECKOUT = Path(__file__).parents[2]
RELEASES = ["0.10.1", "0.10.2", "0.11.0", "0.11.1", "0.11.2", "0.12.0", "0.12.0.1"]
CALLS = 1000
OFF = "--xla_cpu_experimental_ynn_fusion_type="
HEAD = f"""\
| jaxlib | wrong of {CALLS} sums of a broadcast | sums of other rows | wrong with the loops off |
|---|---|---|---|
"""
SUM = f"""\
from metarl.cli import sums
print(sums.lost_partial_sums({CALLS}), sums.rows_are_mixed_up())
"""


def main(releases: list[str]) -> int:
    """Prints, and by default writes, a row for each release; returns the exit code."""
    rows, surprises = [], []
    for release in releases or RELEASES:
        with tempfile.TemporaryDirectory() as folder:
            python = install(release, Path(folder))
            lost, mixed = sums(python, "")
            lost_off, mixed_off = sums(python, OFF)
        mixed_up = "yes" if mixed else "no"
        rows.append(f"| {release} | {lost} | {mixed_up} | {CALLS if mixed_off else lost_off} |\n")
        print(rows[-1], end="", flush=True)
        if (lost > 0 or mixed) != (release in FAULTY_FUSIONS) or lost_off or mixed_off:
            surprises.append(release)
    if not releases:
        Path(__file__).with_suffix(".md").write_text(HEAD + "".join(rows))
    if surprises:
        print(f"not as listed: {', '.join(surprises)}", file=sys.stderr)
    return 1 if surprises else 0


def install(release: str, folder: Path) -> Path:
    """Makes an environment with jax and jaxlib of one release; returns its Python."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    packages = (f"jax=={release}", f"jaxlib=={release}", "lazy_loader")
    subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
    return python


def sums(python: Path, flags: str) -> tuple[int, bool]:
    """Returns how many sums of a broadcast are wrong, and whether sums are of other rows."""
    settings = {"JAX_PLATFORMS": "cpu", "NPROC": "2", "XLA_FLAGS": flags}
    answer = subprocess.run(
        [python, "-c", SUM],
        env={**os.environ, **settings, "PYTHONPATH": str(CHECKOUT)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    lost, mixed = answer.stdout.split()
    return int(lost), mixed == "True"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
