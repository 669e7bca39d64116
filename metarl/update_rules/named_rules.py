"""Named rules: a table of rules that have a name, each with where it comes from.

`resolve` reads whatever a person types for a rule: a name of this table, or a rule's text. Here
`momentum` is the rule `m`, the bias-corrected moving average of the gradient; a comparison of
optimizers may mean another library's optimizer of that name.

Marks say how far to trust a row: "v" read in the source; "r" recalled with high confidence, not read
again; "?" recalled with low confidence. Accuracies are final test accuracies in per cent of a Wide
ResNet on CIFAR-10 after 300 epochs, all recalled with low confidence.

References: Bello, Zoph, Vasudevan, Le, "Neural Optimizer Search with Reinforcement Learning", ICML
2017, table of rules; arXiv:1709.07417 for PowerSign and AddSign with decays.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from metarl.errors import InvalidInput, nearest_name, require, unknown_name

from .parser import MAX_CHARACTERS
from .primitives import OPERANDS
from .rule import Rule, parse
from .rule_text import RuleSyntaxError

_ICML = "Bello et al., ICML 2017"
_ARXIV = "Bello et al., arXiv:1709.07417"


@dataclass(frozen=True)
class Found:
    """How a search of metarl found a rule.

    Attributes:
      command: what was typed.
      experiment: the folder of `experiments/` that holds the run.
      problem: what it was searched on.
      seed: of the run.
      rules_trained: distinct rules that the search trained to find it.
      versions: those of metarl, jax and optax.
      comparison: its row in the comparison with tuned Adam, in a sentence; a rule that is not better says so.
      beats_adam: whether it beat Adam at constant rates, which alone were tuned, in the aggregate over held-out
        problems, the interval of the relative loss being below 1; None where that was not measured.
    """

    command: str
    experiment: str
    problem: str
    seed: int
    rules_trained: int
    versions: str
    comparison: str
    beats_adam: bool | None = None


@dataclass(frozen=True)
class NamedRule:
    """One row of the table.

    Attributes:
      name: what a person types.
      text: the rule.
      source: the paper or the search that it comes from.
      mark: how the row was checked against its source: "v", "r" or "?".
      found: how a search of metarl found it; None for the rules of others.
      learning_rate: its one learning rate for all problems, found on the search problems, which are
        short (experiments/zoo/constant_rates); None where that was not measured.
      accuracy: in the paper's table, in per cent; None where it has none.
      note: what else the source says.
    """

    name: str
    text: str
    source: str
    mark: Literal["v", "r", "?"] = "v"
    found: Found | None = None
    learning_rate: float | None = None
    accuracy: float | None = None
    note: str = ""

    @property
    def found_here(self) -> bool:
        """Whether a search of metarl found it."""
        return self.found is not None

    @property
    def rule(self) -> Rule:
        """The rule itself."""
        return parse(self.text)

    @property
    def remarks(self) -> str:
        """What the source says of it, in words; "" where that is nothing."""
        said = f"{_PAPER} {self.accuracy} %, quoted from memory" if self.accuracy else ""
        return "; ".join(filter(None, (said, self.note)))


# what the numbers of the paper's table are
_PAPER = "test accuracy in the paper (Wide ResNet, CIFAR-10, 300 epochs):"


def _from_table(
    name: str, text: str, accuracy: float, learning_rate: float | None = None
) -> NamedRule:
    return NamedRule(name, text, _ICML, "?", learning_rate=learning_rate, accuracy=accuracy)


# what the comparisons of rules found here were made by; a step's worth in Adam's steps was estimated too low then
_PROTOCOL = (
    "over 18 held-out problems, at constant learning rates, which alone were tuned (protocol 3),"
)


def _from_zoo(
    name: str,
    text: str,
    comparison: str,
    *,
    search: str,
    config: str,
    seed: int,
    rules: int,
    problem: str,
    beats_adam: bool | None = None,
    learning_rate: float | None = None,
    note: str = "",
) -> NamedRule:
    found = Found(
        command=f"metarl search --config experiments/zoo/searches/{config}",
        experiment="zoo/searches",
        problem=problem,
        seed=seed,
        rules_trained=rules,
        versions="metarl 0.1.0, jax 0.10.2, optax 0.2.8",
        comparison=comparison,
        beats_adam=beats_adam,
    )
    source = f"metarl search {search}, {rules:,} rules, seed {seed} (experiments/zoo)"
    return NamedRule(name, text, source, "v", found=found, learning_rate=learning_rate, note=note)


_from_adam_powersign = functools.partial(
    _from_zoo,
    search="from adam-powersign on three problems",
    config="from_adam_powersign.json",
    seed=0,
    rules=1646,
    problem="digits-mlp, china-denoising and python-docs-ngram",
    beats_adam=True,
)
_in_modern = functools.partial(
    _from_zoo,
    problem="digits-mlp, china-denoising, python-docs-ngram and quadratic",
    note="acts on matrices through Muon's direction",
)


def _decayed(family: str, text: str) -> tuple[NamedRule, ...]:
    decays = ("ld", "cd", "rd10", "rd20")
    return tuple(
        NamedRule(f"{family}-{decay}", text.format(decay=decay), _ARXIV) for decay in decays
    )


_ROWS = (
    NamedRule("sgd", "g", "Robbins, Monro, 1951", "r", accuracy=91.8),
    NamedRule(
        "momentum",
        "m",
        "Polyak, 1964; as a bias-corrected average, Bello et al., ICML 2017",
        "r",
        accuracy=92.1,
    ),
    NamedRule(
        "adam",
        "adam",
        "Kingma, Ba, ICLR 2015",
        "r",
        learning_rate=10**-1.5,
        accuracy=90.1,
    ),
    NamedRule("rmsprop", "rmsprop", "Tieleman, Hinton, 2012", "r", accuracy=90.3),
    NamedRule(
        "powersign",
        "exp(sign(g) * sign(m)) * g",
        _ICML,
        accuracy=92.8,
        note="TensorFlow's reference uses learning rate 0.1",
    ),
    NamedRule("powersign-2", "2^(sign(g) * sign(m)) * g", _ARXIV, note="PowerSign with base 2"),
    *_decayed("powersign", "exp({decay} * sign(g) * sign(m)) * g"),
    NamedRule(
        "addsign",
        "(1 + sign(g) * sign(m)) * g",
        _ARXIV,
        note="TensorFlow's reference uses learning rate 0.1",
    ),
    NamedRule("addsign-2", "(2 + sign(g) * sign(m)) * g", _ARXIV, note="AddSign with alpha 2"),
    *_decayed("addsign", "(1 + {decay} * sign(g) * sign(m)) * g"),
    _from_table("powersign-plus-clip", "(exp(sign(g) * sign(m)) + clip(g, 1e-4)) * g", 92.4),
    _from_table("clip-momentum-exp-v", "clip(m, 1e-4) * exp(v)", 92.5),
    _from_table("momentum-exp-v", "m * exp(v)", 92.4),
    _from_table("drop30-powersign", "drop(g, 0.3) * exp(sign(g) * sign(m))", 92.2),
    _from_table("momentum-exp-g2", "m * exp(g^2)", 92.5),
    _from_table("drop10-momentum-over-exp-g2", "drop(m, 0.1) / exp(g^2)", 92.4),
    _from_table("drop10-powersign", "drop(g, 0.1) * exp(sign(g) * sign(m))", 92.4),
    _from_table("clip-rmsprop-plus-drop30-momentum", "clip(rmsprop, 1e-5) + drop(m, 0.3)", 90.8),
    _from_table("adam-powersign", "adam * exp(sign(g) * sign(m))", 92.0, learning_rate=0.01),
    _from_table("adam-exp-momentum", "adam * exp(m)", 92.8),
    _from_table("sgd-plus-drop30-momentum", "g + drop(m, 0.3)", 92.9),
    _from_table("drop10-momentum-exp-g3", "drop(m, 0.1) * exp(g^3)", 92.7),
    _from_table("sgd-minus-clip-g2", "g - clip(g^2, 1e-4)", 92.8),
    _from_table("exp-g-minus-exp-momentum", "exp(g) - exp(m)", 92.8),
    _from_table("drop30-momentum-exp-w", "drop(m, 0.3) * exp(1e-3 * w)", 93.0),
    NamedRule(
        "drop30-rmsprop-plus-drop10-adam",
        "drop(rmsprop, 0.3) + drop(adam, 0.1)",
        "metarl search on digits-mlp, 1,500 rules, seed 0 (experiments/digits_search)",
        "v",
        found=Found(
            command="metarl search --problem digits-mlp --space arxiv --strategy ppo --no-racing --budget 1500",
            experiment="digits_search",
            problem="digits-mlp",
            seed=0,
            rules_trained=1500,
            versions="metarl 0.1.0, jax 0.10.2, optax 0.2.8",
            comparison=f"{_PROTOCOL} 0.98 [0.95, 1.01] of tuned Adam's loss; better on 6, worse on 5 "
            "(experiments/zoo)",
            beats_adam=False,
        ),
        learning_rate=0.01,
    ),
    _from_adam_powersign(
        "adam-step-back",
        "adam * exp(sign(g) * sign(m)) - adam",
        f"{_PROTOCOL} 0.91 [0.86, 0.96] of tuned Adam's loss; better on 13, worse on 3; not clearly "
        "better than adam-powersign, from which the search began. At Adam's own rate on ten newer problems, where "
        "rates decay (protocol 5), 0.70 [0.63, 0.75]; better on 9, worse on 1",
        learning_rate=10**-1.5,
    ),
    _from_adam_powersign(
        "adam-sharp-powersign",
        "adam * exp(sign(m) * (2 * sign(g)))",
        f"{_PROTOCOL} 0.92 [0.88, 0.96] of tuned Adam's loss; better on 12, worse on 2; not clearly "
        "better than adam-powersign, from which the search began",
        learning_rate=10**-2.5,
    ),
    _from_adam_powersign(
        "sgd-plus-drop10-adam-powersign",
        "g + drop(adam, 0.1) * exp(sign(m) * drop(sign(g), 0.1))",
        f"{_PROTOCOL} 0.94 [0.90, 0.97] of tuned Adam's loss; better on 9, worse on 2; not clearly "
        "better than adam-powersign, from which the search began",
        learning_rate=10**-1.5,
    ),
    _in_modern(
        "ortho-plus-ortho-rownorm",
        "ortho(g) + ortho(rownorm(g) + rownorm(m))",
        "over 18 held-out problems, at decaying learning rates, two settings more tuned for everybody (protocol 5), it "
        "is clearly better than tuned AdamW on 13 and worse on one, than NAdamW on 14 and worse on none; beside Muon "
        "and SOAP no lead is clear. With one multiple of Adam's rate for ten of them, 1.12 [1.03, 1.23] of Adam's "
        "loss, worse (experiments/zoo)",
        search="in the space modern under decaying rates",
        config="modern_cosine.json",
        seed=7301,
        rules=576,
    ),
    _in_modern(
        "ortho-plus-rownorm",
        "ortho(g) + rownorm(m + ortho(m))",
        "over six held-out problems, at decaying learning rates, two settings more tuned for everybody (protocol 5), "
        "0.58 [0.55, 0.61] of tuned Adam's loss, 0.91 [0.75, 0.97] of Muon's and 0.76 [0.55, 0.88] of SOAP's; over "
        "four more 0.15 [0.14, 0.17] of Adam's, level with Muon and SOAP. At 0.18 times Adam's rate on all ten 0.84 "
        "[0.76, 0.92] of its loss (experiments/zoo)",
        search="in the space modern, one multiple of Adam's rate for all problems",
        config="one_rate.json",
        seed=7419,
        rules=482,
    ),
    _in_modern(
        "rms-ortho-cautious",
        "rms(ortho(g + cautious(m)) + cautious(0.01 * w))",
        "at 0.32 times Adam's rate on ten held-out problems, where rates decay (protocol 5), 0.38 [0.35, 0.44] of "
        "tuned Adam's loss; better on 7, worse on 2; 0.63 [0.56, 0.74] of Muon's at Adam's rate, 0.73 [0.64, 0.80] of "
        "SOAP's; on three more level with both; on eight older ones, valleys and a quadratic among them, worse than "
        "Adam, 2.0 [1.7, 2.4]; on all 21 0.88 [0.80, 0.95], level with Muon (experiments/zoo)",
        search="in the space modern, normalised, one multiple of Adam's rate for seven problems",
        config="transfer.json",
        seed=8317,
        rules=1500,
        problem="digits-mlp, china-denoising, python-docs-ngram, quadratic, python-docs-transformer-16, "
        "digits-residual-8 and waves",
    ),
)

NAMED_RULES = MappingProxyType({row.name: row for row in _ROWS})


def resolve(text_or_name: str, optimizers: Collection[str] = ()) -> Rule:
    """Reads a rule from its name or its text.

    >>> resolve("powersign")
    Rule.parse('exp(sign(g) * sign(m)) * g')

    Args:
      text_or_name: a name of `NAMED_RULES`, tried first, or a rule's text.
      optimizers: names of optimizers that are no rules, where the caller takes these too; suggested like the others.

    Returns:
      The rule.

    Raises:
      InvalidInput: if it is neither: what looks like a name gets the nearest one suggested, what
        looks like a formula the place of the mistake.
    """
    require(isinstance(text_or_name, str), "A rule is given by its name or as text.")
    name = text_or_name[: MAX_CHARACTERS + 1].strip()
    if name in NAMED_RULES:
        return NAMED_RULES[name].rule
    try:
        return parse(text_or_name)
    except RuleSyntaxError as error:
        if re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name) is None:
            raise
        if optimizers:
            raise unknown_name("optimizer or rule", name, {*optimizers, *NAMED_RULES}) from error
        nearest = nearest_name(name, (*NAMED_RULES, *OPERANDS))
        hint = f"Did you mean {nearest!r}?" if nearest else f"Named: {', '.join(NAMED_RULES)}."
        accepted = "A rule is a name or a formula such as adam * exp(m)."
        raise InvalidInput(f"Unknown rule {name[:100]!r}. {hint} {accepted}") from error
