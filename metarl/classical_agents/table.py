"""The table of agents: one row for each name and world."""

from __future__ import annotations

from metarl.environments import BanditDistribution, Environment
from metarl.errors import InvalidInput, unknown_name

from .bandit_table import BANDIT_ROWS
from .cognition_table import COGNITION_ROWS
from .contextual_agents import CONTEXTUAL_ROWS
from .dark_room_agents import dark_room_guide, dark_room_searcher
from .grid_guide import grid_guide
from .key_to_door_guide import key_to_door_guide
from .maze_cartographer import maze_cartographer
from .maze_explorer import maze_explorer
from .maze_guide import maze_guide
from .maze_steady_explorer import maze_steady_explorer
from .mdp_table import MDP_ROWS
from .memory_planning_agents import MEMORY_PLANNING_ROWS
from .point_robot_agents import POINT_ROBOT_ROWS
from .row import Row, World
from .rule_grid_agents import RULE_GRID_ROWS

_MAZE_ROWS = (
    Row(
        name="oracle",
        world="maze",
        caption="knows the map, and walks the only way to the goal",
        formula="turn until the next cell of the way is ahead, then walk",
        paper="",
        build=lambda values, trial: maze_guide(trial),
    ),
    Row(
        name="frontier",
        world="maze",
        caption="does not know the map, and forgets nothing that it has seen",
        formula="to the nearest cell not yet seen; to the goal once it is seen",
        paper="Yamauchi 1997",
        build=lambda values, trial: maze_explorer(trial),
    ),
    Row(
        name="steady-frontier",
        world="maze",
        caption="the same, but what it has decided in a cell holds until it leaves it, so that it can be imitated",
        formula="through the side of the cell beyond which one not yet seen is nearest",
        paper="Yamauchi 1997",
        build=lambda values, trial: maze_steady_explorer(trial),
    ),
    Row(
        name="cartographer",
        world="maze",
        caption="draws a map from what it sees and does, without being given the task, and goes by it",
        formula="to the nearest cell not yet seen; to the goal once it is seen",
        paper="Yamauchi 1997",
        build=lambda values, trial: maze_cartographer(trial),
    ),
)

_DARK_ROOM_ROWS = (
    Row(
        name="oracle",
        world="dark-room",
        caption="knows where goal, key and door are, and walks there",
        formula="towards the next target",
        paper="",
        build=lambda values, trial: dark_room_guide(trial),
    ),
    Row(
        name="searcher",
        world="dark-room",
        caption="searches cell by cell, and forgets nothing that it has found",
        formula="to the nearest cell not yet passed; to what is wanted once it was found",
        paper="Yamauchi 1997",
        build=lambda values, trial: dark_room_searcher(trial),
    ),
)

_KEY_TO_DOOR_ROWS = (
    Row(
        name="oracle",
        world="key-to-door",
        caption="walks to the key that it sees, and then to the door",
        formula="towards what is seen",
        paper="",
        build=lambda values, trial: key_to_door_guide(trial),
    ),
)

_PICTURED_GRID_ROWS = (
    Row(
        name="oracle",
        world="pictured-grid",
        caption="finds in the picture where it is, walks to the goal and stays",
        formula="towards the goal",
        paper="",
        build=lambda values, trial: grid_guide(trial),
    ),
)

ROWS: tuple[Row, ...] = (
    *BANDIT_ROWS,
    *MDP_ROWS,
    *_MAZE_ROWS,
    *_DARK_ROOM_ROWS,
    *_KEY_TO_DOOR_ROWS,
    *_PICTURED_GRID_ROWS,
    *COGNITION_ROWS,
    *CONTEXTUAL_ROWS,
    *POINT_ROBOT_ROWS,
    *RULE_GRID_ROWS,
    *MEMORY_PLANNING_ROWS,
)

_WORLDS: dict[World, str] = {
    "bandit": "bandits with Bernoulli rewards",
    "gaussian-bandit": "bandits with Gaussian rewards",
    "mdp": "MDPs with finitely many states and actions",
    "maze": "mazes",
    "dark-room": "dark rooms",
    "key-to-door": "rooms from key to door",
    "two-step": "two-step tasks",
    "harlow": "Harlow's tasks",
    "contextual-bandit": "contextual bandits",
    "point-robot": "point robots",
    "rule-grid": "grids of rules",
    "pictured-grid": "grids seen as pictures",
    "memory-planning": "memory and planning games",
    "any": "environments of other kinds",
}


# the families that have agents of their own
_OWN_AGENTS: dict[str, World] = {
    "maze": "maze",
    "key-to-door": "key-to-door",
    "dark-room": "dark-room",
    "dark-key-to-door": "dark-room",
    "two-step": "two-step",
    "harlow": "harlow",
    "contextual-bandit": "contextual-bandit",
    "point-robot": "point-robot",
    "rule-grid": "rule-grid",
    "memory-planning": "memory-planning",
}


def rows(world: World | None = None) -> tuple[Row, ...]:
    """Returns the rows, or those of agents that can act in a world.

    Args:
      world: such as "bandit" or "mdp"; "any" is what acts everywhere; None for all.

    Raises:
      InvalidInput: there is no such world.
    """
    if world is None:
        return ROWS
    if world not in _WORLDS:
        raise unknown_name("world", world, _WORLDS)
    return tuple(row for row in ROWS if row.world in (world, "any"))


def names(world: World | None = None) -> tuple[str, ...]:
    """Returns the names of the agents that can act in a world, or of all; see `rows`."""
    return tuple(dict.fromkeys(row.name for row in rows(world)))


def world_of(environment: Environment) -> World:
    """Returns the world that an environment belongs to, as can be seen from its name and spaces.

    A bandit shows nothing, and its distribution, or else its `metadata["rewards"]`, says of what kind
    its rewards are; one whose episodes last one step is taken for a bandit with Bernoulli rewards if
    nothing is said. Anything else with finitely many observations and actions is an MDP.
    """
    if environment.name in _OWN_AGENTS:
        return _OWN_AGENTS[environment.name]
    if environment.name == "gridworld" and environment.settings.get("pixels"):
        return "pictured-grid"
    observations, actions = (
        getattr(space, "n", 0) if space.shape == () else 0
        for space in (environment.observation_space, environment.action_space)
    )
    if not (observations and actions):
        return "any"
    said = environment.distribution
    declared = isinstance(said, BanditDistribution)
    rewards = said.rewards if declared else environment.metadata.get("rewards")
    if observations == 1 and (rewards or environment.horizon == 1):
        return "gaussian-bandit" if rewards == "gaussian" else "bandit"
    return "mdp"


def find_row(name: str, world: World) -> Row:
    """Returns the row of that name for a world; one made for it comes before one for any.

    Raises:
      InvalidInput: there is no agent of that name, or it is for other worlds.
    """
    fitting = {row.world: row for row in rows(world) if row.name == name}
    if fitting:
        return fitting.get(world) or fitting["any"]
    elsewhere = [_WORLDS[row.world] for row in ROWS if row.name == name]
    if not elsewhere:
        raise unknown_name("agent", name, names())
    raise InvalidInput(
        f"Agent {name!r} is for {' and '.join(elsewhere)}, not for {_WORLDS[world]}; "
        f"agents for those: {', '.join(names(world))}."
    )
