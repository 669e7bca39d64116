from .archive import Archive as Archive
from .benchmark import measure_search as measure_search
from .choice import Choice as Choice
from .compare_config import CompareConfig as CompareConfig
from .compare_job import begin_comparison as begin_comparison
from .compare_job import resume_comparison as resume_comparison
from .comparison import Comparison as Comparison
from .comparison import compare as compare
from .comparison_report import rewrite_comparison_report as rewrite_comparison_report
from .config import ControllerConfig as ControllerConfig
from .config import EvolutionConfig as EvolutionConfig
from .config import FilterConfig as FilterConfig
from .config import FinalistConfig as FinalistConfig
from .config import SearchConfig as SearchConfig
from .config import TrainingConfig as TrainingConfig
from .config import from_dict as from_dict
from .config import preset as preset
from .config import to_dict as to_dict
from .entrants import Entrant as Entrant
from .entrants import entrant as entrant
from .entrants import references as references
from .entrants import rule_entrant as rule_entrant
from .evaluators import Backend as Backend
from .evaluators import Evaluator as Evaluator
from .evaluators import LocalEvaluator as LocalEvaluator
from .evaluators import local_evaluator as local_evaluator
from .forecast import estimate as estimate
from .journal import Journal as Journal
from .pipeline import resume as resume
from .pipeline import search as search
from .ray_cluster import RayCluster as RayCluster
from .ray_evaluator import RayEvaluator as RayEvaluator
from .ray_evaluator import ray_backend as ray_backend
from .ray_workers import RayWorkers as RayWorkers
from .report import write_figures as write_figures
from .report import write_report as write_report
from .reproduction import EXPERIMENTS as EXPERIMENTS
from .reproduction import reproduce as reproduce
from .result import SearchResult as SearchResult
from .result import finalists_document as finalists_document
from .score_tables import compared_tables as compared_tables
from .score_tables import comparison_sentences as comparison_sentences
from .selection_report import selection_lines as selection_lines
from .summary import verdicts as verdicts
from .tables import finalists_table as finalists_table
from .tables import problem_table as problem_table

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
    "Journal",
    "LocalEvaluator",
    "RayCluster",
    "RayEvaluator",
    "RayWorkers",
    "SearchConfig",
    "SearchResult",
    "TrainingConfig",
    "begin_comparison",
    "compare",
    "compared_tables",
    "comparison_sentences",
    "entrant",
    "estimate",
    "finalists_document",
    "finalists_table",
    "from_dict",
    "local_evaluator",
    "measure_search",
    "preset",
    "problem_table",
    "ray_backend",
    "references",
    "reproduce",
    "resume",
    "resume_comparison",
    "rewrite_comparison_report",
    "rule_entrant",
    "search",
    "selection_lines",
    "to_dict",
    "verdicts",
    "write_figures",
    "write_report",
]
