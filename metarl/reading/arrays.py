"""Arrays: the `.npz` archives of numpy, each member looked at before memory is given to it.

An archive is a zip file of `.npy` members; a member is a header that tells type and shape, and
then the numbers. Three declarations must agree before a member is unpacked: the size in the
archive's directory, the size that the header's type and shape make, and what so few compressed
bytes can hold at all (deflate packs at most 1032 to 1, LZMA some 7,100). Their sum is bounded. So an
archive of some kilobytes that would unpack to gigabytes is refused from its directory, and one whose
directory lies is cut off at what it declared. A member by LZMA declares its dictionary, too, for
which memory is taken before a byte is unpacked; that is bounded alike.

Only plain numbers and texts are read: no Python objects, no records, no dates. Names of members are
names and never paths; nothing is written. The header is matched, not evaluated.

Reference: NEP 1, "A simple file format for NumPy arrays".
"""

from __future__ import annotations

import io
import lzma
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from metarl.errors import InvalidInput

from .file_bytes import read_bytes
from .limits import MOST_ARRAYS, MOST_HEADER, MOST_MEMBERS

_ENDING = ".npy"
_DIRECTORY_ENTRY = b"PK\x01\x02"
_DENSEST = {
    zipfile.ZIP_STORED: 1,
    zipfile.ZIP_LZMA: 7100,
}  # how many bytes a method can make of one
_DENSEST_ELSE = 1032  # deflate
_LARGEST_DICTIONARY = 2**26  # bytes; LZMA's strongest preset has as many
_ENCRYPTED = 0x1  # bit of a member's flags
_AT_ONCE = 2**20  # bytes unpacked in one go
_MOST_DIMENSIONS = 32
_HEADER = re.compile(
    r"\{ *'descr': *'([<>|=][biufcSUV][0-9]{1,9})', *'fortran_order': *(True|False), *"
    r"'shape': *\(((?:[0-9]{1,18}, *)*(?:[0-9]{1,18})?)\),? *\} *\n?"
)
# What zipfile raises on bytes that are no archive, beside its own error.
_ZIP_ERRORS = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, NotImplementedError),
    *(RuntimeError, EOFError, OSError, ValueError, TypeError, OverflowError, IndexError),
)


def read_arrays(source: Path | bytes, name: str, most: int = MOST_ARRAYS) -> dict[str, np.ndarray]:
    """Returns the arrays of an `.npz` archive by name.

    Args:
      source: the path of the archive, or its bytes.
      name: what to call it in messages, with its kind ("Agent 'a.npz'").
      most: bytes of all arrays together, unpacked; and of a file.

    Returns:
      The arrays, in the order of the archive.

    Raises:
      InvalidInput: it is no archive of plain arrays, or damaged, or declares more than `most` bytes
        or more than its own can hold.
      OSError: it cannot be read.
    """
    content = source if isinstance(source, bytes) else read_bytes(source, most)
    try:
        return dict(_members(content, most))
    except _Refused as refusal:
        raise InvalidInput(f"{name} {refusal}.") from None
    except _ZIP_ERRORS as error:
        raise InvalidInput(
            f"{name} is no .npz archive, or a damaged one ({type(error).__name__})."
        ) from error


class _Refused(Exception):
    """What an archive holds or declares that is not read."""


def _members(content: bytes, most: int) -> Iterator[tuple[str, np.ndarray]]:
    # Python's objects for a directory of millions of entries would be large before it can be seen.
    if content.count(_DIRECTORY_ENTRY) > MOST_MEMBERS:
        raise _Refused(f"holds more than {MOST_MEMBERS:,} arrays")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
        _check_directory(members, most)
        for member in members:
            if member.compress_type == zipfile.ZIP_LZMA:
                _check_dictionary(content, member)
            with archive.open(member) as file:
                yield member.filename.removesuffix(_ENDING), _array(file, member)


def _check_directory(members: list[zipfile.ZipInfo], most: int) -> None:
    """Refuses, before anything is unpacked, what the directory of an archive must not declare."""
    names = [member.filename for member in members]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise _Refused(f"holds {twice[:100]!r} twice")
    for member in members:
        if not member.filename.endswith(_ENDING):
            raise _Refused(f"holds {member.filename[:100]!r}, which is no array")
        if member.flag_bits & _ENCRYPTED:
            raise _Refused(f"holds {member.filename[:100]!r} encrypted")
        densest = _DENSEST.get(member.compress_type, _DENSEST_ELSE)
        if member.file_size > member.compress_size * densest:
            raise _Refused(
                f"declares {member.file_size:,} bytes for {member.filename[:100]!r}, more than the "
                f"{member.compress_size:,} it takes there can hold"
            )
    declared = sum(member.file_size for member in members)
    if declared > most:
        raise _Refused(f"declares {declared:,} bytes of arrays; at most {most:,} are read")


def _check_dictionary(content: bytes, member: zipfile.ZipInfo) -> None:
    """Refuses a member by LZMA whose dictionary is large; it stands behind the member's local header.

    Reference: PKWARE, APPNOTE.TXT 6.3.10, sections 4.3.7 and 5.8.8.
    """
    name, extra = struct.unpack_from("<HH", content, member.header_offset + 26)
    # the version (2 bytes), the length of the properties (2), their first, and then the dictionary's size
    (size,) = struct.unpack_from("<I", content, member.header_offset + 30 + name + extra + 5)
    if size > _LARGEST_DICTIONARY:
        raise _Refused(
            f"asks for {size:,} bytes of memory to unpack {member.filename[:100]!r}; at most "
            f"{_LARGEST_DICTIONARY:,} are given"
        )


class _Header(NamedTuple):
    dtype: np.dtype
    shape: tuple[int, ...]
    fortran_order: bool
    length: int  # bytes before the numbers


def _array(file: IO[bytes], member: zipfile.ZipInfo) -> np.ndarray:
    header = _header(file, member.filename)
    size = math.prod(header.shape) * header.dtype.itemsize
    if header.length + size != member.file_size:
        raise _Refused(
            f"holds {member.filename[:100]!r} with {member.file_size - header.length:,} bytes of "
            f"numbers; its type and shape need {size:,}"
        )
    array = np.empty(header.shape, header.dtype, order="F" if header.fortran_order else "C")
    _fill(array, file, member.filename)
    return array


def _fill(array: np.ndarray, file: IO[bytes], name: str) -> None:
    """Reads the numbers of an array, and the end of the file, where the checksum is compared."""
    flat = array.reshape(-1, order="A").view(np.uint8) if array.size else np.empty(0, np.uint8)
    place = 0
    while place < len(flat):
        piece = file.read(min(_AT_ONCE, len(flat) - place))
        if not piece:
            raise _Refused(f"holds only a part of {name[:100]!r}")
        flat[place : place + len(piece)] = np.frombuffer(piece, np.uint8)
        place += len(piece)
    if file.read(1):
        raise _Refused(f"holds more of {name[:100]!r} than it declares")


def _header(file: IO[bytes], name: str) -> _Header:
    magic = file.read(8)
    if magic[:7] not in (b"\x93NUMPY\x01", b"\x93NUMPY\x02"):
        raise _Refused(f"holds {name[:100]!r}, which is no array of numbers")
    of_length = struct.Struct("<H" if magic[6] == 1 else "<I")
    (length,) = of_length.unpack(file.read(of_length.size))
    if length > MOST_HEADER:
        raise _Refused(f"holds {name[:100]!r} with a header of {length:,} bytes")
    found = _HEADER.fullmatch(file.read(length).decode("latin-1"))
    if found is None:
        raise _Refused(f"holds {name[:100]!r}, which is no array of plain numbers")
    dtype, shape = np.dtype(found[1]), tuple(int(text) for text in re.findall("[0-9]+", found[3]))
    if dtype.itemsize == 0 or len(shape) > _MOST_DIMENSIONS:
        raise _Refused(f"holds {name[:100]!r}, of type {found[1]} and {len(shape)} dimensions")
    return _Header(dtype, shape, found[2] == "True", len(magic) + of_length.size + length)
