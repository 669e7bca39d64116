"""A run on disk: directory, provenance, metric log, checkpoints, the loop that drives a job.

A job is a pair of functions, `init` and `update`, with a way to save and to load its state. `drive`
calls `update` until the job is finished, its time is up or somebody interrupts it, and writes what
is needed to go on later:

    run = RunDirectory.create(None, job="search", config=..., command=sys.argv)
    state, outcome = drive(job, run, progress_on_stderr())

Law: a run that was killed or interrupted and then resumed ends with the bits of one that never
  stopped.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
