"""The exporter to optax: a rule as one standalone file that needs jax and optax alone.

    print(to_python("exp(sign(g) * sign(m)) * g", name="powersign"))

The file holds one public function, which takes `learning_rate` and what else matters for the rule. It is text: metarl
never runs it.
"""

from __future__ import annotations

import textwrap
from typing import Any

from .compiler import NOT_REAL, as_rule
from .file_header import (
    class_name,
    example_rate,
    head,
    identifier,
    indented,
    known_provenance,
)
from .provenance import Provenance
from .rule import Rule
from .source_code import ARRAY, Code, SourceWriter
from .tensor_source import of_tensors_in_jax

_MOMENTS = {
    "m": ("mu", "b1", 1, "0.9"),
    "v": ("nu", "b2", 2, "0.999"),
    "y": ("xi", "b3", 3, "0.999"),
}
_POWERS = {"m": "g", "v": "g^2", "y": "g^3"}
# Averages that are updated in their own way: field of the state, its meaning, rates with defaults and meanings.
_OTHER_AVERAGES = {
    "s": ("slow", "slow average of g", (("slow_b", "0.9999", "rate of the slow average s."),)),
    "c": (
        "lion",
        "moving average of g that c interpolates",
        (
            ("lion_b1", "0.9", "share of the average in the interpolation c, as in Lion."),
            ("lion_b2", "0.99", "rate of that average, as in Lion."),
        ),
    ),
}
_LEAST_OPTAX = "0.2.5"  # the first with `optax.tree`


def to_python(
    rule: Rule | str,
    *,
    name: str | None = None,
    provenance: Provenance | None = None,
) -> str:
    """Returns the source of a file that holds a rule as an optax transform.

    Args:
      rule: a `Rule`, the name of one or its text.
      name: of the function; None takes the rule's own name, or "found_rule".
      provenance: where the rule comes from, for the head of the file, and its learning rate, for the usage example;
        None says what the table of named rules knows.

    Returns:
      Python source. One step of it equals one step of `to_optax(rule, ...)`.

    Raises:
      InvalidInput: the rule cannot be read, or the name is no identifier of Python.
    """
    rule = as_rule(rule)
    provenance = provenance or known_provenance(rule)
    name = identifier(rule, name)
    writer = _JaxWriter()
    value = writer.write(rule.expression)
    state = class_name(name) + "State"
    parts = [
        head(
            rule,
            name,
            provenance,
            "an optax transform",
            f"jax and optax >= {_LEAST_OPTAX}",
            _usage(name, writer, provenance),
        ),
        "from __future__ import annotations",
        "",
        "from typing import Any, NamedTuple",
        "",
        "import jax",
        "import jax.numpy as jnp",
        "import optax",
        "",
        "",
        *_state(state, writer),
        "",
        "",
        *_signature(name, writer),
        *indented(_docstring(name, writer)),
        "",
        *indented(_init(state, writer)),
        "",
        *indented(_update(state, writer, value)),
        "",
        *indented(_CHAIN),
        "",
        "",
        *_REAL_ARRAYS,
        *(["", "", *_AS_KEY] if "key" in writer.used else []),
        *of_tensors_in_jax(writer),
    ]
    return "\n".join(parts) + "\n"


class _JaxWriter(SourceWriter):
    """Writes jax."""

    def __init__(self):
        super().__init__("jnp")

    def call(self, function: str, *arguments: Any) -> Code:
        return super().call("power" if function == "pow" else function, *arguments)

    def draw_normal(self, number: int) -> Code:
        self._fold_in(number)
        self.lines.append(f"noise_{number} = jax.random.normal(key_{number}, g.shape, g.dtype)")
        return Code(self, f"noise_{number}")

    def draw_kept(self, number: int, rate: float) -> Code:
        self._fold_in(number)
        kept = f"jax.random.bernoulli(key_{number}, {self.code(1.0 - rate).text}, g.shape)"
        self.lines.append(f"kept_{number} = {kept}")
        return Code(self, f"kept_{number}")

    def filled(self, code: Code) -> Code:
        self.used.add("g")
        return Code(self, f"jnp.full_like(g, {code.text})")

    def _fold_in(self, number: int) -> None:
        self.used |= {"g", "key"}
        self.lines.append(f"key_{number} = jax.random.fold_in(key, {number})")


def _moments(writer: SourceWriter) -> list[tuple[str, str, str, int, str]]:
    """Returns (moment, field of the state, rate, order, default rate) of every average that the rule reads."""
    return [(moment, *row) for moment, row in _MOMENTS.items() if moment in writer.used]


def _others(writer: SourceWriter) -> list[tuple[str, str, str, tuple[tuple[str, str, str], ...]]]:
    """Returns (average, field of the state, meaning, rates) of the averages that are no moments."""
    return [(name, *row) for name, row in _OTHER_AVERAGES.items() if name in writer.used]


def _state(state: str, writer: SourceWriter) -> list[str]:
    fields = ["count: jax.Array  # steps taken"]
    fields += [
        f"{field}: optax.Updates  # moving average of {_POWERS[moment]}"
        for moment, field, *_ in _moments(writer)
    ]
    fields += [f"{field}: optax.Updates  # {meaning}" for _, field, meaning, _ in _others(writer)]
    fields += ["key: jax.Array  # numbers of the random key"] * ("key" in writer.used)
    return [
        f"class {state}(NamedTuple):",
        *indented(['"""What is remembered between steps."""', "", *fields]),
    ]


def _arguments(writer: SourceWriter) -> list[tuple[str, str]]:
    """Returns (declaration, meaning) of every keyword argument."""
    rows = [
        (f"{rate}: float = {default}", f"rate of the moving average of {_POWERS[moment]}.")
        for moment, _, rate, _, default in _moments(writer)
    ]
    rows += [
        (f"{rate}: float = {default}", meaning)
        for *_, rates in _others(writer)
        for rate, default, meaning in rates
    ]
    if "eps" in writer.used:
        rows.append(("eps: float = 1e-8", "keeps divisors away from zero."))
    if "total_steps" in writer.used:
        rows.insert(0, ("total_steps: int", "number of steps of the whole run."))
    rows.append(
        ("weight_decay: float | None = None", "strength of decoupled weight decay, as in AdamW.")
    )
    rows.append(("mask: Any = None", "which parameters decay, as in `optax.adamw`."))
    if "may_be_matrix" in writer.used:
        rows.append(
            (
                "roles: Any = None",
                "what each leaf is to its network: a tree like the parameters' or a prefix of it, or a function from "
                "parameters to one, of texts: matrix, convolution, embedding, output, vector. The first two alone may "
                "be matrices then; None: all leaves of two axes or more are.",
            )
        )
    if writer.used & {"m", "s", "c"}:
        rows.append(("mu_dtype: Any = None", "type of the average of g; None: the parameters'."))
    if "key" in writer.used:
        rows.append(
            (
                "seed: int | jax.Array = 0",
                "of the random draws: an integer or a typed key. Equal seeds draw the same for leaves of one place and "
                "shape: give each label of `optax.multi_transform`, and each shard of `jax.shard_map`, its own.",
            )
        )
    return rows


def _signature(name: str, writer: SourceWriter) -> list[str]:
    declarations = [
        "learning_rate: optax.ScalarOrSchedule",
        "*",
        *(row[0] for row in _arguments(writer)),
    ]
    return [
        f"def {name}(",
        *(f"    {declaration}," for declaration in declarations),
        ") -> optax.GradientTransformationExtraArgs:",
    ]


def _docstring(name: str, writer: SourceWriter) -> list[str]:
    meanings = [
        ("learning_rate: ", "a number, or a schedule from steps taken to a number."),
        *_arguments(writer),
    ]
    return [
        f'"""Returns the optimizer `{name}`; the head of this file gives its formula.',
        "",
        *(_ROUNDED if writer.used & {"v", "y"} else ()),
        "Args:",
        *(
            line
            for declaration, meaning in meanings
            for line in textwrap.wrap(
                f"{declaration.partition(':')[0]}: {meaning}",
                _WIDTH,
                initial_indent=" " * 4,
                subsequent_indent=" " * 8,
            )
        ),
        "",
        "Returns:",
        "    An optax transform from gradients to updates of the parameters.",
        '"""',
    ]


def _init(state: str, writer: SourceWriter) -> list[str]:
    fields = ["count=jnp.zeros([], jnp.int32)"]
    for moment, field, *_ in _moments(writer):
        dtype = ", dtype=mu_dtype" if moment == "m" else ""
        fields.append(f"{field}=optax.tree.zeros_like(params{dtype})")
    fields += [
        f"{field}=optax.tree.zeros_like(params, dtype=mu_dtype)" for _, field, *_ in _others(writer)
    ]
    fields += ["key=jax.random.key_data(_as_key(seed))"] * ("key" in writer.used)
    checked = '_real_arrays("parameters", params)'
    averages = _moments(writer) or _others(writer)
    lines = [f"    params = {checked}" if averages else f"    {checked}"]
    body = [f"    return {state}(", *(f"        {field}," for field in fields), "    )"]
    if len(fields) == 1:
        body = [f"    return {state}({fields[0]})"]
    return [f"def init(params: optax.Params) -> {state}:", *lines, *body]


def _update(state: str, writer: SourceWriter, value: Code) -> list[str]:
    moments = _moments(writer)
    lines = ["del extra_args" if "w" in writer.used else "del params, extra_args"]
    if "w" in writer.used:
        lines = ["del extra_args", "if params is None:"]
        lines.append(
            '    raise ValueError("this rule needs params: update(gradients, state, params)")'
        )
        lines.append('params = _real_arrays("parameters", params)')
    lines.append('gradients = _real_arrays("gradients", gradients)')
    lines.append("count = optax.safe_increment(state.count)")
    for moment, field, rate, order, _ in moments:
        lines.append(
            f"{field} = optax.tree.update_moment(gradients, state.{field}, {rate}, {order})"
        )
        lines.append(f"{moment} = optax.tree.bias_correction({field}, {rate}, count)")
        lines.append(f"{field} = optax.tree.cast_like({field}, state.{field})")
    if "s" in writer.used:
        lines += _SLOW
    if "c" in writer.used:
        lines += _LION
    if "t" in writer.used:
        lines.append("t = state.count")
    if "key" in writer.used:
        lines += [
            "implementation = jax.random.key_impl(_as_key(seed))",
            "key = jax.random.wrap_key_data(state.key, impl=implementation)",
            "draw = jax.random.fold_in(key, state.count)",
            "keys = optax.tree.split_key_like(draw, gradients)",
        ]
    lines += ["", *_leaf_function(writer, value), ""]
    trees = {"w": "params", "key": "keys", "may_be_matrix": "_matrices(roles, gradients)"}
    columns = ", ".join(
        ["gradients", *(trees.get(name, name) for name in _leaf_arguments(writer)[1:])]
    )
    kept = ", ".join(
        [
            "count",
            *(field for _, field, *_ in moments),
            *(field for _, field, *_ in _others(writer)),
            *(["state.key"] * ("key" in writer.used)),
        ]
    )
    lines.append(f"updates = jax.tree.map(rule, {columns})")
    lines.append(f"return updates, {state}({kept})")
    return [
        "def update(",
        "    gradients: optax.Updates,",
        f"    state: {state},",
        "    params: optax.Params | None = None,",
        "    **extra_args: Any,",
        f") -> tuple[optax.Updates, {state}]:",
        *indented(lines),
    ]


def _leaf_arguments(writer: SourceWriter) -> list[str]:
    names = ("m", "v", "y", "s", "c", "w", "key", "may_be_matrix")
    return ["g", *(name for name in names if name in writer.used)]


def _leaf_function(writer: SourceWriter, value: Code) -> list[str]:
    whole = value.kind == ARRAY
    result = [
        f"update = {value.text}",
        "return update.astype(g.dtype)" if whole else "return jnp.full_like(g, update)",
    ]
    return [f"def rule({', '.join(_leaf_arguments(writer))}):", *indented([*writer.lines, *result])]


def _usage(name: str, writer: SourceWriter, provenance: Provenance) -> list[str]:
    steps = ", total_steps=1000" if "total_steps" in writer.used else ""
    rate = example_rate(provenance)
    return [
        f"optimizer = {name}(learning_rate={rate}{steps})",
        "state = optimizer.init(params)",
        "updates, state = optimizer.update(gradients, state, params)",
        "params = optax.apply_updates(params, updates)",
    ]


_WIDTH = 80  # of the lines of a docstring
_ROUNDED = (
    "Where all parameters are bfloat16, `optax.inject_hyperparams` rounds 0.999 to 1, and",
    "updates are NaN: give it `hyperparam_dtype=jnp.float32`.",
    "",
)

_SLOW = (
    "share = jnp.maximum(1.0 / count, 1.0 - slow_b)",
    "s = jax.tree.map(",
    "    lambda g, old: old + (g - old) * share.astype(g.dtype), gradients, state.slow",
    ")",
    "slow = optax.tree.cast_like(s, state.slow)",
)

_LION = (
    "weights = 1.0 - lion_b1 * lion_b2 ** (1.0 * state.count)",
    "c = jax.tree.map(",
    "    lambda g, old: ((1.0 - lion_b1) * g + lion_b1 * old) / weights.astype(g.dtype),",
    "    gradients,",
    "    state.lion,",
    ")",
    "lion = optax.tree.update_moment(gradients, state.lion, lion_b2, 1)",
    "lion = optax.tree.cast_like(lion, state.lion)",
)

_CHAIN = (
    "decay = ()",
    "if weight_decay is not None:",
    "    decay = (optax.add_decayed_weights(weight_decay, mask),)",
    "return optax.chain(",
    "    optax.GradientTransformationExtraArgs(init, update),",
    "    *decay,",
    "    optax.scale_by_learning_rate(learning_rate),",
    ")",
)

_REAL_ARRAYS = (
    "def _real_arrays(what: str, tree: Any) -> Any:",
    '    """Returns a tree as arrays; raises where a leaf is not of real numbers."""',
    "    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):",
    "        dtype, leaf = jnp.result_type(leaf), jax.tree_util.keystr(path)",
    "        if not jnp.issubdtype(dtype, jnp.floating):",
    "            raise ValueError(",
    f'                f"{NOT_REAL[0]} "',
    f'                f"{NOT_REAL[1]}"',
    "            )",
    "    return jax.tree.map(jnp.asarray, tree)",
)

_AS_KEY = (
    "def _as_key(seed: int | jax.Array) -> jax.Array:",
    '    """Returns a typed random key, given itself or an integer."""',
    "    if isinstance(seed, jax.Array) and jnp.issubdtype(seed.dtype, jax.dtypes.prng_key):",
    "        return seed",
    "    return jax.random.key(seed)",
)
