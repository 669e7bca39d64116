from .agent import Agent as Agent
from .agent import make_agent as make_agent
from .agent_settings import split_settings as split_settings
from .bandit import Bandit as Bandit
from .bandit_beliefs import BayesOptimal as BayesOptimal
from .bandit_beliefs import bayes_optimal_table as bayes_optimal_table
from .bandit_beliefs import bayes_optimal_value as bayes_optimal_value
from .cartpole import CartPole as CartPole
from .encoding import draw_member as draw_member
from .encoding import feature_size as feature_size
from .encoding import features as features
from .environment import SPLITS as SPLITS
from .environment import Environment as Environment
from .environment import Split as Split
from .environment import Step as Step
from .environment import Task as Task
from .gridworld import GridTask as GridTask
from .gymnasium_environment import GymnasiumEnvironment as GymnasiumEnvironment
from .gymnasium_playing import play_on_host as play_on_host
from .gymnasium_registration import register_with_gymnasium as register_with_gymnasium
from .gymnasium_trials import HostTrials as HostTrials
from .gymnasium_vector import GymnasiumVectorEnvironment as GymnasiumVectorEnvironment
from .gymnasium_worlds import HostEnvironment as HostEnvironment
from .gymnasium_worlds import from_gymnasium as from_gymnasium
from .maze import Maze as Maze
from .maze import MazeState as MazeState
from .maze import act_in_maze as act_in_maze
from .maze import reach_in_maze as reach_in_maze
from .maze_benchmark import measure_mazes as measure_mazes
from .maze_view import FIELD_OF_VIEW as FIELD_OF_VIEW
from .mdp import MDPState as MDPState
from .mdp import TabularMDP as TabularMDP
from .pendulum import Pendulum as Pendulum
from .playing import Followed as Followed
from .playing import Played as Played
from .playing import Recording as Recording
from .playing import follow as follow
from .playing import play as play
from .playing import play_in_chunks as play_in_chunks
from .playing import play_split as play_split
from .playing import record as record
from .registry import EnvironmentCard as EnvironmentCard
from .registry import cards as cards
from .registry import load as load
from .registry import names as names
from .registry import setting_names as setting_names
from .solvers import Plan as Plan
from .solvers import best_arm as best_arm
from .solvers import plan as plan
from .solvers import plan_backwards as plan_backwards
from .task_checks import check_task as check_task
from .trials import Transition as Transition
from .trials import Trial as Trial
from .trials import TrialState as TrialState
from .validation import check_environment as check_environment
from .worlds_together import in_any_world as in_any_world

__all__ = [
    "FIELD_OF_VIEW",
    "SPLITS",
    "Agent",
    "Bandit",
    "BayesOptimal",
    "CartPole",
    "Environment",
    "EnvironmentCard",
    "Followed",
    "GridTask",
    "GymnasiumEnvironment",
    "GymnasiumVectorEnvironment",
    "HostEnvironment",
    "HostTrials",
    "MDPState",
    "Maze",
    "MazeState",
    "Pendulum",
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
    "act_in_maze",
    "bayes_optimal_table",
    "bayes_optimal_value",
    "best_arm",
    "cards",
    "check_environment",
    "check_task",
    "draw_member",
    "feature_size",
    "features",
    "follow",
    "from_gymnasium",
    "in_any_world",
    "load",
    "make_agent",
    "measure_mazes",
    "names",
    "plan",
    "plan_backwards",
    "play",
    "play_in_chunks",
    "play_on_host",
    "play_split",
    "reach_in_maze",
    "record",
    "register_with_gymnasium",
    "setting_names",
    "split_settings",
]
