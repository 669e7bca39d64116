"""How a row of an agent for bandits is made: its score, what it knows of an arm at first, its settings.

Priors and noise are those that the family says its bandits have, whatever the preset; the defaults
are for one that says nothing. The preset `paper` gives equal scores to the first arm.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, cast

from metarl.environments import Agent, BanditDistribution, Distribution, Trial

from .arm_posteriors import Arms, BetaArms, NormalArms
from .row import Assumption, Row, Setting, Value, World
from .scoring_agent import Learnt, Scoring, scoring_agent

TIES = {
    "ties": Setting("random", "which of several highest scores is taken", words=("random", "first"))
}
BETA = {
    "prior_successes": Setting(1.0, "a of the prior Beta(a, b) of an arm's mean", low=1e-3),
    "prior_failures": Setting(1.0, "b of the prior Beta(a, b) of an arm's mean", low=1e-3),
}
NO_PRIOR = {
    "prior_successes": Setting(0.0, "successes of an arm before its first pull", low=0),
    "prior_failures": Setting(0.0, "failures of an arm before its first pull", low=0),
}
NOISE = {"noise": Setting(1.0, "deviation of a reward from its arm's mean", low=1e-3)}
NORMAL = {
    "prior_mean": Setting(0.0, "expectation of an arm's mean, in units of reward"),
    "prior_deviation": Setting(1.0, "deviation of the arms' means, in units of reward", low=1e-3),
    **NOISE,
}

Values = Mapping[str, Any]
Begin = Callable[[Values, Trial], Learnt]
BOTH: tuple[Assumption, ...] = ("stationary", "independent")


def bandit_row(
    name: str,
    world: World,
    caption: str,
    formula: str,
    paper: str,
    scoring: Callable[[Values, Trial], Scoring],
    prior: Mapping[str, Setting],
    settings: Mapping[str, Setting] | None = None,
    grid: Mapping[str, tuple[Value, ...]] | None = None,
    assumes: tuple[Assumption, ...] = ("stationary",),
    begin: Begin | None = None,
) -> Row:
    """Returns the row of an agent that scores arms.

    Args:
      name: see `Row`.
      world: see `Row`.
      caption: see `Row`.
      formula: its score.
      paper: see `Row`.
      scoring: values of all settings, trial -> how it scores.
      prior: settings that say what it believes: `BETA`, `NORMAL`, `NOISE`, `NO_PRIOR` or none.
      settings: others.
      grid: for both presets.
      assumes: see `Row`.
      begin: values, trial -> what it knows of one arm at first; None: the prior.
    """
    starts = begin or (lambda values, trial: arm_prior(values))
    beliefs = () if prior is NO_PRIOR else tuple(prior)

    def build(values: Mapping[str, Value], trial: Trial) -> Agent:
        at_random = values["ties"] == "random"
        return scoring_agent(scoring(values, trial), starts(values, trial), at_random)

    return Row(
        name=name,
        world=world,
        caption=caption,
        formula=formula,
        paper=paper,
        build=build,
        settings={**(settings or {}), **prior, **TIES},
        presets={"paper": {"ties": "first"}, "matched": {}},
        grids={"paper": grid, "matched": grid} if grid else {},
        told=functools.partial(_told, beliefs),
        beliefs=beliefs,
        assumes=assumes,
    )


def _told(
    beliefs: tuple[str, ...], distribution: Distribution | None, given: Mapping[str, Value]
) -> Mapping[str, Value]:
    """Returns those of an agent's beliefs that a family's bandits tell."""
    del given
    if not isinstance(distribution, BanditDistribution):
        return {}
    first, second = distribution.of_one_arm
    if distribution.rewards == "bernoulli":
        said = {"prior_successes": first, "prior_failures": second}
    else:
        said = {"prior_mean": first, "prior_deviation": second, "noise": distribution.noise}
    return {name: value for name, value in said.items() if name in beliefs}


def arm_prior(values: Values) -> Arms:
    """Returns the prior of one arm that an agent's settings speak of."""
    if "prior_successes" in values:
        return BetaArms(values["prior_successes"], values["prior_failures"])
    noise_precision = values["noise"] ** -2.0
    precision = values["prior_deviation"] ** -2.0
    return NormalArms(values["prior_mean"], precision, noise_precision)


def prior_pair(values: Values) -> tuple[float, float]:
    """Returns a and b of the Beta prior."""
    return cast(float, values["prior_successes"]), cast(float, values["prior_failures"])
