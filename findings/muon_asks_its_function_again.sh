#!/usr/bin/env bash
# optax 0.2.8: a function that tells Muon which parameters are matrices is asked again at every step, of a tree with gaps.
#
# Guess, before looking: `muon_weight_dimension_numbers` may be a tree or a function from parameters to one, and the function is
# asked once, in `init`, of the parameters; so both ways are the same optimizer.
# Seen (optax 0.2.8, jax and jaxlib 0.10.2, Python 3.11, CPU): for one `init` and one `update` the function is asked six times, in four
# of them not of the parameters but of a tree in which `MaskedNode` stands wherever it said None before, so
# that only matrices are left. A function that decides leaf by leaf gives the tree's updates to the bit. One that looks at the whole,
# "every matrix but the last, which is the output", finds another last one there: as a tree it works, as a function the first update
# raises AttributeError.
# Why: the parts of the optimizer that act on matrices alone sit behind a mask, and ask the function of what the mask left.
# Who meets it: whoever leaves the last layer, or embeddings, to Adam by a function over all parameters. Calling it once on the
# shapes of the parameters (`jax.eval_shape`) and passing the tree mends it.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip --quiet --disable-pip-version-check install "optax==0.2.8" "jax==0.10.2" "jaxlib==0.10.2"
"$place/venv/bin/python" -W ignore - <<'PY'
import jax
import jax.numpy as jnp
import optax

PARAMS = {"a": jnp.eye(4, 3), "b": jnp.ones(3), "c": jnp.eye(3), "d": jnp.ones((3, 2))}
HOW = optax.contrib.MuonDimensionNumbers(reduction_axis=0, output_axis=1)
asked = []


def leaf_by_leaf(tree):
    asked.append([name for name, leaf in tree.items() if jax.tree.leaves(leaf)])
    return {name: HOW if name in ("a", "c") else None for name in tree}


def all_but_the_last(tree):
    matrices = [n for n, leaf in tree.items() if [x for x in jax.tree.leaves(leaf) if x.ndim == 2]]
    return {name: HOW if name in matrices[:-1] else None for name in tree}


def step(how):
    optimizer = optax.contrib.muon(0.1, muon_weight_dimension_numbers=how)
    try:
        change, _ = optimizer.update(PARAMS, optimizer.init(PARAMS), PARAMS)
    except AttributeError:
        return "AttributeError"
    return jax.tree.map(lambda x: x.tolist(), change)


same = step(leaf_by_leaf) == step(leaf_by_leaf(PARAMS))
asked.pop()  # by this script itself
with_gaps = sum(names == ["a", "c"] for names in asked)
whole = sum(names == list(PARAMS) for names in asked)
as_tree, as_function = step(all_but_the_last(PARAMS)), step(all_but_the_last)
print(
    "optax", optax.__version__, "jax", jax.__version__, "| asked of all parameters:", whole,
    "| with gaps:", with_gaps, "| leaf by leaf the same:", same,
    "| all but the last, tree:", "works" if isinstance(as_tree, dict) else as_tree, "| function:", as_function,
)
right = (whole, with_gaps, same, isinstance(as_tree, dict), as_function) == (2, 4, True, True, "AttributeError")
raise SystemExit(0 if right else "this has changed")
PY
