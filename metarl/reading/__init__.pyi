from .arrays import read_arrays as read_arrays
from .bounds import MOST_HORIZON as MOST_HORIZON
from .bounds import MOST_SEEDS as MOST_SEEDS
from .bounds import MOST_TASKS as MOST_TASKS
from .bounds import Bounds as Bounds
from .bounds import Budget as Budget
from .bounds import BudgetOrNone as BudgetOrNone
from .bounds import Cosine as Cosine
from .bounds import Count as Count
from .bounds import CountOrNone as CountOrNone
from .bounds import Fraction as Fraction
from .bounds import Horizon as Horizon
from .bounds import NotNegative as NotNegative
from .bounds import PairedSeeds as PairedSeeds
from .bounds import Positive as Positive
from .bounds import Real as Real
from .bounds import Seed as Seed
from .bounds import Seeds as Seeds
from .bounds import Steps as Steps
from .bounds import Tasks as Tasks
from .bounds import check_fields as check_fields
from .bounds import field_rows as field_rows
from .file_bytes import read_bytes as read_bytes
from .json_text import parse_json as parse_json
from .json_text import read_json as read_json
from .json_text import read_json_object as read_json_object
from .limits import MOST_ARRAYS as MOST_ARRAYS
from .limits import MOST_DEPTH as MOST_DEPTH
from .limits import MOST_DOCUMENT as MOST_DOCUMENT
from .limits import MOST_LINE as MOST_LINE
from .limits import MOST_SETTINGS as MOST_SETTINGS
from .settings import from_dict as from_dict

__all__ = [
    "MOST_ARRAYS",
    "MOST_DEPTH",
    "MOST_DOCUMENT",
    "MOST_HORIZON",
    "MOST_LINE",
    "MOST_SEEDS",
    "MOST_SETTINGS",
    "MOST_TASKS",
    "Bounds",
    "Budget",
    "BudgetOrNone",
    "Cosine",
    "Count",
    "CountOrNone",
    "Fraction",
    "Horizon",
    "NotNegative",
    "PairedSeeds",
    "Positive",
    "Real",
    "Seed",
    "Seeds",
    "Steps",
    "Tasks",
    "check_fields",
    "field_rows",
    "from_dict",
    "parse_json",
    "read_arrays",
    "read_bytes",
    "read_json",
    "read_json_object",
]
