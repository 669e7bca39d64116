from .agent_text import AgentText as AgentText
from .agent_text import parse as parse
from .making import doubts as doubts
from .making import grid as grid
from .making import make as make
from .paper_table import PaperCell as PaperCell
from .paper_table import PaperColumn as PaperColumn
from .paper_table import PaperTable as PaperTable
from .paper_table import read_table as read_table
from .paper_table import reproduce_table as reproduce_table
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
    "PaperCell",
    "PaperColumn",
    "PaperTable",
    "Row",
    "Setting",
    "doubts",
    "grid",
    "make",
    "names",
    "parse",
    "read_table",
    "reproduce_table",
    "rows",
    "tune",
    "world_of",
]
