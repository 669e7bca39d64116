"""compare_config: the settings of a comparison, as a frozen dataclass; nothing here imports jax.

They are the protocol: what is tuned, over which grid, on how many seeds, and what is reported. Every result is stored
with them and with `PROTOCOL_VERSION`; numbers of different versions do not stand in one table.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from metarl.errors import require, unknown_name
from metarl.reading import (
    Bounds,
    Horizon,
    NotNegative,
    PairedSeeds,
    Seed,
    Seeds,
    Steps,
    check_fields,
)

# 1: learning rates alone, target from tuned Adam. 2: schedules and weight decay as axes, two tracks, target from the
# best tuned reference, Adam-equivalent steps, scores over problems. 3: as many fresh seeds as the problem's card says,
# whatever the clock says. 4: speed-ups by a fit, over the problems on which Adam's loss falls with length; a decaying
# schedule unless a constant one is asked for. 5: eighths of a decade around the best rate; ratios averaged over the
# settings that tuning may have chosen, the noise of tuning in their intervals. 6: `adan` is that of its paper, where it
# was optax's; beside weight decays whoever decays weights himself is refused, and the control is searched for without.
# 7: speed-ups are averaged as ratios are, and their intervals hold the noise of tuning; nothing else.
PROTOCOL_VERSION = 7
MEASURED_ALIKE = (6, 7)  # whose measurements are the same: what is said of them is that of today

Track = Literal["tuned", "one-rate", "default"]
TensorFunctions = Literal["shapes", "roles"]
Schedule = Literal["constant", "warm-up", "linear", "cosine", "linear-cosine"]

TRACKS: tuple[str, ...] = get_args(Track)
TENSOR_FUNCTIONS: tuple[str, ...] = get_args(TensorFunctions)
SCHEDULE_NAMES: tuple[str, ...] = get_args(Schedule)
GROUPS: tuple[str, ...] = ("search", "held-out", "all")
ALL_REFERENCES = "all"
CLASSIC_REFERENCES = "classic"  # those up to 2023, which a search's finalists meet


@dataclass(frozen=True)
class CompareConfig:
    """A comparison of update rules with tuned standard optimizers."""

    problem: tuple[str, ...] = ("held-out",)
    """Problems; names, my_module:factory, or search, held-out, all for those of `metarl list problems`."""
    track: Track = "tuned"
    """tuned: each tuned on each problem; one-rate: each at one multiple of tuned Adam's rate; default: at one rate."""
    steps: Steps | None = None
    """Optimizer steps of a run; each problem's own default if not given."""
    seeds: PairedSeeds | None = None
    """Fresh paired seeds of the report; 60 if not given, 10 on costly problems; fewer than 8 have no intervals."""
    tuning_seeds: Seeds = 10
    """Seeds at each rate around the best; half-decades are tried on half of them."""
    schedules: tuple[Schedule, ...] = ("cosine",)
    """Learning-rate schedules that everybody tries at every rate; cosine and linear rise over 5 %, then fall to 0."""
    weight_decays: tuple[NotNegative, ...] = (0.0,)
    """Strengths of decoupled weight decay that everybody tries; other than 0, in place of a standard one's own."""
    extra_points: Annotated[int, Bounds(least=0, most=5)] = 0
    """Changes of its own settings (b2, momentum ...) that each tries too, at three rates; who has none: more rates."""
    tensor_functions: tuple[TensorFunctions, ...] = ("shapes",)
    """How ortho, rownorm, colnorm in rules tell matrices: by shapes, by roles as Muon does, or both, each apart."""
    references: tuple[str, ...] = (ALL_REFERENCES,)
    """Standard optimizers beside Adam, by name, or classic or all; all of them if not given."""
    horizons: tuple[Horizon, ...] = (0.25, 0.5, 1.0, 2.0, 4.0)
    """Lengths of tuned Adam's own runs for Adam-equivalent steps, in multiples of the steps; none: left out."""
    control: str | None = None
    """Adam with the best of so many b1, b2, eps, weight decays: a number, or a search's directory for its number."""
    time_compilation: bool = True
    """Measure on the first problem how long each optimizer compiles, without the cache of compiled programs."""
    seed: Seed = 0
    """Of everything random."""

    def validate(self) -> CompareConfig:
        """Returns self if every number makes sense; names are checked where they are looked up.

        Raises:
          InvalidInput: says which field, what it is and what it may be.
        """
        require(len(self.problem) > 0, "A comparison needs at least one problem.")
        check_schedules(self.schedules)
        for name in self.tensor_functions:
            if name not in TENSOR_FUNCTIONS:
                raise unknown_name("way of tensor_functions", name, TENSOR_FUNCTIONS)
        check_fields(self)
        self._validate_axes()
        require(
            self.track == "tuned" or not self.extra_points,
            f"extra_points is {self.extra_points} on the track {self.track!r}, on which nobody's own settings are "
            "tuned; leave it out, or use the track 'tuned'.",
        )
        return self

    def _validate_axes(self) -> None:
        for name in ("schedules", "weight_decays", "tensor_functions"):
            values = getattr(self, name)
            require(
                len(values) > 0 and len(set(values)) == len(values),
                f"{name} must be one or more different values, not {', '.join(map(str, values)) or 'none'}.",
            )


def check_schedules(names: Iterable[str]) -> None:
    """Refuses names of learning-rate schedules that there are not.

    Raises:
      InvalidInput: names the schedules there are.
    """
    for name in names:
        if name not in SCHEDULE_NAMES:
            raise unknown_name("schedule", name, SCHEDULE_NAMES)
