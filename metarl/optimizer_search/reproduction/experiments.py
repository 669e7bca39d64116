"""experiments: the figures and tables of Neural Optimizer Search that can be reproduced, one row each.

Reference: Bello, Zoph, Vasudevan, Le (2017), Neural Optimizer Search with Reinforcement Learning, ICML, and
arXiv:1709.07417.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from metarl.runs import ExperimentCard


@dataclass(frozen=True, kw_only=True)
class Experiment(ExperimentCard):
    """A figure or a table.

    Attributes:
      analysis: "module:function" within this package; the function takes a `Work` and gives `Findings`, the module
        has the experiment's `Settings`.
      cifar10: whether its scale "paper" trains on CIFAR-10, whose files lie in --data-dir.
    """

    analysis: str
    cifar10: bool = False

    @property
    def module(self) -> str:
        """The module that holds the function and its settings."""
        return self.analysis.partition(":")[0]

    @property
    def function(self) -> str:
        """The name of the function."""
        return self.analysis.partition(":")[2]


_SECONDS = "some seconds"

_ROWS = (
    Experiment(
        name="nos-expression-trees",
        folder="nos_expression_trees",
        analysis="expression_trees:draw_trees",
        caption="update rules as trees (figure 2)",
        costs={"smoke": _SECONDS, "laptop": _SECONDS, "paper": _SECONDS},
    ),
    Experiment(
        name="nos-controller-diagram",
        folder="nos_controller_diagram",
        analysis="controller_diagram:draw_controller",
        caption="the controller unrolled (figure 3)",
        costs={"smoke": _SECONDS, "laptop": "a minute", "paper": "a minute"},
    ),
    Experiment(
        name="nos-rosenbrock",
        folder="nos_rosenbrock",
        analysis="rosenbrock:follow_rules",
        caption="paths of rules in Rosenbrock's valley (figure 6)",
        costs={"smoke": _SECONDS, "laptop": "a minute", "paper": "a minute"},
    ),
)

EXPERIMENTS = MappingProxyType({row.name: row for row in _ROWS})
