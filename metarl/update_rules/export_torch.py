"""The exporter to PyTorch: a rule as a `torch.optim.Optimizer` in one file that needs torch alone.

    print(to_torch("exp(sign(g) * sign(m)) * g", name="powersign"))

The class behaves as `torch.optim.AdamW` does: parameter groups, `betas`, `state_dict`, closures, `maximize`, `foreach`,
`capturable`. The formula is written once, for a tensor of any shape: `foreach` joins small parameters of one device and
type into one tensor and calls it on that. It is text: metarl never runs it, nor does it import torch.
"""

from __future__ import annotations

from typing import Any

from .compiler import as_rule
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
from .source_code import ARRAY, CONSTANT, Code, SourceWriter

_MOMENTS = {  # entry of the state, rate, its default, power of g, and how that is computed
    "m": ("exp_avg", "beta1", "0.9", "g", "grads"),
    "v": ("exp_avg_sq", "beta2", "0.999", "g^2", "torch._foreach_mul(grads, grads)"),
    "y": ("exp_avg_cube", "beta3", "0.999", "g^3", "torch._foreach_pow(grads, 3)"),
}


def to_torch(
    rule: Rule | str,
    *,
    name: str | None = None,
    provenance: Provenance | None = None,
) -> str:
    """Returns the source of a file that holds a rule as a PyTorch optimizer.

    Args:
      rule: a `Rule`, the name of one or its text.
      name: of the class, in CamelCase or as words joined by `_`; None takes the rule's own name, or "found_rule".
      provenance: where the rule comes from, for the head of the file, and its learning rate, for the usage example;
        None says what the table of named rules knows.

    Returns:
      Python source. One step of it equals one step of `to_optax(rule, ...)` to the rounding of two libraries; random
      draws come from other generators.

    Raises:
      InvalidInput: the rule cannot be read, or the name is no identifier of Python.
    """
    rule = as_rule(rule)
    provenance = provenance or known_provenance(rule)
    name = class_name(identifier(rule, name))
    writer = _TorchWriter()
    value = writer.write(rule.expression)
    usage = _usage(name, writer, provenance)
    parts = [
        head(rule, name, provenance, "a PyTorch optimizer", "torch", usage),
        "import torch",
        "",
        "",
        f"class {name}(torch.optim.Optimizer):",
        *indented(_docstring(name, writer)),
    ]
    for method in (_constructor(writer), *_checkpoints(writer), *_step(writer)):
        parts += ["", *indented(method)]
    parts += ["", "", *_formula(writer, value)]
    helpers = [_HELPERS[function] for function in sorted(writer.helpers)]
    counters = [_COUNTER] if _moments(writer) or "t" in writer.used else []
    averages = [_AVERAGE] if _moments(writer) else []
    for function in (*helpers, *counters, *averages, *_JOINING):
        parts += ["", "", *function]
    return "\n".join(parts) + "\n"


class _TorchWriter(SourceWriter):
    """Writes torch."""

    def __init__(self):
        super().__init__("torch")
        self.helpers: set[str] = set()

    def call(self, function: str, *arguments: Any) -> Code:
        codes = [self.code(argument) for argument in arguments]
        if all(code.kind == CONSTANT for code in codes):
            # torch computes on tensors alone; a new one would have torch's default type
            self.used.add("g")
            codes[0] = Code(self, f"g.new_full((), {codes[0].text})", CONSTANT)
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
        "    return torch.sign(x).add_(torch.clamp(x, -1.0, 1.0), alpha=0.0)",
    ),
}


def _moments(writer: SourceWriter) -> list[tuple[str, str, str, str, str, str]]:
    """Returns (moment, its row in the table) of every average that the rule reads."""
    return [(moment, *row) for moment, row in _MOMENTS.items() if moment in writer.used]


def _arguments(writer: SourceWriter) -> list[tuple[str, str, str, str]]:
    """Returns (name, declaration, what is accepted, meaning) of every argument after params.

    torch's schedules that cycle the momentum write the first of `betas`. So a rule that averages g has `betas`, and one
    that does not has a keyword for each rate: such a schedule then says that it cannot be used.
    """
    rows = [("lr", ": float | torch.Tensor = 1e-3", "0.0 <= lr", "learning rate.")]
    moments = _moments(writer)
    if "m" in writer.used:
        defaults = ", ".join(default for _, _, _, default, _, _ in moments)
        tail = "," if len(moments) == 1 else ""
        types = ", ".join(["float"] * len(moments))
        powers = " and ".join(power for *_, power, _ in moments)
        meaning = f"rates of the moving averages of {powers}."
        if len(moments) == 1:
            meaning = f"rate of the moving average of {powers}, as a tuple of one."
        rows.append(("betas", f": tuple[{types}] = ({defaults}{tail})", "", meaning))
    rows.append(("*", "", "", ""))
    if "total_steps" in writer.used:
        meaning = "number of steps of the whole run."
        rows.append(("total_steps", ": int", "0 < total_steps", meaning))
    if "m" not in writer.used:
        for _, _, rate, default, power, _ in moments:
            meaning = f"rate of the moving average of {power}."
            rows.append((rate, f": float = {default}", f"0.0 <= {rate} < 1.0", meaning))
    if "eps" in writer.used:
        rows.append(("eps", ": float = 1e-8", "0.0 <= eps", "keeps divisors away from zero."))
    meaning = "decoupled weight decay, as in AdamW."
    rows.append(("weight_decay", ": float = 0.0", "0.0 <= weight_decay", meaning))
    return [*rows, *_FLAGS]


_FLAGS = (
    ("maximize", ": bool = False", "", "climb instead of descending."),
    (
        "foreach",
        ": bool | None = None",
        "",
        "update parameters together, joined into one tensor; None: where they\n"
        "        are plain tensors.",
    ),
    (
        "capturable",
        ": bool = False",
        "",
        "count steps on the parameters' device, as CUDA graphs need it.",
    ),
)


def _docstring(name: str, writer: SourceWriter) -> list[str]:
    lines = [
        f'"""The optimizer {name}; the head of this file gives its formula.',
        "",
        "Args:",
        "    params: parameters, or groups of them.",
        *(f"    {name}: {meaning}" for name, _, _, meaning in _arguments(writer) if meaning),
    ]
    if "generator" in writer.used:
        lines += [
            "    generator: of the random draws, on the parameters' device, saved in state_dict;",
            "        None: torch's own.",
        ]
    return "\n".join([*lines, '"""']).split("\n")


def _constructor(writer: SourceWriter) -> list[str]:
    rows = _arguments(writer)
    random = "generator" in writer.used
    lines = []
    for name, _, accepted, _ in rows:
        if accepted:
            lines += [
                f"if not {accepted}:",
                f'    raise ValueError(f"{accepted} is needed; got {{{name}}}")',
            ]
    if "m" in writer.used:
        count = len(_moments(writer))
        lines += [
            f"if len(betas) != {count} or not all(0.0 <= beta < 1.0 for beta in betas):",
            f'    raise ValueError(f"betas takes {count} of 0.0 <= beta < 1.0; got {{betas}}")',
        ]
    lines.append("defaults = {")
    values = {name: name for name, *_ in rows if name != "*"} | (
        {"betas": "tuple(betas)"} if "m" in writer.used else {}
    )
    lines += [f'    "{name}": {value},' for name, value in values.items()]
    lines += ["}"]
    lines += ["self.generator = generator"] * random
    lines += ["super().__init__(params, defaults)"]
    declarations = [f"{name}{declaration}" for name, declaration, *_ in rows]
    declarations += ["generator: torch.Generator | None = None"] * random
    return [
        "def __init__(",
        *(f"    {declaration}," for declaration in ["self", "params", *declarations]),
        "):",
        *indented(lines),
    ]


def _checkpoints(writer: SourceWriter) -> list[list[str]]:
    """Returns the methods that add parameters, and save and restore the state."""
    methods = [_set_state(writer)]
    if "t" in writer.used:
        methods.insert(0, list(_ADD_PARAM_GROUP))
    if "generator" in writer.used:
        methods += [list(method) for method in _GENERATOR]
    return methods


_ADD_PARAM_GROUP = (
    "def add_param_group(self, param_group):",
    '    """Adds parameters; they are as far in the run as those that are there."""',
    "    super().add_param_group(param_group)",
    '    steps = self.param_groups[0].get("steps", 0.0)',
    '    param_group["steps"] = _counter(steps, param_group)',
)


def _set_state(writer: SourceWriter) -> list[str]:
    moments = _moments(writer)
    lines = [
        '"""Takes the state of a copy or a checkpoint, of an older file too."""',
        "super().__setstate__(state)",
    ]
    if "t" in writer.used:
        lines += [
            "counts = [",
            '    float(self.state[p]["step"])',
            "    for group in self.param_groups",
            '    for p in group["params"]',
            '    if "step" in self.state.get(p, ())',
            "]",
        ]
    lines.append("for group in self.param_groups:")
    if "m" in writer.used:
        rates = ", ".join(f'group.pop("{rate}")' for _, _, rate, *_ in moments)
        tail = "," if len(moments) == 1 else ""
        lines += ['    if "beta1" in group:', f'        group["betas"] = ({rates}{tail})']
    lines += [
        "    for name, value in self.defaults.items():",
        "        group.setdefault(name, value)",
    ]
    if "t" in writer.used:
        lines += [
            '    steps = group.get("steps", max(counts, default=0.0))',
            '    group["steps"] = _counter(steps, group)',
        ]
    if moments:
        lines += [
            '    for p in group["params"]:',
            '        if "step" in self.state.get(p, ()):',
            '            self.state[p]["step"] = _counter(self.state[p]["step"], group, p)',
        ]
    return ["def __setstate__(self, state):", *indented(lines)]


_GENERATOR = (
    (
        "def __getstate__(self):",
        '    return {**super().__getstate__(), "generator": self.generator}',
    ),
    (
        "def state_dict(self):",
        '    """Returns what torch\'s own do, and the state of the generator."""',
        "    state = super().state_dict()",
        "    if self.generator is not None:",
        '        state["generator"] = self.generator.get_state()',
        "    return state",
    ),
    (
        "def load_state_dict(self, state_dict):",
        '    """Goes on where the state was saved, the generator too."""',
        "    super().load_state_dict(state_dict)",
        '    if "generator" in state_dict:',
        "        if self.generator is None:",
        '            device = self.param_groups[0]["params"][0].device',
        "            self.generator = torch.Generator(device)",
        '        self.generator.set_state(state_dict["generator"].cpu())',
    ),
)


def _step(writer: SourceWriter) -> list[list[str]]:
    """Returns the methods that take a step."""
    lines = [*_STEP]
    if "t" in writer.used:
        lines[-1:] = [
            "    for group in self.param_groups:",
            '        group["steps"] += 1.0',
            lines[-1],
        ]
    return [lines, list(_BATCHES), _update(writer)]


_STEP = (
    "@torch.no_grad()",
    "def step(self, closure=None):",
    '    """Takes one step; a closure reevaluates the model and returns the loss."""',
    "    loss = None",
    "    if closure is not None:",
    "        with torch.enable_grad():",
    "            loss = closure()",
    "    batches = [",
    "        (params, group)",
    "        for group in self.param_groups",
    "        for params in self._batches(group)",
    "    ]",
    "    for params, group in batches:",
    "        self._update(params, group)",
    "    return loss",
)

_BATCHES = (
    "def _batches(self, group):",
    '    """Returns lists of parameters of one device and type, each updated at once."""',
    "    batches, newest = [], {}",
    '    for p in group["params"]:',
    "        if p.grad is None:",
    "            continue",
    "        if p.grad.layout != torch.strided or p.is_complex():",
    "            name = type(self).__name__",
    '            raise RuntimeError(f"{name} works on dense, real gradients alone")',
    '        together = group["foreach"]',
    "        if together is None:",
    "            together = type(p) in (torch.Tensor, torch.nn.Parameter)",
    "        # As many entries at once as stay in a processor's cache.",
    '        most = (2**15 if p.device.type == "cpu" else 2**24) if together else 0',
    "        kind = (p.device, p.dtype)",
    "        params, entries = newest.get(kind, (None, torch.inf))",
    "        if entries + p.numel() > most:",
    "            params, entries = [], 0",
    "            batches.append(params)",
    "        params.append(p)",
    "        newest[kind] = params, entries + p.numel()",
    "    return batches",
)


def _update(writer: SourceWriter) -> list[str]:
    moments = _moments(writer)
    lines = [
        "grads = [p.grad for p in params]",
        'if group["maximize"]:',
        "    grads = torch._foreach_neg(grads)",
    ]
    if moments or "t" in writer.used:
        lines += [
            'in_graph = group["capturable"] or torch.compiler.is_compiling()',
            "if params[0].is_cuda and torch.cuda.is_current_stream_capturing():",
            "    if not in_graph:",
            '        raise RuntimeError("a CUDA graph needs capturable=True")',
        ]
    if moments:
        lines += [
            "states = [self.state[p] for p in params]",
            "for p, state in zip(params, states):",
            '    if "step" not in state:',
            '        state["step"] = _counter(0.0, group, p)',
            *(f'        state["{entry}"] = torch.zeros_like(p)' for _, entry, *_ in moments),
            'steps = [state["step"] for state in states]',
            "# each is quick there",
            "one = torch.ones_like(steps[0]) if steps[0].is_cpu else 1.0",
            "torch._foreach_add_(steps, one)",
            "if not in_graph:  # corrections in double precision",
            "    steps = [step.item() for step in steps]",
        ]
        rates = ", ".join(rate for _, _, rate, *_ in moments)
        if "m" in writer.used:
            lines.append(f'{f"({rates},)" if len(moments) == 1 else rates} = group["betas"]')
        for moment, entry, rate, _, _, powers in moments:
            rate = rate if "m" in writer.used else f'group["{rate}"]'
            lines += [
                f'averages = [state["{entry}"] for state in states]',
                f"{moment} = _average(averages, {powers}, {rate}, steps)",
            ]
    given = {
        "g": "_joined(grads)",
        "w": "_joined(params)",
        "t": 'group["steps"].double()',
        "total_steps": 'group["total_steps"]',
        "eps": 'group["eps"]',
        "generator": "self.generator",
    }
    arguments = [given.get(name, name) for name in _formula_arguments(writer)]
    call = f"update = _rule({', '.join(arguments)})"
    lines += [call] if len(call) < 76 else _broken(arguments)
    lines += [
        'lr, weight_decay = group["lr"], group["weight_decay"]',
        "if weight_decay != 0.0:",
        "    torch._foreach_mul_(params, 1.0 - lr * weight_decay)",
        "if isinstance(lr, torch.Tensor):",
        "    lr, update = 1.0, update * lr",
        "torch._foreach_add_(params, _parted(update, params), alpha=-lr)",
    ]
    caption = '"""Takes the step of parameters of one device and type."""'
    return ["def _update(self, params, group):", *indented([caption, *lines])]


def _broken(arguments: list[str]) -> list[str]:
    return ["update = _rule(", *(f"    {argument}," for argument in arguments), ")"]


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


_COUNTER = (
    "def _counter(count, group, p=None):",
    '    """Returns a count of steps as a tensor, whatever torch\'s default type is."""',
    '    p = group["params"][0] if p is None and group["capturable"] else p',
    '    device = p.device if group["capturable"] else "cpu"',
    "    return torch.as_tensor(count, dtype=torch.float32, device=device).clone()",
)

_AVERAGE = (
    "def _average(averages, values, rate, steps):",
    '    """Updates averages; returns them joined, corrected for their start at zero."""',
    "    torch._foreach_lerp_(averages, values, 1.0 - rate)",
    "    corrections = [1.0 - rate**step for step in steps]",
    "    if len(averages) == 1:",
    "        return averages[0] / corrections[0]",
    "    if len(set(steps)) == 1:",
    "        return _joined(averages).div_(corrections[0])",
    "    return _joined(torch._foreach_div(averages, corrections))",
)

_JOINING = (
    (
        "def _joined(tensors):",
        '    """Returns tensors as one flat one; a single tensor keeps its shape."""',
        "    if len(tensors) == 1:",
        "        return tensors[0]",
        "    return torch.cat([tensor.reshape(-1) for tensor in tensors])",
    ),
    (
        "def _parted(joined, tensors):",
        '    """Returns the parts of a joined tensor, in the shapes of the tensors."""',
        "    if len(tensors) == 1:",
        "        return [joined]",
        "    parts = joined.split([tensor.numel() for tensor in tensors])",
        "    return [part.view_as(tensor) for part, tensor in zip(parts, tensors)]",
    ),
)


def _usage(name: str, writer: SourceWriter, provenance: Provenance) -> list[str]:
    steps = ", total_steps=1000" if "total_steps" in writer.used else ""
    rate = example_rate(provenance)
    return [
        f"optimizer = {name}(model.parameters(), lr={rate}{steps})",
        "optimizer.zero_grad()",
        "loss_function(model(inputs), targets).backward()",
        "optimizer.step()",
    ]
