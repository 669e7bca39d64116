"""choice: which of the archive's best rules are worth reporting.

The search score is the best of thousands and therefore too good. So the best rules are tuned anew around their rate, on
fresh seeds, and judged on "choice" data that the search never saw; rank 1 of that list is the winner, and the claim is
about it alone.

Letters: K rules, R learning rates, P problems, S seeds.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from metarl.problems import Problem
from metarl.update_rules import Grammar

from .archive import Archive
from .candidates import Trial, make_judgement
from .config import SearchConfig
from .reference import tuned_adam
from .rewards import loss_rewards, metric_rewards
from .search_job import executor, local_evaluator
from .seeding import replicate_seeds

# Half-decades around the rate of the search, whose grid has whole decades.
_REFINEMENT = 10.0 ** np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
_TUNING_SEEDS = 6


class Choice(NamedTuple):
    """One rule, as choice data see it."""

    rule: str
    reward: float  # of the search
    choice_score: float  # the same measure on choice data and fresh seeds
    learning_rate: float  # re-tuned, on the first problem


def choose(
    archive: Archive, grammar: Grammar, problems: list[Problem], config: SearchConfig
) -> list[Choice]:
    """Returns the archive's best rules in the order of their score on choice data, best first.

    At most `config.final.candidates` rules enter, one of each group of near-duplicates. Rules that draw their random
    numbers in other slots may be one text; its best score counts.
    """
    best = archive.best(config.final.candidates)
    if not best:
        return []
    tokens = np.stack([entry.tokens for entry in best])
    rates = np.stack([entry.learning_rates for entry in best])  # [K, P]
    verdicts, adam = {}, {}
    for place, problem in enumerate(problems):
        trial = choice_trial(problem, config)
        seeds = replicate_seeds(config.seed, "choice", trial.replicates)
        judgement = make_judgement(problem, grammar, trial, "choice", seeds, executor())
        evaluator = local_evaluator({problem.name: judgement})
        grid = rates[:, place : place + 1] * _REFINEMENT.astype(np.float32)
        verdicts[problem.name] = evaluator.evaluate(tokens, grid)[problem.name]
        evaluator.close()
        adam[problem.name] = tuned_adam(problem, judgement, trial).losses
    by_metric = config.reward == "accuracy"
    scores = metric_rewards(verdicts, {p.name: p for p in problems}) if by_metric else loss_rewards(verdicts, adam)
    tuned = verdicts[problems[0].name].rate
    texts = [str(grammar.to_rule(entry.tokens).canonical()) for entry in best]
    order = np.argsort(-scores, kind="stable")
    choices: dict[str, Choice] = {}
    for i in order:
        choice = Choice(texts[i], float(best[i].reward), float(scores[i]), float(tuned[i]))
        choices.setdefault(choice.rule, choice)
    return list(choices.values())


def choice_trial(problem: Problem, config: SearchConfig) -> Trial:
    """Returns how a rule of the archive is run: full length throughout, more seeds, a finer grid."""
    steps = config.training.steps or problem.steps
    return Trial(
        steps,
        steps,
        sweep_replicates=_TUNING_SEEDS,
        full_replicates=config.final.choice_seeds,
        num_rates=len(_REFINEMENT),
        give_up=config.training.give_up,
    )
