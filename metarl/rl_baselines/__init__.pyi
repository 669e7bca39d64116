from .config import BehaviourCloningConfig as BehaviourCloningConfig
from .config import DecisionTransformerConfig as DecisionTransformerConfig
from .config import DQNConfig as DQNConfig
from .config import Exploration as Exploration
from .config import IRISConfig as IRISConfig
from .config import LearnerConfig as LearnerConfig
from .config import MuZeroConfig as MuZeroConfig
from .config import OfflineConfig as OfflineConfig
from .config import PPOAgentConfig as PPOAgentConfig
from .config import QLearningConfig as QLearningConfig
from .config import ReinforceAgentConfig as ReinforceAgentConfig
from .config import TRPOAgentConfig as TRPOAgentConfig
from .making import TOGETHER as TOGETHER
from .making import TUNING_TASKS as TUNING_TASKS
from .making import grid as grid
from .making import learn_split as learn_split
from .making import lesson as lesson
from .making import make as make
from .making import parse as parse
from .making import settings_of as settings_of
from .making import tune as tune
from .offline_learning import CHUNK as CHUNK
from .offline_learning import Lesson as Lesson
from .table import Row as Row
from .table import fitting as fitting
from .table import names as names
from .table import offline_names as offline_names
from .table import offline_rows as offline_rows
from .table import rows as rows

__all__ = [
    "CHUNK",
    "TOGETHER",
    "TUNING_TASKS",
    "BehaviourCloningConfig",
    "DQNConfig",
    "DecisionTransformerConfig",
    "Exploration",
    "IRISConfig",
    "LearnerConfig",
    "Lesson",
    "MuZeroConfig",
    "OfflineConfig",
    "PPOAgentConfig",
    "QLearningConfig",
    "ReinforceAgentConfig",
    "Row",
    "TRPOAgentConfig",
    "fitting",
    "grid",
    "learn_split",
    "lesson",
    "make",
    "names",
    "offline_names",
    "offline_rows",
    "parse",
    "rows",
    "settings_of",
    "tune",
]
