"""torch_step: how an exported PyTorch optimizer takes a step, of parameters joined or one by one."""

from __future__ import annotations

from .file_header import indented
from .source_code import SourceWriter
from .torch_writer import averages_of, keeps_averages, other_averages_of


def step(writer: SourceWriter) -> list[list[str]]:
    """Returns the methods that take a step."""
    lines = [*_STEP]
    if "t" in writer.used:
        lines[-1:] = [
            "    for group in self.param_groups:",
            '        group["steps"] += 1.0',
            lines[-1],
        ]
    batches = _ONE_BY_ONE if writer.of_tensors_used else _BATCHES
    return [lines, list(batches), _update(writer)]


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


_DENSE_AND_REAL = (
    '    for p in group["params"]:',
    "        if p.grad is None:",
    "            continue",
    "        if p.grad.layout != torch.strided or p.is_complex():",
    "            name = type(self).__name__",
    '            raise RuntimeError(f"{name} works on dense, real gradients alone")',
)


_ONE_BY_ONE = (
    "def _batches(self, group):",
    '    """Returns each parameter for itself: the formula looks at whole tensors."""',
    "    batches = []",
    *_DENSE_AND_REAL,
    "        batches.append([p])",
    "    return batches",
)


_BATCHES = (
    "def _batches(self, group):",
    '    """Returns lists of parameters of one device and type, each updated at once."""',
    "    batches, newest = [], {}",
    *_DENSE_AND_REAL,
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
    moments, others = averages_of(writer), other_averages_of(writer)
    entries = [entry for _, entry, *_ in (*moments, *others)]
    lines = [
        "grads = [p.grad for p in params]",
        'if group["maximize"]:',
        "    grads = torch._foreach_neg(grads)",
    ]
    if entries or "t" in writer.used:
        lines += [
            'in_graph = group["capturable"] or torch.compiler.is_compiling()',
            "if params[0].is_cuda and torch.cuda.is_current_stream_capturing():",
            "    if not in_graph:",
            '        raise RuntimeError("a CUDA graph needs capturable=True")',
        ]
    if keeps_averages(writer):
        lines += [
            "states = [self.state[p] for p in params]",
            "for p, state in zip(params, states):",
            '    if "step" not in state:',
            '        state["step"] = _counter(0.0, group, p)',
            *(f'        state["{entry}"] = torch.zeros_like(p)' for entry in entries),
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
    for value, entry, function, rates in others:
        numbers = ", ".join(f'group["{rate}"]' for rate, *_ in rates)
        lines += [
            f'averages = [state["{entry}"] for state in states]',
            f"{value} = {function}(averages, grads, {numbers}, steps)",
        ]
    given = {
        "g": "_joined(grads)",
        "w": "_joined(params)",
        "t": 'group["steps"].double()',
        "total_steps": 'group["total_steps"]',
        "eps": 'group["eps"]',
        "may_be_matrix": '_may_be_matrix(group["role"])',
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
    names = ("m", "v", "y", "s", "c", "w", "t", "total_steps", "eps", "generator", "may_be_matrix")
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


OTHER_AVERAGES = {
    "s": (
        "def _slow_average(averages, grads, rate, steps):",
        '    """Updates slow averages: means of all gradients until the rate is reached."""',
        "    for average, grad, step in zip(averages, grads, steps):",
        "        share = 1.0 / step",
        "        tensor = isinstance(share, torch.Tensor)",
        "        share = share.clamp(min=1.0 - rate) if tensor else max(share, 1.0 - rate)",
        "        average += (grad - average) * share",
        "    return _joined(averages)",
    ),
    "c": (
        "def _interpolation(averages, grads, b1, b2, steps):",
        '    """Returns Lion\'s interpolations, their weights of sum 1; updates averages."""',
        "    values = [",
        "        (b1 * average + (1.0 - b1) * grad) / (1.0 - b1 * b2 ** (step - 1.0))",
        "        for average, grad, step in zip(averages, grads, steps)",
        "    ]",
        "    torch._foreach_lerp_(averages, grads, 1.0 - b2)",
        "    return _joined(values)",
    ),
}


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
