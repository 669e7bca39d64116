"""The exporter to PyTorch: a rule as a `torch.optim.Optimizer` in one file that needs torch alone.

    print(to_torch("exp(sign(g) * sign(m)) * g", name="powersign"))

The class behaves as `torch.optim.Adam` does: parameter groups, `state_dict`, closures, `maximize`. It is text: metarl
never runs it, nor does it import torch.
"""

from __future__ import annotations

from typing import Any

from .compiler import as_rule
from .file_header import class_name, head, identifier, indented
from .provenance import Provenance
from .rule import Rule
from .source_code import ARRAY, CONSTANT, Code, SourceWriter

_MOMENTS = {
    "m": ("exp_avg", "beta1", "0.9", "g"),
    "v": ("exp_avg_sq", "beta2", "0.999", "g**2"),
    "y": ("exp_avg_cube", "beta3", "0.999", "g**3"),
}
_POWERS = {"m": "g", "v": "g^2", "y": "g^3"}


def to_torch(
    rule: Rule | str,
    *,
    name: str | None = None,
    provenance: Provenance | None = None,
    learning_rate: float | None = None,
) -> str:
    """Returns the source of a file that holds a rule as a PyTorch optimizer.

    Args:
      rule: a `Rule`, the name of one or its text.
      name: of the class, in CamelCase or as words joined by `_`; None takes the rule's own name, or "found_rule".
      provenance: where the rule comes from, for the head of the file.
      learning_rate: shown in the usage example; None shows 1e-3.

    Returns:
      Python source. One step of it equals one step of `to_optax(rule, ...)` to the rounding of two libraries; random
      draws come from other generators.

    Raises:
      InvalidInput: the rule cannot be read, or the name is no identifier of Python.
    """
    rule = as_rule(rule)
    name = class_name(identifier(rule, name))
    writer = _TorchWriter()
    value = writer.write(rule.expression)
    usage = _usage(name, writer, learning_rate)
    parts = [
        head(rule, name, provenance, "a PyTorch optimizer", "torch", usage),
        "import torch",
        "",
        "",
        f"class {name}(torch.optim.Optimizer):",
        *indented(_docstring(name, writer)),
        "",
        # Unpickled and copied optimizers do not run __init__.
        *(["    generator = None", ""] if "generator" in writer.used else []),
        *indented(_constructor(writer)),
        "",
        *indented(_STEP),
        "",
        *indented(_step_of_one(writer)),
        "",
        "",
        *_formula(writer, value),
    ]
    for function in sorted(writer.helpers):
        parts += ["", "", *_HELPERS[function]]
    return "\n".join(parts) + "\n"


class _TorchWriter(SourceWriter):
    """Writes torch."""

    def __init__(self):
        super().__init__("torch")
        self.helpers: set[str] = set()

    def call(self, function: str, *arguments: Any) -> Code:
        codes = [self.code(argument) for argument in arguments]
        if all(code.kind == CONSTANT for code in codes):
            # torch computes on tensors alone
            codes[0] = Code(self, f"torch.tensor({codes[0].text})", CONSTANT)
        code = super().call(function, *codes)
        if function in _HELPERS:
            self.helpers.add(function)
            return Code(self, code.text.replace("torch.", "_", 1), code.kind)
        return code

    def draw_normal(self, number: int) -> Code:
        return self._draw(f"noise_{number}", "normal_(generator=generator)")

    def draw_kept(self, number: int, rate: float) -> Code:
        share = self.code(1.0 - rate).text
        kept = self._draw(f"kept_{number}", f"bernoulli_({share}, generator=generator)")
        return Code(self, f"{kept.text} > 0.0")

    def _draw(self, name: str, method: str) -> Code:
        self.used |= {"g", "generator"}
        self.lines.append(f"{name} = torch.empty_like(g).{method}")
        return Code(self, name)


# What torch defines otherwise than jax.
_HELPERS = {
    "sign": (
        "def _sign(x):",
        '    """Returns the sign of x; NaN stays NaN, where torch.sign makes it 0."""',
        "    return torch.where(torch.isnan(x), x, torch.sign(x))",
    ),
}


def _moments(writer: SourceWriter) -> list[tuple[str, str, str, str, str]]:
    """Returns (moment, entry of the state, rate, default rate, power of g) of every average that the rule reads."""
    return [(moment, *row) for moment, row in _MOMENTS.items() if moment in writer.used]


def _arguments(writer: SourceWriter) -> list[tuple[str, str, str, str]]:
    """Returns (name, declaration, accepted values, meaning) of every keyword argument but maximize and generator."""
    rows = [("lr", ": float = 1e-3", "0.0 <= lr", "learning rate.")]
    if "total_steps" in writer.used:
        rows.append(
            ("total_steps", ": int", "0 < total_steps", "number of steps of the whole run.")
        )
    for moment, _, rate, default, _ in _moments(writer):
        rows.append(
            (
                rate,
                f": float = {default}",
                f"0.0 <= {rate} < 1.0",
                f"rate of the moving average of {_POWERS[moment]}.",
            )
        )
    if "eps" in writer.used:
        rows.append(("eps", ": float = 1e-8", "0.0 <= eps", "keeps divisors away from zero."))
    rows.append(
        (
            "weight_decay",
            ": float = 0.0",
            "0.0 <= weight_decay",
            "decoupled weight decay, as in AdamW.",
        )
    )
    return rows


def _docstring(name: str, writer: SourceWriter) -> list[str]:
    lines = [
        f'"""The optimizer {name}; the head of this file gives its formula.',
        "",
        "Args:",
        "    params: parameters, or groups of them.",
        *(f"    {name}: {meaning}" for name, _, _, meaning in _arguments(writer)),
        "    maximize: climb instead of descending.",
    ]
    if "generator" in writer.used:
        lines.append(
            "    generator: of the random draws, on the parameters' device; not in state_dict."
        )
    return [*lines, '"""']


def _constructor(writer: SourceWriter) -> list[str]:
    rows = _arguments(writer)
    positional = [f"{name}{declaration}" for name, declaration, *_ in rows if name == "lr"]
    keywords = [f"{name}{declaration}" for name, declaration, *_ in rows if name != "lr"]
    random = "generator" in writer.used
    keywords += ["maximize: bool = False", *(["generator: torch.Generator | None = None"] * random)]
    lines = []
    for name, _, accepted, _ in rows:
        lines += [
            f"if not {accepted}:",
            f'    raise ValueError(f"{accepted} is needed; got {{{name}}}")',
        ]
    lines.append("defaults = {")
    lines += [f'    "{name}": {name},' for name, *_ in rows]
    lines += ['    "maximize": maximize,', "}", "super().__init__(params, defaults)"]
    lines += ["self.generator = generator"] * random
    return [
        "def __init__(",
        *(f"    {declaration}," for declaration in ["self", "params", *positional, "*", *keywords]),
        "):",
        *indented(lines),
    ]


_STEP = (
    "@torch.no_grad()",
    "def step(self, closure=None):",
    '    """Takes one step; a closure reevaluates the model and returns the loss."""',
    "    loss = None",
    "    if closure is not None:",
    "        with torch.enable_grad():",
    "            loss = closure()",
    "    for group in self.param_groups:",
    '        for p in group["params"]:',
    "            if p.grad is not None:",
    "                self._step_of_one(p, group)",
    "    return loss",
)


def _step_of_one(writer: SourceWriter) -> list[str]:
    moments = _moments(writer)
    # A state that counts steps in torch's default type corrects the averages as optax does.
    lines = [
        "if p.grad.is_sparse or p.is_complex():",
        '    raise RuntimeError("only dense, real parameters are supported")',
        'g = -p.grad if group["maximize"] else p.grad',
        "state = self.state[p]",
        "if not state:",
        '    state["step"] = torch.tensor(0.0)',
        *(f'    state["{entry}"] = torch.zeros_like(p)' for _, entry, *_ in moments),
    ]
    if "t" in writer.used:
        lines.append('t = state["step"].clone()')
    lines.append('state["step"] += 1')
    for moment, entry, rate, _, power in moments:
        lines += [
            f'{rate} = group["{rate}"]',
            f'state["{entry}"].mul_({rate}).add_({power}, alpha=1 - {rate})',
            f'{moment} = state["{entry}"] / (1 - {rate} ** state["step"])',
        ]
    given = {
        "w": "p",
        "total_steps": 'group["total_steps"]',
        "eps": 'group["eps"]',
        "generator": "self.generator",
    }
    call = f"_rule({', '.join(given.get(name, name) for name in _formula_arguments(writer))})"
    lines += [
        f"update = {call}",
        'if group["weight_decay"] != 0.0:',
        '    update = update + group["weight_decay"] * p',
        'p.add_(update, alpha=-group["lr"])',
    ]
    return ["def _step_of_one(self, p, group):", *indented(lines)]


def _formula_arguments(writer: SourceWriter) -> list[str]:
    names = ("m", "v", "y", "w", "t", "total_steps", "eps", "generator")
    return ["g", *(name for name in names if name in writer.used)]


def _formula(writer: SourceWriter, value: Code) -> list[str]:
    result = [f"return {value.text}"]
    if value.kind != ARRAY:
        result = [f"update = {value.text}", "return torch.zeros_like(g) + update"]
    caption = '"""Returns the update; see the formula at the head of this file."""'
    signature = f"def _rule({', '.join(_formula_arguments(writer))}):"
    return [signature, *indented([caption, *writer.lines, *result])]


def _usage(name: str, writer: SourceWriter, learning_rate: float | None) -> list[str]:
    steps = ", total_steps=1000" if "total_steps" in writer.used else ""
    rate = f"{1e-3 if learning_rate is None else learning_rate:g}"
    return [
        f"optimizer = {name}(model.parameters(), lr={rate}{steps})",
        "optimizer.zero_grad()",
        "loss_function(model(inputs), targets).backward()",
        "optimizer.step()",
    ]
