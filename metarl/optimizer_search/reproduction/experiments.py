"""experiments: the figures and tables of Neural Optimizer Search that can be reproduced, and others, one row each.

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
    """

    analysis: str

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
        costs={"smoke": _SECONDS, "laptop": "2 minutes", "paper": "a minute"},
    ),
    Experiment(
        name="nos-rosenbrock",
        folder="nos_rosenbrock",
        analysis="rosenbrock:follow_rules",
        caption="paths of rules in Rosenbrock's valley (figure 6)",
        costs={"smoke": _SECONDS, "laptop": "a minute", "paper": "a minute"},
    ),
    Experiment(
        name="nos-controller-reward",
        folder="nos_controller_reward",
        analysis="controller_reward:follow_rewards",
        caption="reward over a search, controller beside random (figure 4)",
        costs={"smoke": "under a minute", "laptop": "20 minutes", "paper": "days, CIFAR-10"},
    ),
    Experiment(
        name="nos-small-convnet",
        folder="nos_small_convnet",
        analysis="small_convnet:train_networks",
        caption="test accuracy of a small convolutional network (figure 5)",
        costs={"smoke": "under a minute", "laptop": "5 minutes", "paper": "days, CIFAR-10"},
    ),
    Experiment(
        name="nos-rules-table",
        folder="nos_rules_table",
        analysis="rules_table:compare_table",
        caption="the rules of the ICML table beside standard optimizers",
        costs={"smoke": "under a minute", "laptop": "5 minutes", "paper": "days, CIFAR-10"},
    ),
    Experiment(
        name="nos-decays",
        folder="nos_decays",
        analysis="decays:compare_decays",
        caption="PowerSign with and without decays",
        costs={"smoke": "under a minute", "laptop": "2 minutes", "paper": "days, CIFAR-10"},
    ),
    Experiment(
        name="nos-powersign-addsign",
        folder="nos_powersign_addsign",
        analysis="powersign_addsign:compare_families",
        caption="PowerSign and AddSign, their bases and decays",
        costs={"smoke": "under a minute", "laptop": "3 minutes", "paper": "days, CIFAR-10"},
    ),
    Experiment(
        name="nos-linear-cosine-decay",
        folder="nos_linear_cosine_decay",
        analysis="linear_cosine_decay:compare_schedules",
        caption="the linear cosine schedule beside others",
        costs={"smoke": "under a minute", "laptop": "3 minutes", "paper": "days, CIFAR-10"},
    ),
    Experiment(
        name="nos-strategies",
        folder="nos_strategies",
        analysis="strategies:compare_strategies",
        caption="strategies at equal cost, by searches that train",
        costs={"smoke": "under a minute", "laptop": "an hour", "paper": "days, CIFAR-10"},
    ),
    Experiment(
        name="modern-strategies",
        folder="modern_strategies",
        analysis="strategies:compare_strategies",
        caption="the same in the space of the demo, with rates that decay",
        costs={"smoke": "under a minute", "laptop": "an hour", "paper": "a day"},
    ),
    Experiment(
        name="joint-strategies",
        folder="joint_strategies",
        analysis="strategies:compare_strategies",
        caption="the same by a joint judge of three problems at two horizons",
        costs={"smoke": "two minutes", "laptop": "two hours", "paper": "days"},
    ),
    Experiment(
        name="rule-tables",
        folder="rule_tables",
        analysis="rule_tables:ask_tables",
        caption="every rule of small spaces: which beat Adam, and what predicts what",
        costs={"smoke": _SECONDS, "laptop": "some minutes", "paper": "some minutes"},
    ),
    Experiment(
        name="racing",
        folder="racing",
        analysis="racing:replay_schedules",
        caption="what the optimizer steps of a search buy: racing, and a choice that halves",
        costs={"smoke": _SECONDS, "laptop": "some minutes", "paper": "some minutes"},
    ),
    Experiment(
        name="arena",
        folder="arena",
        analysis="arena:meet_in_the_arena",
        caption="all strategies of search by searches of a rule table",
        costs={"smoke": "under a minute", "laptop": "half an hour", "paper": "hours"},
    ),
    Experiment(
        name="nos-transfer",
        folder="nos_transfer",
        analysis="transfer:judge_transfer",
        caption="rules found on search problems, on held-out ones",
        costs={"smoke": "under a minute", "laptop": "6 minutes", "paper": "days, CIFAR-10"},
    ),
    Experiment(
        name="rediscovery",
        folder="rediscovery",
        analysis="rediscovery:find_again",
        caption="whether searches of the space modern find Muon's direction again",
        costs={"smoke": "under a minute", "laptop": "half an hour", "paper": "hours"},
    ),
    Experiment(
        name="scale-ladder",
        folder="scale_ladder",
        analysis="scale_ladder:climb",
        caption="whether leads over AdamW survive wider networks and longer runs",
        costs={"smoke": "a minute", "laptop": "half an hour", "paper": "not known"},
    ),
    Experiment(
        name="residual-ladder",
        folder="residual_ladder",
        analysis="scale_ladder:climb",
        caption="the same in residual networks on digits",
        costs={"smoke": "a minute", "laptop": "half an hour", "paper": "not known"},
    ),
    Experiment(
        name="denoiser-ladder",
        folder="denoiser_ladder",
        analysis="scale_ladder:climb",
        caption="the same in residual networks on two photographs",
        costs={"smoke": "a minute", "laptop": "half an hour", "paper": "not known"},
    ),
)

EXPERIMENTS = MappingProxyType({row.name: row for row in _ROWS})
