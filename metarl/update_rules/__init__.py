"""The rule language: primitives, parser, grammar, interpreter, optax compiler, exporters.

An update rule is one expression in the gradient, its moving averages and the progress of the run,
and a step is w <- w - learning_rate * rule. It exists as text (`parse`), as a tree (`Rule`), as
tokens that a controller writes (`Grammar`), as data that one compiled program runs for thousands of
rules (`Interpreter`), as an optax transform (`to_optax`) and as source code for others (`to_python`,
`to_torch`). All are read off one table of primitives, so they cannot disagree.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
