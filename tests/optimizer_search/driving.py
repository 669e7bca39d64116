"""A search job driven by hand, and the bits of its state."""

from __future__ import annotations

import numpy as np


def driven(job, state=None, generations=50):
    """The state after so many generations, or at the end, and what was logged of each."""
    state, rows = job.init() if state is None else state, []
    while len(rows) < generations and not job.finished(state):
        state, metrics = job.update(state)
        rows.append(metrics)
    return state, rows


def bits(job, state):
    """What a checkpoint of the state holds: the bytes of its arrays, and the rest."""
    arrays, meta = job.save(state)
    return {
        name: (np.asarray(a).dtype, np.asarray(a).tobytes()) for name, a in arrays.items()
    }, meta
