"""The rows of agents for tabular MDPs.

The presets: `paper` has the priors of Duan et al. (2016), with a mean reward of 0 where the true one
is 1; `matched` has the prior that the MDPs are drawn from. The grids of `paper` are those of the
paper's appendix.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast

from metarl.environments import Agent, Trial

from .mdp_agents import oracle_agent, plan_in_samples, plan_in_the_mean
from .mdp_posterior import Prior
from .optimism import (
    plan_in_compounding_set,
    plan_in_confidence_set,
    plan_with_bayes_bonus,
    plan_with_bernstein_bonus,
    plan_with_hoeffding_bonus,
)
from .planning_agent import Planner, Replan, Settings, planning_agent
from .row import Row, Setting, Value

DUAN = "Duan et al. (2016), arXiv:1611.02779"
SCALES = tuple(float(f"{10 ** (-4 + i / 5):.3g}") for i in range(21))  # 1e-4 ... 1
TRUE_PRIOR = {"prior_mean": 1.0, "prior_weight": 1.0}

NUMBERS = ("epsilon", "scale", "samples", "bonus")
"""The fields of `Settings` besides the prior."""


def _plan(planner: Planner, values: Mapping[str, Value], trial: Trial) -> Agent:
    del trial
    numbers: dict[str, Any] = {name: values[name] for name in NUMBERS if name in values}
    prior = Prior(cast(float, values["prior_mean"]), cast(float, values["prior_weight"]))
    return planning_agent(planner, Settings(prior, **numbers), cast(Replan, values["replan"]))


def _ucrl2(values: Mapping[str, Value], trial: Trial) -> Agent:
    compounds = values["optimism"] == "compounding"
    return _plan(plan_in_compounding_set if compounds else plan_in_confidence_set, values, trial)


def _ucbvi(values: Mapping[str, Value], trial: Trial) -> Agent:
    bernstein = values["width"] == "bernstein"
    planner = plan_with_bernstein_bonus if bernstein else plan_with_hoeffding_bonus
    return _plan(planner, values, trial)


def _oracle(values: Mapping[str, Value], trial: Trial) -> Agent:
    del values
    return oracle_agent(trial)


def _settings(mean: float = 1.0, weight: float = 1.0, **others: Setting) -> dict[str, Setting]:
    """Returns the settings of every agent that plans, and others."""
    of_weight = "w, of the reward prior and of each next state, in steps seen"
    when = "when to plan: as an episode begins, or at every step"
    return {
        **others,
        "prior_mean": Setting(mean, "m, mean reward believed at first"),
        "prior_weight": Setting(weight, of_weight, low=1e-9),
        "replan": Setting("episode", when, words=("episode", "step")),
    }


def _presets(mean: float, weight: float, **others: Value) -> Mapping[str, Mapping[str, Value]]:
    """Returns the paper's preset as given, and that of the true prior."""
    paper = {"prior_mean": mean, "prior_weight": weight, **others}
    return MappingProxyType({"paper": paper, "matched": TRUE_PRIOR})


def _both(**grid: tuple[Value, ...]) -> Mapping[str, Mapping[str, tuple[Value, ...]]]:
    return MappingProxyType({"paper": grid, "matched": grid})


MDP_ROWS: tuple[Row, ...] = (
    Row(
        name="greedy",
        world="mdp",
        caption="plans as if the posterior mean were the MDP",
        formula="argmax Q, r = posterior mean + bonus (1 - t/T) / (w + n)",
        paper=DUAN,
        build=functools.partial(_plan, plan_in_the_mean),
        settings=_settings(
            bonus=Setting(0.0, "b, of what is unknown, in rewards; falls to 0 over the trial", 0.0)
        ),
        presets=_presets(0.0, 1e-4),
        grids={"matched": {"bonus": (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0)}},
    ),
    Row(
        name="epsilon-greedy",
        world="mdp",
        caption="plans as greedy does, and acts at random now and then",
        formula="with probability ε any action, else argmax Q",
        paper=DUAN,
        build=functools.partial(_plan, plan_in_the_mean),
        settings=_settings(
            epsilon=Setting(0.1, "ε, probability of an action at random", low=0.0, high=1.0)
        ),
        presets=_presets(0.0, 1e-4),
        grids={
            "paper": {"epsilon": tuple(i / 10 for i in range(1, 11))},
            "matched": {"epsilon": (0.01, 0.02, 0.05, 0.1, 0.2)},
        },
    ),
    Row(
        name="psrl",
        world="mdp",
        caption="plans in an MDP drawn from the posterior",
        formula="argmax Q of one sample",
        paper="Osband et al. (2013), arXiv:1306.0940",
        build=functools.partial(_plan, plan_in_samples),
        settings=_settings(),
        presets=_presets(0.0, 1.0),
    ),
    Row(
        name="opsrl",
        world="mdp",
        caption="plans in several MDPs drawn from the posterior, and believes the best",
        formula="argmax of max over N samples of Q",
        paper=f"Osband et al. (2013), arXiv:1306.0940; {DUAN}",
        build=functools.partial(_plan, plan_in_samples),
        settings=_settings(samples=Setting(5, "N, MDPs drawn", low=1, high=1000, whole=True)),
        presets=_presets(0.0, 1.0),
        grids=_both(samples=tuple(range(1, 21))),
    ),
    Row(
        name="beb",
        world="mdp",
        caption="plans in the posterior mean with a bonus for what was seldom seen",
        formula="r + 1/(w + n + 1) + 2 H³ scale (steps left) / (1 + S w + N)",
        paper="Kolter and Ng (2009), Near-Bayesian exploration in polynomial time",
        build=functools.partial(_plan, plan_with_bayes_bonus),
        settings=_settings(scale=Setting(5e-4, "of the bonus", low=0.0)),
        presets=_presets(0.0, 1.0),
        grids=_both(scale=SCALES),
    ),
    Row(
        name="ucrl2",
        world="mdp",
        caption="plans in the best MDP that the data do not rule out",
        formula="r + c sqrt(4 ln(.) / n), |p - P|₁ <= c sqrt(4 S ln(.) / N), c = scale",
        paper="Jaksch, Ortner and Auer (2010), JMLR 11",
        build=_ucrl2,
        settings=_settings(
            mean=0.0,
            weight=1e-4,
            scale=Setting(0.4, "c, of the widths", low=0.0),
            optimism=Setting(
                "single",
                "whether the set lies around the estimate, or around the backup before",
                words=("single", "compounding"),
            ),
        ),
        presets=_presets(0.0, 1e-4, optimism="compounding"),
        grids=_both(scale=SCALES),
    ),
    Row(
        name="ucbvi",
        world="mdp",
        caption="plans in the mean with a bonus that bounds the error of the values",
        formula="r + P V + scale (sqrt(8 L Var V / N) + 14 R H L / 3N + sqrt(8 / N) R H)",
        paper="Azar, Osband and Munos (2017), arXiv:1703.05449",
        build=_ucbvi,
        settings=_settings(
            scale=Setting(1e-4, "of the bonus", low=0.0),
            width=Setting("bernstein", "the bonus", words=("bernstein", "hoeffding")),
        ),
        presets=_presets(0.0, 1.0),
        grids=_both(scale=tuple(float(f"{scale / 100:.3g}") for scale in SCALES)),
    ),
    Row(
        name="oracle",
        world="mdp",
        caption="knows the MDP and plays it best: an upper bound",
        formula="argmax Q of the true MDP",
        paper="finite-horizon dynamic programming",
        build=_oracle,
    ),
)
