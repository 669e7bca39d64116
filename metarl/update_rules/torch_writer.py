"""torch_writer: an expression as code of torch, and the averages that an exported optimizer keeps."""

from __future__ import annotations

from typing import Any

from .source_code import CONSTANT, Code, SourceWriter

_MOMENTS = {  # entry of the state, rate, its default, power of g, and how that is computed
    "m": ("exp_avg", "beta1", "0.9", "g", "grads"),
    "v": ("exp_avg_sq", "beta2", "0.999", "g^2", "torch._foreach_mul(grads, grads)"),
    "y": ("exp_avg_cube", "beta3", "0.999", "g^3", "torch._foreach_pow(grads, 3)"),
}

# entry of the state, the function that updates it, and its rates: name, default, meaning
_OTHER_AVERAGES = {
    "s": ("exp_avg_slow", "_slow_average", (("slow_b", "0.9999", "rate of the slow average s."),)),
    "c": (
        "exp_avg_lion",
        "_interpolation",
        (
            ("lion_b1", "0.9", "share of the average in the interpolation c, as in Lion."),
            ("lion_b2", "0.99", "rate of that average, as in Lion."),
        ),
    ),
}


class TorchWriter(SourceWriter):
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
        if function in HELPERS:
            self.helpers.add(function)
            return Code(self, code.text.replace("torch.", "_", 1), code.kind)
        return code

    def draw_normal(self, number: int) -> Code:
        return self._draw(f"noise_{number}", "normal_(generator=generator)")

    def draw_kept(self, number: int, rate: float) -> Code:
        share = self.code(1.0 - rate).text
        kept = self._draw(f"kept_{number}", f"bernoulli_({share}, generator=generator)")
        return Code(self, f"{kept.text} > 0.0")

    def filled(self, code: Code) -> Code:
        self.used.add("g")
        return Code(self, f"torch.zeros_like(g) + {code.text}")

    def _draw(self, name: str, method: str) -> Code:
        self.used |= {"g", "generator"}
        self.lines.append(f"{name} = torch.empty_like(g).{method}")
        return Code(self, name)


# What torch defines otherwise than jax.
HELPERS = {
    "sign": (
        "def _sign(x):",
        '    """Returns the sign of x; NaN stays NaN, where torch.sign makes it 0."""',
        "    return torch.sign(x).add_(torch.clamp(x, -1.0, 1.0), alpha=0.0)",
    ),
}


def averages_of(writer: SourceWriter) -> list[tuple[str, str, str, str, str, str]]:
    """Returns (moment, its row in the table) of every average that the rule reads."""
    return [(moment, *row) for moment, row in _MOMENTS.items() if moment in writer.used]


def other_averages_of(
    writer: SourceWriter,
) -> list[tuple[str, str, str, tuple[tuple[str, str, str], ...]]]:
    """Returns (value, its row in the table) of every average that the rule reads and that is no moment."""
    return [(value, *row) for value, row in _OTHER_AVERAGES.items() if value in writer.used]


def keeps_averages(writer: SourceWriter) -> bool:
    """Returns whether the rule reads any average."""
    return bool(averages_of(writer) or other_averages_of(writer))
