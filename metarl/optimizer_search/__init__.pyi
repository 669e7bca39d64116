from .config import CompareConfig as CompareConfig
from .config import SearchConfig as SearchConfig

__all__ = ["CompareConfig", "SearchConfig"]
