"""One process of a gang, by metarl's own command line, as a program for tests.

    python gang_process.py DIES_AT WORDS ...

Chunks are small, the agent is not evaluated, and before its update number DIES_AT (0: never) the
process kills itself.
"""

from __future__ import annotations

import os
import signal
import sys

from metarl import cli, rl_squared
from metarl.rl_squared.learning import train_job

dies_at, words = int(sys.argv[1]), sys.argv[2:]
update = train_job.TrainJob.update
updates = []


def update_or_die(self, state):
    updates.append(None)
    if len(updates) == dies_at:
        os.kill(os.getpid(), signal.SIGKILL)
    return update(self, state)


train_job.CHUNK_STEPS = 400
train_job.TrainJob.update = update_or_die
rl_squared.conclude = lambda run_dir, say: {"updates": len(updates)}
sys.exit(cli.main(words))
