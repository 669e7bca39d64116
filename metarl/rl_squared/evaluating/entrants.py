"""Who is evaluated: from what a person types to agents. `worlds.py` says where."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from metarl import classical_agents, rl_baselines
from metarl.environments import Agent, Environment, Trial
from metarl.errors import unknown_name

from ..agent.agent import TrainedAgent
from ..agent.agent_files import agent_names, load

FOLLOWED = "followed at first"  # the values of an inner learner, before anything was learnt


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
        self.require_fits(trial.environment)
        return self.trained.as_agent(trial.environment, greedy)

    def require_fits(self, environment: Environment) -> None:
        """Raises unless it can act in an environment, if it is a trained agent.

        Raises:
          InvalidInput: it cannot; names the agent.
        """
        if self.trained is not None:
            self.trained.require_fits(environment, self.text)


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
