from .agent import TrainedAgent as TrainedAgent
from .agent import acting_agent as acting_agent
from .agent import make_trial as make_trial
from .agent_files import agent_names as agent_names
from .agent_files import load_agent as load
from .agent_files import save_agent as save
from .config import PRESETS as PRESETS
from .config import ImitationConfig as ImitationConfig
from .config import NetworkConfig as NetworkConfig
from .config import TrainConfig as TrainConfig
from .config import WorldConfig as WorldConfig
from .config import preset as preset
from .config import train_config as train_config
from .train_job import TrainJob as TrainJob
from .training import make_job as make_job
from .training import resume_training as resume_training
from .training import train as train

__all__ = [
    "PRESETS",
    "ImitationConfig",
    "NetworkConfig",
    "TrainConfig",
    "TrainJob",
    "TrainedAgent",
    "WorldConfig",
    "acting_agent",
    "agent_names",
    "load",
    "make_job",
    "make_trial",
    "preset",
    "resume_training",
    "save",
    "train",
    "train_config",
]
