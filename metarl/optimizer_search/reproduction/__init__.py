"""The paper's figures and tables, each a function of settings that lie in `experiments/`.

    work         what an experiment is given, and the findings that it gives back
    experiments  the table: one row each, with its folder, its cost and the place of its function
    reproducing  from a name to files; what is done is not done again
    ...          one module for each experiment: `Settings` and one function

A new experiment is a row, a module, and a folder with `settings.json`.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
