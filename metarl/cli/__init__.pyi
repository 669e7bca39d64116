from .dispatch import main as main
from .parsing import parse_arguments as parse_arguments
from .startup import DEVICES as DEVICES
from .startup import Startup as Startup
from .startup import configure as configure
from .verbs import VERBS as VERBS
from .verbs import Verb as Verb

__all__ = [
    "DEVICES",
    "VERBS",
    "Startup",
    "Verb",
    "configure",
    "main",
    "parse_arguments",
]
