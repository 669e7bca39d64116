"""control: Adam that was searched for as rules are, the rival that a found rule has to beat.

A search tries many rules and hands over the best on its problems. So many settings of Adam (b1, b2, eps, decoupled
weight decay), drawn at random, are tried on the search problems, and the best is handed over: an optimizer as any
other, whose learning rate is tuned as everybody's is. Each is tried at a learning rate within a decade of tuned Adam's,
drawn with it. Where the comparison decays weights, none has a decay of its own. All are run on one seed of every
problem, the best quarter of them on another, the best of these on two more ...; what counts is the mean of log(loss /
tuned Adam's loss), clipped to a factor of ten. The first setting is Adam's own.

Letters: N settings, P problems.

References: Bergstra and Bengio (2012), Random Search for Hyper-Parameter Optimization; Jamieson and Talwalkar (2016),
Non-stochastic Best Arm Identification, arXiv:1502.07943, for dropping the worst as seeds are added.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
import optax

from metarl import problems as problem_suite
from metarl.errors import require
from metarl.reading import read_json_object
from metarl.reporting import counted, write_json

from ..judging.evaluators import Device
from ..settings.compare_config import CompareConfig
from .contest import Crew
from .entrants import Entrant
from .extras import Extras
from .one_rate import Court, log_losses_at, tuned_court
from .standard import plain

CONTROL = "adam-control"
_FILE = "control.json"
_OWN = {"b1": 0.9, "b2": 0.999, "eps": 1e-8, "weight_decay": 0.0}
_STREAM = 0xADA3  # of random numbers


def control_entrant(
    config: CompareConfig, say: Callable[[str], None], place: Path | None = None
) -> Entrant:
    """Returns the best of as many settings of Adam as the configuration says.

    Args:
      config: number of settings, seeds.
      say: called with a line about what is done next.
      place: a directory that keeps what was found; what lies there is not found again.

    Raises:
      InvalidInput: the configuration names no number.
    """
    wanted = config.control or ""
    require(
        wanted.isascii() and wanted.isdigit() and int(wanted) > 0,
        f"control is {wanted!r}; it must be a number of settings, at least 1.",
    )
    path = None if place is None else place / _FILE
    if path is not None and path.exists():
        found = read_json_object(path, beneath=place)
    else:
        found = found_setting(int(wanted), problem_suite.suite("search"), config, say)
        if path is not None:
            write_json(path, found)
    still = {**found, "weight_decay": 0.0}
    made, without = plain(optax.adamw, **found), plain(optax.adamw, **still)
    return Entrant(CONTROL, made, without_decay=without, rules_trained=int(wanted))


def found_setting(
    count: int, problems: Sequence[str], config: CompareConfig, say: Callable[[str], None]
) -> dict[str, float]:
    """Returns the best of `count` settings of Adam over the problems, by name.

    Args:
      count: N, Adam's own among them.
      problems: names.
      config: seeds and number of tuning seeds.
      say: called with a line about what is done next.
    """
    settings, multiples = drawn_settings(count, config.seed)
    if any(config.weight_decays):  # the comparison's take the place of its own
        settings = tuple(MappingProxyType({**x, "weight_decay": 0.0}) for x in settings)
    one = Entrant(CONTROL, plain(optax.adamw, weight_decay=0.0), extras=Extras(_OWN, settings))
    with Crew() as crew:
        courts = []
        for name in problems:
            say(f"{name}: {counted(count, 'setting')} of Adam, as control")
            courts.append(tuned_court(name, config, crew, extra_points=count))

        def losses(places: np.ndarray, seeds: slice) -> np.ndarray:
            def at(court: Court, device: Device) -> np.ndarray:
                rates = court.adam.learning_rate * multiples[places]
                tried = [
                    court.adam._replace(learning_rate=float(rate), extra=int(place) + 1)
                    for rate, place in zip(rates, places, strict=True)
                ]
                return log_losses_at(court, one, tried, seeds, device)

            return np.mean(crew.map(at, courts), axis=0)  # [places, seeds]

        best = last_of_halving(losses, count, config.tuning_seeds)
    return dict(settings[best])


def drawn_settings(count: int, seed: int) -> tuple[tuple[Mapping[str, float], ...], np.ndarray]:
    """Returns settings, Adam's own first, and the multiples of Adam's rate that each is tried at, [N].

    1 - b1 is drawn log-uniformly from 0.02 to 1, 1 - b2 from 1e-4 to 0.3, eps from 1e-10 to 1e-3, the weight decay from
    1e-4 to 1, but is 0 for half of them; the multiple from 0.1 to 10.
    """
    rng = np.random.default_rng([seed, _STREAM])

    def between(low: float, high: float) -> np.ndarray:
        return np.exp(rng.uniform(np.log(low), np.log(high), count))

    b1, b2, eps = 1.0 - between(0.02, 1.0), 1.0 - between(1e-4, 0.3), between(1e-10, 1e-3)
    decay = np.where(rng.random(count) < 0.5, 0.0, between(1e-4, 1.0))
    multiples = between(0.1, 10.0)
    multiples[0] = 1.0
    rows = zip(b1.tolist(), b2.tolist(), eps.tolist(), decay.tolist(), strict=True)
    drawn = [dict(zip(_OWN, row, strict=True)) for row in rows]
    return (_OWN, *drawn[1:]), multiples


def last_of_halving(
    losses: Callable[[np.ndarray, slice], np.ndarray], count: int, seeds: int
) -> int:
    """Returns the best of `count`, of which three quarters are dropped whenever the number of seeds is doubled.

    Args:
      losses: (places [K], which seeds) -> losses of those, [K, S].
      count: how many there are.
      seeds: how many seeds there are.
    """
    alive, done = np.arange(count), 0
    known = np.zeros((count, 0))
    while True:
        until = min(seeds, max(1, 2 * done))
        known = np.concatenate([known, losses(alive, slice(done, until))], axis=1)
        order = np.argsort(known.mean(axis=1), kind="stable")
        done = until
        if done == seeds or len(alive) == 1:
            return int(alive[order[0]])
        kept = order[: max(1, len(alive) // 4)]
        alive, known = alive[kept], known[kept]
