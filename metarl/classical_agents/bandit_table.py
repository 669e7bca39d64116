"""The rows of agents for bandits, and of the agent that can act anywhere.

The presets: `paper` gives equal scores to the first arm, as the paper's numbers show that Duan et
al. did (a greedy agent earns 415 instead of 403 in 500 pulls of 50 arms if it takes one of them at
random). Priors and noise are those that the family says its bandits have, whatever the preset; the
defaults are for one that says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from metarl.environments import Agent, BanditDistribution, Distribution, Trial
from metarl.errors import require

from . import bandit_agents
from .arm_posteriors import Arms, BetaArms, NormalArms
from .gittins import whittle_accepts
from .row import Assumption, Row, Setting, Value, World, nothing_told
from .scoring_agent import Scoring, number_of_arms, scoring_agent
from .yardstick_agents import bandit_oracle, random_agent

DUAN = "Duan et al. (2016), arXiv:1611.02779"
TENTHS = tuple(i / 10 for i in range(11))

_TIES = {
    "ties": Setting("random", "which of several highest scores is taken", words=("random", "first"))
}
_BETA = {
    "prior_successes": Setting(1.0, "a of the prior Beta(a, b) of an arm's mean", low=1e-3),
    "prior_failures": Setting(1.0, "b of the prior Beta(a, b) of an arm's mean", low=1e-3),
}
_NO_PRIOR = {
    "prior_successes": Setting(0.0, "successes of an arm before its first pull", low=0),
    "prior_failures": Setting(0.0, "failures of an arm before its first pull", low=0),
}
_NORMAL = {
    "prior_mean": Setting(0.0, "expectation of an arm's mean, in units of reward"),
    "prior_deviation": Setting(1.0, "deviation of the arms' means, in units of reward", low=1e-3),
    "noise": Setting(1.0, "deviation of a reward from its arm's mean", low=1e-3),
}


def _row(
    name: str,
    world: World,
    caption: str,
    formula: str,
    paper: str,
    scoring: Callable[[Mapping[str, Any], Trial], Scoring],
    prior: Mapping[str, Setting],
    settings: Mapping[str, Setting] | None = None,
    grid: Mapping[str, tuple[Value, ...]] | None = None,
    assumes: tuple[Assumption, ...] = ("stationary",),
) -> Row:
    """Returns the row of an agent that scores arms."""

    def build(values: Mapping[str, Value], trial: Trial) -> Agent:
        at_random = values["ties"] == "random"
        return scoring_agent(scoring(values, trial), _prior(values), at_random)

    return Row(
        name=name,
        world=world,
        caption=caption,
        formula=formula,
        paper=paper,
        build=build,
        settings={**(settings or {}), **prior, **_TIES},
        presets={"paper": {"ties": "first"}, "matched": {}},
        grids={"paper": grid, "matched": grid} if grid else {},
        beliefs=() if prior is _NO_PRIOR else tuple(prior),
        told=nothing_told if prior is _NO_PRIOR else _told,
        assumes=assumes,
    )


def _told(distribution: Distribution | None, given: Mapping[str, Value]) -> Mapping[str, Value]:
    """Returns the settings of a prior, by the names of `_BETA` or `_NORMAL`."""
    del given
    if not isinstance(distribution, BanditDistribution):
        return {}
    first, second = distribution.prior
    if distribution.rewards == "bernoulli":
        return {"prior_successes": first, "prior_failures": second}
    return {"prior_mean": first, "prior_deviation": second, "noise": distribution.noise}


def _prior(values: Mapping[str, Any]) -> Arms:
    """Returns the prior of one arm that an agent's settings speak of."""
    if "prior_successes" in values:
        return BetaArms(values["prior_successes"], values["prior_failures"])
    noise_precision = values["noise"] ** -2.0
    precision = values["prior_deviation"] ** -2.0
    return NormalArms(values["prior_mean"], precision, noise_precision)


def _ab(values: Mapping[str, Value]) -> tuple[float, float]:
    return cast(float, values["prior_successes"]), cast(float, values["prior_failures"])


def _gittins(values: Mapping[str, Any], trial: Trial) -> Scoring:
    discount, ends = values["discount"], values["horizon"] == "left"
    require(
        ends or discount < 1,
        f"gittins: discount is {discount:g}; without a horizon it must be below 1.",
    )
    return bandit_agents.gittins(_ab(values), discount, trial.length, ends)


def _whittle(values: Mapping[str, Any], trial: Trial) -> Scoring:
    del trial
    a, b = _ab(values)
    require(
        whittle_accepts((a, b)),
        f"whittle: of the prior Beta({a:g}, {b:g}) the closed form gives indices outside of 0 ... 1; "
        "a b / (a + b) must be at least 1/4, as for Beta(0.5, 0.5). Take gittins, which is for any "
        "prior.",
    )
    return bandit_agents.whittle(values["discount"])


def _bayes_optimal(values: Mapping[str, Any], trial: Trial) -> Scoring:
    said = trial.environment.distribution
    if isinstance(said, BanditDistribution):
        require(
            said.stationary and said.independent,
            "bayes-optimal: it would not be, for the arms of this bandit "
            + ("tell of each other." if said.stationary else "change within a trial.")
            + " It is for arms that stay as they are and tell nothing of each other.",
        )
    return bandit_agents.bayes_optimal(_ab(values), number_of_arms(trial), trial.length)


def _for_any_rewards(world: World, prior: Mapping[str, Setting]) -> tuple[Row, ...]:
    """Returns the rows of the agents that need no more than means, pulls and samples."""
    return (
        _row(
            "greedy",
            world,
            "pulls the arm of the highest posterior mean",
            "μ",
            DUAN,
            lambda values, trial: bandit_agents.greedy(),
            prior,
        ),
        _row(
            "epsilon-greedy",
            world,
            "pulls any arm with probability ε, else the one of the highest posterior mean",
            "x if u < ε else μ, with x uniform for each arm",
            "Sutton, Barto (1998), section 2.2; " + DUAN,
            lambda values, trial: bandit_agents.epsilon_greedy(values["epsilon"]),
            prior,
            {"epsilon": Setting(0.1, "ε, the probability of a random pull", low=0, high=1)},
            {"epsilon": TENTHS},
        ),
        _row(
            "ucb1",
            world,
            "adds a bonus that shrinks with an arm's pulls and grows with the logarithm of time",
            "μ + c σ √(2 ln t / n), σ the noise, 1 for Bernoulli rewards",
            "Auer, Cesa-Bianchi, Fischer (2002), Machine Learning 47; " + DUAN,
            lambda values, trial: bandit_agents.ucb1(values["c"]),
            prior,
            {
                "c": Setting(
                    0.2, "c, the scale of the bonus; of Gaussian rewards in their noise", low=0
                )
            },
            {"c": TENTHS},
        ),
        _row(
            "thompson",
            world,
            "pulls the best arm of a draw from the posterior",
            "x ~ posterior",
            "Thompson (1933), Biometrika 25; Chapelle, Li (2011), NeurIPS 24",
            lambda values, trial: bandit_agents.thompson(),
            prior,
            assumes=("stationary", "independent"),
        ),
        _row(
            "optimistic-thompson",
            world,
            "pulls the best arm of the most likely of N joint draws from the posterior",
            "argmax over x_1 ... x_N ~ posterior of the posterior density",
            DUAN,
            lambda values, trial: bandit_agents.optimistic_thompson(values["samples"]),
            prior,
            {"samples": Setting(5, "N, draws a pull", low=1, high=10_000, whole=True)},
            {"samples": tuple(range(1, 21))},
            assumes=("stationary", "independent"),
        ),
        Row(
            name="oracle",
            world=world,
            caption="knows the means of all arms, and pulls a best one",
            formula="the true means",
            paper="",
            build=lambda values, trial: bandit_oracle(trial),
        ),
    )


_RANDOM = Row(
    name="random",
    world="any",
    caption="acts at random, every action equally likely",
    formula="u",
    paper="",
    build=lambda values, trial: random_agent(trial),
)

_BERNOULLI_ONLY = (
    _row(
        "kl-ucb",
        "bandit",
        "takes the largest mean that an arm's rewards do not refute",
        "max{q : n kl(μ, q) <= ln t + c ln ln t}",
        "Garivier, Cappé (2011), arXiv:1102.2490",
        lambda values, trial: bandit_agents.kl_ucb(values["c"]),
        _NO_PRIOR,
        {"c": Setting(0.0, "c, the weight of ln ln t", low=0)},
    ),
    _row(
        "gittins",
        "bandit",
        "pulls the arm of the highest Gittins index, from a table that is true to 0.001",
        "ν(successes, failures, pulls left)",
        "Gittins (1979), JRSS B 41; Niño-Mora (2011), INFORMS Journal on Computing 23",
        _gittins,
        _BETA,
        {
            "discount": Setting(1.0, "γ, the worth of the next reward", low=0, high=1),
            "horizon": Setting(
                "left",
                "left: rewards count as long as the trial has pulls left; infinite: for ever",
                words=("left", "infinite"),
            ),
        },
        assumes=("stationary", "independent"),
    ),
    _row(
        "whittle",
        "bandit",
        "pulls the arm of the highest approximate Gittins index, in Whittle's closed form",
        "μ + μ (1 - μ) / (n √((2c + 1/n) μ (1 - μ)) + μ - 1/2), c = -ln γ",
        DUAN,
        _whittle,
        _BETA,
        {"discount": Setting(1.0, "γ, the worth of the next reward", low=1e-6, high=1)},
        assumes=("stationary", "independent"),
    ),
    _row(
        "bayes-optimal",
        "bandit",
        "earns most on average over bandits of the prior; small bandits only",
        "the action with the highest value of dynamic programming over counts",
        "Bellman (1956), Sankhyā 16",
        _bayes_optimal,
        _BETA,
    ),
)

BANDIT_ROWS: tuple[Row, ...] = (
    _RANDOM,
    *_for_any_rewards("bandit", _BETA),
    *_BERNOULLI_ONLY,
    *_for_any_rewards("gaussian-bandit", _NORMAL),
)
