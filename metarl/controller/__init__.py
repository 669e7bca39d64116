"""The recurrent controller: cores from GRU to transformer, policy and value heads, in haiku.

A `Policy` is four functions and a distribution. It acts one step at a time, carrying its recurrent
state (`step`), and it is recomputed over whole sequences when it learns (`apply`); the two agree.
`recurrent_policy` builds one out of an encoder for the inputs, a core and a head; `token_policy` is
the one that writes sequences of tokens, its own last choice being its input, and `sample_tokens`
lets it write them.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
