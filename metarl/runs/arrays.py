"""Arrays in a file of numpy's, compressed; whole or not there.

Anybody reads it with `numpy.load(path, allow_pickle=False)`. Files that are written once and read by many are packed by
LZMA, which takes a third less than the deflate of `numpy.savez_compressed`, and several times as long.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from .durable import write_durably


def write_arrays(path: Path, arrays: Mapping[str, ArrayLike], *, small: bool = False) -> None:
    """Writes arrays by name as `.npz`, and returns when they are on the disk.

    Args:
      path: the file to create or to replace; its directory exists.
      arrays: by name; numbers, booleans or text.
      small: whether to pack them by LZMA.

    Raises:
      OSError: it could not be written; `path` is as it was before.
      ValueError: an array holds objects, which numpy could only pickle.
    """
    plain = {name: np.asarray(value) for name, value in arrays.items()}
    objects = [name for name, array in plain.items() if array.dtype.hasobject]
    if objects:
        raise ValueError(f"Only plain arrays can be written; {', '.join(objects)}: objects.")
    buffer = io.BytesIO()
    if small:
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_LZMA) as archive:
            for name, array in plain.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)
    else:
        np.savez_compressed(buffer, **plain)  # type: ignore[arg-type]
    write_durably(path, buffer.getvalue())
