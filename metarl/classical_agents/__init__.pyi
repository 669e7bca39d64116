from .agent_text import AgentText as AgentText
from .agent_text import parse as parse
from .making import grid as grid
from .making import make as make
from .row import PRESETS as PRESETS
from .row import Row as Row
from .row import Setting as Setting
from .table import names as names
from .table import rows as rows
from .table import world_of as world_of
from .tuning import tune as tune

__all__ = [
    "PRESETS",
    "AgentText",
    "Row",
    "Setting",
    "grid",
    "make",
    "names",
    "parse",
    "rows",
    "tune",
    "world_of",
]
