"""The ids under which gymnasium finds the families: `metarl/Bandit-v0` and the others.

gymnasium 1.x asks no installed package for its environments (the plugins of 0.x are gone): whoever
has environments is imported and registers them. Doing that in `import metarl` at once would import
gymnasium and numpy, 0.15 s more for `metarl --help`, which takes 0.03 s. So `import metarl`

  - registers at once where gymnasium is imported already, which costs microseconds;
  - otherwise leaves a finder in `sys.meta_path` that lets gymnasium be found as ever, registers
    when its import is complete, and goes.

Both orders of `import gymnasium, metarl` then work, and so does
`gymnasium.make("metarl:metarl/Bandit-v0")`. Entry points are strings: jax is imported when an
environment is made. Without gymnasium nothing happens. This module imports nothing heavy.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

# id -> the name of the family, as `load` knows it
IDS = {
    "metarl/Bandit-v0": "bandit",
    "metarl/ContextualBandit-v0": "contextual-bandit",
    "metarl/MDP-v0": "mdp",
    "metarl/RiverSwim-v0": "riverswim",
    "metarl/Gridworld-v0": "gridworld",
    "metarl/DarkRoom-v0": "dark-room",
    "metarl/DarkKeyToDoor-v0": "dark-key-to-door",
    "metarl/KeyToDoor-v0": "key-to-door",
    "metarl/RuleGrid-v0": "rule-grid",
    "metarl/TwoStep-v0": "two-step",
    "metarl/Harlow-v0": "harlow",
    "metarl/MemoryPlanning-v0": "memory-planning",
    "metarl/Maze-v0": "maze",
    "metarl/DarkMaze-v0": "dark-maze",
    "metarl/PointRobot-v0": "point-robot",
    "metarl/CartPole-v0": "cartpole",
    "metarl/Pendulum-v0": "pendulum",
}

_SINGLE = "metarl.environments.gymnasium.environment:GymnasiumEnvironment"
_VECTOR = "metarl.environments.gymnasium.vector:GymnasiumVectorEnvironment"


def register_with_gymnasium() -> None:
    """Registers the ids, now or when gymnasium has been imported; a second call changes nothing."""
    if hasattr(sys.modules.get("gymnasium"), "register"):
        _register()
    elif not any(isinstance(finder, _AfterImport) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AfterImport())


def _register() -> None:
    import gymnasium

    for name, family in IDS.items():
        if name not in gymnasium.registry:
            gymnasium.register(
                name,
                entry_point=_SINGLE,
                vector_entry_point=_VECTOR,
                kwargs={"environment": family},
            )


class _AfterImport:
    """Finds gymnasium as the other finders do, and registers once its import is complete."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: Any = None) -> Any:
        """Returns None, for the other finders to answer, unless gymnasium is asked for."""
        if name != "gymnasium":
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(name, path, target)
            if spec is not None:
                break
        else:
            return None
        loader: Any = spec.loader
        execute = loader.exec_module

        def execute_and_register(module: Any) -> None:
            execute(module)
            if self in sys.meta_path:
                sys.meta_path.remove(self)
            _register()

        # On this one loader, so that what others read of it (its class, its files) stays true.
        loader.exec_module = execute_and_register
        return spec
