"""The rows of agents for bandits, and of the agent that can act anywhere.

The presets: `paper` gives equal scores to the first arm, as the paper's numbers show that Duan et
al. did (a greedy agent earns 415 instead of 403 in 500 pulls of 50 arms if it takes one of them at
random).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from metarl.environments import BanditDistribution, Trial
from metarl.errors import require

from . import bandit_agents, linear_agents, posterior_agents
from .bandit_row import BETA, BOTH, NO_PRIOR, NOISE, NORMAL, bandit_row, prior_pair
from .bayes_adaptive import bayes_adaptive_arms
from .bayes_adaptive_settings import BAMCP, OF_A_TREE, chosen_search
from .forgetting_table import FORGETTING_ROWS
from .gaussian_gittins import discounted_normal_indices, normal_indices_with_pulls_left
from .gittins import whittle_accepts
from .row import Row, Setting, World
from .scoring_agent import Scoring, number_of_arms
from .yardstick_agents import bandit_oracle, random_agent

DUAN = "Duan et al. (2016), arXiv:1611.02779"
TENTHS = tuple(i / 10 for i in range(11))

_OF_INDEX = {
    "discount": Setting(1.0, "γ, the worth of the next reward", low=0, high=1),
    "horizon": Setting(
        "left",
        "left: rewards count as long as the trial has pulls left; infinite: for ever",
        words=("left", "infinite"),
    ),
}


def _gittins(values: Mapping[str, Any], trial: Trial) -> Scoring:
    discount, ends = _index_of(values)
    return bandit_agents.gittins(prior_pair(values), discount, trial.length, ends)


def _normal_gittins(values: Mapping[str, Any], trial: Trial) -> Scoring:
    discount, ends = _index_of(values)
    prior_pulls = (values["noise"] / values["prior_deviation"]) ** 2
    make_table = normal_indices_with_pulls_left if ends else discounted_normal_indices
    table = jnp.asarray(make_table(trial.length, prior_pulls, discount))
    return posterior_agents.normal_gittins(table, prior_pulls, ends)


def _index_of(values: Mapping[str, Any]) -> tuple[float, bool]:
    """Returns the discount, and whether the trial's end is taken into account."""
    discount, ends = values["discount"], values["horizon"] == "left"
    require(
        ends or discount < 1,
        f"gittins: discount is {discount:g}; without a horizon it must be below 1.",
    )
    return discount, ends


def _whittle(values: Mapping[str, Any], trial: Trial) -> Scoring:
    del trial
    a, b = prior_pair(values)
    require(
        whittle_accepts((a, b)),
        f"whittle: of the prior Beta({a:g}, {b:g}) the closed form gives indices outside of 0 ... 1; "
        "a b / (a + b) must be at least 1/4, as for Beta(0.5, 0.5). Take gittins, which is for any "
        "prior.",
    )
    return bandit_agents.whittle(values["discount"])


def _bayes_adaptive(values: Mapping[str, Any], trial: Trial) -> Scoring:
    return bayes_adaptive_arms(chosen_search(values, trial), values["exploration"])


def _bayes_optimal(values: Mapping[str, Any], trial: Trial) -> Scoring:
    said = trial.environment.distribution
    if isinstance(said, BanditDistribution):
        require(
            said.stationary and said.independent,
            "bayes-optimal: it would not be, for the arms of this bandit "
            + ("tell of each other." if said.stationary else "change within a trial.")
            + " It is for arms that stay as they are and tell nothing of each other.",
        )
    return bandit_agents.bayes_optimal(prior_pair(values), number_of_arms(trial), trial.length)


def _for_any_rewards(world: World, prior: Mapping[str, Setting]) -> tuple[Row, ...]:
    """Returns the rows of the agents that need no more than means, pulls and samples."""
    return (
        bandit_row(
            "greedy",
            world,
            "pulls the arm of the highest posterior mean",
            "μ",
            DUAN,
            lambda values, trial: bandit_agents.greedy(),
            prior,
        ),
        bandit_row(
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
        bandit_row(
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
        bandit_row(
            "thompson",
            world,
            "pulls the best arm of a draw from the posterior",
            "x ~ posterior",
            "Thompson (1933), Biometrika 25; Chapelle, Li (2011), NeurIPS 24",
            lambda values, trial: bandit_agents.thompson(),
            prior,
            assumes=BOTH,
        ),
        bandit_row(
            "optimistic-thompson",
            world,
            "pulls the best arm of the most likely of N joint draws from the posterior",
            "argmax over x_1 ... x_N ~ posterior of the posterior density",
            DUAN,
            lambda values, trial: bandit_agents.optimistic_thompson(values["samples"]),
            prior,
            {"samples": Setting(5, "N, draws a pull", low=1, high=10_000, whole=True)},
            {"samples": tuple(range(1, 21))},
            assumes=BOTH,
        ),
        bandit_row(
            "bayes-ucb",
            world,
            "takes a quantile of the posterior that rises with time",
            "quantile of the posterior at 1 - 1 / (t (ln T)^c)",
            "Kaufmann, Cappé, Garivier (2012), AISTATS",
            lambda values, trial: posterior_agents.bayes_ucb(values["c"], trial.length),
            prior,
            {"c": Setting(0.0, "c, the power of ln T; 5 in the paper's proof", low=0, high=10)},
            assumes=BOTH,
        ),
        bandit_row(
            "ids",
            world,
            "pays as little regret as it can for what it learns of which arm is best",
            "π of the least (Σ π Δ)² / Σ π g, g of the information on the best arm",
            "Russo, Van Roy (2014), arXiv:1403.5556",
            lambda values, trial: posterior_agents.information_directed(),
            prior,
            assumes=BOTH,
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
    bandit_row(
        "kl-ucb",
        "bandit",
        "takes the largest mean that an arm's rewards do not refute",
        "max{q : n kl(μ, q) <= ln t + c ln ln t}",
        "Garivier, Cappé (2011), arXiv:1102.2490",
        lambda values, trial: bandit_agents.kl_ucb(values["c"]),
        NO_PRIOR,
        {"c": Setting(0.0, "c, the weight of ln ln t", low=0)},
    ),
    bandit_row(
        "gittins",
        "bandit",
        "pulls the arm of the highest Gittins index, from a table that is true to 0.001",
        "ν(successes, failures, pulls left)",
        "Gittins (1979), JRSS B 41; Niño-Mora (2011), INFORMS Journal on Computing 23",
        _gittins,
        BETA,
        _OF_INDEX,
        assumes=BOTH,
    ),
    bandit_row(
        "whittle",
        "bandit",
        "pulls the arm of the highest approximate Gittins index, in Whittle's closed form",
        "μ + μ (1 - μ) / (n √((2c + 1/n) μ (1 - μ)) + μ - 1/2), c = -ln γ",
        DUAN,
        _whittle,
        BETA,
        {"discount": Setting(1.0, "γ, the worth of the next reward", low=1e-6, high=1)},
        assumes=BOTH,
    ),
    bandit_row(
        "bayes-optimal",
        "bandit",
        "earns most on average over bandits of the prior; small bandits only",
        "the action with the highest value of dynamic programming over counts",
        "Bellman (1956), Sankhyā 16",
        _bayes_optimal,
        BETA,
    ),
    bandit_row(
        "bayes-adaptive",
        "bandit",
        "searches a tree over beliefs by simulated pulls: nears bayes-optimal, in bandits of any size",
        "Q(root, arm) of simulations by UCT in bandits drawn from the posterior",
        BAMCP,
        _bayes_adaptive,
        BETA,
        OF_A_TREE,
        {"exploration": (0.1, 0.3, 1.0, 3.0)},
        assumes=BOTH,
    ),
)

_GAUSSIAN_ONLY = (
    bandit_row(
        "gittins",
        "gaussian-bandit",
        "pulls the arm of the highest Gittins index, from a table",
        "μ + σ b(pulls, pulls left)",
        "Gittins, Glazebrook, Weber (2011), chapter 8; Yao (2006)",
        _normal_gittins,
        NORMAL,
        _OF_INDEX,
        assumes=BOTH,
    ),
    bandit_row(
        "knowledge-gradient",
        "gaussian-bandit",
        "adds what one more reward of an arm is worth for all pulls that follow",
        "μ + (pulls left - 1) σ̃ f(-|μ - max of the others' μ| / σ̃)",
        "Frazier, Powell, Dayanik (2008); Ryzhov, Powell, Frazier (2012)",
        lambda values, trial: posterior_agents.knowledge_gradient(),
        NORMAL,
        assumes=BOTH,
    ),
)

_LINEAR = (
    bandit_row(
        "linear-thompson",
        "gaussian-bandit",
        "pulls the best arm of a draw of what the arms' means are linear in",
        "φ · θ, θ ~ posterior",
        "Agrawal, Goyal (2013), arXiv:1209.3352",
        lambda values, trial: linear_agents.linear_thompson(),
        NOISE,
        begin=lambda values, trial: linear_agents.linear_prior(
            "linear-thompson", values["noise"], trial
        ),
    ),
    bandit_row(
        "linear-ucb",
        "gaussian-bandit",
        "adds a bonus for features that were seldom tried",
        "φ · θ̂ + α √(φᵀ Λ⁻¹ φ)",
        "Li, Chu, Langford, Schapire (2010), arXiv:1003.0146",
        lambda values, trial: linear_agents.linear_ucb(values["alpha"]),
        NOISE,
        {"alpha": Setting(1.0, "α, the scale of the bonus", low=0)},
        {"alpha": (0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0)},
        begin=lambda values, trial: linear_agents.linear_prior(
            "linear-ucb", values["noise"], trial
        ),
    ),
)

BANDIT_ROWS: tuple[Row, ...] = (
    _RANDOM,
    *_for_any_rewards("bandit", BETA),
    *_BERNOULLI_ONLY,
    *_for_any_rewards("gaussian-bandit", NORMAL),
    *_GAUSSIAN_ONLY,
    *_LINEAR,
    *FORGETTING_ROWS,
)
