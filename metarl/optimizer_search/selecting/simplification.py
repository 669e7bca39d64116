"""simplification: what a finalist does not need is dropped.

Found rules carry passengers: a factor that is nearly 1, a clip that never clips. Every simpler rule that one cut makes
of a finalist (see `metarl.update_rules.simpler`) is judged beside it on the same data and seeds. Of those that are not
worse by more than a tolerance, as the upper end of a paired 95 % interval says, and diverge on no other seed, the
simplest takes the finalist's place, and the cuts begin anew. Each is held against the rule that was found, not against
the one before it, so that small losses do not add up.

A positive factor of the whole rule is left to the learning rate at once. All rules run through one compiled
interpreter: its space is the search's with the parts of the finalists added.

Letters: S replicates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from metarl.errors import InvalidInput
from metarl.reporting import counted
from metarl.statistics import Interval, interval_to_json, paired_difference
from metarl.update_rules import Grammar, Rule, complexity, simpler, unscaled, with_parts

from ..judging.evaluators import Backend, local_evaluator
from ..judging.judges import Judge
from ..judging.panel import Panel, sweeping_trial
from ..settings.config import SearchConfig

Say = Callable[[str], None]


class Judged(NamedTuple):
    """What the panel says of one rule."""

    score: float
    replicates: np.ndarray  # [S]
    learning_rate: float  # tuned, for the first judge


class Simplified(NamedTuple):
    """A finalist and what became of it."""

    original: Rule
    rule: Rule  # the same where nothing could be dropped
    score: float  # of the rule
    original_score: float  # on the same data and seeds
    worse_by: Interval  # score of the original minus that of the rule, paired by seed
    learning_rate: float  # of the rule, for the first judge
    tried: int  # simpler rules that were judged on its behalf

    def document(self) -> dict[str, Any]:
        """Returns it as plain values."""
        return {
            "rule": str(self.original.canonical()),
            "simplified": str(self.rule.canonical()),
            "score": self.original_score,
            "simplified_score": self.score,
            "worse_by": interval_to_json(self.worse_by),
            "tried": self.tried,
        }


def simplify(
    rules: Sequence[Rule],
    grammar: Grammar,
    judges: Sequence[Judge],
    config: SearchConfig,
    tolerance: float,
    say: Say = lambda text: None,
    backend: Backend = local_evaluator,
) -> list[Simplified]:
    """Returns each rule with the simplest one that loses no more than the tolerance.

    Args:
      rules: finalists, as the grammar writes them.
      grammar: of the search.
      judges: by whom rules are judged, on choice data and seeds of this stage's own.
      config: of the search.
      tolerance: in the reward's measure.
      say: called with a line about each round.
      backend: where rules are trained.
    """
    if not rules:
        return []
    panel = _panel(rules, grammar, judges, config, backend)
    known: dict[Rule, Judged] = {}
    bases = [unscaled(rule) for rule in rules]
    _judge(bases, panel, known)
    current, tried = list(bases), [0] * len(rules)
    going = list(range(len(rules)))
    while going:
        offered = {place: [unscaled(cut) for cut in simpler(current[place])] for place in going}
        cuts = counted(sum(map(len, offered.values())), "cut")
        say(f"Simplifying {counted(len(going), 'rule')}: {cuts}.")
        _judge([rule for offer in offered.values() for rule in offer], panel, known)
        for place, offer in offered.items():
            judged = [rule for rule in offer if rule.canonical() in known]
            tried[place] += len(judged)
            best = _simplest(judged, known[bases[place].canonical()], known, tolerance)
            current[place] = best or current[place]
            if best is None:
                going.remove(place)
    panel.close()
    return [
        _simplified(original, base, rule, count, known)
        for original, base, rule, count in zip(rules, bases, current, tried, strict=True)
    ]


def worse_by(original: np.ndarray, other: np.ndarray) -> Interval:
    """Returns how much lower the other's scores are, paired by seed; a run that diverged scores -inf.

    Args:
      original: [S].
      other: [S], of the same seeds.
    """
    return paired_difference(original, other)


def _panel(
    rules: Sequence[Rule],
    grammar: Grammar,
    judges: Sequence[Judge],
    config: SearchConfig,
    backend: Backend,
) -> Panel:
    space = grammar.space
    assert not isinstance(space, str)
    return Panel(
        judges,
        Grammar(with_parts(space, rules), grammar.depth, normalised=grammar.normalised),
        config,
        "simplification",
        lambda steps: sweeping_trial(steps, config.final.choice_seeds, config),
        backend,
    )


def _judge(rules: Sequence[Rule], panel: Panel, known: dict[Rule, Judged]) -> None:
    """Judges the rules that are not known yet; those that need more groups than there are stay unknown."""
    new: dict[Rule, np.ndarray] = {}
    for rule in rules:
        canonical = rule.canonical()
        if canonical not in known and canonical not in new:
            try:
                new[canonical] = panel.grammar.to_tokens(rule)
            except InvalidInput:
                continue
    if not new:
        return
    scores = panel.scores(np.stack(list(new.values())))
    rates = scores.rates[panel.names[0]]
    for canonical, total, runs, rate in zip(
        new, scores.total, scores.replicates, rates, strict=True
    ):
        known[canonical] = Judged(float(total), runs, float(rate))


def _simplest(
    offer: Sequence[Rule], original: Judged, known: Mapping[Rule, Judged], tolerance: float
) -> Rule | None:
    """Returns the simplest rule that is not worse by more than the tolerance, of equally simple ones the best."""
    good = [
        rule
        for rule in offer
        if _no_worse(original.replicates, known[rule.canonical()].replicates, tolerance)
    ]
    return min(
        good, key=lambda rule: (complexity(rule), -known[rule.canonical()].score), default=None
    )


def _no_worse(original: np.ndarray, other: np.ndarray, tolerance: float) -> bool:
    """Tells whether other's scores are as good, [S]; it must not diverge where the original does not."""
    diverges = np.isneginf(other) & ~np.isneginf(
        original
    )  # an interquartile mean would not see a few
    return not diverges.any() and worse_by(original, other).high <= tolerance


def _simplified(
    original: Rule, base: Rule, rule: Rule, tried: int, known: Mapping[Rule, Judged]
) -> Simplified:
    before, after = known[base.canonical()], known[rule.canonical()]
    return Simplified(
        original,
        rule,
        after.score,
        before.score,
        worse_by(before.replicates, after.replicates),
        after.learning_rate,
        tried,
    )
