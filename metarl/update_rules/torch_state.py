"""torch_state: how an exported PyTorch optimizer adds parameters, and saves and restores its state."""

from __future__ import annotations

from .file_header import indented
from .source_code import SourceWriter
from .torch_writer import averages_of, keeps_averages


def checkpoints(writer: SourceWriter) -> list[list[str]]:
    """Returns the methods that add parameters, and save and restore the state."""
    methods = [_set_state(writer)]
    if writer.used & {"t", "may_be_matrix"}:
        methods.insert(0, _add_param_group(writer))
    if "generator" in writer.used:
        methods += [list(method) for method in _GENERATOR]
    return methods


def _add_param_group(writer: SourceWriter) -> list[str]:
    lines = ["def add_param_group(self, param_group):"]
    caption = "Adds parameters; they are as far in the run as those that are there."
    lines.append(f'    """{caption if "t" in writer.used else "Adds parameters."}"""')
    if "may_be_matrix" in writer.used:
        lines.append('    _may_be_matrix(param_group.get("role", self.defaults["role"]))')
    lines.append("    super().add_param_group(param_group)")
    if "t" in writer.used:
        lines += [
            '    steps = self.param_groups[0].get("steps", 0.0)',
            '    param_group["steps"] = _counter(steps, param_group)',
        ]
    return lines


def _set_state(writer: SourceWriter) -> list[str]:
    moments = averages_of(writer)
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
    if keeps_averages(writer):
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
