"""What an agent acts in: bandits, tabular MDPs, grids, mazes, control; task distributions; trials.

An `Environment` is a family of tasks with pure functions `reset` and `step` that take the task as an
argument; a `Trial` is several episodes in one task; an `Agent` is whatever acts in it. `play` brings
them together in one compiled program, vmapped over tasks. gymnasium stands at the edges: its spaces
describe observations and actions, `gymnasium.make("metarl/...")` gives any family as a gymnasium
environment, and `from_gymnasium` makes a family of any gymnasium environment.

Its wings; each looks only at those above it:

    contract   Environment, trial, agent, how they see each other, and what is checked.
    mdps       MDPs by table, gridworlds, dark rooms, grids of rules, and how tables are solved.
    bandits    Bernoulli and Gaussian arms, and what is best where their means are unknown.
    cognition  Tasks of psychology and neuroscience: the two-step task, Harlow's, memory and planning.
    mazes      Layouts, walls and body, view and map: mazes seen through the agent's eyes.
    control    Cart-pole and pendulum, with physics drawn for each task.
    adapters   Worlds of other libraries as families: gymnasium, MuJoCo, gymnax, navix, XLand-MiniGrid, brax.
    registry   Environments by name: the built-in families, and a user's own as "my_module:factory".
    gymnasium  Both ways: families as gymnasium environments, and gymnasium worlds in trials.
    playing    An agent in trials: compiled over many tasks, or on the host.
    measuring  What a step costs: in a maze beside ViZDoom's, in another library's world beside its own loop.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
