"""What an agent acts in: bandits, tabular MDPs, grids, mazes, control; task distributions; trials.

An `Environment` is a family of tasks with pure functions `reset` and `step` that take the task as an
argument; a `Trial` is several episodes in one task; an `Agent` is whatever acts in it. `play` brings
them together in one compiled program, vmapped over tasks. gymnasium stands at the edges: its spaces
describe observations and actions, `gymnasium.make("metarl/...")` gives any family as a gymnasium
environment, and `from_gymnasium` makes a family of any gymnasium environment.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
