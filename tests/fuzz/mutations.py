"""Edits: ways to damage a valid input, drawn by whoever has chance or a solver to draw from."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

LONGEST = 20_000  # bytes of an edited input, but for repetitions
MOST_REPEATED = 300_000


class Edit(NamedTuple):
    """One edit; all numbers are taken modulo what there is."""

    kind: int
    place: int
    size: int
    what: int


def flip(data: bytes, edit: Edit, words: Sequence[bytes], other: bytes) -> bytes:
    """Flips one bit."""
    place = edit.place % max(1, len(data))
    bit = 1 << edit.what % 8
    return data[:place] + bytes(byte ^ bit for byte in data[place : place + 1]) + data[place + 1 :]


def overwrite(data: bytes, edit: Edit, words: Sequence[bytes], other: bytes) -> bytes:
    """Writes any byte over another."""
    place = edit.place % max(1, len(data))
    return data[:place] + bytes([edit.what % 256]) + data[place + 1 :]


def cut_out(data: bytes, edit: Edit, words: Sequence[bytes], other: bytes) -> bytes:
    """Removes a piece."""
    place = edit.place % max(1, len(data))
    return data[:place] + data[place + 1 + edit.size % 50 :]


def cut_short(data: bytes, edit: Edit, words: Sequence[bytes], other: bytes) -> bytes:
    """Leaves the beginning."""
    return data[: edit.place % max(1, len(data))]


def repeat(data: bytes, edit: Edit, words: Sequence[bytes], other: bytes) -> bytes:
    """Repeats a piece, now and then very often."""
    place = edit.place % max(1, len(data))
    piece = data[place : place + 1 + edit.size % 30]
    times = 10 ** (1 + edit.what % 5) if edit.what % 7 == 0 else edit.what % 20
    times = min(times, MOST_REPEATED // max(1, len(piece)))
    return data[:place] + piece * times + data[place + len(piece) :]


def insert(data: bytes, edit: Edit, words: Sequence[bytes], other: bytes) -> bytes:
    """Inserts a word that means something there."""
    place = edit.place % (len(data) + 1)
    return data[:place] + words[edit.what % len(words)] + data[place:]


def replace(data: bytes, edit: Edit, words: Sequence[bytes], other: bytes) -> bytes:
    """Writes such a word over a piece."""
    place = edit.place % max(1, len(data))
    return data[:place] + words[edit.what % len(words)] + data[place + 1 + edit.size % 8 :]


def splice(data: bytes, edit: Edit, words: Sequence[bytes], other: bytes) -> bytes:
    """Goes on as another input ends."""
    return data[: edit.place % (len(data) + 1)] + other[edit.size % (len(other) + 1) :]


def nest(data: bytes, edit: Edit, words: Sequence[bytes], other: bytes) -> bytes:
    """Puts brackets around it, now and then very many."""
    left, right = ((b"(", b")"), (b"[", b"]"), (b'{"a":', b"}"), (b"-", b""))[edit.what % 4]
    times = 10 ** (1 + edit.size % 4) if edit.size % 7 == 0 else edit.size % 80
    return left * times + data + right * times


KINDS = (flip, overwrite, cut_out, cut_short, repeat, insert, replace, splice, nest)


def edited(
    data: bytes, edits: Sequence[Edit], words: Sequence[bytes], corpus: Sequence[bytes]
) -> bytes:
    """Returns an input after its edits."""
    for edit in edits:
        change = KINDS[edit.kind % len(KINDS)]
        data = change(data[:LONGEST], edit, words, corpus[edit.what % len(corpus)])
    return data


def any_edits(draw: random.Random) -> list[Edit]:
    """Returns a few edits by chance; mostly one or two."""
    count = 1 + int(min(7.0, draw.expovariate(0.8)))
    return [Edit(*(draw.randrange(1 << 16) for _ in Edit._fields)) for _ in range(count)]


def rule_text(choose: Callable[[int], int], depth: int = 6) -> bytes:
    """Returns the text of a rule, or of something very like one.

    Args:
      choose: gives a number from 0 to below its argument.
      depth: of the tree, at most.
    """
    kind = choose(10) if depth else choose(3)
    if kind < 2:
        return _OPERANDS[choose(len(_OPERANDS))]
    if kind == 2:
        return _NUMBERS[choose(len(_NUMBERS))]
    inner = rule_text(choose, depth - 1)
    if kind < 5:
        name = _FUNCTIONS[choose(len(_FUNCTIONS))]
        constant = _CONSTANTS[choose(len(_CONSTANTS))] if name in _WITH_CONSTANT else b""
        return name + b"(" + inner + constant + b")"
    if kind == 5:
        return b"-" + inner
    if kind == 6:
        return b"(" + inner + b")"
    operator = _OPERATORS[choose(len(_OPERATORS))]
    return inner + operator + rule_text(choose, depth - 1)


_OPERANDS = (
    *(b"g", b"g^2", b"g^3", b"m", b"v", b"y", b"sign(g)", b"sign(m)", b"1", b"2", b"w", b"adam"),
    *(b"rmsprop", b"noise", b"ld", b"cd", b"rd10", b"1e-4 * w", b"gg", b"\xc3\xa9", b"e"),
)
_NUMBERS = (
    *(b"0", b"1", b"0.5", b"1e-3", b".5", b"2.", b"1e308", b"1e309", b"1e-400", b"00"),
    *(
        b"1e99999999999",
        b"1" * 400,
        b"0." + b"0" * 400 + b"1",
        b"1_0",
        b"\xd9\xa1",
        b"0x10",
        b"inf",
    ),
)
_FUNCTIONS = (b"exp", b"log", b"sign", b"sqrt", b"sigmoid", b"softsign", b"clip", b"drop", b"abs")
_WITH_CONSTANT = (b"clip", b"drop")
_CONSTANTS = (b", 0.1", b", 1e-4", b", 2", b", -1", b"", b", g", b", 0", b", 1", b", 0.3, 1")
_OPERATORS = (b" + ", b" - ", b"*", b" / ", b"^", b" ^ -", b"**", b"  ", b"\n*\t", b"\xc2\xb7")
