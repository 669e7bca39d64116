"""How rules are proposed, behind one ask / tell contract.

A `Strategy` is three functions. `ask` gives K rules as tokens of a grammar, the search judges them, `tell` hands the
rewards back. Random search, evolution, trees and everything that a controller can learn from differ in nothing else, so
they can be compared at equal numbers of trained rules; a user's own joins as "my_module:factory".

What two strategies share lies in the wing `writing`; each file here is one idea with its paper.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
