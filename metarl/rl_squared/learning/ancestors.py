"""Ancestors: the trained agent that a training starts from, which its run keeps.

    ancestor.npz, ancestor.json    in the run: that agent, as it was when the run began

So a training is resumed from any folder, with the same numbers, whatever has become of the agent that was named.
"""

from __future__ import annotations

import dataclasses
import math

from metarl.environments import Trial
from metarl.errors import require
from metarl.runs import RunDirectory

from ..agent.agent import TrainedAgent, make_trial
from ..agent.agent_files import load, packed
from ..settings.config import TrainConfig
from ..settings.network_config import STACKED, NetworkConfig

_FILE = "ancestor"
_OF_CORES = {
    "memory_keys": ("outer-product",),
    "memory_values": ("outer-product",),
    "activation": ("gru",),
    "normalise_weights": ("gru",),
    "layers": STACKED,
    "heads": STACKED[1:],
    "context": ("transformer",),
}
_OF_ALL = ("pairs", "inner_values", "filters", "pixel_units", "beside")


def named_ancestor(config: TrainConfig) -> TrainedAgent | None:
    """Returns the agent that `init_from` names; None if it names none.

    Raises:
      InvalidInput: there is none, or it is damaged.
    """
    if config.init_from is None:
        return None
    return load(config.init_from, own=[config.world.environment])


def kept_files(ancestor: TrainedAgent | None) -> dict[str, bytes]:
    """Returns what a run keeps of the agent that it starts from, by the names of the files."""
    if ancestor is None:
        return {}
    weights, card = packed(ancestor)
    return {f"{_FILE}.npz": weights, f"{_FILE}.json": card}


def ancestor_of(run: RunDirectory, config: TrainConfig) -> TrainedAgent | None:
    """Returns the agent that a run has started from; None if from none.

    Raises:
      InvalidInput: it is damaged; or the run is one of before, which kept none, and what it names is not there.
    """
    kept = run.path / f"{_FILE}.npz"
    if config.init_from is None or not kept.is_file():
        return named_ancestor(config)
    return load(kept, own=[config.world.environment])


def require_same_network(ancestor: TrainedAgent, config: TrainConfig) -> None:
    """Raises unless the weights of an agent mean in the network asked for what they have meant."""
    own, asked = ancestor.config.network, config.network
    trial = make_trial(config.world)
    if min(_context(own, ancestor.trial), trial.length) == min(
        _context(asked, trial), trial.length
    ):
        asked = dataclasses.replace(asked, context=own.context)
    described = _described(own), _described(asked)
    require(
        described[0] == described[1],
        f"Agent {config.init_from!r} has another network than asked for: {described[0]}, not {described[1]}. "
        f"Give the same --network settings: {_flags(own, asked)}.",
    )


def _context(network: NetworkConfig, trial: Trial) -> float:
    """Returns how many steps a transformer looks back in longer trials than those that it was made for."""
    context = network.context
    return math.inf if context is None or context >= trial.length else context


def _described(network: NetworkConfig) -> str:
    """Returns the settings on which shape and meaning of the acting weights depend."""
    usual = NetworkConfig()
    memory = f" of {network.memory_keys} x {network.memory_values}"
    other = network.core == "gru" and network.activation != usual.activation
    return (
        f"{network.core}-{network.hidden}"
        + (memory if network.core == "outer-product" else "")
        + (f" of {network.activation}" if other else "")
        + (f" of {network.layers} layers" if network.core in STACKED else "")
        + (f" with {network.heads} heads" if network.core in STACKED[1:] else "")
        + (_reach(network) if network.core == "transformer" else "")
        + (
            " with normalised weights"
            if network.core == "gru" and network.normalise_weights
            else ""
        )
        + (" with pairs" if network.pairs else "")
        + (" with inner values" if network.inner_values else "")
        + (f" with {network.filters} filters" if network.filters != usual.filters else "")
        + (f" with {network.pixel_units} pixel units" if network.pixel_units is not None else "")
        + (f" with {network.beside} units beside" if network.beside != usual.beside else "")
    )


def _reach(network: NetworkConfig) -> str:
    """Returns how far a transformer looks back, where that is not the whole trial."""
    return "" if network.context is None else f" that looks back {network.context} steps"


def _flags(own: NetworkConfig, asked: NetworkConfig) -> str:
    """Returns the flags that make of the network asked for that of an agent."""
    flags = []
    for name in ("core", "hidden", *_OF_CORES, *_OF_ALL):
        value, flag = getattr(own, name), name.replace("_", "-")
        told = own.core in _OF_CORES.get(name, (own.core,)) and value != getattr(asked, name)
        if told and isinstance(value, bool):
            flags.append(f"--network.{flag}" if value else f"--network.no-{flag}")
        elif told:
            flags.append(f"--network.{flag} {value}")
    return " ".join(flags)
