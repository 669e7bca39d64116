"""How many of a number of random rules count as distinct, by how finely fingerprints look.

    python fingerprints.py [--rules 5000 --seed 0] > fingerprints.json

For each space at depth 2: random rules, those that pass the filters, and how many of these have a fingerprint of their
own at each resolution. 1e-3 is what fingerprints looked at when updates were in single precision; what it merges and
the finest keeps apart is trained once more.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import numpy as np

from metarl.optimizer_search.screening.filters import Verdict, screen
from metarl.optimizer_search.screening.probes import Probes, rule_fingerprints
from metarl.optimizer_search.settings.config import FilterConfig
from metarl.update_rules import Grammar, Interpreter

SPACES = ("arxiv", "icml")
RESOLUTIONS = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rules", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    document = {space: counts(space, given.rules, given.seed) for space in SPACES}
    json.dump(document, sys.stdout, indent=2)
    sys.stdout.write("\n")


def counts(space: str, num_rules: int, seed: int) -> dict[str, Any]:
    grammar = Grammar(space, depth=2)
    probes = Probes(Interpreter(grammar))
    tokens = grammar.sample(np.random.default_rng(seed), num_rules)
    verdicts = screen(probes.outputs(tokens), probes, FilterConfig())
    passing = tokens[[verdict == Verdict.PASSES for verdict in verdicts]]
    exact = probes.exact_updates(passing)
    texts = {str(grammar.to_rule(row).canonical()) for row in passing}
    distinct = {f"{each:g}": len(set(rule_fingerprints(exact, each))) for each in RESOLUTIONS}
    return {
        "rules": num_rules,
        "pass_the_filters": len(passing),
        "distinct_texts": len(texts),
        "distinct_by_resolution": distinct,
    }


if __name__ == "__main__":
    main()
