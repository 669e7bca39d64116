"""Checkpoints as npz: one file a generation, on the disk when `save` returns."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .checkpoint_file import load_checkpoint, save_checkpoint
from .checkpoints import Arrays, Checkpoints
from .durable import PARTIAL


class NpzCheckpoints(Checkpoints):
    """A file a generation, on the disk when `save` returns; the newest few are kept."""

    _ENDING = ".checkpoint"

    def sweep(self) -> None:
        """See `Checkpoints`."""
        self.directory.mkdir(exist_ok=True)
        for leftover in self.directory.glob(f".*{PARTIAL}"):
            leftover.unlink(missing_ok=True)

    def save(
        self,
        generation: int,
        arrays: Mapping[str, np.ndarray],
        meta: Any,
        score: float | None = None,
    ) -> None:
        """See `Checkpoints`; whatever the score, only the newest are kept."""
        save_checkpoint(self.directory / f"{generation:010d}{self._ENDING}", arrays, meta)
        for old in self.paths()[: -self.keep]:
            old.unlink(missing_ok=True)

    def load(self, path: Path) -> tuple[Arrays, Any]:
        """See `Checkpoints`."""
        return load_checkpoint(path)

    def paths(self) -> list[Path]:
        """See `Checkpoints`."""
        return sorted(self.directory.glob(f"[0-9]*{self._ENDING}"))
