from .beside import beside_table as beside_table
from .beside import train_beside as train_beside
from .places import Places as Places
from .rule_table import RuleTable as RuleTable
from .rule_table import TableJudge as TableJudge
from .rule_table import truth as truth
from .table_evaluator import TableEvaluator as TableEvaluator
from .table_files import full_name as full_name
from .table_files import load_table as load_table
from .table_files import table_bytes as table_bytes
from .table_files import table_names as table_names
from .table_job import begin_table as begin_table
from .table_job import resume_table as resume_table
from .table_job import write_again as write_again
from .table_programs import Deal as Deal
from .table_programs import TablePrograms as TablePrograms
from .table_programs import deal as deal
from .table_programs import table_programs as table_programs

__all__ = [
    "Deal",
    "Places",
    "RuleTable",
    "TableEvaluator",
    "TableJudge",
    "TablePrograms",
    "begin_table",
    "beside_table",
    "deal",
    "full_name",
    "load_table",
    "resume_table",
    "table_bytes",
    "table_names",
    "table_programs",
    "train_beside",
    "truth",
    "write_again",
]
