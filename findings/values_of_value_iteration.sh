#!/usr/bin/env bash
# pymdptoolbox 4.0b3: after ValueIteration the policy is right and the values are not, by more the nearer the discount is to 1.
#
# Guess, before looking: `ValueIteration(P, R, discount, epsilon=0.01)` ends with values within 0.01 of the optimal ones, as a policy that is
# epsilon-optimal by its values would have it; `PolicyIterationModified` likewise.
# Seen (pymdptoolbox 4.0b3, numpy 2.4.6, scipy 1.17.1, Python 3.11): in a random MDP of 6 states, 3 actions, rewards from N(1, 1), with discount
# 0.99, the optimal values are about 150. ValueIteration stops after 9 sweeps, its policy is optimal, and its `V` is about 14: too small by
# 136.6 in every state, to within 0.01. With epsilon = 0.001 it is 133.9. PolicyIterationModified has the optimal policy too,
# and values that are too small by 152.7: below 0. PolicyIteration is right to 1e-11.
# Why: both stop by the *span* of a sweep's change, its largest less its smallest entry. A span below a bound makes the greedy policy
# epsilon-optimal while all values still rise by almost the same amount a sweep; that amount over (1 - discount) would have to be added.
# Who meets it: whoever takes `V` for the return to be had, as a yardstick of regret in MDPs. Evaluate the policy that comes with it
# (a linear system), or take PolicyIteration.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip --quiet --disable-pip-version-check install "pymdptoolbox==4.0b3" "numpy==2.4.6" "scipy==1.17.1"
"$place/venv/bin/python" -W ignore - <<'PY'
import mdptoolbox.mdp as solvers
import numpy as np

STATES, ACTIONS, DISCOUNT = 6, 3, 0.99
rng = np.random.default_rng(0)
transitions = rng.dirichlet(np.ones(STATES), size=(ACTIONS, STATES))
rewards = rng.normal(1, 1, (STATES, ACTIONS))


def value_of(policy):
    """The exact values of a policy."""
    states = np.arange(STATES)
    system = np.eye(STATES) - DISCOUNT * transitions[np.array(policy), states]
    return np.linalg.solve(system, rewards[states, np.array(policy)])


optimal = np.zeros(STATES)
for _ in range(10_000):  # 0.99 ** 10,000 is below 1e-43
    optimal = np.max(rewards + DISCOUNT * np.einsum("ast,t->sa", transitions, optimal), axis=1)

found = {}
for name, epsilon in (("ValueIteration", 0.01), ("ValueIteration", 0.001), ("PolicyIterationModified", 0.01), ("PolicyIteration", None)):
    settings = {} if epsilon is None else {"epsilon": epsilon}
    solver = getattr(solvers, name)(transitions, rewards, DISCOUNT, **settings)
    solver.run()
    missing = optimal - np.array(solver.V)
    loss = float(np.max(optimal - value_of(solver.policy)))
    found[name, epsilon] = (round(float(np.mean(missing)), 1), float(np.ptp(missing)) < 0.01, loss < 1e-6)
    print(name, epsilon, "| optimal values", round(float(optimal.min())), "to", round(float(optimal.max())),
          "| missing", round(float(missing.min()), 3), "to", round(float(missing.max()), 3), "| loss of the policy", f"{loss:.0e}")
right = found == {
    ("ValueIteration", 0.01): (136.6, True, True),
    ("ValueIteration", 0.001): (133.9, True, True),
    ("PolicyIterationModified", 0.01): (152.7, True, True),
    ("PolicyIteration", None): (0.0, True, True),
}
raise SystemExit(0 if right else "this has changed")
PY
