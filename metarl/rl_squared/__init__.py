"""The second job: a recurrent agent that learns to learn, RL², trained, evaluated and kept.

The controller is itself the learner. Within a trial its recurrent state learns one task; between
trials reinforcement learning changes its weights, so that the state learns the next task faster. It
is held against the best hand-made agents on the same tasks with the same luck.

Its wings; each looks only at those above it:

    settings      Settings of a training, as frozen dataclasses; nothing here imports jax.
    agent         Inputs, network, the hidden state that lasts for one trial, and the files of an agent.
    learning      Whole trials, each from a fresh hidden state, imitation and reinforcement, as a job that resumes.
    evaluating    Agents beside their rivals on the same tasks with the same luck.
    reports       Pages, tables, learning curves, and pictures of what an agent does.
    measuring     What a step of training costs, and how it scales with devices.
    reproduction  The papers' tables and figures, from a name to files.

Reference: Duan et al. (2016), arXiv:1611.02779; Wang et al. (2016), arXiv:1611.05763.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
