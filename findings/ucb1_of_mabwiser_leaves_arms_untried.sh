#!/usr/bin/env bash
# MABWiser 2.7.4: its UCB1 never tries an arm that the first `fit` had no pull of.
#
# Guess, before looking: UCB1's bound of an arm without pulls is infinite, or such arms are played first as in the paper (Auer et al. 2002);
# so an online loop may begin from one pull of any arm.
# Seen (mabwiser 2.7.4, numpy 2.4.6, Python 3.11): two arms that pay with probability 0.2 and 0.9, `fit` with one pull of the first that paid
# nothing. `predict_expectations` says 0 of the second, and after 2,000 pulls by `predict` and `partial_fit` the first was played every
# time. With one pull of each arm in `fit` the second is played more than 1,900 times.
# Why: expectations begin as 0 and are computed anew for arms with pulls alone; any bound that is above 0, and all are, is preferred.
# Nothing is raised or warned of. ThompsonSampling draws from its prior there and finds the second arm from the same start.
# Who meets it: whoever holds another agent beside this UCB1 in a loop that starts from what it happens to have. Pull each arm once first.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip --quiet --disable-pip-version-check install "mabwiser==2.7.4" "numpy==2.4.6"
"$place/venv/bin/python" -W ignore - <<'PY'
import numpy as np
from mabwiser.mab import MAB, LearningPolicy

MEANS, PULLS = (0.2, 0.9), 2_000


def played(policy, arms, rewards):
    """How often each arm was played after a `fit`, and what was expected of the second at first."""
    luck = np.random.default_rng(0)
    agent = MAB([0, 1], policy, seed=1)
    agent.fit(arms, rewards)
    expected, counts = float(agent.predict_expectations()[1]), [0, 0]
    for _ in range(PULLS):
        arm = agent.predict()
        counts[arm] += 1
        agent.partial_fit([arm], [float(luck.random() < MEANS[arm])])
    return counts, expected


ucb1, thompson = LearningPolicy.UCB1(alpha=1.0), LearningPolicy.ThompsonSampling()
alone, expected = played(ucb1, [0], [0.0])
both, _ = played(ucb1, [0, 1], [0.0, 0.0])
sampled, _ = played(thompson, [0], [0.0])
print("UCB1 from one arm:", alone, "expected of the other:", expected, "| from both:", both, "| Thompson from one:", sampled)
raise SystemExit(0 if alone == [PULLS, 0] and expected == 0 and both[1] > 1_900 and sampled[1] > 1_900 else "this has changed")
PY
