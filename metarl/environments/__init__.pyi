from .agent import Agent as Agent
from .agent import make_agent as make_agent
from .bandit import Bandit as Bandit
from .bandit_beliefs import BayesOptimal as BayesOptimal
from .bandit_beliefs import bayes_optimal_table as bayes_optimal_table
from .bandit_beliefs import bayes_optimal_value as bayes_optimal_value
from .encoding import feature_size as feature_size
from .encoding import features as features
from .environment import SPLITS as SPLITS
from .environment import Environment as Environment
from .environment import Split as Split
from .environment import Step as Step
from .environment import Task as Task
from .gymnasium_environment import GymnasiumEnvironment as GymnasiumEnvironment
from .gymnasium_registration import register_with_gymnasium as register_with_gymnasium
from .gymnasium_vector import GymnasiumVectorEnvironment as GymnasiumVectorEnvironment
from .mdp import MDPState as MDPState
from .mdp import TabularMDP as TabularMDP
from .playing import Played as Played
from .playing import Recording as Recording
from .playing import play as play
from .playing import play_split as play_split
from .playing import record as record
from .registry import load as load
from .registry import names as names
from .registry import setting_names as setting_names
from .solvers import Plan as Plan
from .solvers import plan as plan
from .solvers import plan_backwards as plan_backwards
from .trials import Transition as Transition
from .trials import Trial as Trial
from .trials import TrialState as TrialState

__all__ = [
    "SPLITS",
    "Agent",
    "Bandit",
    "BayesOptimal",
    "Environment",
    "GymnasiumEnvironment",
    "GymnasiumVectorEnvironment",
    "MDPState",
    "Plan",
    "Played",
    "Recording",
    "Split",
    "Step",
    "TabularMDP",
    "Task",
    "Transition",
    "Trial",
    "TrialState",
    "bayes_optimal_table",
    "bayes_optimal_value",
    "feature_size",
    "features",
    "load",
    "make_agent",
    "names",
    "plan",
    "plan_backwards",
    "play",
    "play_split",
    "record",
    "register_with_gymnasium",
    "setting_names",
]
