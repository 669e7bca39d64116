from .places import Places as Places
from .rule_table import RuleTable as RuleTable
from .rule_table import TableJudge as TableJudge
from .rule_table import truth as truth
from .table_files import load_table as load_table
from .table_files import table_names as table_names
from .table_job import begin_table as begin_table
from .table_job import resume_table as resume_table

__all__ = [
    "Places",
    "RuleTable",
    "TableJudge",
    "begin_table",
    "load_table",
    "resume_table",
    "table_names",
    "truth",
]
