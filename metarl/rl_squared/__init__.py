"""The second job: a recurrent agent that learns to learn, RL², trained, evaluated and kept.

The controller is itself the learner. Within a trial its recurrent state learns one task; between
trials reinforcement learning changes its weights, so that the state learns the next task faster. It
is held against the best hand-made agents on the same tasks with the same luck.

Reference: Duan et al. (2016), arXiv:1611.02779; Wang et al. (2016), arXiv:1611.05763.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
