#!/usr/bin/env bash
# scipy 1.17.1: `batch`, which is there to save memory, changes the interval of `scipy.stats.bootstrap` for two samples, not for one.
#
# Guess, before looking: with the same generator and the same number of resamples the interval is the same, however many of them are
# computed at once; it is so for one sample, for paired samples and in `permutation_test`.
# Seen (scipy 1.17.1, numpy 2.4.6, Python 3.11; difference of the means of 20 and 25 numbers, 1,999 resamples, one seed): with `batch` of None, 1,000, 100
# and 7 there are four intervals, whose lower ends go from -1.15 to -1.12; percentile and BCa alike. One sample, or paired
# ones: one interval for all four, to the bit. `permutation_test` of the same two samples: one p-value.
# Why: in each batch the indices of the first sample are drawn, then those of the second, so the size of a batch decides which numbers
# go to which; with one sample, or paired ones, there is nothing to alternate.
# The documentation says of `batch` how much memory it takes, nothing of the result.
# Who meets it: whoever repeats a table of intervals on a machine with less memory. Store `batch` beside the seed.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip --quiet --disable-pip-version-check install "scipy==1.17.1" "numpy==2.4.6"
"$place/venv/bin/python" - <<'PY'
import numpy as np
import scipy
from scipy.stats import bootstrap, permutation_test

luck = np.random.default_rng(0)
ours, theirs = luck.normal(size=20), luck.normal(size=25) + 0.3
BATCHES = (None, 1_000, 100, 7)


def difference(x, y, axis):
    return x.mean(axis) - y.mean(axis)


def interval(data, statistic, batch, **settings):
    found = bootstrap(
        data, statistic, n_resamples=1_999, batch=batch, rng=np.random.default_rng(1), **settings
    )
    return tuple(map(float, found.confidence_interval))


def p_value(batch):
    found = permutation_test(
        (ours, theirs), difference, n_resamples=1_999, batch=batch, rng=np.random.default_rng(1)
    )
    return float(found.pvalue)


seen = {
    "two, percentile": [interval((ours, theirs), difference, b, method="percentile") for b in BATCHES],
    "two, BCa": [interval((ours, theirs), difference, b, method="BCa") for b in BATCHES],
    "one": [interval((ours,), np.mean, b) for b in BATCHES],
    "paired": [interval((ours, theirs[:20]), difference, b, paired=True, method="percentile") for b in BATCHES],
    "permutations": [p_value(b) for b in BATCHES],
}
different = {name: len(set(found)) for name, found in seen.items()}
print("scipy", scipy.__version__, "| two, percentile:", seen["two, percentile"], "| how many different:", different)
expected = {"two, percentile": 4, "two, BCa": 4, "one": 1, "paired": 1, "permutations": 1}
raise SystemExit(0 if different == expected else "this has changed")
PY
