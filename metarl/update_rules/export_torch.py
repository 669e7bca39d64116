"""The exporter to PyTorch: a rule as a `torch.optim.Optimizer` in one file that needs torch alone.

    print(to_torch("exp(sign(g) * sign(m)) * g", name="powersign"))

The class behaves as `torch.optim.AdamW` does: parameter groups, `betas`, `state_dict`, closures, `maximize`, `foreach`,
`capturable`. The formula is written once, for a tensor of any shape: `foreach` joins small parameters of one device and
type into one tensor and calls it on that. It is text: metarl never runs it, nor does it import torch.
"""

from __future__ import annotations

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
from .source_code import ARRAY, Code, SourceWriter
from .tensor_source import of_tensors_in_torch
from .torch_constructor import constructor, docstring
from .torch_state import checkpoints
from .torch_step import AVERAGE, COUNTER, JOINING, OTHER_AVERAGES, formula_arguments, step
from .torch_writer import (
    HELPERS,
    TorchWriter,
    averages_of,
    keeps_averages,
    other_averages_of,
)


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
    writer = TorchWriter()
    value = writer.write(rule.expression)
    usage = _usage(name, writer, provenance)
    parts = [
        head(rule, name, provenance, "a PyTorch optimizer", "torch", usage),
        "import torch",
        "",
        "",
        f"class {name}(torch.optim.Optimizer):",
        *indented(docstring(name, writer)),
    ]
    for method in (constructor(writer), *checkpoints(writer), *step(writer)):
        parts += ["", *indented(method)]
    parts += ["", "", *_formula(writer, value)]
    helpers = [HELPERS[function] for function in sorted(writer.helpers)]
    counters = [COUNTER] if keeps_averages(writer) or "t" in writer.used else []
    averages = [AVERAGE] if averages_of(writer) else []
    averages += [OTHER_AVERAGES[value] for value, *_ in other_averages_of(writer)]
    for function in (*helpers, *counters, *averages, *JOINING):
        parts += ["", "", *function]
    parts += of_tensors_in_torch(writer)
    return "\n".join(parts) + "\n"


def _formula(writer: SourceWriter, value: Code) -> list[str]:
    result = [f"return {value.text}"]
    if value.kind != ARRAY:
        result = [f"update = {value.text}", "return torch.zeros_like(g) + update"]
    caption = '"""Returns the update; see the formula at the head of this file."""'
    signature = f"def _rule({', '.join(formula_arguments(writer))}):"
    return [signature, *indented([caption, *writer.lines, *result])]


def _usage(name: str, writer: SourceWriter, provenance: Provenance) -> list[str]:
    steps = ", total_steps=1000" if "total_steps" in writer.used else ""
    rate = example_rate(provenance)
    return [
        f"optimizer = {name}(model.parameters(), lr={rate}{steps})",
        "optimizer.zero_grad()",
        "loss_function(model(inputs), targets).backward()",
        "optimizer.step()",
    ]
