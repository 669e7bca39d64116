"""language: whether what is on disk was made with rules that mean what they mean today.

Rewards, fingerprints and measurements belong to one version of the rule language; see `metarl.update_rules.LANGUAGE`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from metarl.errors import require
from metarl.update_rules import LANGUAGE

_FIRST = 1  # of what was written before the version was


def in_this_language(document: Mapping[str, Any]) -> bool:
    """Returns whether a document was written in this version of the rule language; the first said nothing."""
    return document.get("language", _FIRST) == LANGUAGE["version"]


def require_same_language(document: Mapping[str, Any], what: str) -> None:
    """Refuses what was written in another version of the rule language.

    Raises:
      InvalidInput: names both versions and says what to do.
    """
    require(
        in_this_language(document),
        f"{what} is of version {document.get('language', _FIRST)} of the rule language, this metarl has "
        f"{LANGUAGE['version']}, in which noise, drop and restarted decays have another law: their numbers do not "
        "stand together. Begin anew, or go on with the metarl that began it (provenance.json names it).",
    )
