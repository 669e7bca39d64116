from .adapters.gymnasium_worlds import HostEnvironment as HostEnvironment
from .adapters.gymnasium_worlds import from_gymnasium as from_gymnasium
from .adapters.gymnax import from_gymnax as from_gymnax
from .adapters.minigrids import from_xminigrid as from_xminigrid
from .bandits.bandit import Bandit as Bandit
from .bandits.bandit import best_arm as best_arm
from .bandits.beliefs import BayesOptimal as BayesOptimal
from .bandits.beliefs import bayes_optimal_table as bayes_optimal_table
from .bandits.beliefs import bayes_optimal_value as bayes_optimal_value
from .bandits.contextual import ContextualBandit as ContextualBandit
from .cognition.harlow import HarlowTask as HarlowTask
from .cognition.memory_planning import MemoryPlanningTask as MemoryPlanningTask
from .cognition.memory_planning import torus_move as torus_move
from .cognition.memory_planning import torus_steps as torus_steps
from .cognition.two_step import TwoStepTask as TwoStepTask
from .contract.agent import Agent as Agent
from .contract.agent import make_agent as make_agent
from .contract.agent_settings import split_settings as split_settings
from .contract.distributions import BanditDistribution as BanditDistribution
from .contract.distributions import Distribution as Distribution
from .contract.distributions import MDPDistribution as MDPDistribution
from .contract.encoding import draw_member as draw_member
from .contract.encoding import feature_size as feature_size
from .contract.encoding import features as features
from .contract.encoding import is_image as is_image
from .contract.encoding import last_step_features as last_step_features
from .contract.encoding import levels as levels
from .contract.encoding import require_numbered as require_numbered
from .contract.encoding import uniform_drawer as uniform_drawer
from .contract.environment import SPLITS as SPLITS
from .contract.environment import AuxiliaryTargets as AuxiliaryTargets
from .contract.environment import Environment as Environment
from .contract.environment import InnerLearning as InnerLearning
from .contract.environment import Oracle as Oracle
from .contract.environment import Split as Split
from .contract.environment import Step as Step
from .contract.environment import Task as Task
from .contract.symmetries import Symmetries as Symmetries
from .contract.symmetries import square_symmetries as square_symmetries
from .contract.task_checks import check_task as check_task
from .contract.trials import Transition as Transition
from .contract.trials import Trial as Trial
from .contract.trials import TrialState as TrialState
from .contract.validation import check_environment as check_environment
from .control.cartpole import CartPole as CartPole
from .control.pendulum import Pendulum as Pendulum
from .control.point_robot import PointRobotTask as PointRobotTask
from .gymnasium.environment import GymnasiumEnvironment as GymnasiumEnvironment
from .gymnasium.registration import register_with_gymnasium as register_with_gymnasium
from .gymnasium.rl2_inputs import RL2Inputs as RL2Inputs
from .gymnasium.trials import HostTrials as HostTrials
from .gymnasium.vector import GymnasiumVectorEnvironment as GymnasiumVectorEnvironment
from .mazes.body import MAZE_ACTIONS as MAZE_ACTIONS
from .mazes.dark_maze import DarkMaze as DarkMaze
from .mazes.dark_maze import neighbours as neighbours
from .mazes.dark_maze import probabilities_to_reach as probabilities_to_reach
from .mazes.inner_learning import plans_told as plans_told
from .mazes.maze import Maze as Maze
from .mazes.maze import MazeState as MazeState
from .mazes.maze import act_in_maze as act_in_maze
from .mazes.maze import reach_in_maze as reach_in_maze
from .mazes.sides import MAZE_SIDES as MAZE_SIDES
from .mazes.sides import cells_beyond as cells_beyond
from .mazes.sides import edges_by_side as edges_by_side
from .mazes.view import FIELD_OF_VIEW as FIELD_OF_VIEW
from .mdps.dark_room import DarkRoomTask as DarkRoomTask
from .mdps.gridworld import GridTask as GridTask
from .mdps.gridworld import cell_in_picture as cell_in_picture
from .mdps.key_to_door import KeyToDoorTask as KeyToDoorTask
from .mdps.mdp import MDPState as MDPState
from .mdps.mdp import TabularMDP as TabularMDP
from .mdps.planning import Plan as Plan
from .mdps.planning import plan as plan
from .mdps.planning import plan_backwards as plan_backwards
from .mdps.rule_grid import RuleTask as RuleTask
from .measuring.adapter_benchmark import measure_adapters as measure_adapters
from .measuring.maze_benchmark import measure_mazes as measure_mazes
from .playing.in_pieces import Pieces as Pieces
from .playing.in_pieces import in_pieces as in_pieces
from .playing.on_host import NotRepeated as NotRepeated
from .playing.on_host import play_on_host as play_on_host
from .playing.playing import Followed as Followed
from .playing.playing import Played as Played
from .playing.playing import Recording as Recording
from .playing.playing import follow as follow
from .playing.playing import play as play
from .playing.playing import play_in_chunks as play_in_chunks
from .playing.playing import play_some as play_some
from .playing.playing import play_split as play_split
from .playing.playing import record as record
from .playing.worlds_together import computed_where as computed_where
from .playing.worlds_together import in_any_world as in_any_world
from .registry import EnvironmentCard as EnvironmentCard
from .registry import cards as cards
from .registry import host_names as host_names
from .registry import load as load
from .registry import names as names
from .registry import setting_defaults as setting_defaults
from .registry import setting_names as setting_names

__all__ = [
    "FIELD_OF_VIEW",
    "MAZE_ACTIONS",
    "MAZE_SIDES",
    "SPLITS",
    "Agent",
    "AuxiliaryTargets",
    "Bandit",
    "BanditDistribution",
    "BayesOptimal",
    "CartPole",
    "ContextualBandit",
    "DarkMaze",
    "DarkRoomTask",
    "Distribution",
    "Environment",
    "EnvironmentCard",
    "Followed",
    "GridTask",
    "GymnasiumEnvironment",
    "GymnasiumVectorEnvironment",
    "HarlowTask",
    "HostEnvironment",
    "HostTrials",
    "InnerLearning",
    "KeyToDoorTask",
    "MDPDistribution",
    "MDPState",
    "Maze",
    "MazeState",
    "MemoryPlanningTask",
    "NotRepeated",
    "Oracle",
    "Pendulum",
    "Pieces",
    "Plan",
    "Played",
    "PointRobotTask",
    "RL2Inputs",
    "Recording",
    "RuleTask",
    "Split",
    "Step",
    "Symmetries",
    "TabularMDP",
    "Task",
    "Transition",
    "Trial",
    "TrialState",
    "TwoStepTask",
    "act_in_maze",
    "bayes_optimal_table",
    "bayes_optimal_value",
    "best_arm",
    "cards",
    "cell_in_picture",
    "cells_beyond",
    "check_environment",
    "check_task",
    "computed_where",
    "draw_member",
    "edges_by_side",
    "feature_size",
    "features",
    "follow",
    "from_gymnasium",
    "from_gymnax",
    "from_xminigrid",
    "host_names",
    "in_any_world",
    "in_pieces",
    "is_image",
    "last_step_features",
    "levels",
    "load",
    "make_agent",
    "measure_adapters",
    "measure_mazes",
    "names",
    "neighbours",
    "plan",
    "plan_backwards",
    "plans_told",
    "play",
    "play_in_chunks",
    "play_on_host",
    "play_some",
    "play_split",
    "probabilities_to_reach",
    "reach_in_maze",
    "record",
    "register_with_gymnasium",
    "require_numbered",
    "setting_defaults",
    "setting_names",
    "split_settings",
    "square_symmetries",
    "torus_move",
    "torus_steps",
    "uniform_drawer",
]
