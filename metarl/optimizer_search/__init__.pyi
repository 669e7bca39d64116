from .comparing.comparison import Comparison as Comparison
from .comparing.comparison import compare as compare
from .comparing.entrants import Entrant as Entrant
from .comparing.entrants import entrant as entrant
from .comparing.entrants import references as references
from .comparing.entrants import rule_entrant as rule_entrant
from .comparing.standard import standard_facts as standard_facts
from .comparing.tables import finalists_table as finalists_table
from .comparing.tables import problem_table as problem_table
from .journal.journal import Journal as Journal
from .judging.evaluators import Backend as Backend
from .judging.evaluators import Evaluator as Evaluator
from .judging.evaluators import LocalEvaluator as LocalEvaluator
from .judging.evaluators import local_evaluator as local_evaluator
from .measuring.benchmark import measure_search as measure_search
from .measuring.beside_training import measure_beside_training as measure_beside_training
from .measuring.beside_training import overhead_table as overhead_table
from .measuring.strategies import measure_strategies as measure_strategies
from .measuring.strategies_report import strategies_table as strategies_table
from .measuring.strategies_report import write_strategies as write_strategies
from .measuring.table_speed import measure_table_search as measure_table_search
from .measuring.table_speed import table_speed_table as table_speed_table
from .measuring.telling_apart import measure_problems as measure_problems
from .measuring.telling_apart_report import problems_table as problems_table
from .measuring.telling_apart_report import write_problems as write_problems
from .reports.comparison_report import rewrite_comparison_report as rewrite_comparison_report
from .reports.protocol import other_tracks as other_tracks
from .reports.report import write_figures as write_figures
from .reports.report import write_report as write_report
from .reports.result import SearchResult as SearchResult
from .reports.result import finalists_document as finalists_document
from .reports.score_tables import compared_tables as compared_tables
from .reports.score_tables import comparison_sentences as comparison_sentences
from .reports.selection_report import beside_rival as beside_rival
from .reports.selection_report import ranked_by as ranked_by
from .reports.selection_report import selection_lines as selection_lines
from .reports.summary import against_others as against_others
from .reports.summary import verdicts as verdicts
from .reproduction import EXPERIMENTS as EXPERIMENTS
from .reproduction import reproduce as reproduce
from .running.compare_job import begin_comparison as begin_comparison
from .running.compare_job import resume_comparison as resume_comparison
from .running.forecast import estimate as estimate
from .running.functions_job import begin_functions as begin_functions
from .running.functions_job import resume_functions as resume_functions
from .running.pipeline import resume as resume
from .running.pipeline import search as search
from .running.table_search import resume_table_search as resume_table_search
from .running.table_search import search_table as search_table
from .searching.archive import Archive as Archive
from .selecting.choice import Choice as Choice
from .settings.compare_config import CompareConfig as CompareConfig
from .settings.config import ControllerConfig as ControllerConfig
from .settings.config import EvolutionConfig as EvolutionConfig
from .settings.config import FilterConfig as FilterConfig
from .settings.config import FinalistConfig as FinalistConfig
from .settings.config import SearchConfig as SearchConfig
from .settings.config import TrainingConfig as TrainingConfig
from .settings.config import from_dict as from_dict
from .settings.config import preset as preset
from .settings.config import to_dict as to_dict
from .settings.functions_config import FunctionsConfig as FunctionsConfig
from .settings.strategies_config import StrategiesConfig as StrategiesConfig
from .settings.table_config import TableConfig as TableConfig
from .tables import begin_table as begin_table
from .tables import load_table as load_table
from .tables import resume_table as resume_table
from .tables import table_bytes as table_bytes
from .tables import table_names as table_names
from .workers.ray_cluster import RayCluster as RayCluster
from .workers.ray_evaluator import RayEvaluator as RayEvaluator
from .workers.ray_evaluator import ray_backend as ray_backend
from .workers.ray_workers import RayWorkers as RayWorkers

__all__ = [
    "EXPERIMENTS",
    "Archive",
    "Backend",
    "Choice",
    "CompareConfig",
    "Comparison",
    "ControllerConfig",
    "Entrant",
    "Evaluator",
    "EvolutionConfig",
    "FilterConfig",
    "FinalistConfig",
    "FunctionsConfig",
    "Journal",
    "LocalEvaluator",
    "RayCluster",
    "RayEvaluator",
    "RayWorkers",
    "SearchConfig",
    "SearchResult",
    "StrategiesConfig",
    "TableConfig",
    "TrainingConfig",
    "against_others",
    "begin_comparison",
    "begin_functions",
    "begin_table",
    "beside_rival",
    "compare",
    "compared_tables",
    "comparison_sentences",
    "entrant",
    "estimate",
    "finalists_document",
    "finalists_table",
    "from_dict",
    "load_table",
    "local_evaluator",
    "measure_beside_training",
    "measure_problems",
    "measure_search",
    "measure_strategies",
    "measure_table_search",
    "other_tracks",
    "overhead_table",
    "preset",
    "problem_table",
    "problems_table",
    "ranked_by",
    "ray_backend",
    "references",
    "reproduce",
    "resume",
    "resume_comparison",
    "resume_functions",
    "resume_table",
    "resume_table_search",
    "rewrite_comparison_report",
    "rule_entrant",
    "search",
    "search_table",
    "selection_lines",
    "standard_facts",
    "strategies_table",
    "table_bytes",
    "table_names",
    "table_speed_table",
    "to_dict",
    "verdicts",
    "write_figures",
    "write_problems",
    "write_report",
    "write_strategies",
]
