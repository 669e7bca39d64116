"""table files: a table on disk, one file for its functions and one a judge, all read by numpy alone.

    NAME/functions.npz   the rules, simplest first, and where every token sequence is found among them
    NAME/JUDGE.npz       the losses of one judge, as bytes (`packing`), and tuned Adam's

Every file holds beside its arrays a text, `document`: JSON with the format's and the rule language's version, the
space, what was run (judge, steps, replicates, seeds, learning rates), the provenance, and a hash of it all. A judge's
file names the hash of the functions that it belongs to; a table has as many judges as there are files.

Letters: K functions; L tokens; R learning rates; S replicates; C checkpoints; N sequences of the grammar.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from metarl.errors import InvalidInput, require, unknown_name
from metarl.reading import from_dict, parse_json, read_arrays
from metarl.runs import write_arrays
from metarl.update_rules import Grammar

from ..settings.config import FilterConfig
from ..settings.language import require_same_language
from .packing import ROUNDING, Losses, content_hash, tuned, unpack
from .places import Places
from .rule_table import RuleTable, TableJudge

FORMAT, FORMAT_VERSION = "metarl-rule-table", 1
FUNCTIONS = "functions.npz"
SIZE = "-size-"  # in the name of a table that ends before its space does
_DATA = Path(__file__).parent / "data"
_MOST = 2**28  # bytes of a file's arrays, unpacked
_AGAIN = "Build the table again (`metarl table`), or take a whole copy of it."


def table_names() -> tuple[str, ...]:
    """Returns the names of the tables that come with metarl."""
    return tuple(sorted(path.parent.name for path in _DATA.glob(f"*/{FUNCTIONS}")))


def full_name(name: str) -> str:
    """Returns the name of the table that comes with metarl and is meant by a name; the name itself if none is.

    `sign-2` is the table of space `sign` at depth 2 up to the largest size that there is, unless the whole space is.
    """
    return _short_names().get(name, name)


def load_table(name: str | Path) -> RuleTable:
    """Returns a table by its name, or by the path of its folder.

    Args:
      name: one of `table_names()`, such a name without its size (see `full_name`), or a folder that `metarl table` has
        written.

    Raises:
      InvalidInput: there is no such table, a file is damaged, or it is of another version of the format or of the rule
        language.
    """
    place = Path(name)
    if full_name(str(name)) in table_names():
        place = _DATA / full_name(str(name))
    elif (place / "table" / FUNCTIONS).is_file():  # the run that built it
        place = place / "table"
    elif not (place / FUNCTIONS).is_file():
        raise unknown_name(
            "table",
            str(name),
            [*table_names(), *_short_names(), "a folder that holds functions.npz"],
        )
    files = [place / FUNCTIONS, *sorted(place.glob("*.npz"))]
    stamps = tuple((path, path.stat().st_mtime_ns) for path in dict.fromkeys(files))
    return _loaded(stamps)


def table_bytes(name: str, judge: str) -> int:
    """Returns the size of a judge's file of a table that comes with metarl."""
    return (_DATA / name / file_name(judge)).stat().st_size


def _short_names() -> dict[str, str]:
    """Returns by space and depth the table up to the largest size, where the whole space is in none."""
    names = table_names()
    sizes = [(name, *name.rpartition(SIZE)[::2]) for name in names if SIZE in name]
    sizes.sort(key=lambda row: int(row[2]))
    return {short: name for name, short, _ in sizes if short not in names}


@lru_cache(maxsize=8)
def _loaded(stamps: tuple[tuple[Path, int], ...]) -> RuleTable:
    """Returns the table of these files; read once as long as they do not change."""
    functions, *judges = [path for path, _ in stamps]
    document, arrays = read_file(functions, "functions")
    read = [_judge(path, document, len(arrays["tokens"])) for path in judges]
    read.sort(key=lambda judge: (not judge.is_whole, judge.document["number"], judge.name))
    hurdles = from_dict(FilterConfig, document["filters"], str(functions))
    grammar = Grammar(document["space"], document["depth"])
    known = arrays.get("places")
    return RuleTable(
        document["name"],
        document["space"],
        document["depth"],
        document["max_size"],
        hurdles,
        arrays["tokens"],
        arrays["sizes"],
        np.asarray(document["rates"], np.float32),
        tuple(read),
        Places(grammar, hurdles, arrays["tokens"], arrays["fingerprints"], known),
        document,
    )


def write_file(path: Path, document: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Writes a file of a table; its document gets the format, its version and the hash.

    Raises:
      OSError: it could not be written; nothing is left half-written.
    """
    document = {"format": FORMAT, "version": FORMAT_VERSION, **document}
    document["sha256"] = content_hash(document, arrays)
    write_arrays(path, {"document": np.array(json.dumps(document)), **arrays}, small=True)


def read_file(path: Path, kind: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Returns the document and the arrays of a file, once its hash, its version and its language are right.

    Args:
      path: of the file.
      kind: "functions" or "judge".

    Raises:
      InvalidInput: says what is wrong with it.
    """
    what = f"Rule table {str(path)!r}"
    arrays = read_arrays(path, what, _MOST)
    text = arrays.pop("document", None)
    require(
        text is not None and text.dtype.kind == "U" and text.ndim == 0,
        f"{what} is no file of a rule table: it holds no text called 'document'.",
    )
    document = parse_json(str(text), what)
    require(
        isinstance(document, dict) and document.get("format") == FORMAT,
        f"{what} is no file of a rule table: its document names another format.",
    )
    require(
        document.get("version") == FORMAT_VERSION,
        f"{what} is of version {document.get('version')} of the format, this metarl reads {FORMAT_VERSION}. Take the "
        "metarl that wrote it, or build the table again.",
    )
    require_same_language(document, what)
    require(
        document.get("sha256") == content_hash(document, arrays),
        f"{what} is damaged: its contents do not have the hash that it names. {_AGAIN}",
    )
    require(
        document.get("kind") == kind,
        f"{what} holds a table's {document.get('kind')}, where its {kind} are expected.",
    )
    return document, arrays


def file_name(judge: str) -> str:
    """Returns the name of a judge's file."""
    return re.sub(r"[^\w.]+", "-", judge) + ".npz"


def _judge(path: Path, functions: Mapping[str, Any], count: int) -> TableJudge:
    document, arrays = read_file(path, "judge")
    if document["functions"] != functions["identity"]:
        raise InvalidInput(
            f"Rule table {str(path)!r} belongs to other functions than the {FUNCTIONS} beside it (space, depth, size, "
            f"filters or version differ). {_AGAIN}"
        )
    runs = Losses(*(arrays[f"adam_{split}"] for split in Losses._fields))
    adam, best = tuned(runs)
    losses = unpack(arrays["codes"], adam)
    assert len(losses.test) == count, path
    for array in losses:
        array.flags.writeable = False
    return TableJudge(
        document["judge"],
        document["problem"],
        document["family"],
        document["role"],
        document["steps"],
        tuple(document["checkpoint_steps"]),
        tuple(document["seeds"]),
        adam._asdict(),
        {split: document["adam_rates"][at] for split, at in best._asdict().items()},
        runs._asdict(),
        arrays["start"],
        ROUNDING,
        document,
        losses._asdict(),
    )
