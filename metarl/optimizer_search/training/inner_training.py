"""inner training: one network, one optimizer, a fixed number of steps; and many of them in one compiled program.

`train` is the loop itself, written for one run. An optimizer inside it is a `Learner`: rules of the
interpreter work on a flat vector of parameters, optax transforms on the tree. What a run starts from and
which examples it sees is its *replicate*: a seed draws the starting parameters, the split of the data and the
order of the batches, so runs of different optimizers on one replicate are paired. A `Fixture` holds the
arrays of S replicates.

Where batches are to differ in size (`Spread.batch`), a replicate has one of a few sizes b, the rungs of a ladder from
1 / x to x times the problem's, neighbours at most a factor of 2 apart, each rung as likely. Step t takes the rows
t b ... t b + b - 1 of the replicate's own order, round and round, and the gradient is the problem's own on exactly
these. The loop holds a gradient for each size and branches: nothing is padded or weighted, a loss need not be a mean
over rows (batch norm), and a run costs what its own size costs. What is compiled grows by a gradient for each size.

Where networks are to differ in width (`Spread.width`), a replicate is trained at one of three widths of the problem's
hidden layers, 1 / x, 1 and x times the usual, each as likely; its seed draws which. A fixture holds starts of every
replicate at each width, and a program branches over whole runs (`at_own_width`): in a branch shapes are static, a run
costs what its own width costs, and the rest, examples, order, length, scale and batches, is the replicate's whatever
its width. What is compiled grows threefold. Masking units of a wide network would compile once, but weights that no
gradient moves are still moved by noise and constants, and counted in the norm of a tensor: a rule would be another one.

The loop leaves as soon as a run has diverged; a diverged run has the loss +inf, never NaN.

Letters: S replicates, N steps, P parameters, n training examples, h held-out examples, B examples of a batch.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from metarl.errors import require
from metarl.problems import Problem, at_width
from metarl.user_code import told

HeldOut = Literal["search", "choice", "test"]

# of the streams of random numbers that factors are drawn from
_LENGTH, _SCALE, _BATCH, _WIDTH = 0x1E46, 0x5CA1, 0xBA7C, 0x71D7

# A run has diverged once its loss rises this many times (|first loss| + 1) above its first loss.
_DIVERGENCE = 10.0
_ROUNDING = 1e-5  # relative, between two programs that compute the same
_STEPS_TO_SETTLE = 2  # a first average makes the next one finer


class Spread(NamedTuple):
    """How far replicates differ beyond start, split and order: by factors of 1 / x to x, uniform in the logarithm.

    Sizes of batches and layers are shapes: of them there are a few from 1 / x to x, evenly in the logarithm
    (`batch_sizes`, `widths`).
    """

    horizon: float = 1.0  # x, of the number of steps
    scale: float = 1.0  # x, of the starting parameters
    batch: float = 1.0  # x, of the examples of a batch
    width: float = 1.0  # x, of the units of hidden layers

    @property
    def widths(self) -> tuple[float, ...]:
        """Factors of the units of hidden layers, rising; none where all are alike."""
        return () if self.width == 1.0 else (1.0 / self.width, 1.0, self.width)


ALIKE = Spread()


class Fixture(NamedTuple):
    """What S replicates start from and are judged on, as arrays that a program reads by offset."""

    seeds: jax.Array  # [S] int32
    params: Any  # leaves [S, ...]; a tuple of such trees, one for each width, where replicates differ in it
    model_state: Any  # leaves [S, ...], likewise
    pool: Any  # leaves [n + h', ...]: the examples of "train" and "search"
    order: jax.Array  # [S (n + B)] int32, places in the pool: batches in order, the first (largest) B again at the end
    held: Any  # examples [h, ...] when all replicates share them, or else places in the pool, int32 [S h]
    lengths: Any = (
        None  # [S] float32, factors of the number of steps; None where all runs are equally long
    )
    sizes: Any = (
        None  # [S] int32, places of their batches' size in the layout's; None where all are alike
    )
    widths: Any = None  # [S] int32, places of their width in the layout's; None where all are alike


class Layout(NamedTuple):
    """The static sizes of a fixture."""

    replicates: int  # S
    train: int  # n
    batch: int  # B
    held: int  # h
    shared: bool  # whether all replicates are judged on the same held-out examples
    batches: tuple[int, ...] = ()  # sizes of batches, rising, where replicates differ in it
    widths: tuple[float, ...] = ()  # factors of the units of hidden layers, rising, likewise

    @property
    def row(self) -> int:
        """Places of one replicate in the order: its training examples, and the first of them again."""
        return self.train + max(self.batches, default=self.batch)


class Learner(NamedTuple):
    """An optimizer as the loop sees it.

    `pack` turns parameters or gradients from the problem's tree to the optimizer's own form, `unpack` is its inverse;
    `init` makes the memory from packed parameters; `step(memory, packed parameters, packed gradients, t)` returns
    the next packed parameters and memory. `judged(memory, packed parameters)` gives the parameters, packed, that are
    judged, where they are not those that are trained.
    """

    pack: Callable[[Any], Any]
    unpack: Callable[[Any], Any]
    init: Callable[[Any], Any]
    step: Callable[[Any, Any, Any, jax.Array], tuple[Any, Any]]
    judged: Callable[[Any, Any], Any] = lambda memory, packed: packed


class Run(NamedTuple):
    """One training run under way."""

    t: jax.Array  # [], steps taken
    packed: Any
    memory: Any
    model_state: Any
    ceiling: jax.Array  # [], the loss above which the run counts as diverged
    alive: jax.Array  # [] bool


def draw_fixture(
    problem: Problem, held_out: HeldOut, seeds: Sequence[int], spread: Spread = ALIKE
) -> tuple[Fixture, Layout]:
    """Returns the replicates that `seeds` draw; each depends on its own seed alone.

    The examples of "train" and "search" form one pool. Every seed draws its own training examples from it; with
    `held_out="search"` the rest of the pool is what the run is judged on, so that no rule can fit one small split.
    "choice" and "test" are fixed sets that no pool contains.

    Args:
      problem: that is trained.
      held_out: what runs are judged on.
      seeds: one of each replicate.
      spread: how far lengths of runs, scales of starting parameters, sizes of batches and widths differ. Which of the
        layout's sizes and widths a replicate has is data, as its length and scale, so that one compiled program serves
        all replicates.

    Raises:
      InvalidInput: widths are to differ and the problem has none.
    """
    train, search = problem.examples("train"), problem.examples("search")
    pool = jax.tree.map(lambda *parts: np.concatenate(parts), train, search)
    size, n = _rows(pool), _rows(train)
    batch = min(problem.batch_size, n)
    batches = () if spread.batch == 1.0 else batch_sizes(problem.batch_size, spread.batch, n)
    again = max(batches, default=batch)
    orders, rest = [], []
    for seed in seeds:
        order = np.random.default_rng([seed, 0x5EED]).permutation(size).astype(np.int32)
        orders.append(np.concatenate([order[:n], order[:again]]))
        rest.append(order[n:])
    shared = held_out != "search"
    held = problem.examples(held_out) if shared else np.concatenate(rest)
    if spread.widths:
        starts = [_starts(at_width(problem, factor), seeds) for factor in spread.widths]
        params, model_state = zip(*starts, strict=True)
    else:
        params, model_state = _starts(problem, seeds)
    if spread.scale != 1.0:
        params = _scaled(params, factors(seeds, _SCALE, spread.scale))
    lengths = None if spread.horizon == 1.0 else factors(seeds, _LENGTH, spread.horizon)
    arrays = jax.tree.map(jnp.asarray, (pool, np.concatenate(orders), held))
    fixture = Fixture(jnp.asarray(seeds, jnp.int32), params, model_state, *arrays)
    if lengths is not None:
        fixture = fixture._replace(lengths=jnp.asarray(lengths))
    if batches:
        rungs = _rungs(problem.batch_size, spread.batch, n)
        own = [batches.index(rungs[place]) for place in _places(seeds, _BATCH, len(rungs))]
        fixture = fixture._replace(sizes=jnp.asarray(own, jnp.int32))
    if spread.widths:
        own = _places(seeds, _WIDTH, len(spread.widths))
        fixture = fixture._replace(widths=jnp.asarray(own, jnp.int32))
    held_rows = _rows(held) if shared else size - n
    layout = Layout(len(seeds), n, batch, held_rows, shared, batches, spread.widths)
    return fixture, layout


def factors(seeds: Sequence[int], stream: int, most: float) -> np.ndarray:
    """Returns a factor for each seed, from 1 / most to most, uniform in its logarithm, float32 [S]."""
    return np.asarray(most ** _uniform(seeds, stream), np.float32)


def batch_sizes(usual: int, most: float, examples: int) -> tuple[int, ...]:
    """Returns the sizes that batches may have, rising.

    They are usual · most^(k / K), k = -K ... K, rounded, at least 1 and at most all examples, with the least K for
    which neighbours are at most a factor of 2 apart. Sizes that coincide by that are one, as likely as all of theirs.

    Args:
      usual: B of the problem.
      most: x, the largest is so many times the usual, above 1.
      examples: n.

    >>> batch_sizes(64, 4.0, 800)
    (16, 32, 64, 128, 256)
    >>> batch_sizes(4, 3.0, 10)
    (1, 2, 4, 7, 10)
    """
    return tuple(sorted(set(_rungs(usual, most, examples))))


def _rungs(usual: int, most: float, examples: int) -> list[int]:
    """Returns the sizes of `batch_sizes`, each as often as it occurs."""
    half = math.ceil(math.log2(most))
    ladder = [most ** (k / half) for k in range(-half, half + 1)]
    return [min(max(1, round(usual * factor)), examples) for factor in ladder]


def _places(seeds: Sequence[int], stream: int, count: int) -> list[int]:
    """Returns one of so many places for each seed, each place as likely."""
    return [int(place) for place in (_uniform(seeds, stream) + 1.0) / 2.0 * count]


def _uniform(seeds: Sequence[int], stream: int) -> np.ndarray:
    """Returns a number in [-1, 1) for each seed, [S]."""
    return np.array([np.random.default_rng([seed, stream]).uniform(-1.0, 1.0) for seed in seeds])


def versions(problem: Problem, layout: Layout, fixture: Fixture) -> list[tuple[Problem, Fixture]]:
    """Returns the problem and its replicates at each width of a layout; just these where all are alike."""
    if not layout.widths:
        return [(problem, fixture)]
    return [
        (at_width(problem, factor), fixture._replace(params=params, model_state=model_state))
        for factor, params, model_state in zip(
            layout.widths, fixture.params, fixture.model_state, strict=True
        )
    ]


def at_own_width(
    fixture: Fixture, replicate: jax.Array, branches: Sequence[Callable[[], Any]]
) -> Any:
    """Returns what the branch of a replicate's width gives.

    Args:
      fixture: of all widths.
      replicate: which of its replicates, int32 []; not batched, so that one branch alone is computed.
      branches: one for each of `versions`.
    """
    if len(branches) == 1:
        return branches[0]()
    return lax.switch(fixture.widths[replicate], branches)


def steps_of(fixture: Fixture, replicate: jax.Array, steps: jax.typing.ArrayLike) -> Any:
    """Returns the steps of a run on one replicate where the usual number is `steps`; 0 stays 0."""
    if fixture.lengths is None:
        return steps
    own = jnp.round(jnp.asarray(steps, jnp.float32) * fixture.lengths[replicate])
    return jnp.where(steps == 0, 0, jnp.maximum(own, 1.0)).astype(jnp.int32)


def optax_learner(
    transform: optax.GradientTransformation,
    evaluation: Callable[[Any, Any], Any] | None = None,
) -> Learner:
    """Returns an optax transform as the inner loop sees it.

    Args:
      transform: the optimizer.
      evaluation: from its state and the parameters to the parameters that are judged; the parameters if not given.
    """

    def step(state: Any, params: Any, grads: Any, t: jax.Array) -> tuple[Any, Any]:
        updates, state = transform.update(grads, state, params)
        return optax.apply_updates(params, updates), state

    def judged(state: Any, params: Any) -> Any:
        if evaluation is None:
            return params
        with told("The function of (state, parameters) beside an optimizer raised", evaluation):
            found = evaluation(state, params)
        require(
            _shapes(found) == _shapes(params),
            "The function of (state, parameters) beside an optimizer must give parameters of the same structure and "
            "shapes.",
        )
        return jax.tree.map(lambda x, like: jnp.asarray(x, like.dtype), found, params)

    def init(params: Any) -> Any:
        return settled(transform, params)

    return Learner(lambda tree: tree, lambda tree: tree, init, step, judged)


def settled(transform: optax.GradientTransformation, params: Any) -> Any:
    """Returns the first state of a transform, in the types that it has after its first steps.

    Where parameters are coarser than float32 some optimizers begin with numbers of their type, and go on with
    float32; a compiled loop wants one type. A finer type holds the same numbers.

    Args:
      transform: the optimizer.
      params: that it is to train.

    Raises:
      InvalidInput: the state is laid out otherwise after a step than before.
    """
    state = transform.init(params)
    if all(jnp.result_type(leaf) == jnp.float32 for leaf in jax.tree.leaves(params)):
        return state
    for _ in range(_STEPS_TO_SETTLE):
        after = jax.eval_shape(lambda p, s: transform.update(p, s, p)[1], params, state)
        require_steady(state, after, types=False)
        state = _promoted(state, after)
    return state


def require_steady(state: Any, after: Any, types: bool = True, about: str = "") -> None:
    """Raises unless an optimizer's state is laid out after a step as before, as a compiled loop needs it.

    Args:
      state: before the step.
      after: its shapes and types after it.
      types: whether the types of numbers have to agree too.
      about: the beginning of the message.

    Raises:
      InvalidInput: says what changes.
    """
    require(
        jax.tree.structure(after) == jax.tree.structure(state),
        f"{about}the optimizer's state is {jax.tree.structure(state)} before a step and "
        f"{jax.tree.structure(after)} after it; "
        "it must keep its structure.",
    )
    pairs = zip(jax.tree_util.tree_leaves_with_path(state), jax.tree.leaves(after), strict=True)
    for (path, leaf), later in pairs:
        kind = jnp.result_type(leaf)
        require(
            jnp.shape(leaf) == later.shape and (kind == later.dtype or not types),
            f"{about}the optimizer's state{jax.tree_util.keystr(path)} is {kind} {list(jnp.shape(leaf))} before a step "
            f"and {later.dtype} {list(later.shape)} after it; it must keep its shape and type.",
        )


def _promoted(tree: Any, types: Any) -> Any:
    return jax.tree.map(
        lambda x, like: jnp.asarray(x, jnp.promote_types(jnp.result_type(x), like.dtype)),
        tree,
        types,
    )


def _shapes(tree: Any) -> Any:
    leaves, structure = jax.tree.flatten(tree)
    return structure, [jnp.shape(leaf) for leaf in leaves]


def train(
    problem: Problem,
    layout: Layout,
    learner: Learner,
    fixture: Fixture,
    replicate: jax.Array,
    run: Run,
    until: jax.Array,
    never_stop: bool = False,
) -> Run:
    """Returns `run` after step `until`, or where it diverged before.

    Args:
      problem: what is trained.
      layout: sizes of the fixture.
      learner: the optimizer.
      fixture: the replicates.
      replicate: which of them, int32 [].
      run: where to begin, see `start`.
      until: total steps to have taken at the end, int32 [].
      never_stop: go on after divergence; only to measure speed.
    """
    key = jax.random.key(fixture.seeds[replicate])
    gradient = jax.value_and_grad(problem.loss, has_aux=True)

    def of_batches(size: int) -> Callable[[Run], Any]:
        def of(run: Run) -> Any:
            offset = replicate * layout.row + (run.t * size) % layout.train
            places = lax.dynamic_slice_in_dim(fixture.order, offset, size)
            batch = _take(fixture.pool, places)
            return gradient(
                learner.unpack(run.packed), run.model_state, batch, jax.random.fold_in(key, run.t)
            )

        return of

    def step(run: Run) -> Run:
        if layout.batches:
            own = fixture.sizes[replicate]
            found = lax.switch(own, [of_batches(size) for size in layout.batches], run)
        else:
            found = of_batches(layout.batch)(run)
        (loss, model_state), grads = found
        packed, memory = learner.step(run.memory, run.packed, learner.pack(grads), run.t)
        first = loss + _DIVERGENCE * (jnp.abs(loss) + 1.0)
        ceiling = jnp.where(run.t == 0, first, run.ceiling)
        alive = run.alive & (loss <= ceiling)
        return Run(run.t + 1, packed, memory, model_state, ceiling, alive)

    return lax.while_loop(lambda run: (run.t < until) & (run.alive | never_stop), step, run)


def start(learner: Learner, fixture: Fixture, replicate: jax.Array) -> Run:
    """Returns the beginning of a run on one replicate."""
    params, model_state = jax.tree.map(
        lambda x: x[replicate], (fixture.params, fixture.model_state)
    )
    packed = learner.pack(params)
    return Run(
        jnp.int32(0), packed, learner.init(packed), model_state, jnp.float32(0), jnp.bool_(True)
    )


def held_out_score(
    problem: Problem,
    layout: Layout,
    learner: Learner,
    fixture: Fixture,
    replicate: jax.Array,
    run: Run,
) -> tuple[jax.Array, jax.Array]:
    """Returns held-out loss [] (+inf when the run diverged) and metric [] (NaN when the problem has none)."""
    held = fixture.held
    if not layout.shared:
        places = lax.dynamic_slice_in_dim(held, replicate * layout.held, layout.held)
        held = _take(fixture.pool, places)
    params = learner.unpack(learner.judged(run.memory, run.packed))
    result = problem.evaluate(params, run.model_state, held)
    loss = jnp.asarray(result["loss"], jnp.float32)
    metric = jnp.float32(jnp.nan) if problem.metric is None else result[problem.metric]
    return jnp.where(run.alive & jnp.isfinite(loss), loss, jnp.inf), jnp.asarray(
        metric, jnp.float32
    )


def _scaled(params: Any, scales: np.ndarray) -> Any:
    """Returns starting parameters, leaves [S, ...], each replicate's times a factor of its own, [S]."""

    def times(leaf: jax.Array) -> jax.Array:
        return leaf * jnp.asarray(scales, leaf.dtype).reshape(-1, *[1] * (leaf.ndim - 1))

    return jax.tree.map(times, params)


def _rows(examples: Any) -> int:
    return jax.tree.leaves(examples)[0].shape[0]


def _take(examples: Any, places: jax.Array) -> Any:
    return jax.tree.map(lambda x: x.at[places].get(mode="promise_in_bounds"), examples)


def _starts(problem: Problem, seeds: Sequence[int]) -> tuple[Any, Any]:
    """Returns the starting parameters and model states of all seeds, leaves [S, ...]."""
    return _all_starts(problem.init, jnp.asarray(seeds, jnp.uint32))


@functools.partial(jax.jit, static_argnums=0)
def _all_starts(init: Callable[[jax.Array], tuple[Any, Any]], seeds: jax.Array) -> tuple[Any, Any]:
    # lax.map, not vmap: a start depends on its own seed alone, to the last bit
    return lax.map(lambda seed: init(jax.random.key(seed)), seeds)


def check_start(problem: Problem) -> None:
    """Refuses a problem whose loss is not finite before the first step.

    Raises:
      InvalidInput: names the problem and the loss.
    """
    loss = _loss_of_start(problem)
    require(
        math.isfinite(loss),
        f"Problem {problem.name!r}: the loss is {loss} before the first step. Its starting parameters or its "
        "data must be mended; no optimizer can be judged on it.",
    )


def check_widths(problem: Problem, spread: Spread) -> None:
    """Refuses a problem that cannot be trained at the widths of a spread, or is another one at a width of 1.

    Such is a problem whose loss was replaced, and its `at_width` was not.

    Raises:
      InvalidInput: names the problem and the losses.
    """
    for factor in spread.widths:
        check_start(at_width(problem, factor))
    assert problem.at_width is not None
    loss, other = _loss_of_start(problem), _loss_of_start(problem.at_width(1.0))
    require(
        abs(loss - other) <= _ROUNDING * abs(loss),
        f"Problem {problem.name!r}: its loss before the first step is {loss:g}, that of its at_width(1) {other:g}; "
        "they must be one problem. Who replaces init, loss or evaluate replaces at_width too, or sets it to None.",
    )


def _loss_of_start(problem: Problem) -> float:
    params, model_state = problem.init(jax.random.key(0))
    train = problem.examples("train")
    batch = jax.tree.map(lambda x: jnp.asarray(x[: problem.batch_size]), train)
    loss, _ = jax.jit(problem.loss)(params, model_state, batch, jax.random.key(1))
    return float(loss)
