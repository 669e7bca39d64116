"""torch_step: how an exported PyTorch optimizer takes a step, of parameters joined or one by one."""

from __future__ import annotations

from .file_header import indented
from .source_code import SourceWriter
from .torch_writer import averages_of


def step(writer: SourceWriter) -> list[list[str]]:
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
    moments = averages_of(writer)
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
    arguments = [given.get(name, name) for name in formula_arguments(writer)]
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


def formula_arguments(writer: SourceWriter) -> list[str]:
    names = ("m", "v", "y", "w", "t", "total_steps", "eps", "generator")
    return ["g", *(name for name in names if name in writer.used)]


COUNTER = (
    "def _counter(count, group, p=None):",
    '    """Returns a count of steps as a tensor, whatever torch\'s default type is."""',
    '    p = group["params"][0] if p is None and group["capturable"] else p',
    '    device = p.device if group["capturable"] else "cpu"',
    "    return torch.as_tensor(count, dtype=torch.float32, device=device).clone()",
)


AVERAGE = (
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


JOINING = (
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
