"""Limits: how much of anything is read; far above what metarl writes, far below what hurts."""

from __future__ import annotations

MOST_SETTINGS = (
    2**20
)  # bytes of a JSON file that a person may have written: settings, a rule, a card
MOST_DOCUMENT = 2**28  # bytes of a JSON file of results
MOST_LINE = 2**24  # bytes of one line of a log or a journal
MOST_ARRAYS = 2**34  # bytes of all arrays of one archive, unpacked

MOST_WHOLE = 2**63 - 1  # a whole number in settings

MOST_DEPTH = 64  # levels of a JSON document; json.loads itself gives up at about a thousand
MOST_DIGITS = 40  # of a whole number in JSON; 2^128 has 39
MOST_MEMBERS = 10_000  # arrays of one archive
MOST_HEADER = 4096  # bytes in front of the numbers of one array
