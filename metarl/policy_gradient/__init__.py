"""Outer-loop algorithms over a Policy and a Batch: REINFORCE, PPO, TRPO; returns; losses.

Each algorithm is a pair of pure functions: `init(params) -> state` and `update(key, state, batch)
-> state, metrics`. A `Batch` holds whole sequences as they were acted; the policy is recomputed
over them, so recurrent policies learn through time. Token sequences of five choices and trials of
thousands of steps are the same to it.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
