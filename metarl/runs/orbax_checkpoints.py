"""Checkpoints by orbax: a directory a generation, written in the background.

    0000000012/          a step of orbax's CheckpointManager
      arrays/            the arrays, by name (PyTreeSave; OCDBT)
      meta/metadata      JSON: the meta, and type and shape of every array (JsonSave)
      manifest.json      SHA-256 of all files; written last

`save` copies the state and returns. A thread then waits for orbax, writes the manifest and removes
what is too old, in this order: the last state that is known to be whole is never given up for one
that is not. orbax takes seconds to import: a run that will save begins with that in the same thread.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import json
import logging
import os
import re
import sys
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from .checkpoint_file import OTHER_VERSION, DamagedCheckpoint, UnusableCheckpoint
from .checkpoints import Arrays, Checkpoints, generation_of, remove
from .durable import json_bytes
from .manifest import (
    MANIFEST,
    ManifestFault,
    OtherManifest,
    read_manifest,
    verify_manifest,
    write_manifest,
)

_NAME_DIGITS = 10
_ARRAYS, _META = "arrays", "meta"
_NAMELESS = "(nameless)"  # for orbax, of the only leaf of a tree; "" to everybody else
# Seconds for tensorstore's other writes to fail too: a thread of it that still runs when the
# interpreter ends would abort the process.
_STRAGGLERS = 0.5
_SYSTEM_ERROR = re.compile(r"os_error_code='(\d{1,4})'")  # as tensorstore has it in its messages


class OrbaxCheckpoints(Checkpoints):
    """A directory a generation; the newest few are kept, and the one with the best score."""

    _manager: Any = None
    _thread: ThreadPoolExecutor | None = None
    _pending: Future[None] | None = None

    def sweep(self) -> None:
        """See `Checkpoints`."""
        self.directory.mkdir(exist_ok=True)
        finished = set(self.paths())
        for path in self.directory.glob("[0-9]*"):
            if path not in finished:
                remove(path)
        self._background().submit(orbax)

    def save(
        self,
        generation: int,
        arrays: Mapping[str, np.ndarray],
        meta: Any,
        score: float | None = None,
    ) -> None:
        """See `Checkpoints`; blocks for a copy of the arrays, and for the save before."""
        self.wait()
        path = self.directory / f"{generation:0{_NAME_DIGITS}d}"
        if (path / MANIFEST).exists():
            return
        content = {name: np.asarray(array) for name, array in arrays.items()}
        described = {name: [a.dtype.name, list(a.shape)] for name, a in content.items()}
        # orbax refuses arrays without elements and dicts without arrays: both are known by shape.
        content = {
            name or _NAMELESS: np.asarray(a, order="C") for name, a in content.items() if a.size
        }
        items = {_META: orbax().args.JsonSave(_plain({"meta": meta, "arrays": described}))}
        if content:
            items[_ARRAYS] = orbax().args.PyTreeSave(content)
        try:
            self._ready().save(generation, args=orbax().args.Composite(**items), force=True)
        except Exception as error:
            raise _not_written(path, error) from error
        self._pending = self._background().submit(self._finish, path, score)

    def load(self, path: Path) -> tuple[Arrays, Any]:
        """See `Checkpoints`."""
        try:
            verify_manifest(path)
        except ManifestFault as fault:
            raise DamagedCheckpoint(path, str(fault)) from fault
        except OtherManifest as other:
            raise UnusableCheckpoint(
                f"Checkpoint {str(path)!r} {other}. {OTHER_VERSION}"
            ) from other
        try:
            return _restored(path)
        except Exception as error:
            raise UnusableCheckpoint(
                f"Checkpoint {str(path)!r} is whole, but orbax {orbax().__version__} cannot read it "
                f"({type(error).__name__}: {error}). {OTHER_VERSION}"
            ) from error

    def paths(self) -> list[Path]:
        """See `Checkpoints`."""
        return sorted(found.parent for found in self.directory.glob(f"[0-9]*/{MANIFEST}"))

    def best(self) -> list[Path]:
        """See `Checkpoints`."""
        scores = {path: _score(path) for path in self.paths()}
        scored = [path for path in scores if scores[path] > -np.inf]
        return sorted(scored, key=scores.__getitem__)[-1:]

    def is_intact(self, path: Path) -> bool:
        """See `Checkpoints`."""
        try:
            verify_manifest(path)
        except ManifestFault:
            return False
        except OtherManifest:  # to be read by another version
            return True
        return True

    def wait(self) -> None:
        """See `Checkpoints`."""
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.result()

    def close(self) -> None:
        """See `Checkpoints`."""
        try:
            self.wait()
        finally:
            manager, thread, self._manager, self._thread = self._manager, self._thread, None, None
            if thread is not None:
                thread.shutdown()
            if manager is not None:
                with contextlib.suppress(Exception):  # it raises anew what `wait` has raised
                    manager.close()

    def _background(self) -> ThreadPoolExecutor:
        """Returns the thread that finishes what orbax has begun."""
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        return self._thread

    def _ready(self) -> Any:
        """Returns orbax's manager."""
        if self._manager is None:
            self._manager = orbax().CheckpointManager(
                self.directory.absolute(),
                options=orbax().CheckpointManagerOptions(
                    step_format_fixed_length=_NAME_DIGITS,
                    create=False,
                    multiprocessing_options=_alone(),
                ),
            )
        return self._manager

    def _finish(self, path: Path, score: float | None) -> None:
        """Waits until orbax has written a checkpoint, seals it, and removes what is too old."""
        try:
            self._manager.wait_until_finished()
            write_manifest(path, generation_of(path), score)
        except Exception as error:
            raise _not_written(path, error) from error
        for old in self._too_old():
            (old / MANIFEST).unlink(
                missing_ok=True
            )  # first: half of a checkpoint must not seem one
            self._manager.delete(generation_of(old))

    def _too_old(self) -> list[Path]:
        older = self.paths()[: -self.keep]
        best = self.best()
        return [path for path in older if path not in best]


def orbax() -> Any:
    """Returns the module `orbax.checkpoint`."""
    import orbax.checkpoint

    _hush()
    return orbax.checkpoint


def _restored(path: Path) -> tuple[Arrays, Any]:
    """Returns the arrays and the meta in a directory that is intact."""
    options = orbax().options.MultiprocessingOptions(**_alone_settings())
    with orbax().Checkpointer(
        orbax().CompositeCheckpointHandler(_META, _ARRAYS), multiprocessing_options=options
    ) as reader:
        args = orbax().args
        only_meta = args.Composite(**{_META: args.JsonRestore()})
        described = reader.restore(path.absolute(), args=only_meta)[_META]
        shapes = {name: (_dtype(t), tuple(s)) for name, (t, s) in described["arrays"].items()}
        stored = {
            name or _NAMELESS: np.empty(0) for name, (_, shape) in shapes.items() if 0 not in shape
        }
        arrays: Arrays = {}
        if stored:
            as_numpy = {name: orbax().RestoreArgs(restore_type=np.ndarray) for name in stored}
            restore = args.PyTreeRestore(stored, restore_args=as_numpy)
            arrays = reader.restore(path.absolute(), args=args.Composite(**{_ARRAYS: restore}))[
                _ARRAYS
            ]
    whole = {
        name: arrays.get(name or _NAMELESS, np.empty(shape, dtype))
        for name, (dtype, shape) in shapes.items()
    }
    for name, (dtype, shape) in shapes.items():
        if whole[name].dtype != dtype or whole[name].shape != shape:
            raise TypeError(f"{name} is {whole[name].dtype}{list(whole[name].shape)}")
    return whole, described["meta"]


def _alone() -> Any:
    return orbax().options.MultiprocessingOptions(**_alone_settings())


def _alone_settings() -> dict[str, Any]:
    """Returns what tells orbax that of several jax processes this one alone uses a checkpoint."""
    import jax

    own = jax.process_index()
    return {"primary_host": own, "active_processes": {own}}


def _score(path: Path) -> float:
    try:
        score = read_manifest(path).score
    except (ManifestFault, OtherManifest):
        return -np.inf
    return -np.inf if score is None else score


def _dtype(name: str) -> np.dtype:
    import ml_dtypes

    return np.dtype(getattr(ml_dtypes, name, name))


def _plain(content: Any) -> Any:
    """Returns what JSON makes of `content`; orbax would write NaN, and fail on arrays."""
    return json.loads(json_bytes(content))


@functools.cache
def _hush() -> None:
    """Keeps orbax from printing stacks of errors that are raised anyhow, and said in one line.

    It logs them; and with the first array that fails it closes its event loop, so that tensorstore
    has nobody to tell of the others, and prints what comes of that: by `sys.unraisablehook` from
    most places, by `sys.excepthook` from some. asyncio logs those that it was told of in time.
    """
    logging.getLogger("absl").setLevel(logging.CRITICAL)
    logging.getLogger("asyncio").addFilter(_is_not_of_a_write)
    uncaught, unraisable = sys.excepthook, sys.unraisablehook

    def on_uncaught(kind: type[BaseException], error: BaseException, stack: Any) -> None:
        if not _is_of_a_closed_loop(error):
            uncaught(kind, error, stack)

    def on_unraisable(event: Any) -> None:
        if not _is_of_a_closed_loop(event.exc_value):
            unraisable(event)

    sys.excepthook, sys.unraisablehook = on_uncaught, on_unraisable


def _is_of_a_closed_loop(error: BaseException | None) -> bool:
    return isinstance(error, RuntimeError) and str(error) == "Event loop is closed"


def _is_not_of_a_write(record: logging.LogRecord) -> bool:
    error = record.exc_info and record.exc_info[1]
    return not (isinstance(error, ValueError) and _SYSTEM_ERROR.search(str(error)))


def _not_written(path: Path, error: Exception) -> OSError:
    """Returns the error of a checkpoint that could not be written, whatever orbax made of it."""
    if isinstance(error, OSError) and error.errno is not None:
        return OSError(error.errno, error.strerror, str(path))
    time.sleep(_STRAGGLERS)
    text = str(error)
    if found := _SYSTEM_ERROR.search(text):
        return OSError(int(found[1]), os.strerror(int(found[1])), str(path))
    return OSError(errno.EIO, f"The checkpoint could not be written ({text[:300]})", str(path))
