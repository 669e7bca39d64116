"""The contract: a card that says what a problem is, and the functions that make it one.

A `Card` is what a table of problems shows; it needs neither jax nor data. A `Problem` is a card
with four functions, all pure. An optimizer sees three splits before the report: gradients come from
"train", rewards of a search from "search", the choice among finalists from "choice"; "test" is for
the report alone.

Letters: n examples of a split, B examples of a batch.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from metarl.errors import require

from .leaf_roles import LeafRole

if TYPE_CHECKING:
    import jax

Split = Literal["train", "search", "choice", "test"]
Role = Literal["search", "held-out"]
Params = Any  # a PyTree of arrays of real floating-point numbers, best of float32
ModelState = (
    Any  # a PyTree of arrays that no gradient changes, such as running means; () when there is none
)
Examples = Any  # a PyTree of arrays that share their leading dimension, [n, ...] or [B, ...]

SPLITS: tuple[Split, ...] = ("train", "search", "choice", "test")
ROLES: tuple[Role, ...] = ("search", "held-out")


@dataclasses.dataclass(frozen=True)
class Card:
    """What a table of problems shows of one."""

    name: str
    """Unique among problems."""
    family: str = "own"
    """Kind of problem, by its model: perceptron, convolution, language ..."""
    role: Role = "search"
    """Whether rules may be searched on it, or it only judges rules found elsewhere."""
    metric: str | None = None
    """What `evaluate` reports beside the loss; None when the loss is all there is."""
    higher_is_better: bool = True
    """Of the metric."""
    chance: float | None = None
    """The metric of an uninformed guess."""
    steps: int = 200
    """Optimizer steps of one run."""
    batch_size: int = 32
    """Examples a batch."""
    description: str = ""
    """One line: data, model, loss."""
    source: str = ""
    """Where the data or the formula come from."""
    data: str = "own"
    """Name of the data set; synthetic when a formula is the source."""
    needs_data: bool = False
    """Whether its data must be fetched first, and the folder named; see data_files.py."""
    is_costly: bool = False
    """Whether a run takes more than a second or two on a laptop; comparisons then take fewer seeds."""
    is_blunt: bool = False
    """Whether tuned optimizers differ less on it than one run does from the next; the group held-out leaves it out."""
    leaf_roles: Mapping[str, LeafRole] = dataclasses.field(default_factory=dict, hash=False)
    """What the parameters are to the network, by pattern of a leaf's path; guessed where none fits."""

    def __post_init__(self):
        """Refuses a card that no search could use."""
        require(
            isinstance(self.name, str) and self.name.strip() != "",
            f"A problem's name must be a non-empty text, not {self.name!r}.",
        )
        prefix = f"Problem {self.name!r}: "
        require(
            self.role in ROLES,
            f"{prefix}role must be one of {', '.join(ROLES)}, not {self.role!r}.",
        )
        for field in ("steps", "batch_size"):
            value = getattr(self, field)
            require(
                isinstance(value, int) and not isinstance(value, bool) and value >= 1,
                f"{prefix}{field} must be a whole number of at least 1, not {value!r}.",
            )
        require(
            self.chance is None or math.isfinite(self.chance),
            f"{prefix}chance must be a finite number or None, not {self.chance!r}.",
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Problem(Card):
    """What an optimizer is judged on: a card and four pure functions.

    The key of `loss` is for problems that draw random numbers in training; the others ignore it.
    """

    init: Callable[[jax.Array], tuple[Params, ModelState]]
    """key -> starting parameters and model state."""
    loss: Callable[[Params, ModelState, Examples, jax.Array], tuple[jax.Array, ModelState]]
    """params, model state, batch, key -> mean loss [] in training mode, next model state."""
    evaluate: Callable[[Params, ModelState, Examples], dict[str, jax.Array]]
    """params, model state, batch -> {"loss": [], metric: []} in evaluation mode."""
    examples: Callable[[Split], Examples]
    """split -> its examples, NumPy arrays [n, ...]: always the same, disjoint from the others."""
    minimum: Params | None = None
    """Parameters where the noiseless loss is zero, when they are known (landscapes)."""
    at_width: Callable[[float], Problem] | None = None
    """factor -> the problem with hidden layers so many times as wide; None when it has none. Goes with init, loss and
    evaluate: who replaces one of these replaces it too."""

    @classmethod
    def from_card(cls, card: Card, **functions: Any) -> Problem:
        """Returns the problem of `card`, made of `functions` (the fields that a card lacks)."""
        facts = {field.name: getattr(card, field.name) for field in dataclasses.fields(Card)}
        return cls(**facts, **functions)

    def __post_init__(self):
        """Refuses what is not callable."""
        super().__post_init__()
        for field in ("init", "loss", "evaluate", "examples"):
            value = getattr(self, field)
            require(
                callable(value),
                f"Problem {self.name!r}: {field} must be a function, not {type(value).__name__}.",
            )
        require(
            self.at_width is None or callable(self.at_width),
            f"Problem {self.name!r}: at_width must be a function or None, not {type(self.at_width).__name__}.",
        )
