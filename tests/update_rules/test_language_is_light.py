"""The language works without jax: a rule can be read, printed and sampled before any device starts."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
import numpy as np
from metarl.update_rules import Grammar, parse, reference_update, resolve
rule = resolve("powersign").canonical()
rule.to_latex(), rule.to_json(), parse(str(rule))
grammar = Grammar("arxiv", 2)
grammar.to_rule(grammar.sample(np.random.default_rng(0), 1)[0])
reference_update(rule, np.ones(3), m=np.ones(3))
print(sorted({"jax", "optax", "haiku", "matplotlib", "torch"} & set(sys.modules)))
"""


def test_the_language_imports_no_jax():
    answer = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"
