"""Small spaces trained to their end: every rule by every judge, so that a search takes a second.

A table holds the losses of every function of a space that passes the filters, at fifteen learning rates on several
replicates, at four moments of a run and at its end on choice and test data too. Any search of that space can be
answered from it, and the best rule of the space is known.

Reference: Ying et al. (2019), NAS-Bench-101: Towards Reproducible Neural Architecture Search, arXiv:1902.09635, which
did this for architectures.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
