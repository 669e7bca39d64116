"""The command line: one verb a file.

`main` finds the verb in a table and imports its file only then, so `metarl --help` never waits for jax. A verb's file
holds three things: `Arguments`, a frozen dataclass whose fields are the flags; `run(arguments)`, which does the work
and returns one document; and `show(document)`, which prints that document for a person. So `--json` and the printed
table cannot disagree, and nothing but the document reaches standard output.

`configure` chooses devices, threads, precision and the compilation cache; it must come before jax's first computation.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
