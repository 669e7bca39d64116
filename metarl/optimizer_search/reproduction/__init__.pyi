from .experiments import EXPERIMENTS as EXPERIMENTS
from .experiments import Experiment as Experiment
from .reproducing import reproduce as reproduce
from .work import Findings as Findings
from .work import Work as Work

__all__ = ["EXPERIMENTS", "Experiment", "Findings", "Work", "reproduce"]
