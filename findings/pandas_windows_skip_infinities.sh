#!/usr/bin/env bash
# pandas 3.1.1: a rolling mean takes a loss that was infinite for one that was not measured; so does a rolling maximum.
#
# Guess, before looking: infinity is a number, as it is to `Series.mean`, `Series.max` and `Series.cummax`; so a window with an infinite loss has an
# infinite mean and an infinite maximum, and a run that went through infinity shows it in its smoothed curve.
# Seen (pandas 3.1.1, numpy 2.4.6, polars 2.1.0, Python 3.11), of the losses 1, 1, inf, 1, 2, 3, 4: with `rolling(3, min_periods=1)` mean, maximum and
# sum are finite in every row, though `count` counts inf as an observation; with `rolling(3)` the three windows with it are NaN.
# `expanding()` and `ewm(alpha=0.5).mean()` pass over it too, so nothing is left of it in any later row. Of the
# same numbers `Series.mean`, `Series.max` and `cummax` are inf, and so is polars' rolling maximum.
# Why: before anything else the windows replace infinities by NaN. The option that had the rest of pandas do so, `mode.use_inf_as_na`, is
# gone since pandas 3.0; the windows go on, and their pages do not say so. Issue 57549, open since 2024, met it with windows of days.
# Who meets it: whoever smooths learning curves of runs that diverge, or asks for the worst loss of the last hundred steps. Look for
# infinities in the column itself before it is smoothed.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip --quiet --disable-pip-version-check install "pandas==3.1.1" "numpy==2.4.6" "polars==2.1.0"
"$place/venv/bin/python" - <<'PY'
import math

import numpy as np
import pandas as pd
import polars as pl

LOSSES = [1.0, 1.0, math.inf, 1.0, 2.0, 3.0, 4.0]
losses = pd.Series(LOSSES)
some, all_three = losses.rolling(3, min_periods=1), losses.rolling(3)
passed_over = {
    "rolling mean": (some.mean(), [1, 1, 1, 1, 1.5, 2, 3]),
    "rolling max": (some.max(), [1, 1, 1, 1, 2, 3, 4]),
    "rolling sum": (some.sum(), [1, 2, 2, 2, 3, 6, 9]),
    "rolling count": (some.count(), [1, 2, 3, 3, 3, 3, 3]),
    "expanding max": (losses.expanding().max(), [1, 1, 1, 1, 2, 3, 4]),
    "rolling max of three": (all_three.max(), [math.nan] * 5 + [3, 4]),
}
weighted = losses.ewm(alpha=0.5).mean()
for name, (found, _) in passed_over.items():
    print(f"{name}: {found.tolist()}")
print(f"weighted mean: {[round(mean, 3) for mean in weighted]}")
plain = losses.mean(), losses.max(), losses.cummax().iloc[-1]
of_polars = pl.Series(LOSSES).rolling_max(3, min_samples=1).to_list()
print(f"Series.mean, max, cummax: {plain} | polars' rolling max: {of_polars}")
wrong = [name for name, (found, expected) in passed_over.items() if not np.array_equal(found, expected, equal_nan=True)]
if wrong or not np.isfinite(weighted).all():
    raise SystemExit(f"this has changed: {wrong or 'the weighted mean'}")
if set(plain) != {math.inf} or of_polars != [1, 1, math.inf, math.inf, math.inf, 3, 4]:
    raise SystemExit("this has changed: the others pass over it too")
PY
