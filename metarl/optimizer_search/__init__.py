"""The first job: search for update rules that train networks well.

A strategy proposes rules of a grammar; cheap filters drop the hopeless; evaluators train real networks with
the rest, at several learning rates, through one compiled interpreter; the best are tuned against standard
optimizers and reported.

Names: config, strategies, filters, inner_training, candidates, evaluators, rewards, archive, search_job, comparison,
report, in the order of the data's flow.

Reference:
  Bello, Zoph, Vasudevan, Le (2017), Neural Optimizer Search with Reinforcement Learning, arXiv:1709.07417.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
