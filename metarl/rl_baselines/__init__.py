"""Learners from scratch: DQN, Q-learning, REINFORCE, PPO, TRPO, MuZero, IRIS, in each task anew.

What meta-learning is measured against: a learner that knows nothing of the task distribution, stands
behind the contract of all other agents (`metarl.environments.Agent`), and learns within one trial of
many episodes. It is a reference, as the classical agents are, and stands on their floor. Its state is
a PyTree of fixed shapes, so hundreds of tasks are learnt at once in one compiled program. `make`
reads a text such as "dqn" or "ppo:steps=64"; `tune` chooses from a grid on validation tasks, and all
grids are of one size.

Beside them stand those that learn once, from random walks in training tasks, and not in the task they are
played in: a decision transformer and behaviour cloning (`offline_rows`).
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
