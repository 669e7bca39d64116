from .agent import TrainedAgent as TrainedAgent
from .agent import acting_agent as acting_agent
from .agent import make_trial as make_trial
from .agent_files import agent_names as agent_names
from .agent_files import load as load
from .agent_files import save as save
from .benchmark import measure_training as measure_training
from .config import PRESETS as PRESETS
from .config import ImitationConfig as ImitationConfig
from .config import NetworkConfig as NetworkConfig
from .config import TrainConfig as TrainConfig
from .config import WorldConfig as WorldConfig
from .config import preset as preset
from .config import train_config as train_config
from .evaluation import AgentScore as AgentScore
from .evaluation import Evaluation as Evaluation
from .evaluation import describe_trial as describe_trial
from .evaluation import evaluate as evaluate
from .experiments import EXPERIMENTS as EXPERIMENTS
from .report import write_training_report as write_training_report
from .reproduction import Plan as Plan
from .reproduction import reproduce as reproduce
from .reproduction_tables import cell_tables as cell_tables
from .result import conclude as conclude
from .rival_agents import rivals as rivals
from .scaling import measure_scaling as measure_scaling
from .scaling_report import scaling_chart as scaling_chart
from .scaling_report import scaling_table as scaling_table
from .scaling_report import write_scaling as write_scaling
from .tables import evaluation_table as evaluation_table
from .tables import world_text as world_text
from .train_job import TrainJob as TrainJob
from .training import begin_training as begin_training
from .training import follow_training as follow_training
from .training import make_job as make_job
from .training import resume_training as resume_training
from .training import train as train
from .watching import watch as watch
from .within_task import FromScratchPlan as FromScratchPlan
from .within_task import Learning as Learning
from .within_task import WithinTask as WithinTask
from .within_task_report import within_task_chart as within_task_chart
from .within_task_report import within_task_table as within_task_table
from .within_task_report import write_within_task as write_within_task

__all__ = [
    "EXPERIMENTS",
    "PRESETS",
    "AgentScore",
    "Evaluation",
    "FromScratchPlan",
    "ImitationConfig",
    "Learning",
    "NetworkConfig",
    "Plan",
    "TrainConfig",
    "TrainJob",
    "TrainedAgent",
    "WithinTask",
    "WorldConfig",
    "acting_agent",
    "agent_names",
    "begin_training",
    "cell_tables",
    "conclude",
    "describe_trial",
    "evaluate",
    "evaluation_table",
    "follow_training",
    "load",
    "make_job",
    "make_trial",
    "measure_scaling",
    "measure_training",
    "preset",
    "reproduce",
    "resume_training",
    "rivals",
    "save",
    "scaling_chart",
    "scaling_table",
    "train",
    "train_config",
    "watch",
    "within_task_chart",
    "within_task_table",
    "world_text",
    "write_scaling",
    "write_training_report",
    "write_within_task",
]
