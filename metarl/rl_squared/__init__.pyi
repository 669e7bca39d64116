from .agent.agent import TrainedAgent as TrainedAgent
from .agent.agent import acting_agent as acting_agent
from .agent.agent import make_trial as make_trial
from .agent.agent_files import agent_names as agent_names
from .agent.agent_files import load as load
from .agent.agent_files import save as save
from .evaluating.evaluation import evaluate as evaluate
from .evaluating.result import conclude as conclude
from .evaluating.rival_agents import rivals as rivals
from .evaluating.running import begin_evaluation as begin_evaluation
from .evaluating.running import resume_evaluation as resume_evaluation
from .evaluating.scores import AgentScore as AgentScore
from .evaluating.scores import Evaluation as Evaluation
from .evaluating.within_task import FromScratchPlan as FromScratchPlan
from .evaluating.within_task import Learning as Learning
from .evaluating.within_task import WithinTask as WithinTask
from .evaluating.worlds import describe_trial as describe_trial
from .learning.train_job import TrainJob as TrainJob
from .learning.training import begin_training as begin_training
from .learning.training import follow_training as follow_training
from .learning.training import make_job as make_job
from .learning.training import resume_training as resume_training
from .learning.training import train as train
from .measuring.benchmark import measure_training as measure_training
from .measuring.scaling import measure_scaling as measure_scaling
from .measuring.scaling_report import scaling_chart as scaling_chart
from .measuring.scaling_report import scaling_table as scaling_table
from .measuring.scaling_report import write_scaling as write_scaling
from .reports.report import write_training_report as write_training_report
from .reports.tables import evaluation_table as evaluation_table
from .reports.tables import world_text as world_text
from .reports.watching import watch as watch
from .reports.within_task_report import within_task_chart as within_task_chart
from .reports.within_task_report import within_task_table as within_task_table
from .reports.within_task_report import write_within_task as write_within_task
from .reproduction.experiments import EXPERIMENTS as EXPERIMENTS
from .reproduction.reproducing import Plan as Plan
from .reproduction.reproducing import reproduce as reproduce
from .reproduction.result_tables import cell_tables as cell_tables
from .settings.config import ImitationConfig as ImitationConfig
from .settings.config import TrainConfig as TrainConfig
from .settings.config import train_config as train_config
from .settings.network_config import NetworkConfig as NetworkConfig
from .settings.presets import PRESETS as PRESETS
from .settings.presets import ended_by_the_clock as ended_by_the_clock
from .settings.presets import preset as preset
from .settings.presets import preset_of as preset_of
from .settings.world_config import EnvironmentConfig as EnvironmentConfig
from .settings.world_config import WorldConfig as WorldConfig

__all__ = [
    "EXPERIMENTS",
    "PRESETS",
    "AgentScore",
    "EnvironmentConfig",
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
    "begin_evaluation",
    "begin_training",
    "cell_tables",
    "conclude",
    "describe_trial",
    "ended_by_the_clock",
    "evaluate",
    "evaluation_table",
    "follow_training",
    "load",
    "make_job",
    "make_trial",
    "measure_scaling",
    "measure_training",
    "preset",
    "preset_of",
    "reproduce",
    "resume_evaluation",
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
