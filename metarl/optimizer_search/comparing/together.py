"""together: several optimizers as one learner, of which a number says who steps.

A training program of a small problem takes longer to compile than to run, and most of it is alike for all optimizers:
the gradient, the batches, the loop. Optimizers that are branches of one learner share all that, and one program trains
with any of them. Only the branch that is asked for is computed, where runs are not batched.

Their states lie in one place: of each shape and type as many arrays as the optimizer has that needs most of them.

Letters: E optimizers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from ..training.inner_training import Learner

Kind = tuple[tuple[int, ...], Any]  # shape and type of an array


def one_of(learners: Sequence[Learner], which: jax.Array, params: Any) -> Learner:
    """Returns the learner that is `learners[which]`.

    Args:
      learners: E of them, all of which take parameters and gradients as the problem has them.
      which: the place of one, int32 []; may be traced.
      params: what they train, or its shapes and types.
    """
    if len(learners) == 1:
        return learners[0]
    store = _store_for([jax.eval_shape(learner.init, params) for learner in learners])

    def init(packed: Any) -> list[jax.Array]:
        def branch(place: int) -> Callable:
            return lambda packed: store.put(store.blank(), place, learners[place].init(packed))

        return lax.switch(which, [branch(place) for place in range(len(learners))], packed)

    def step(memory: Any, packed: Any, grads: Any, t: jax.Array) -> tuple[Any, Any]:
        def branch(place: int) -> Callable:
            def stepped(memory: Any, packed: Any, grads: Any, t: jax.Array) -> tuple[Any, Any]:
                packed, own = learners[place].step(store.get(memory, place), packed, grads, t)
                return packed, store.put(memory, place, own)

            return stepped

        branches = [branch(place) for place in range(len(learners))]
        return lax.switch(which, branches, memory, packed, grads, t)

    def judged(memory: Any, packed: Any) -> Any:
        def branch(place: int) -> Callable:
            return lambda memory, packed: learners[place].judged(store.get(memory, place), packed)

        branches = [branch(place) for place in range(len(learners))]
        return lax.switch(which, branches, memory, packed)

    return Learner(learners[0].pack, learners[0].unpack, init, step, judged)


class _Store(NamedTuple):
    """Where the states of all learners lie, one at a time."""

    kinds: list[Kind]  # of the arrays
    structures: list[Any]  # of the states, [E]
    slots: list[list[int]]  # which array has each leaf of a state, [E]

    def blank(self) -> list[jax.Array]:
        """Returns the arrays of nobody."""
        return [jnp.zeros(shape, kind) for shape, kind in self.kinds]

    def get(self, arrays: Sequence[jax.Array], place: int) -> Any:
        """Returns the state of one learner."""
        leaves = [arrays[slot] for slot in self.slots[place]]
        return jax.tree.unflatten(self.structures[place], leaves)

    def put(self, arrays: Sequence[jax.Array], place: int, state: Any) -> list[jax.Array]:
        """Returns the arrays with the state of one learner in them."""
        found = list(arrays)
        for slot, leaf in zip(self.slots[place], jax.tree.leaves(state), strict=True):
            found[slot] = jnp.asarray(leaf, self.kinds[slot][1])
        return found


def _store_for(states: Sequence[Any]) -> _Store:
    """Returns the smallest store for states of these shapes and types."""
    kinds = [[(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(state)] for state in states]
    most: Counter[Kind] = Counter()
    for own in kinds:
        most |= Counter(own)
    begins, arrays = {}, []
    for kind, count in most.items():
        begins[kind] = len(arrays)
        arrays += [kind] * count
    slots = []
    for own in kinds:
        taken: Counter[Kind] = Counter()
        places = []
        for kind in own:
            places.append(begins[kind] + taken[kind])
            taken[kind] += 1
        slots.append(places)
    return _Store(arrays, [jax.tree.structure(state) for state in states], slots)
