"""beside: rules that a table lacks, trained on its replicates, so that they can be held against those that it has.

They are trained by the program that fills tables, at its learning rates, and rounded as its losses are; what comes of
it is a table of these rules alone, with the judges and the Adam of the other.

Letters: K rules; L tokens; R learning rates; S replicates; C checkpoints.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping

import numpy as np

from metarl import problems as problem_suite
from metarl.update_rules import Grammar

from ..judging.evaluators import DEFAULT_WIDTH, LocalEvaluator
from ..judging.judges import judges_named
from .packing import Losses, pack, unpack
from .places import Places
from .rule_table import RuleTable, TableJudge
from .sweeping import table_judgement


def train_beside(
    table: RuleTable, judge: TableJudge, grammar: Grammar, tokens: np.ndarray
) -> dict[str, np.ndarray]:
    """Returns the losses of rules on the replicates of a judge.

    Args:
      table: whose learning rates and replicates are taken.
      judge: one of its judges.
      grammar: of the rules, of any space and depth.
      tokens: [K, L] int32.

    Returns:
      "search" [K, R, S, C], "choice" and "test" [K, R, S], rounded as a table's; +inf where a run diverged.
    """
    (found,) = judges_named([judge.name], problem_suite.load)
    judgement = table_judgement(found, grammar, judge.seeds)
    rates = np.tile(np.asarray(table.rates, np.float32), (len(tokens), 1))
    with contextlib.closing(LocalEvaluator({judge.name: judgement}, DEFAULT_WIDTH)) as trainer:
        verdicts = trainer.evaluate(np.asarray(tokens, np.int32), rates)[judge.name]
    losses = Losses(verdicts.losses, verdicts.metrics[..., 0], verdicts.metrics[..., 1])
    adam = Losses(**judge.adam)
    return unpack(pack(losses, adam), adam)._asdict()


def beside_table(
    table: RuleTable,
    grammar: Grammar,
    tokens: np.ndarray,
    losses: Mapping[str, Mapping[str, np.ndarray]],
) -> RuleTable:
    """Returns a table of rules that stand beside another, judged as its rules were.

    Args:
      table: the other.
      grammar: of the rules.
      tokens: [K, L] int32.
      losses: by the name of each judge that it shall have, of `train_beside`.
    """
    nameless = np.zeros((len(tokens), 16), np.uint8)
    return dataclasses.replace(
        table,
        space=getattr(grammar.space, "name", str(grammar.space)),
        depth=grammar.depth,
        tokens=tokens,
        sizes=np.array([grammar.to_rule(row).size for row in tokens]),
        judges=tuple(
            dataclasses.replace(judge, _losses=losses[judge.name])
            for judge in table.judges
            if judge.name in losses
        ),
        places=Places(grammar, table.filters, tokens, nameless),
    )
