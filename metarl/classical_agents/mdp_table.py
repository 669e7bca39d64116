"""The rows of agents for tabular MDPs.

The presets: `paper` has the priors of Duan et al. (2016), with a mean reward of 0 where the true one
is 1; `matched` has the prior that the family says its MDPs are drawn from, and so have the defaults
of agents that plan in a posterior. Of a family that says nothing the prior of the paper's MDPs is
believed. The grids of `paper` are those of the paper's appendix.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast

from metarl.environments import Agent, Distribution, MDPDistribution, Trial

from .bayes_adaptive import Numbers, bayes_adaptive_mdp
from .bayes_adaptive_settings import BAMCP, OF_A_TREE, chosen_search
from .dark_maze_guide import dark_maze_guide, is_dark_maze
from .grid_guide import grid_guide, is_grid
from .known_search import known_search_agent
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
OF_THE_PAPERS_TASKS = {"prior_mean": 1.0, "prior_weight": 1.0}
BELIEFS = ("prior_mean", "prior_weight", "prior_alpha", "noise")

KNOWN = 1e9
"""The weight of a mean reward that is known."""

NUMBERS = ("epsilon", "scale", "samples", "bonus")
"""The fields of `Settings` besides the prior."""


def _plan(planner: Planner, values: Mapping[str, Value], trial: Trial) -> Agent:
    del trial
    numbers: dict[str, Any] = {name: values[name] for name in NUMBERS if name in values}
    prior = Prior(*(cast(float, values[name]) for name in BELIEFS))
    return planning_agent(planner, Settings(prior, **numbers), cast(Replan, values["replan"]))


def _ucrl2(values: Mapping[str, Value], trial: Trial) -> Agent:
    compounds = values["optimism"] == "compounding"
    return _plan(plan_in_compounding_set if compounds else plan_in_confidence_set, values, trial)


def _ucbvi(values: Mapping[str, Value], trial: Trial) -> Agent:
    bernstein = values["width"] == "bernstein"
    planner = plan_with_bernstein_bonus if bernstein else plan_with_hoeffding_bonus
    return _plan(planner, values, trial)


def _bayes_adaptive(values: Mapping[str, Any], trial: Trial) -> Agent:
    prior = Prior(*(cast(float, values[name]) for name in BELIEFS))
    settings = Settings(prior, bonus=cast(float, values["bonus"]))
    exploration, trust = (cast(float, values[name]) for name in ("exploration", "trust"))
    return bayes_adaptive_mdp(chosen_search(values, trial), Numbers(settings, exploration, trust))


def _mcts(values: Mapping[str, Value], trial: Trial) -> Agent:
    longest = trial.environment.horizon
    depth = longest if values["depth"] == "left" else cast(int, values["depth"])
    exploration = cast(float, values["exploration"])
    return known_search_agent(cast(int, values["simulations"]), exploration, depth, trial)


def _oracle(values: Mapping[str, Value], trial: Trial) -> Agent:
    del values
    if is_dark_maze(trial):
        return dark_maze_guide()
    return grid_guide(trial) if is_grid(trial) else oracle_agent(trial)


def _settings(mean: float = 1.0, weight: float = 1.0, **others: Setting) -> dict[str, Setting]:
    """Returns the settings of every agent that plans, and others."""
    when = "when to plan: as an episode begins, or at every step"
    replan = Setting("episode", when, words=("episode", "step"))
    return {**_beliefs(mean, weight, **others), "replan": replan}


def _beliefs(mean: float = 1.0, weight: float = 1.0, **others: Setting) -> dict[str, Setting]:
    """Returns the settings of every agent that has a posterior, and others."""
    of_weight = "w, of the reward prior, in rewards seen: (noise / deviation of mean rewards)²"
    of_alpha = "α, of each next state, in steps seen, or the same as prior_weight"
    return {
        **others,
        "prior_mean": Setting(mean, "m, mean reward believed at first"),
        "prior_weight": Setting(weight, of_weight, low=1e-9),
        "prior_alpha": Setting(
            "prior_weight", of_alpha, low=1e-9, words=("prior_weight",), or_number=True
        ),
        "noise": Setting(1.0, "σ, deviation of a reward from its mean", low=1e-3),
    }


def _presets(mean: float, weight: float, **others: Value) -> Mapping[str, Mapping[str, Value]]:
    """Returns the paper's preset as given, and that of the prior of the paper's tasks."""
    believed = {"prior_mean": mean, "prior_weight": weight, "prior_alpha": weight, "noise": 1.0}
    return MappingProxyType({"paper": {**believed, **others}, "matched": OF_THE_PAPERS_TASKS})


def _told(distribution: Distribution | None, given: Mapping[str, Value]) -> Mapping[str, Value]:
    """Returns the settings of the prior that a family says its MDPs are drawn from."""
    if not isinstance(distribution, MDPDistribution):
        return {}
    noise, deviation = distribution.noise, distribution.deviation
    told: dict[str, Value] = {"prior_mean": distribution.mean, "noise": noise}
    told["prior_weight"] = (noise / deviation) ** 2 if deviation > 0 else KNOWN
    if "prior_weight" not in given:  # which speaks of both, unless prior_alpha is given too
        told["prior_alpha"] = distribution.alpha
    return told


def _both(**grid: tuple[Value, ...]) -> Mapping[str, Mapping[str, tuple[Value, ...]]]:
    return MappingProxyType({"paper": grid, "matched": grid})


_planner = functools.partial(Row, world="mdp", told=_told, beliefs=BELIEFS)

MDP_ROWS: tuple[Row, ...] = (
    _planner(
        name="greedy",
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
    _planner(
        name="epsilon-greedy",
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
    _planner(
        name="psrl",
        caption="plans in an MDP drawn from the posterior",
        formula="argmax Q of one sample",
        paper="Osband et al. (2013), arXiv:1306.0940",
        build=functools.partial(_plan, plan_in_samples),
        settings=_settings(),
        presets=_presets(0.0, 1.0),
    ),
    _planner(
        name="opsrl",
        caption="plans in several MDPs drawn from the posterior, and believes the best",
        formula="argmax of max over N samples of Q",
        paper=f"Osband et al. (2013), arXiv:1306.0940; {DUAN}",
        build=functools.partial(_plan, plan_in_samples),
        settings=_settings(samples=Setting(5, "N, MDPs drawn", low=1, high=1000, whole=True)),
        presets=_presets(0.0, 1.0),
        grids=_both(samples=tuple(range(1, 21))),
    ),
    _planner(
        name="beb",
        caption="plans in the posterior mean with a bonus for what was seldom seen",
        formula="r + 1/(w + n + 1) + 2 H³ scale (steps left) / (1 + S α + N)",
        paper="Kolter and Ng (2009), Near-Bayesian exploration in polynomial time",
        build=functools.partial(_plan, plan_with_bayes_bonus),
        settings=_settings(scale=Setting(5e-4, "of the bonus", low=0.0)),
        presets=_presets(0.0, 1.0),
        grids=_both(scale=SCALES),
    ),
    _planner(
        name="ucrl2",
        trusts=False,
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
    _planner(
        name="ucbvi",
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
    _planner(
        name="bayes-adaptive",
        caption="searches a tree over beliefs, by simulations in MDPs drawn from the posterior",
        formula="argmax Q(root, a) of simulations by UCT in MDPs drawn from the posterior",
        paper=BAMCP,
        build=_bayes_adaptive,
        settings={
            **OF_A_TREE,
            **_beliefs(
                bonus=Setting(1.0, "b of greedy rollouts, in rewards; see greedy", 0.0),
                trust=Setting(
                    50.0, "in greedy's plan, in visits of each action at the root; 0: none", 0.0
                ),
                reward_bins=Setting(
                    1, "parts of the rewards that histories tell apart", 1, 100, whole=True
                ),
            ),
        },
        presets=_presets(0.0, 1.0),
        grids=_both(exploration=(0.3, 1.0, 3.0, 10.0)),
    ),
    Row(
        name="mcts",
        world="mdp",
        caption="knows the MDP or grid, and searches a tree of simulations in it",
        formula="argmax Q(root, a) of simulations by UCT in the true MDP, random rollouts",
        paper="Kocsis, Szepesvári (2006), Bandit based Monte-Carlo planning",
        build=_mcts,
        settings={
            "simulations": OF_A_TREE["simulations"],
            "exploration": Setting(3.0, "c of UCT, in rewards", low=0),
            "depth": Setting(
                *("left", "D, steps of a simulation; left: to the end of the episode"),
                *(1, 10_000, True, ("left",), True),
            ),
        },
        grids=_both(exploration=(0.3, 1.0, 3.0, 10.0)),
    ),
    Row(
        name="oracle",
        world="mdp",
        caption="knows the MDP, grid or dark maze and plays it best: an upper bound",
        formula="argmax Q of the true MDP; towards the goal",
        paper="finite-horizon dynamic programming",
        build=_oracle,
    ),
)
