"""The rows of agents for bandits whose arms may change, and of those that have no prior.

None of them assumes that arms stay as they are, but UCB1, which all of them are measured by.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from metarl.environments import Trial

from . import bandit_agents, forgetting_agents
from .bandit_row import BETA, NOISE, NORMAL, arm_prior, bandit_row
from .forgetting_arms import ExponentialWeights, FadingArms, Tally, Window
from .row import Row, Setting, World
from .scoring_agent import number_of_arms

GARIVIER = "Garivier, Moulines (2011), ALT, arXiv:0805.3415"
_DISCOUNT = {"discount": Setting(0.95, "γ, what is kept of everything with each pull", 0, 1)}
_DISCOUNTS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
_XI = {"xi": Setting(0.1, "ξ, of the bonus; above 1/2 in the paper's proof", low=0)}
_XIS = (0.0, 0.01, 0.03, 0.1, 0.3, 0.6)


def _fading(values: Mapping[str, Any], trial: Trial) -> FadingArms:
    del trial
    prior = arm_prior(values)
    return FadingArms(prior, prior, values["discount"])


def _span(values: Mapping[str, Any]) -> float:
    """Returns B: the noise of Gaussian rewards, and 1 for those in [0, 1]."""
    return values.get("noise", 1.0)


def _of_world(world: World, prior: Mapping[str, Setting], noise: Mapping[str, Setting]):
    """Returns the rows for one kind of rewards."""
    return (
        bandit_row(
            "ucb1-without-prior",
            world,
            "pulls every arm once, then adds the bonus of UCB1",
            "X̄ + c B √(2 ln t / N)",
            "Auer, Cesa-Bianchi, Fischer (2002), Machine Learning 47",
            lambda values, trial: forgetting_agents.ucb1_without_prior(values["c"], _span(values)),
            noise,
            {"c": Setting(1.0, "c, the scale of the bonus; 1 in the paper", low=0)},
            {"c": tuple(i / 10 for i in range(11))},
            begin=lambda values, trial: Tally.none(),
        ),
        bandit_row(
            "discounted-ucb",
            world,
            "is UCB1 on counts and rewards that are discounted with every pull",
            "X̄ + 2 B √(ξ ln n / N), N, n and X̄ discounted by γ",
            GARIVIER,
            lambda values, trial: forgetting_agents.discounted_ucb(values["xi"], _span(values)),
            noise,
            {**_DISCOUNT, **_XI},
            {"discount": _DISCOUNTS, "xi": _XIS},
            assumes=(),
            begin=lambda values, trial: Tally.none(values["discount"]),
        ),
        bandit_row(
            "sliding-window-ucb",
            world,
            "is UCB1 on the last pulls alone",
            "X̄ + B √(ξ ln min(t, τ) / N), N and X̄ over the last τ pulls",
            GARIVIER,
            lambda values, trial: forgetting_agents.sliding_window_ucb(values["xi"], _span(values)),
            noise,
            {"window": Setting(20, "τ, pulls that count", low=1, high=10**6, whole=True), **_XI},
            {"window": (5, 10, 15, 20, 30, 50, 100), "xi": _XIS},
            assumes=(),
            begin=lambda values, trial: Window.begin(values["window"], 1, 1),
        ),
        bandit_row(
            "discounted-thompson",
            world,
            "pulls the best arm of a draw from a posterior that fades to the prior",
            "x ~ posterior, where what was seen s pulls ago is worth γ^s pulls",
            "Raj, Kalyani (2017), arXiv:1707.09727",
            lambda values, trial: bandit_agents.thompson(),
            prior,
            _DISCOUNT,
            {"discount": _DISCOUNTS},
            assumes=(),
            begin=_fading,
        ),
        bandit_row(
            "discounted-greedy",
            world,
            "pulls the arm of the highest mean of a posterior that fades to the prior",
            "μ, where what was seen s pulls ago is worth γ^s pulls",
            "Sutton, Barto (1998), section 2.6",
            lambda values, trial: bandit_agents.greedy(),
            prior,
            _DISCOUNT,
            {"discount": _DISCOUNTS},
            assumes=(),
            begin=_fading,
        ),
    )


def _explored(values: Mapping[str, Any], trial: Trial) -> ExponentialWeights:
    arms = number_of_arms(trial)
    best = math.sqrt(arms * math.log(arms) / ((math.e - 1) * trial.length))
    share = values["gamma"] if values["gamma"] != "horizon" else min(max(best, 1e-6), 1.0)
    return ExponentialWeights.equal(share)


FORGETTING_ROWS: tuple[Row, ...] = (
    *_of_world("bandit", BETA, {}),
    *_of_world("gaussian-bandit", NORMAL, NOISE),
    bandit_row(
        "exp3",
        "bandit",
        "draws an arm by exponential weights of what it brought, divided by how likely it was",
        "p = (1 - γ) w / Σ w + γ / K, w ← w exp(γ (r / p) / K)",
        "Auer, Cesa-Bianchi, Freund, Schapire (2002), SIAM Journal on Computing 32",
        lambda values, trial: forgetting_agents.exp3(),
        {},
        {
            "gamma": Setting(
                "horizon",
                "γ, pulls at random; horizon: √(K ln K / ((e - 1) T)), of corollary 3.2",
                low=1e-6,
                high=1,
                words=("horizon",),
                or_number=True,
            )
        },
        {"gamma": ("horizon", 0.05, 0.1, 0.2, 0.3, 0.5)},
        assumes=(),
        begin=_explored,
    ),
)
