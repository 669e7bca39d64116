"""Agents as files: a small `.npz` of weights, and JSON beside it that says whose they are.

    NAME.npz    arrays of the acting policy, float32 or float16
    NAME.json   format, configuration, scores, provenance, and the SHA-256 of the .npz; if the agent is shown the
                values of an inner learner, of which revision

Nothing is unpickled and no checkpoint library is needed. A file that was cut short, changed or
written by something else is refused before anything in it is believed; the arrays must be those of
the configuration before they are unpacked. An environment of somebody's own is code: it is imported
only if the caller names it. A run directory is as good as the agent in it, and some agents come with
the package under a name.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import io
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np

from metarl.environments import Environment
from metarl.errors import InvalidInput, require, unknown_name
from metarl.reading import MOST_SETTINGS, read_arrays, read_bytes, read_json_object
from metarl.runs import flatten_tree, restore_tree, write_durably

from ..settings.config import train_config
from .agent import TrainedAgent, make_trial
from .inner_learner import inner_learning
from .network import POLICY, fit_to, make_policy

FORMAT, VERSION = "metarl-agent", 1
AGENT_FILE = "agent.npz"  # in a run directory
_PACKAGE = "metarl.rl_squared"
_NAMED = "named_agents"  # the folder of those that come with the package
_MOST_PACKED = 2**30  # bytes of an agent's file
_MOST_SURPLUS = 2**20  # bytes of arrays beyond those of the configuration, for headers


def save(
    agent: TrainedAgent, path: str | Path, precision: Literal["float32", "float16"] = "float32"
) -> Path:
    """Writes an agent, replacing what was there.

    Args:
      agent: to be written.
      path: of the `.npz`; the JSON goes beside it.
      precision: of the weights in the file.

    Returns:
      The path of the `.npz`.

    Raises:
      InvalidInput: the path does not end in `.npz`.
      OSError: it could not be written.
    """
    path = Path(path).expanduser()
    require(path.suffix == ".npz", f"An agent's file ends in .npz; received {str(path)!r}.")
    payload, card = packed(agent, precision)
    write_durably(path, payload)
    write_durably(path.with_suffix(".json"), card)
    return path


def packed(
    agent: TrainedAgent, precision: Literal["float32", "float16"] = "float32"
) -> tuple[bytes, bytes]:
    """Returns what `save` writes of an agent: the bytes of the `.npz`, and those of the JSON."""
    arrays = flatten_tree(jax.device_get(agent.params))
    buffer = io.BytesIO()
    stored: Any = {name: array.astype(precision) for name, array in arrays.items()}
    np.savez_compressed(buffer, **stored)
    payload = buffer.getvalue()
    card = {
        "format": FORMAT,
        "version": VERSION,
        "sha256": hashlib.sha256(payload).hexdigest(),
        "scores": agent.scores,
        "config": agent.config.to_json(),
        "provenance": agent.provenance,
    }
    if agent.config.network.inner_values:
        card["inner_learner"] = inner_learning(agent.trial.environment).revision
    return payload, (json.dumps(card, indent=2) + "\n").encode()


def load(path_or_name: str | Path, own: Collection[str | None] = ()) -> TrainedAgent:
    """Returns an agent.

    Args:
      path_or_name: an agent's `.npz`, a run directory, or a name of `agent_names()`; a name comes before a path of
        the same letters, but for a `Path`.
      own: environments outside metarl, my_module:factory, that may be imported.

    Raises:
      InvalidInput: there is none; it is damaged, of another version, or holds something else; or it
        acts in an environment outside metarl that `own` does not name.
    """
    path = _find(path_or_name)
    card = _read_card(path)
    given = Path(path_or_name).expanduser()
    in_run = path == given / AGENT_FILE
    payload = read_bytes(path, _MOST_PACKED, beneath=given if in_run else None)
    require(
        hashlib.sha256(payload).hexdigest() == card.get("sha256"),
        f"Agent {str(path)!r} is damaged or was cut short: its bytes do not have the hash that "
        f"{path.with_suffix('.json').name} tells. Copy both files again.",
    )
    config = train_config(card.get("config", {}), str(path.with_suffix(".json")))
    _require_named(path, config.world.environment, own)
    trial = make_trial(config.world)
    if config.network.inner_values:
        _require_same_inner_learner(path, trial.environment, card)
    policy = make_policy(trial.environment, fit_to(trial, config.network), acting=True)
    template = jax.eval_shape(policy.init, jax.random.key(0))[POLICY]
    params = restore_tree(template, _arrays(path, payload, template))
    finite = all(bool(np.isfinite(x).all()) for x in jax.tree.leaves(params))
    require(finite, f"Agent {str(path)!r} holds NaN or infinite weights; it cannot act.")
    return TrainedAgent(params, config, card.get("scores", {}), card.get("provenance", {}))


def agent_names() -> tuple[str, ...]:
    """Returns the names of the agents that come with the package."""
    folder = importlib.resources.files(_PACKAGE) / _NAMED
    if not folder.is_dir():
        return ()
    files = (entry.name for entry in folder.iterdir())
    return tuple(sorted(name.removesuffix(".npz") for name in files if name.endswith(".npz")))


def _find(path_or_name: str | Path) -> Path:
    require(
        isinstance(path_or_name, str | Path),
        f"An agent is a name, a path or a run directory, not {type(path_or_name).__name__}.",
    )
    text = str(path_or_name)
    if isinstance(path_or_name, str) and text in agent_names():
        return Path(str(importlib.resources.files(_PACKAGE) / _NAMED / f"{text}.npz"))
    path = Path(path_or_name).expanduser()
    if path.is_dir():
        inside = path / AGENT_FILE
        require(
            inside.is_file(),
            f"There is no agent in {str(path)!r}: it holds no {AGENT_FILE}. Give the directory of "
            "a training that has ended or was interrupted.",
        )
        return inside
    if path.suffix == ".npz":
        require(path.is_file(), f"There is no agent {str(path)!r}: no such file.")
        return path
    if path.exists():
        raise InvalidInput(f"Agent {text!r} is not a .npz file, a run directory or a name.")
    raise unknown_name("agent", text, [*agent_names(), "AGENT.npz", "RUN_DIR"])


def _read_card(path: Path) -> Mapping[str, Any]:
    beside = path.with_suffix(".json")
    require(
        beside.is_file(), f"Agent {str(path)!r} lacks {beside.name} beside it; copy both files."
    )
    card = read_json_object(beside, MOST_SETTINGS, beneath=beside.parent)
    notes = (card.get("scores", {}), card.get("provenance", {}))
    require(
        card.get("format") == FORMAT and all(isinstance(note, dict) for note in notes),
        f"{str(beside)!r} does not describe an agent of metarl.",
    )
    version = card.get("version")
    require(
        type(version) is int and version == VERSION,
        f"Agent {str(path)!r} has format {str(version)[:20]}; this metarl reads {VERSION}.",
    )
    return card


def _require_named(path: Path, environment: str, own: Collection[str | None]) -> None:
    """Refuses to import what only a file asks for."""
    require(
        ":" not in environment or environment in own,
        f"Agent {str(path)!r} acts in {environment[:100]!r}, which is code outside metarl. To have it "
        f"imported, name it: --environment {environment[:100]} of metarl evaluate, train and watch, or "
        f"load(..., own=[{environment[:100]!r}]).",
    )


def _require_same_inner_learner(
    path: Path, environment: Environment, card: Mapping[str, Any]
) -> None:
    """Refuses an agent that has learnt from other inner values than it would be shown."""
    trained = str(card.get("inner_learner", 1))[:20]  # the first was not written down
    present = str(inner_learning(environment).revision)
    require(
        trained == present,
        f"Agent {str(path)!r} was trained with revision {trained} of --network.inner-values; this metarl has revision "
        f"{present}, which shows other numbers. Train it anew, or use it with the metarl that trained it.",
    )


def _arrays(path: Path, payload: bytes, template: Any) -> dict[str, np.ndarray]:
    """Returns the weights in a file, of which a template tells how large they can be."""
    needed = 4 * sum(leaf.size for leaf in jax.tree.leaves(template))
    arrays = read_arrays(payload, f"Agent {str(path)!r}", most=needed + _MOST_SURPLUS)
    require(
        all(array.dtype in (np.float32, np.float16) for array in arrays.values()),
        f"Agent {str(path)!r} holds something else than weights in float32 or float16.",
    )
    return {name: array.astype(np.float32) for name, array in arrays.items()}
