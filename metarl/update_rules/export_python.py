"""The exporter to optax: a rule as one standalone file that needs jax and optax alone.

    print(to_python("exp(sign(g) * sign(m)) * g", name="powersign"))

The file holds one public function, which takes `learning_rate` and what else matters for the rule. It is text: metarl
never runs it.
"""

from __future__ import annotations

from typing import Any

from .compiler import as_rule
from .file_header import class_name, head, identifier, indented
from .provenance import Provenance
from .rule import Rule
from .source_code import ARRAY, Code, SourceWriter

_MOMENTS = {
    "m": ("mu", "b1", 1, "0.9"),
    "v": ("nu", "b2", 2, "0.999"),
    "y": ("xi", "b3", 3, "0.999"),
}
_POWERS = {"m": "g", "v": "g^2", "y": "g^3"}


def to_python(
    rule: Rule | str,
    *,
    name: str | None = None,
    provenance: Provenance | None = None,
    learning_rate: float | None = None,
) -> str:
    """Returns the source of a file that holds a rule as an optax transform.

    Args:
      rule: a `Rule`, the name of one or its text.
      name: of the function; None takes the rule's own name, or "found_rule".
      provenance: where the rule comes from, for the head of the file.
      learning_rate: shown in the usage example; None shows 1e-3.

    Returns:
      Python source. One step of it equals one step of `to_optax(rule, ...)`.

    Raises:
      InvalidInput: the rule cannot be read, or the name is no identifier of Python.
    """
    rule = as_rule(rule)
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
            "jax and optax",
            _usage(name, writer, learning_rate),
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

    def _fold_in(self, number: int) -> None:
        self.used |= {"g", "key"}
        self.lines.append(f"key_{number} = jax.random.fold_in(key, {number})")


def _moments(writer: SourceWriter) -> list[tuple[str, str, str, int, str]]:
    """Returns (moment, field of the state, rate, order, default rate) of every average that the rule reads."""
    return [(moment, *row) for moment, row in _MOMENTS.items() if moment in writer.used]


def _state(state: str, writer: SourceWriter) -> list[str]:
    fields = ["count: jax.Array  # steps taken"]
    fields += [
        f"{field}: optax.Updates  # moving average of {_POWERS[moment]}"
        for moment, field, *_ in _moments(writer)
    ]
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
    if "eps" in writer.used:
        rows.append(("eps: float = 1e-8", "keeps divisors away from zero."))
    if "total_steps" in writer.used:
        rows.insert(0, ("total_steps: int", "number of steps of the whole run."))
    rows.append(
        ("weight_decay: float | None = None", "strength of decoupled weight decay, as in AdamW.")
    )
    rows.append(("mask: Any = None", "which parameters decay, as in `optax.adamw`."))
    if "m" in writer.used:
        rows.append(("mu_dtype: Any = None", "type of the average of g; None: the parameters'."))
    if "key" in writer.used:
        rows.append(("seed: int = 0", "seed of the random draws."))
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
        "Args:",
        *(f"    {declaration.partition(':')[0]}: {meaning}" for declaration, meaning in meanings),
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
    fields += ["key=jax.random.key_data(jax.random.key(seed))"] * ("key" in writer.used)
    unused = [] if _moments(writer) else ["    del params"]
    body = [f"    return {state}(", *(f"        {field}," for field in fields), "    )"]
    if len(fields) == 1:
        body = [f"    return {state}({fields[0]})"]
    return [f"def init(params: optax.Params) -> {state}:", *unused, *body]


def _update(state: str, writer: SourceWriter, value: Code) -> list[str]:
    moments = _moments(writer)
    lines = ["del extra_args" if "w" in writer.used else "del params, extra_args"]
    if "w" in writer.used:
        lines = ["del extra_args", "if params is None:"]
        lines.append(
            '    raise ValueError("this rule needs params: update(gradients, state, params)")'
        )
    lines.append("count = optax.safe_increment(state.count)")
    for moment, field, rate, order, _ in moments:
        lines.append(
            f"{field} = optax.tree.update_moment(gradients, state.{field}, {rate}, {order})"
        )
        lines.append(f"{moment} = optax.tree.bias_correction({field}, {rate}, count)")
        lines.append(f"{field} = optax.tree.cast_like({field}, state.{field})")
    if "t" in writer.used:
        lines.append("t = state.count")
    if "key" in writer.used:
        lines += [
            "key = jax.random.wrap_key_data(state.key)",
            "draw = jax.random.fold_in(key, state.count)",
            "keys = optax.tree.split_key_like(draw, gradients)",
        ]
    lines += ["", *_leaf_function(writer, value), ""]
    trees = {"w": "params", "key": "keys"}
    columns = ", ".join(
        ["gradients", *(trees.get(name, name) for name in _leaf_arguments(writer)[1:])]
    )
    kept = ", ".join(
        ["count", *(field for _, field, *_ in moments), *(["state.key"] * ("key" in writer.used))]
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
    return ["g", *(name for name in ("m", "v", "y", "w", "key") if name in writer.used)]


def _leaf_function(writer: SourceWriter, value: Code) -> list[str]:
    whole = value.kind == ARRAY
    result = [
        f"update = {value.text}",
        "return update.astype(g.dtype)" if whole else "return jnp.full_like(g, update)",
    ]
    return [f"def rule({', '.join(_leaf_arguments(writer))}):", *indented([*writer.lines, *result])]


def _usage(name: str, writer: SourceWriter, learning_rate: float | None) -> list[str]:
    steps = ", total_steps=1000" if "total_steps" in writer.used else ""
    rate = f"{1e-3 if learning_rate is None else learning_rate:g}"
    return [
        f"optimizer = {name}(learning_rate={rate}{steps})",
        "state = optimizer.init(params)",
        "updates, state = optimizer.update(gradients, state, params)",
        "params = optax.apply_updates(params, updates)",
    ]


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
