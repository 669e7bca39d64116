#!/usr/bin/env bash
# rliable 1.2.0: `random_state`, which its docstring says ensures reproducible intervals, changes nothing; numpy's global state does.
#
# Guess, before looking: `get_interval_estimates(..., random_state=RandomState(0))` twice gives the same interval twice, and numpy's global
# seed has no say in it, since the bootstrap of arch that it is built on has a generator of its own.
# Seen (rliable 1.2.0, arch 7.2.0, pandas 2.3.3, numpy 2.4.6, Python 3.11; interquartile mean of 10 runs of 5 tasks, 500 resamples): two calls with
# `random_state=RandomState(0)` give two intervals; two calls after `np.random.seed(0)`, without it, give the same.
# Why: the argument is handed on to arch, but the method that draws the resampled indices is rliable's own and calls `np.random.choice`.
# Who meets it: whoever stores a seed with a table of intervals and wants the same table again. Seed numpy's global state just before,
# in a process that nothing else draws in.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip --quiet --disable-pip-version-check install \
  "rliable==1.2.0" "arch==7.2.0" "pandas==2.3.3" "numpy==2.4.6"
"$place/venv/bin/python" -W ignore - <<'PY'
import numpy as np
from rliable import library, metrics

scores = {"ours": np.random.default_rng(0).normal(size=(10, 5))}


def interval(**settings):
    found = library.get_interval_estimates(
        scores, lambda x: np.array([metrics.aggregate_iqm(x)]), reps=500, **settings
    )
    return found[1]["ours"].ravel().tolist()


by_argument = [interval(random_state=np.random.RandomState(0)) for _ in range(2)]
by_global_state = []
for _ in range(2):
    np.random.seed(0)
    by_global_state.append(interval())
print("random_state=RandomState(0), twice:", by_argument)
print("np.random.seed(0), twice:", by_global_state)
right = by_argument[0] != by_argument[1] and by_global_state[0] == by_global_state[1]
raise SystemExit(0 if right else "this has changed")
PY
