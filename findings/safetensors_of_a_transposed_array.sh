#!/usr/bin/env bash
# safetensors 0.8.0: a transposed numpy array comes back with its numbers in another order; 0.7.0 kept them.
#
# Guess, before looking: what `safetensors.numpy.save` wrote, `load` reads with the same values, whatever lies how in memory; or `save` refuses it,
# as `safetensors.torch` refuses a tensor that is not contiguous.
# Seen (safetensors 0.8.0, numpy 2.4.6, Python 3.11): of [[0, 1, 2], [3, 4, 5]].T, which is [[0, 3], [1, 4], [2, 5]], comes back [[0, 1], [2, 3],
# [4, 5]]: the right shape and type, the wrong places, no error and no warning. So does any array in Fortran's order. With 0.7.0 both are
# right, and with 0.8.0 after `np.ascontiguousarray`.
# Why: since 0.8.0 the memory of an array is written as it lies there, without a copy, and read in C's order.
# The docstring asks for tensors that are "contiguous and dense", which numpy says of an array in Fortran's order too (`flags.f_contiguous`). Issue
# 825 of safetensors, open since August 2026, tells of it.
# Who meets it: whoever exports weights of JAX, [inputs, outputs], to torch, which has [outputs, inputs]: `np.asarray(w).T` is all it takes.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
pip() { "$place/venv/bin/python" -m pip --quiet --disable-pip-version-check install "$@"; }
try() {
  "$place/venv/bin/python" - <<'PY'
import numpy as np
from safetensors.numpy import load, save

weights = np.arange(6.0).reshape(2, 3)
arrays = {
    "as it is": weights,
    "transposed": weights.T,
    "in Fortran's order": np.asfortranarray(weights),
    "copied": np.ascontiguousarray(weights.T),
}
found = load(save(arrays))
assert all(found[name].shape == array.shape and found[name].dtype == array.dtype for name, array in arrays.items())
print(", ".join(name for name, array in arrays.items() if not np.array_equal(found[name], array)) or "none")
PY
}
pip "safetensors==0.8.0" "numpy==2.4.6"
new=$(try)
pip "safetensors==0.7.0"
old=$(try)
echo "other values with safetensors 0.8.0: $new | with 0.7.0: $old"
[ "$new" = "transposed, in Fortran's order" ] || { echo "this has changed: with 0.8.0 others are wrong, or none" >&2; exit 1; }
[ "$old" = "none" ] || { echo "this has changed: with 0.7.0 some were wrong too" >&2; exit 1; }
