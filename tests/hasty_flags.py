"""Prints the flags with which XLA compiles the quick tests hastily: those of them that this jaxlib knows.

XLA ends a process that gives it a flag it does not know, and flags come and go with its releases. The name of each that
it knows is a string of its library, which is looked through in a fraction of a second; nothing is imported. The names
of those that it has given up are in there too, but within longer strings.
"""

from __future__ import annotations

import importlib.util
import mmap
from pathlib import Path

FLAGS = {
    "xla_cpu_use_fusion_emitters": "false",  # its loops take longer to compile than to run
    "xla_cpu_parallel_codegen_split_count": "1",  # each part of a program costs as much as a whole one
}


def known(package: Path, flags: dict[str, str]) -> list[str]:
    """Returns the flags whose names are strings of a library of the package, which end and begin with a zero."""
    libraries = [path for path in package.glob("*.so*") if path.stat().st_size > 0]
    written = {
        name for name in flags for path in libraries if _holds(path, b"\0" + name.encode() + b"\0")
    }
    return [f"--{name}={value}" for name, value in flags.items() if name in written]


def _holds(path: Path, text: bytes) -> bool:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
        return whole.find(text) >= 0


if __name__ == "__main__":
    spec = importlib.util.find_spec("jaxlib")
    assert spec is not None and spec.submodule_search_locations, "jaxlib is not installed"
    print(*known(Path(spec.submodule_search_locations[0]), FLAGS))
