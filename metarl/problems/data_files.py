"""Where data lie that metarl does not hold: one folder, which the user names.

The environment variable METARL_DATA_DIR names it, so that every process that a run starts knows it too;
`use_data_folder` sets it (the flag --data-dir does). Nothing is ever fetched from the network.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from metarl.errors import InvalidInput, require

VARIABLE = "METARL_DATA_DIR"


def use_data_folder(folder: Path | str) -> None:
    """Makes `folder` the place of data from now on, for this process and those it starts.

    Raises:
      InvalidInput: there is no such folder.
    """
    require(Path(folder).is_dir(), f"--data-dir: there is no folder {str(folder)!r}.")
    os.environ[VARIABLE] = str(Path(folder).resolve())


def find_files(names: Sequence[str], inner: str, published: str) -> list[Path]:
    """Returns the paths of data files.

    Args:
      names: of the files.
      inner: the folder that they are unpacked into; it may lie in the data folder, or be it.
      published: where one gets them, a sentence for who has not.

    Raises:
      InvalidInput: no data folder is named, or files are missing in it.
    """
    named = os.environ.get(VARIABLE)
    if not named:
        raise InvalidInput(
            f"No data folder is named; give --data-dir DIR or set {VARIABLE}. It must hold "
            f"{', '.join(names)}. {published}"
        )
    folder = Path(named)
    folder = folder / inner if (folder / inner).is_dir() else folder
    missing = [name for name in names if not (folder / name).is_file()]
    require(
        not missing,
        f"The data folder {str(folder)!r} lacks {', '.join(missing)}. {published}",
    )
    return [folder / name for name in names]
