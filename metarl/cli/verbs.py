"""The table of verbs: one row each, in the order in which a person meets them.

A new verb is one row here and one file beside this one. Its module is imported when the verb is called; until then the
row is all that `metarl --help` needs.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from types import ModuleType

from metarl.errors import unknown_name


@dataclass(frozen=True)
class Verb:
    """One row of the table.

    Attributes:
      name: what is typed after `metarl`.
      module: the file in this package that holds `Arguments`, `run` and `show`; a module is not called what a builtin
        is called.
      caption: one line for `metarl --help`.
    """

    name: str
    module: str
    caption: str

    def load(self) -> ModuleType:
        """Returns the verb's module, importing it at the first call."""
        return importlib.import_module(f".{self.module}", __package__)


VERBS = (
    Verb("search", "search", "search for update rules, compare the best, report"),
    Verb("train", "train", "train a recurrent agent to learn, compare it with classical agents"),
    Verb("evaluate", "evaluate", "trained and classical agents on the same test tasks"),
    Verb("watch", "watch", "an animation of a trained agent's trial"),
    Verb("resume", "resume", "go on with a run where it stopped"),
    Verb("runs", "runs", "how the runs in a folder stand, how two differ; old checkpoints removed"),
    Verb("compare", "compare", "rules beside tuned optimizers, under one protocol"),
    Verb("enumerate", "enumeration", "every function of a space of rules once, simplest first"),
    Verb(
        "table",
        "table",
        "every rule of a small space by every judge, so that searches can be replayed",
    ),
    Verb("export", "export", "write a rule as a file: optax, torch, LaTeX or JSON"),
    Verb("report", "report", "write the page of a finished run anew"),
    Verb(
        "bench",
        "bench",
        "the speed of a search or a training, how training scales; strategies on tables of rules",
    ),
    Verb("reproduce", "reproduce", "a table or a figure of a paper, theirs beside ours"),
    Verb(
        "list",
        "listing",
        "what there is: problems, rules, primitives, strategies, tables, environments, agents",
    ),
)


def find_verb(name: str) -> Verb:
    """Returns the row of that name.

    Raises:
      InvalidInput: there is none; the nearest name is suggested.
    """
    for verb in VERBS:
        if verb.name == name:
            return verb
    raise unknown_name("command", name, [verb.name for verb in VERBS])
