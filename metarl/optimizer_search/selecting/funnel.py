"""funnel: from the rules of a search to the few that are compared, and how many were ranked on the way.

    search           all rules trained, on search data
    choice           the archive's best, on choice data and fresh seeds: many on few, then fewer on more
    larger problems  the best of these, on further problems (if any are named), larger ones or merely others
    simplification   what the finalists do not need is dropped (if a tolerance is given)
    comparison       the finalists, on test data and held-out problems, beside tuned standard optimizers

Every stage has seeds of its own, and ranks by one measure: the reward's (the choice by the search's runs too). On
further problems that is their mean; or, where a winner is to be good on all, the mean over them and those searched or
the worst of these scores, `final.funnel_order`. How far
the order of a stage agrees with that of the stage before is said as a rank correlation. Apart from the stages stands
the look at meta-overfitting: the rules that led during the search, judged again elsewhere; nothing is chosen by it.

Letters: K rules, J judges.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from metarl import problems as problem_suite
from metarl.problems import Problem
from metarl.reporting import counted
from metarl.statistics import rank_correlation
from metarl.update_rules import Grammar

from ..judging.evaluators import Backend, local_evaluator
from ..judging.halving import HalvingPanel
from ..judging.judges import judges_of
from ..judging.panel import Panel, sweeping_trial
from ..judging.rewards import FLOOR
from ..searching.search_state import SearchState
from ..settings.config import SearchConfig
from .choice import Choice, Ranked, choice_panel, rank
from .meta_overfitting import MOMENTS, look_again
from .simplification import simplify

Say = Callable[[str], None]


class Selection(NamedTuple):
    """The finalists, and how they were selected as a plain document.

    The document has "stages", a list of {name, rules, judged_by, seeds, data} with "ranking" (of the rules ranked
    after the search) and "rank_correlation" (with the stage before) where there is one; that of the choice has
    "rounds", {rules, seeds} each, its rows the seeds that a score rests on, and "first_score", of the first round, of
    which the correlation is; that of larger problems has "order", `final.funnel_order`, and under "mean" and "worst"
    its rows "joint_score", which orders them; "simplification", one entry a finalist; and "meta_overfitting", see
    `meta_overfitting.look_again`.
    """

    best: list[Choice]
    document: dict[str, Any]


class Funnel:
    """The stages between a search and its comparison, for one or several searches with the same settings.

    Args:
      grammar: of the rules.
      problems: of the search.
      config: its settings.
      backend: where rules are trained.
    """

    def __init__(
        self,
        grammar: Grammar,
        problems: Sequence[Problem],
        config: SearchConfig,
        backend: Backend = local_evaluator,
    ):
        """Nothing is compiled before the first rule is judged."""
        self._grammar, self._problems, self._config = grammar, list(problems), config
        self._backend = backend

    def select(self, state: SearchState, finalists: int, say: Say = lambda text: None) -> Selection:
        """Returns at most `finalists` rules of a search, best first, and how they were selected.

        Two finalists that are one rule once they are simplified are one finalist.
        """
        stages = [self._search_stage(state)]
        say("Choosing: re-tuning the best rules on fresh seeds and choice data.")
        ranked = rank(state.archive.best(self._config.final.candidates), self._choice)
        stages.append(self._choice_stage(ranked))
        if self._larger is not None and ranked:
            ranked = ranked[: self._config.final.funnel_rules]
            say(f"Ranking {counted(len(ranked), 'rule')} on {', '.join(self._larger.names)}.")
            ranked = _ranked_again(ranked, self._larger, self._config)
            stages.append(self._larger_stage(ranked, self._larger))
        best, simplification = self._simplified(ranked[:finalists], say)
        if simplification:
            tried = sum(entry["tried"] for entry in simplification)
            seeds = self._config.final.choice_seeds
            stages.append(stage("simplification", tried, self._choice.names, seeds, "choice"))
        return Selection(best, {"stages": stages, "simplification": simplification})

    def look_again(self, state: SearchState, say: Say = lambda text: None) -> dict[str, Any]:
        """Returns the scores elsewhere of the rules that led during a search."""
        records = state.records.spaced(MOMENTS)
        say(f"Judging {counted(len(records), 'rule')} that led during the search again.")
        names = dict.fromkeys(self._config.final.meta_overfitting)
        others = [problem_suite.load(name) for name in names]
        return look_again(records, self._choice, others, self._grammar, self._config, self._backend)

    def prepare(self) -> None:
        """Makes ready what the choice needs and no rule has a part in; before `select`, on any one thread."""
        self._choice.prepare()
        if self._larger is not None:
            self._larger.prepare()

    def close(self) -> None:
        """Frees threads and devices."""
        for name in ("_choice", "_larger"):
            panel = self.__dict__.get(name)
            if panel is not None:
                panel.close()

    @cached_property
    def _choice(self) -> HalvingPanel:
        return choice_panel(self._problems, self._grammar, self._config, self._backend)

    @cached_property
    def _larger(self) -> Panel | None:
        final = self._config.final
        if not final.funnel:
            return None
        problems = [problem_suite.load(name) for name in dict.fromkeys(final.funnel)]
        judges = judges_of(problems, horizons=final.funnel_horizons)
        seeds = final.funnel_seeds
        return Panel(
            judges,
            self._grammar,
            self._config,
            "funnel",
            lambda steps: sweeping_trial(steps, seeds, self._config),
            self._backend,
        )

    def _search_stage(self, state: SearchState) -> dict[str, Any]:
        training = self._config.training
        return stage("search", state.counts.trained, self._choice.names, training.seeds, "search")

    def _choice_stage(self, ranked: Sequence[Ranked]) -> dict[str, Any]:
        rows = [
            {
                **_row(c, c.reward, c.choice_score, c.scores),
                "seeds": c.choice_seeds,
                "first_score": c.first_score,
            }
            for c in (rule.choice for rule in ranked)
        ]
        found = _ranking(rows, "first_score")
        rounds = self._choice.rounds
        seeds = rounds.portion * rounds.report
        return stage(
            "choice",
            len(rows),
            self._choice.names,
            seeds,
            "choice",
            rounds=rounds.document(len(rows)),
            **found,
        )

    def _larger_stage(self, ranked: Sequence[Ranked], panel: Panel) -> dict[str, Any]:
        rows = [
            _row(c, c.choice_score, c.larger_score or 0.0, c.larger_scores)
            | ({} if c.joint_score is None else {"joint_score": c.joint_score})
            for c in (rule.choice for rule in ranked)
        ]
        final = self._config.final
        about = len(rows), panel.names, final.funnel_seeds, "choice"
        return stage("larger problems", *about, order=final.funnel_order, **_ranking(rows))

    def _simplified(
        self, ranked: Sequence[Ranked], say: Say
    ) -> tuple[list[Choice], list[dict[str, Any]]]:
        """Returns the finalists, simplified if that is asked for, and what became of each."""
        tolerance = self._config.final.simplify
        if tolerance is None:
            return [rule.choice for rule in ranked], []
        rules = [self._grammar.to_rule(rule.tokens) for rule in ranked]
        judges = self._choice.judges
        found = simplify(rules, self._grammar, judges, self._config, tolerance, say, self._backend)
        best: dict[str, Choice] = {}
        for rule, new in zip(ranked, found, strict=True):
            text, choice = str(new.rule.canonical()), rule.choice
            if text != choice.rule:
                choice = choice._replace(
                    rule=text, learning_rate=new.learning_rate, simplified_from=choice.rule
                )
            best.setdefault(text, choice)
        return list(best.values()), [new.document() for new in found]


def _ranked_again(ranked: Sequence[Ranked], panel: Panel, config: SearchConfig) -> list[Ranked]:
    """Returns rules in the order that the funnel has by further problems."""
    tokens = np.stack([rule.tokens for rule in ranked])
    scores = panel.scores(tokens, _carried([rule.choice.rate_multiple for rule in ranked], panel))
    again = [
        rule._replace(
            choice=rule.choice._replace(
                larger_score=float(scores.total[place]),
                larger_scores={name: float(one[place]) for name, one in scores.by_judge.items()},
            )
        )
        for place, rule in enumerate(ranked)
    ]
    if config.final.funnel_order == "alone":
        return [again[place] for place in np.argsort(-scores.total, kind="stable")]
    joint = [_joint_score(rule.choice, config) for rule in again]
    found = [
        rule._replace(choice=rule.choice._replace(joint_score=score))
        for rule, score in zip(again, joint, strict=True)
    ]
    return [found[place] for place in np.argsort(-np.array(joint), kind="stable")]


def _joint_score(choice: Choice, config: SearchConfig) -> float:
    """Returns the mean score over the judges of choice and funnel, or the worst; the floor where one has that.

    Under the mean a judge counts at most `training.judge_cap`, as everywhere.
    """
    scores = [*choice.scores.values(), *choice.larger_scores.values()]
    if config.final.funnel_order == "worst":
        return min(scores)
    if config.reward == "loss" and min(scores) <= FLOOR:
        return FLOOR
    cap = config.training.judge_cap
    return float(np.mean(scores if cap is None else np.minimum(scores, cap)))


def _carried(multiples: Sequence[float | None], panel: Panel) -> np.ndarray | None:
    """Returns multiples of Adam's rate for each judge of a panel, [K, J, 1]; None where rules have none."""
    known = [multiple for multiple in multiples if multiple is not None]
    if not known:
        return None
    return np.tile(np.reshape(known, (-1, 1, 1)), (1, len(panel.names), 1))


def _row(choice: Choice, before: float, score: float, by_judge: dict[str, float]) -> dict[str, Any]:
    return {"rule": choice.rule, "score_before": before, "score": score, "by_judge": by_judge}


def _ranking(rows: list[dict[str, Any]], score: str = "score") -> dict[str, Any]:
    """Returns the ranking of a stage and how it agrees with the scores of the stage before."""
    if not rows:
        return {"ranking": rows}
    agreement = rank_correlation([r["score_before"] for r in rows], [r[score] for r in rows])
    return {"ranking": rows, "rank_correlation": agreement._asdict()}


def stage(
    name: str, rules: int, judges: Sequence[str], seeds: int, data: str, **more: Any
) -> dict[str, Any]:
    """Returns the plain form of a stage: how many rules were ranked, by whom, on how many seeds of which data."""
    return {
        "name": name,
        "rules": rules,
        "judged_by": list(judges),
        "seeds": seeds,
        "data": data,
        **more,
    }
