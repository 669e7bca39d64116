"""extras: what an optimizer may be tuned by beside its learning rate, in the order in which it is tried.

A comparison gives everybody the same number of extra points (`--extra-points`). Each is one change of an optimizer's
own settings, tried at three learning rates around the best; the first are those that matter most. Who has fewer
settings, such as gradient descent or a factory that names none, tries as many more learning rates instead. All values
are data of one compiled program.

Letters: X extra settings.

Reference: Choi et al. (2019), On Empirical Comparisons of Optimizers for Deep Learning, arXiv:1910.05446: who is tuned
by more wins.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp


class Extras(NamedTuple):
    """An optimizer's extra settings.

    Attributes:
      own: what the settings are where none is tried, by name.
      tried: changes of them, the one that matters most first.
    """

    own: Mapping[str, float] = MappingProxyType({})
    tried: tuple[Mapping[str, float], ...] = ()  # [X]

    def at(self, place: jax.typing.ArrayLike, count: int) -> dict[str, Any]:
        """Returns all settings at one of the first `count` changes, by name; none where there is nothing to change.

        Args:
          place: 0 for no change, or the number of one; may be traced.
          count: how many may be asked for.
        """
        changes = self.tried[:count]
        names = dict.fromkeys(name for change in changes for name in change)
        columns = {
            name: [self.own[name], *(c.get(name, self.own[name]) for c in changes)]
            for name in names
        }
        return {name: jnp.asarray(values)[place] for name, values in columns.items()}

    def without(self, name: str) -> Extras:
        """Returns those that leave a setting alone."""
        return Extras(self.own, tuple(change for change in self.tried if name not in change))


NO_EXTRAS = Extras()


def extras(own: Mapping[str, float], **tried: tuple[float, ...]) -> Extras:
    """Returns extra settings that change one number each: the first values of all names, the second ones ...

    >>> [dict(x) for x in extras({"b1": 0.9, "b2": 0.999}, b2=(0.99, 0.95), b1=(0.8,)).tried]
    [{'b2': 0.99}, {'b1': 0.8}, {'b2': 0.95}]
    """
    rounds = max(map(len, tried.values()))
    changes = [
        MappingProxyType({name: values[turn]})
        for turn in range(rounds)
        for name, values in tried.items()
        if turn < len(values)
    ]
    return Extras(MappingProxyType(dict(own)), tuple(changes))


_ADAM = MappingProxyType({"b1": 0.9, "b2": 0.999})
ADAM = extras(_ADAM, b2=(0.99, 0.95, 0.9), b1=(0.8, 0.95))
MOMENTA = (0.95, 0.8, 0.98, 0.7, 0.5)


def of_adamw(weight_decay: float) -> Extras:
    """Returns those of Adam with a weight decay of its own."""
    own = {**_ADAM, "weight_decay": weight_decay}
    return extras(own, b2=(0.99, 0.95), weight_decay=(1e-2, 1e-1), b1=(0.8,))


def of_rule(needs: Set[str]) -> Extras:
    """Returns those of a rule: of Adam where it averages g², else of its average of g, else none.

    Args:
      needs: what the rule needs, see `Rule.needs`.
    """
    if "v" in needs:
        return ADAM if "m" in needs else extras({"b2": 0.999}, b2=(0.99, 0.95, 0.9))
    if "m" in needs:
        return extras({"b1": 0.9}, b1=MOMENTA)
    return NO_EXTRAS
