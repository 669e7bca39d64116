"""torch_constructor: the docstring and the constructor of an exported PyTorch optimizer."""

from __future__ import annotations

from .file_header import indented
from .source_code import SourceWriter
from .torch_writer import averages_of, other_averages_of


def _arguments(writer: SourceWriter) -> list[tuple[str, str, str, str]]:
    """Returns (name, declaration, what is accepted, meaning) of every argument after params.

    torch's schedules that cycle the momentum write the first of `betas`. So a rule that averages g has `betas`, and one
    that does not has a keyword for each rate: such a schedule then says that it cannot be used.
    """
    rows = [("lr", ": float | torch.Tensor = 1e-3", "0.0 <= lr", "learning rate.")]
    moments = averages_of(writer)
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
    rows += [
        (rate, f": float = {default}", f"0.0 <= {rate} < 1.0", meaning)
        for *_, rates in other_averages_of(writer)
        for rate, default, meaning in rates
    ]
    if "eps" in writer.used:
        rows.append(("eps", ": float = 1e-8", "0.0 <= eps", "keeps divisors away from zero."))
    if "may_be_matrix" in writer.used:
        rows.append(("role", ": str | None = None", "", _ROLE))
    meaning = "decoupled weight decay, as in AdamW."
    rows.append(("weight_decay", ": float = 0.0", "0.0 <= weight_decay", meaning))
    # functions of whole tensors take parameters one by one, so there is nothing to choose
    left_out = {"foreach"} if writer.of_tensors_used else set()
    return [*rows, *(row for row in _FLAGS if row[0] not in left_out)]


_ROLE = (
    "what the parameters of a group are to the network: matrix, convolution,\n"
    "        embedding, output or vector. The first two alone may be matrices\n"
    "        then; None: all of two axes or more are."
)

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


def docstring(name: str, writer: SourceWriter) -> list[str]:
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


def constructor(writer: SourceWriter) -> list[str]:
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
        count = len(averages_of(writer))
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
