"""Who is evaluated, and where: from what a person types to agents in one world.

A trained agent brings its world along; settings given beside it may change the length of its
trials, and must agree with the rest. Classical agents and learners from scratch alone need to be
told.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from metarl import classical_agents, rl_baselines
from metarl.environments import Agent, Environment, Trial
from metarl.errors import InvalidInput, require, unknown_name

from ..agent.agent import TrainedAgent, make_trial
from ..agent.agent_files import agent_names, load
from ..settings.world_config import WorldConfig

FOLLOWED = "followed at first"  # the values of an inner learner, before anything was learnt
_BUDGET = ("episodes", "trial_steps")


class Entrant(NamedTuple):
    """Somebody to evaluate: the text of a classical agent or of a learner, or a trained agent."""

    text: str
    trained: TrainedAgent | None = None

    @property
    def from_scratch(self) -> bool:
        """Whether it learns each task from nothing."""
        return self.trained is None and _name(self.text) in rl_baselines.names()

    @property
    def is_offline(self) -> bool:
        """Whether it learns from offline data before it is played."""
        return self.trained is None and _name(self.text) in rl_baselines.offline_names()

    @property
    def teacher(self) -> str | None:
        """Whom it imitated, if anybody; "an ancestor's teacher" if that is all that is known."""
        if self.trained is None or not self.trained.warm_started:
            return None
        return self.trained.config.warm_start or "an ancestor's teacher"

    @property
    def distilled(self) -> str | None:
        """How and from whose histories it was distilled, if it was."""
        return None if self.trained is None else self.trained.distilled

    @property
    def control_variate(self) -> str | None:
        """What was taken out of the rewards that it learnt from, if anything was."""
        if self.trained is None or self.trained.variance_reduction == "none":
            return None
        return self.trained.variance_reduction

    @property
    def auxiliary_loss(self) -> str | None:
        """With which weight its memory has learnt to predict what the simulator knows, if it has."""
        if self.trained is None or self.trained.auxiliary_weight == 0:
            return None
        return f"{self.trained.auxiliary_weight:g}"

    @property
    def inputs(self) -> str | None:
        """What it is shown beyond the inputs of RL² and what follows from the last step, if anything is."""
        if self.trained is None or not self.trained.config.network.inner_values:
            return None
        return f"inner values, {FOLLOWED}" if self.trained.inner_trust else "inner values"

    def doubts(self, trial: Trial) -> tuple[str, ...]:
        """Returns what it believes or assumes that the family denies or does not say."""
        if self.trained is not None or _name(self.text) not in classical_agents.names():
            return ()
        return classical_agents.doubts(self.text, trial)

    def make(self, trial: Trial, greedy: bool = False) -> Agent:
        """Returns the agent for a trial.

        Raises:
          InvalidInput: it does not fit the environment; names the agent.
        """
        if self.trained is None:
            classical = _name(self.text) in classical_agents.names()
            return (classical_agents if classical else rl_baselines).make(self.text, trial)
        try:
            return self.trained.as_agent(trial.environment, greedy)
        except InvalidInput as error:
            raise InvalidInput(f"{self.text}: {error}") from error


def find_entrants(
    agents: Sequence[str | Path | TrainedAgent], own: Collection[str | None] = ()
) -> list[Entrant]:
    """Returns whom the texts name, each once; see `evaluate`.

    Args:
      agents: whom.
      own: environments outside metarl, my_module:factory, that may be imported.

    Raises:
      InvalidInput: a text names nobody (the nearest is suggested), or a file is damaged.
    """
    found: dict[str, Entrant] = {}
    for number, agent in enumerate(agents, start=1):
        if isinstance(agent, TrainedAgent):
            found[f"agent {number}"] = Entrant(f"agent {number}", agent)
            continue
        text = text_of_path(agent) if isinstance(agent, Path) else agent
        if text not in found:
            found[text] = _find(text, own)
    return list(found.values())


def text_of_path(path: str | Path) -> str:
    """Returns a text that names what is at a path, also where an agent has the name of the path."""
    text = str(path)
    own = text in agent_names() or _name(text) in _known_names()
    return os.path.join(os.curdir, text) if own else text


def find_trial(entrants: Sequence[Entrant], given: WorldConfig | Mapping[str, Any]) -> Trial:
    """Returns the one trial in which all entrants can be played.

    Args:
      entrants: who is to be played.
      given: settings of the world, by the names of `WorldConfig`; all of them, or those that no
        trained entrant tells. What is None counts as not given.

    Raises:
      InvalidInput: the environment is not told, or told twice differently.
    """
    if isinstance(given, WorldConfig):
        given = dataclasses.asdict(given)
    given = {name: value for name, value in given.items() if value not in (None, ())}
    trained = [entrant for entrant in entrants if entrant.trained is not None]
    if not trained:
        require(
            "environment" in given,
            "Only trained agents say where they act; give --environment, with --arms or "
            "--states and so on, and --episodes.",
        )
        return make_trial(WorldConfig(**given))
    world = _world_of(trained, given)
    trial = make_trial(dataclasses.replace(world, **_with_one_budget(given)))
    for entrant in trained:
        _require_same(entrant, trial.environment)
    return trial


def _find(text: str, own: Collection[str | None]) -> Entrant:
    """Returns whom a text names: a name first, then a path."""
    if text in agent_names():
        return Entrant(text, load(text))
    name = _name(text)
    offline = rl_baselines.offline_names()
    if name in classical_agents.names():
        classical_agents.parse(text)
        return Entrant(text)
    if name in (*rl_baselines.names(), *offline):
        rl_baselines.parse(text)
        return Entrant(text)
    looks_like_path = text.endswith(".npz") or os.sep in text
    if looks_like_path or Path(text).expanduser().exists():
        return Entrant(text, load(text, own))
    raise unknown_name("agent", name, [*_known_names(), *agent_names(), "AGENT.npz", "RUN_DIR"])


def _known_names() -> tuple[str, ...]:
    """Returns the names of classical agents and of learners."""
    return (*classical_agents.names(), *rl_baselines.names(), *rl_baselines.offline_names())


def _name(text: str) -> str:
    return text.partition(":")[0]


def _world_of(trained: Sequence[Entrant], given: Mapping[str, Any]) -> WorldConfig:
    """Returns the world of the first trained entrant, if all have its trials or `given` tells them."""
    worlds = [entrant.trained.config.world for entrant in trained if entrant.trained]
    for entrant in trained[1:]:
        _require_same(entrant, make_trial(worlds[0]).environment)
    lengths = {(make_trial(world).episodes, make_trial(world).steps) for world in worlds}
    told = any(name in given for name in _BUDGET)
    require(
        len(lengths) == 1 or told,
        f"{' and '.join(entrant.text for entrant in trained)} were trained in trials of different "
        "lengths; say in which to evaluate them, by --episodes or --trial-steps.",
    )
    named = given.get("environment", worlds[0].environment)
    require(
        named == worlds[0].environment,
        f"--environment {named} contradicts {trained[0].text}, which was trained in "
        f"{worlds[0].environment}. Leave the flag out, or name another agent.",
    )
    return worlds[0]


def _with_one_budget(given: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the settings with the budget that is not given set to None, if one is."""
    if not any(name in given for name in _BUDGET):
        return dict(given)
    return {**dict.fromkeys(_BUDGET), **given}


def _require_same(entrant: Entrant, environment: Environment) -> None:
    """Raises unless an entrant was trained in this environment, with these settings."""
    assert entrant.trained is not None
    own = entrant.trained.trial.environment
    require(
        (own.name, dict(own.settings)) == (environment.name, dict(environment.settings)),
        f"{entrant.text} was trained in {_described(own)}, which is not "
        f"{_described(environment)}. Evaluate it in its own environment, or train one for this.",
    )


def _described(environment: Environment) -> str:
    settings = ", ".join(f"{name}={value}" for name, value in environment.settings.items())
    return f"{environment.name}({settings})"
