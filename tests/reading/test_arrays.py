"""Archives of arrays are read as numpy reads them, and nothing that lies or is too large is unpacked."""

from __future__ import annotations

import io
import re
import struct
import tracemalloc
import zipfile

import ml_dtypes
import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.reading import read_arrays

ARRAYS = {
    "matrix": np.arange(6.0).reshape(2, 3),
    "by columns": np.asfortranarray(np.arange(6, dtype=np.int16).reshape(2, 3)),
    "['a/b']['w']": np.array([True, False]),
    "one": np.array(3),
    "none": np.zeros((0, 4)),
    "texts": np.array(["ab", "c"]),
    "anonymous": np.array([1.0, 2.0], ml_dtypes.bfloat16),
    "from elsewhere": np.arange(3, dtype=">i4"),
}


def packed(arrays, save=np.savez_compressed) -> bytes:
    """Returns an archive as numpy writes it."""
    buffer = io.BytesIO()
    save(buffer, **arrays)
    return buffer.getvalue()


def zipped(members: dict[str, bytes]) -> bytes:
    """Returns an archive of any bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def member(header: str, numbers: bytes = b"") -> bytes:
    """Returns a `.npy` file with any header."""
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + numbers


def by_lzma(file, **arrays) -> None:
    """Writes as `numpy.savez` does, packed by LZMA."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_LZMA) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as opened:
                np.lib.format.write_array(opened, np.asarray(array))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed, by_lzma])
def test_arrays_are_those_that_numpy_reads(save, tmp_path):
    content = packed(ARRAYS, save)
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    for source in (content, path):
        read = read_arrays(source, "It")
        with np.load(path, allow_pickle=False) as expected:
            assert list(read) == expected.files
            for name, array in read.items():
                assert array.dtype == expected[name].dtype
                assert array.flags.f_contiguous == expected[name].flags.f_contiguous
                np.testing.assert_array_equal(array, expected[name])


def refusal(content: bytes, most: int = 2**20) -> str:
    with pytest.raises(InvalidInput) as refused:
        read_arrays(content, "It", most)
    return str(refused.value)


def test_a_bomb_is_refused_before_it_is_unpacked():
    size = 2**28
    bomb = packed({"zeros": np.zeros(size, np.uint8)})
    assert len(bomb) < 2**20
    tracemalloc.start()
    try:
        message = refusal(bomb, most=2**24)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
    assert message == "It declares 268,435,584 bytes of arrays; at most 16,777,216 are read."


def test_an_archive_whose_directory_lies_is_cut_off_at_what_it_declares():
    honest = member("{'descr': '|u1', 'fortran_order': False, 'shape': (64,), }\n", bytes(2**26))
    bomb = bytearray(zipped({"a.npy": honest}))
    declared = struct.pack("<I", len(honest))
    small = struct.pack("<I", len(honest) - 2**26 + 64)
    assert bomb.count(declared) == 2  # before the member, and in the directory
    tracemalloc.start()
    try:
        message = refusal(bytes(bomb.replace(declared, small)))
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()
    assert "It is no .npz archive, or a damaged one (BadZipFile)." in message


def test_more_than_so_few_bytes_can_hold_is_refused():
    content = packed({"a": np.arange(100)}, np.savez)
    size = struct.pack("<I", 8 * 100 + 128)
    wrong = content.replace(size, struct.pack("<I", 2**19))
    packed_sizes = struct.pack("<II", 2**19, 2**19)
    wrong = wrong.replace(packed_sizes, struct.pack("<II", 928, 2**19))
    assert "declares 524,288 bytes for 'a.npy', more than the 928 it takes there" in refusal(wrong)


def test_arrays_by_lzma_may_be_as_dense_as_it_packs_them():
    content = packed({"zeros": np.zeros(2**26, np.uint8)}, by_lzma)
    assert len(content) < 2**26 / 6000  # denser than deflate can be
    assert not read_arrays(content, "It")["zeros"].any()
    size = struct.pack("<I", 2**26 + 128)
    lying = content.replace(size, struct.pack("<I", 2**27 + 128))
    assert "declares 134,217,856 bytes for 'zeros.npy', more than the" in refusal(lying, 2**28)


def test_a_dictionary_that_asks_for_much_memory_is_refused():
    content = packed({"a": np.arange(100)}, by_lzma)
    usual = struct.pack(
        "<HBI", 5, 0x5D, 2**23
    )  # length of the properties, lc, lp and pb, the dictionary's size
    assert content.count(usual) == 1
    wrong = content.replace(usual, struct.pack("<HBI", 5, 0x5D, 2**31))
    assert refusal(wrong) == (
        "It asks for 2,147,483,648 bytes of memory to unpack 'a.npy'; at most 67,108,864 are given."
    )


def test_damaged_lzma_is_said_to_be_damaged():
    content = packed({"a": np.arange(100)}, by_lzma)
    usual = struct.pack("<HB", 5, 0x5D)
    assert "is no .npz archive, or a damaged one (LZMAError)" in refusal(
        content.replace(usual, struct.pack("<HB", 5, 0xFF))
    )


def test_too_many_members_are_refused_before_they_are_listed():
    content = b"PK\x01\x02" * 10_001
    assert refusal(content) == "It holds more than 10,000 arrays."


DESCR = "{'descr': '%s', 'fortran_order': False, 'shape': %s, }\n"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "is no .npz archive"),
        (b"not a zip file at all", "is no .npz archive"),
        (packed(ARRAYS)[:-30], "is no .npz archive"),
        (zipped({"a.txt": b"x"}), "holds 'a.txt', which is no array"),
        (zipped({"../a.txt": b"x"}), "holds '../a.txt', which is no array"),
        (zipped({"a.npy": b"x"}), "holds 'a.npy', which is no array of numbers"),
        (zipped({"a.npy": member(DESCR % ("|O", "(1,)"))}), "no array of plain numbers"),
        (zipped({"a.npy": member(DESCR % ("<M8", "(1,)"))}), "no array of plain numbers"),
        (zipped({"a.npy": member("__import__('os')")}), "no array of plain numbers"),
        (zipped({"a.npy": member("(" * 1000)}), "no array of plain numbers"),
        (zipped({"a.npy": member("x" * 5000)}), "with a header of 5,000 bytes"),
        (zipped({"a.npy": member(DESCR % ("<f8", "(9,)"), bytes(8))}), "8 bytes of numbers; its"),
        (zipped({"a.npy": member(DESCR % ("<f8", "(1,)"), bytes(16))}), "16 bytes of numbers; its"),
        (zipped({"a.npy": member(DESCR % ("<f8", f"({10**17}, {10**17}, 0)"))}), "(ValueError)"),
        (zipped({"a.npy": member(DESCR % ("|S0", "(5,)"))}), "of type |S0"),
        (zipped({"a.npy": member(DESCR % ("<f3", "(5,)"))}), "(TypeError)"),
        (zipped({"a.npy": member(DESCR % ("<f8", "(-1,)"))}), "no array of plain numbers"),
        (zipped({"a.npy": member(DESCR % ("<f4", f"({'1,' * 40})"), bytes(4))}), "40 dimensions"),
    ],
    ids=range(18),
)
def test_what_is_no_array_of_numbers_is_refused(content, text):
    message = refusal(content)
    assert message.startswith("It ") and text in message and "\n" not in message


def test_a_name_that_stands_twice_is_refused():
    content = packed({"a": np.zeros(1), "b": np.zeros(1)}).replace(b"b.npy", b"a.npy")
    assert refusal(content) == "It holds 'a.npy' twice."


def test_a_damaged_number_is_noticed():
    content = bytearray(packed({"a": np.arange(50.0)}, np.savez))
    place = re.search(rb"\n", bytes(content))
    assert place is not None
    content[place.end() + 5] ^= 1
    assert "BadZipFile" in refusal(bytes(content))


def test_a_member_that_is_encrypted_is_refused():
    content = bytearray(packed({"a": np.zeros(1)}))
    content[content.index(b"PK\x01\x02") + 8] |= 1
    assert refusal(bytes(content)) == "It holds 'a.npy' encrypted."
