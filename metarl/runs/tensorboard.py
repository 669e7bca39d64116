"""TensorBoard: the metric log as event files beside it, for those who like to watch a run there.

A run whose directory holds a folder `tensorboard` is followed: every row of the metric log becomes
events of the step `generation`. Each session writes a file of its own, which begins by taking back
the steps that it is about to write, so that a resumed run shows no step twice; a folder that is
made later is given the rows of the log so far. Nothing is read from there, and times are those of
the row's `seconds`: the log stays the one that counts.

The files are written by the package `tensorboard` (extra `metarl[tensorboard]`), without TensorFlow.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from metarl.errors import InvalidInput

FOLDER = "tensorboard"  # in a run directory
_STEP = "generation"
_NUMBER_DIGITS = 10

Rows = Sequence[Mapping[str, Any]]


def require_tensorboard() -> None:
    """Raises `InvalidInput` unless the package is installed."""
    _module("summary.writer.record_writer")


def follow(run_dir: Path, earlier: Callable[[], Rows]) -> EventFiles | None:
    """Returns what writes a run's events, None if they are not asked for.

    Args:
      run_dir: of the run.
      earlier: gives the rows of its log so far.

    Raises:
      InvalidInput: they are asked for, and the package is not installed.
    """
    folder = run_dir / FOLDER
    return EventFiles(folder, earlier) if folder.is_dir() else None


class EventFiles:
    """The event files of one session of a run."""

    def __init__(self, folder: Path, earlier: Callable[[], Rows]):
        """Looks at what is there; nothing is written before the first row."""
        require_tensorboard()
        numbers = [_number(path) for path in folder.glob("events.out.tfevents.*")]
        number = max(int(time.time()), *(known + 1 for known in numbers), 0)
        self.path = folder / f"events.out.tfevents.{number:0{_NUMBER_DIGITS}d}.metarl"
        self._earlier = [] if numbers else list(earlier())
        self._said: dict[str, str] = {}
        self._writer: Any = None

    def add(self, row: Mapping[str, Any]) -> None:
        """Writes the events of one row and hands them to the operating system.

        Raises:
          OSError: they could not be written.
        """
        try:
            writer = self._writer or self._begin(row)
            self._write(row)
            writer.flush()
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.path)) from error

    def close(self) -> None:
        """Closes the session's file."""
        if self._writer is not None:
            self._writer.close()

    def _begin(self, first: Mapping[str, Any]) -> Any:
        """Opens the file, takes back what an earlier session wrote from this step on; returns the writer."""
        protocol = _module("compat.proto.event_pb2")
        self._origin = time.time() - first.get("seconds", 0.0)
        self._writer = _module("summary.writer.record_writer").RecordWriter(open(self.path, "xb"))  # noqa: SIM115
        self._record(wall_time=self._origin, file_version="brain.Event:2")
        start = (self._earlier or [first])[0]
        session = protocol.SessionLog(status=protocol.SessionLog.START)
        self._record(wall_time=self._origin, step=start[_STEP], session_log=session)
        for row in self._earlier:
            self._write(row)
        self._earlier = []
        return self._writer

    def _write(self, row: Mapping[str, Any]) -> None:
        summary = _module("compat.proto.summary_pb2").Summary
        numbers = [summary.Value(tag=tag, simple_value=x) for tag, x in _numbers(row)]
        texts = {name: x for name, x in row.items() if isinstance(x, str)}
        new = {name: text for name, text in texts.items() if self._said.get(name) != text}
        self._said |= new
        values = [*numbers, *(_text_value(name, text) for name, text in new.items())]
        self._record(
            wall_time=self._origin + row.get("seconds", 0.0),
            step=row[_STEP],
            summary=summary(value=values),
        )

    def _record(self, **fields: Any) -> None:
        event = _module("compat.proto.event_pb2").Event(**fields)
        self._writer.write(event.SerializeToString())


def _numbers(row: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Yields the numbers of a row under their names; those of a list as name/0, name/1 ..."""
    for name, value in row.items():
        many = isinstance(value, (list, tuple))
        for place, number in enumerate(value if many else [value]):
            if isinstance(number, (int, float)) and name != _STEP:
                yield (f"{name}/{place}" if many else name), float(number)


def _text_value(name: str, text: str) -> Any:
    """Returns a text as TensorBoard's page of texts reads it."""
    protocol = _module("compat.proto.summary_pb2")
    tensor, shape = _module("compat.proto.tensor_pb2"), _module("compat.proto.tensor_shape_pb2")
    plugin = protocol.SummaryMetadata.PluginData(plugin_name="text")
    one = shape.TensorShapeProto(dim=[shape.TensorShapeProto.Dim(size=1)])
    return protocol.Summary.Value(
        tag=name,
        metadata=protocol.SummaryMetadata(plugin_data=plugin),
        tensor=tensor.TensorProto(dtype="DT_STRING", string_val=[text.encode()], tensor_shape=one),
    )


def _number(path: Path) -> int:
    text = path.name.split(".")[3]
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0


def _module(name: str) -> Any:
    """Returns a module of the package, which is imported only where it is used."""
    try:
        return importlib.import_module(f"tensorboard.{name}")
    except ImportError as error:
        raise InvalidInput(
            "TensorBoard's event files need the package tensorboard, which is not installed: pip "
            "install 'metarl[tensorboard]'. Without it, leave --tensorboard out, and in a run that "
            f"has one remove its folder {FOLDER}."
        ) from error
