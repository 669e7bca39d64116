from . import classical_agents as classical_agents
from . import cli as cli
from . import controller as controller
from . import environments as environments
from . import errors as errors
from . import optimizer_search as optimizer_search
from . import optimizers as optimizers
from . import policy_gradient as policy_gradient
from . import problems as problems
from . import reading as reading
from . import reporting as reporting
from . import rl_baselines as rl_baselines
from . import rl_squared as rl_squared
from . import runs as runs
from . import statistics as statistics
from . import update_rules as update_rules
from . import user_code as user_code

__version__: str

__all__ = [
    "classical_agents",
    "cli",
    "controller",
    "environments",
    "errors",
    "optimizer_search",
    "optimizers",
    "policy_gradient",
    "problems",
    "reading",
    "reporting",
    "rl_baselines",
    "rl_squared",
    "runs",
    "statistics",
    "update_rules",
    "user_code",
]
