#!/usr/bin/env bash
# orbax-checkpoint 0.12.8: one evaluation that is NaN counts as the best, and costs the best checkpoint.
#
# Guess, before looking: `CheckpointManager` with `best_fn`, `best_mode="max"` and `max_to_keep=2` keeps the two highest, and NaN is the worst there is,
# or is refused when it is saved.
# Seen (orbax-checkpoint 0.12.8, jax 0.10.2, Python 3.11): of steps 1 to 5 with metrics 1, 5, NaN, 2, 3 the manager names step 3 the best once it is
# saved, deletes step 2, whose metric was 5, at step 4, and ends with steps 4 and 5. With 0 in place of NaN it ends with 2 and 5.
# With `best_mode="min"` and the metrics 5, 1, NaN, 4, 3 it is the same: the checkpoint with 1 is deleted.
# Why: checkpoints are sorted by their metrics, and a sort leaves the numbers before a NaN where they are; what stands last is kept.
# The documentation says that the retained checkpoints are kept by their quality, nothing of NaN.
# Who meets it: whoever keeps the best of a training that diverges for a while, which is what `best_fn` is for. Let `best_fn` say -inf (inf
# for "min") where the metric is NaN: then it ends with steps 2 and 5.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip --quiet --disable-pip-version-check install \
  "orbax-checkpoint==0.12.8" "jax==0.10.2" "jaxlib==0.10.2"
JAX_PLATFORMS=cpu "$place/venv/bin/python" -W ignore - <<'PY'
import logging
import math
import tempfile

import jax.numpy as jnp
import orbax.checkpoint as ocp

logging.disable(logging.CRITICAL)


def kept(metrics, best_fn=lambda metrics: metrics["return"], mode="max"):
    """What is there after each step, and which of it is named the best."""
    options = ocp.CheckpointManagerOptions(max_to_keep=2, best_fn=best_fn, best_mode=mode)
    story = []
    with tempfile.TemporaryDirectory() as folder, ocp.CheckpointManager(folder, options=options) as manager:
        for step, metric in enumerate(metrics, start=1):
            state = ocp.args.StandardSave({"weights": jnp.full(3, float(step))})
            manager.save(step, args=state, metrics={"return": metric})
            manager.wait_until_finished()
            story.append((sorted(manager.all_steps()), manager.best_step()))
    return story


def nan_is_worst(metrics):
    value = metrics["return"]
    return -math.inf if math.isnan(value) else value


seen = {
    "NaN": kept([1.0, 5.0, math.nan, 2.0, 3.0]),
    "0": kept([1.0, 5.0, 0.0, 2.0, 3.0]),
    "NaN as -inf": kept([1.0, 5.0, math.nan, 2.0, 3.0], nan_is_worst),
    "NaN, min": kept([5.0, 1.0, math.nan, 4.0, 3.0], mode="min"),
}
for name, story in seen.items():
    print("orbax-checkpoint", ocp.__version__, f"| {name}: (steps kept, best)", story)
right = (
    seen["NaN"] == [([1], 1), ([1, 2], 2), ([2, 3], 3), ([3, 4], 4), ([4, 5], 5)]
    and seen["0"][-1] == seen["NaN as -inf"][-1] == ([2, 5], 2)
    and 2 not in seen["NaN, min"][-1][0]
)
raise SystemExit(0 if right else "this has changed")
PY
