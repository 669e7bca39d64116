"""The exporters to LaTeX and JSON: a rule as a formula, and as a document that keeps where it came from."""

from __future__ import annotations

import json
from dataclasses import asdict

from .compiler import as_rule
from .file_header import known_provenance
from .provenance import Provenance
from .rule import Rule


def to_latex(rule: Rule | str) -> str:
    r"""Returns the formula of a rule, given itself, its name or its text, in LaTeX without dollar signs.

    >>> to_latex("exp(m) * g")
    'e^{\\hat{m}} \\cdot g'
    """
    return as_rule(rule).to_latex()


def to_json(rule: Rule | str, provenance: Provenance | None = None) -> str:
    """Returns a JSON document that holds a rule, what it needs, and where it comes from.

    `Rule.from_json` reads it; what is not known of the provenance is null.
    """
    rule = as_rule(rule)
    document = json.loads(rule.to_json()) | {
        "latex": rule.to_latex(),
        "needs": sorted(rule.needs),
        "provenance": asdict(provenance or known_provenance(rule)),
    }
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
