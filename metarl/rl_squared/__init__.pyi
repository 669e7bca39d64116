from .config import PRESETS as PRESETS
from .config import ImitationConfig as ImitationConfig
from .config import NetworkConfig as NetworkConfig
from .config import TrainConfig as TrainConfig
from .config import WorldConfig as WorldConfig
from .config import preset as preset
from .config import train_config as train_config

__all__ = [
    "PRESETS",
    "ImitationConfig",
    "NetworkConfig",
    "TrainConfig",
    "WorldConfig",
    "preset",
    "train_config",
]
