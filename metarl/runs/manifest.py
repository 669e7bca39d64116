"""manifest.json: the size and the SHA-256 of every file of a checkpoint that is a directory.

It is written last, when all the others are on the disk; so a directory without one was never
finished, and one whose files do not agree with it is damaged.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, NamedTuple

from metarl.errors import InvalidInput

from .durable import json_bytes, read_json_object, sync_directory, write_durably

MANIFEST = "manifest.json"
FORMAT, FORMAT_VERSION = "metarl-manifest", 1
_BLOCK = 1 << 20  # bytes hashed at a time


class ManifestFault(Exception):
    """A directory does not agree with its manifest; the message goes behind its name."""


class OtherManifest(Exception):
    """The manifest is of a format that this version does not read."""


class Manifest(NamedTuple):
    """What a manifest says beside its files."""

    generation: int
    score: float | None


def write_manifest(directory: Path, generation: int, score: float | None) -> None:
    """Forces every file of a directory to the disk, then writes their hashes beside them.

    Raises:
      OSError: something could not be read or written; there is no manifest then.
    """
    names = _files(directory)
    files = {name: _described(directory / name, sync=True) for name in names}
    for folder in sorted({(directory / name).parent for name in names}):
        sync_directory(folder)
    content = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "generation": generation,
        "score": score,
        "files": files,
    }
    write_durably(directory / MANIFEST, json_bytes(content))
    sync_directory(directory.parent)


def read_manifest(directory: Path) -> Manifest:
    """Returns what the manifest says; the files are not looked at.

    Raises:
      ManifestFault: it is damaged.
      OtherManifest: it is of another format.
    """
    content = _content(directory)
    return Manifest(content["generation"], content["score"])


def verify_manifest(directory: Path) -> Manifest:
    """Returns what the manifest says, once every file is found to be what was written.

    Raises:
      ManifestFault: a file is missing, cut short or damaged, or the manifest itself is.
      OtherManifest: it is of another format.
    """
    content = _content(directory)
    for name, expected in content["files"].items():
        path = directory / name
        if ".." in path.parts or not path.is_relative_to(directory) or not path.is_file():
            raise ManifestFault(f"lacks its file {name}")
        if _described(path) != expected:
            raise ManifestFault(f"is damaged ({name} does not have the hash of the manifest)")
    return Manifest(content["generation"], content["score"])


def _content(directory: Path) -> dict[str, Any]:
    try:
        content = read_json_object(directory / MANIFEST)
    except (InvalidInput, FileNotFoundError) as error:
        raise ManifestFault(f"is damaged (its {MANIFEST} cannot be read)") from error
    if content.get("format") != FORMAT or not isinstance(content.get("files"), dict):
        raise ManifestFault(f"is damaged (its {MANIFEST} is none)")
    if content.get("version") != FORMAT_VERSION:
        raise OtherManifest(
            f"has a manifest of format {content.get('version')}, and this version of metarl reads "
            f"format {FORMAT_VERSION}"
        )
    score = content.get("score")
    named = directory.name == f"{content.get('generation'):010d}" if _whole(content) else False
    if not named or not (score is None or isinstance(score, (int, float))):
        raise ManifestFault(f"is damaged (its {MANIFEST} is of another one)")
    return content


def _whole(content: dict[str, Any]) -> bool:
    return type(content.get("generation")) is int


def _files(directory: Path) -> list[str]:
    """Returns the files below a directory but for its manifest, by their paths in it."""
    found = (path for path in directory.rglob("*") if path.is_file())
    names = (path.relative_to(directory).as_posix() for path in found)
    return sorted(name for name in names if name != MANIFEST)


def _described(path: Path, sync: bool = False) -> dict[str, Any]:
    digest, size = hashlib.sha256(), 0
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            size += len(block)
        if sync:
            os.fsync(file.fileno())
    return {"bytes": size, "sha256": digest.hexdigest()}
