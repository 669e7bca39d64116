"""What an optimizer trains: digits, text, tabular data, quadratics, landscapes.

A `Problem` is a frozen record of pure functions: how parameters start, what a batch costs, how a
split is judged, and which examples each of four disjoint splits holds. `load` finds one by name, or
takes a user's own as "my_module:factory"; `cards` lists what there is without loading data or jax.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
