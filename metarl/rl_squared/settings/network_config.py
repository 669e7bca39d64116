"""Settings of the recurrent network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from metarl.errors import require
from metarl.reading import Bounds, Count, Positive, check_fields

CoreName = Literal[
    "gru", "lstm", "outer-product", "lru", "delta-rule", "gru-delta-rule", "transformer", "none"
]
CORES: tuple[CoreName, ...] = get_args(CoreName)
STACKED = ("lru", "delta-rule", "gru-delta-rule", "transformer")  # cores of several layers
Units = Annotated[int, Bounds(least=1, most=65_536)]


@dataclass(frozen=True)
class NetworkConfig:
    """The recurrent network."""

    core: CoreName = "gru"
    """What remembers: "outer-product" is a fast-weight memory that is asked about each action, "lru" a
    linear recurrence, "delta-rule" a fast-weight memory for any world, "gru-delta-rule" the same above a GRU;
    "none" has no memory."""

    hidden: Units = 64
    """Its units."""

    activation: Literal["tanh", "relu"] = "tanh"
    """Of the GRU's candidate."""

    normalise_weights: bool = False
    """Weight normalisation of the GRU's matrices."""

    input_deviation: Positive | None = 0.5
    """Of the GRU's first weights from the input; None draws them Xavier uniform, as the paper does,
    for which one-hot inputs are small, and so does the front for images."""

    memory_keys: Units = 64
    """Of the outer-product memory: its rows."""

    memory_values: Units = 8
    """Of the outer-product memory: its columns."""

    layers: Annotated[int, Bounds(least=1, most=64)] = 2
    """Of lru, delta-rule and transformer: how many stand one above the other; of gru-delta-rule above its GRU."""

    heads: Units = 4
    """Of each layer of delta-rule, gru-delta-rule and transformer."""

    context: Units | None = None
    """Of the transformer: how many steps a layer looks back, itself included; the whole trial if not
    given."""

    value: Literal["separate", "shared"] = "separate"
    """Whether the value has a network of its own."""

    privileged_value: bool = True
    """Let a separate value network see the task in training; as a baseline it stays unbiased."""

    pairs: bool = False
    """Show the previous observation and action as one pair too, alone and times the reward; only
    where both are discrete."""

    inner_values: bool = False
    """Show what an inner learner believes (after RL³, Bhatia et al. 2023), and what is left of trial and episode:
    of each action how rarely it was taken in the present state, and its values in a model counted from the trial,
    as it is and with a bonus for what is unknown, only where both are discrete; or what the world's own inner learner
    tells, as that of mazes in the first person, which draws a map; tables mark it."""

    inner_trust: Annotated[float, Bounds(least=0, most=1000)] = 0.0
    """Of an outer-product memory with inner values: an action's score begins as so many times its mean value in
    the two plans that have a bonus, so that the agent goes by them before it has learnt anything; at 0 that has to be
    learnt. Tables mark it."""

    filters: Units = 16
    """Where observations are images: of each of the two convolutions."""

    pixel_units: Units | None = None
    """Where observations are images: so many units that see all pixels, in place of convolutions,
    which they are cheaper than on a CPU where pixels are few. None takes convolutions."""

    beside: Units = 64
    """Where observations are images: units of the layer for action, reward and flag."""

    truncate: Count | None = None
    """Cut the gradient every so many steps of a trial, where memory is short; None never does."""

    def __post_init__(self) -> None:
        check_fields(self)
        require(
            self.inner_trust == 0 or (self.inner_values and self.core == "outer-product"),
            f"inner_trust is {self.inner_trust:g}, which needs --network.inner-values and --network.core "
            f"outer-product; the core is {self.core!r}, and inner values are "
            f"{'' if self.inner_values else 'not '}shown.",
        )
        parts = self.heads if self.core in STACKED[1:] else 1
        if self.core == "transformer":  # its positions turn pairs of numbers
            parts *= 2
        require(
            self.hidden % parts == 0,
            f"hidden is {self.hidden}; with {self.heads} heads of {self.core} it must be a multiple "
            f"of {parts}.",
        )
