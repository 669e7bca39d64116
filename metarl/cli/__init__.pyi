from .dispatch import main as main
from .parsing import parse_arguments as parse_arguments
from .startup import DEVICES as DEVICES
from .startup import Startup as Startup
from .startup import avoid_faulty_fusions as avoid_faulty_fusions
from .startup import configure as configure
from .verbs import VERBS as VERBS
from .verbs import Verb as Verb

__all__ = [
    "DEVICES",
    "VERBS",
    "Startup",
    "Verb",
    "avoid_faulty_fusions",
    "configure",
    "main",
    "parse_arguments",
]
