from .contract import Feedback as Feedback
from .contract import Proposals as Proposals
from .contract import Strategy as Strategy
from .registry import make as make
from .registry import names as names
from .registry import parts as parts

__all__ = ["Feedback", "Proposals", "Strategy", "make", "names", "parts"]
