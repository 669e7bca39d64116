"""Rivals: the hand-made agents that a trained one is shown beside, without being asked."""

from __future__ import annotations

from collections.abc import Callable

from metarl import classical_agents
from metarl.environments import BanditDistribution, Trial
from metarl.errors import InvalidInput

_OF_BANDITS = ("gittins", "thompson", "linear-thompson", "bayes-optimal")
_TUNED_OF_BANDITS = ("ucb1",)
# Where arms change, who takes them for what they were is no yardstick; one stands there all the same.
_OF_CHANGING_ARMS = ("thompson",)
_TUNED_OF_CHANGING_ARMS = ("discounted-greedy", "discounted-thompson", "discounted-ucb")
_OF_WORLDS = {"dark-room": ("searcher",), "harlow": ("win-stay-lose-shift",)}
_OF_WORLDS |= {
    "contextual-bandit": ("linear-thompson", "linear-ucb", "greedy"),
    "point-robot": ("trilateration",),
    "rule-grid": ("experimenter",),
    "memory-planning": ("mapper",),
}
_TUNED_OF_TWO_STEPS = ("model-based", "model-free")
# The paper believes in a mean reward of 0 where the true one is 1, so each stands here twice.
_OF_MDPS = ("opsrl", "psrl", "beb", "greedy")


def rivals(trial: Trial, say: Callable[[str], None] = lambda text: None) -> list[str]:
    """Returns texts of the classical agents that fit an environment; see `metarl list agents`.

    Settings that have to be tuned are tuned on validation tasks.

    Args:
      trial: environment and budget.
      say: called with a line about what is tuned.

    Returns:
      The texts; none where worlds are stepped on the host, which takes its time.
    """
    if trial.environment.on_host:
        return []
    world = classical_agents.world_of(trial.environment)
    if world == "mdp":
        texts = [f"{name}:preset={preset}" for preset in ("matched", "paper") for name in _OF_MDPS]
        return [text for text in texts if _fits(text, trial)]
    if world in _OF_WORLDS:
        return [text for text in _OF_WORLDS[world] if _fits(text, trial)]
    if world == "two-step":
        return [_tuned(name, trial, say) for name in _TUNED_OF_TWO_STEPS]
    said = trial.environment.distribution
    changing = isinstance(said, BanditDistribution) and not said.stationary
    fixed, tuned = (
        (_OF_CHANGING_ARMS, _TUNED_OF_CHANGING_ARMS)
        if changing
        else (_OF_BANDITS, _TUNED_OF_BANDITS)
    )
    texts = [text for text in fixed if _fits(text, trial)]
    for name in tuned:
        if _fits(name, trial):
            texts.append(_tuned(name, trial, say))
    return texts


def _tuned(name: str, trial: Trial, say: Callable[[str], None]) -> str:
    say(f"{name}: tuning on validation tasks")
    return classical_agents.tune(name, trial)


def _fits(text: str, trial: Trial) -> bool:
    try:
        classical_agents.make(text, trial)
    except InvalidInput:
        return False
    return True
