"""Hand-made reference agents, each with its paper: Gittins, UCB1, Thompson, PSRL, UCRL2 ...

Every agent is a row of one table: its name, the world it is for, its settings with their ranges, the
settings of the paper, the grid to choose from, and a function that builds it. `make` reads a text
such as "ucb1:c=0.2" and gives an agent of `metarl.environments`, behind the contract of the learnt
ones. Settings are traced numbers wherever they can be, so one compiled program serves a whole grid;
`tune` chooses from the grid on validation tasks.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
