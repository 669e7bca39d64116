#!/usr/bin/env bash
# gymnasium 1.4.0: `MaxAndSkipObservation` shows the state of the step before, or of the episode before, where an episode ends early.
#
# Guess, before looking: a step with `skip=4` returns the larger of the last two observations it came by; where the episode ends at the first of
# the four, that one.
# Seen (gymnasium 1.4.0, numpy 2.4.6, Python 3.11), a world that shows its clock and is truncated after 5 steps: the first step shows 4, as it should; the second
# ends at once and shows 4 again, not 5. A world that ends after 2 steps shows 0, not 2, for every episode; where it is
# first let run and then is shortened to 2, its episodes of 2 show 4, of an episode that is gone. Reward and flags are right.
# Why: only the third and the fourth observation of a step are kept, in a buffer that neither a step nor a reset clears. Pull request 630 (2023)
# would have cleared it and was closed, for its readers took every step to fill the buffer; 1692, open since September 2026, mends it.
# Who meets it: whoever bootstraps from the value of the last state where `TimeLimit` is inside this wrapper. Put the limit outside, in
# steps of the agent; with a terminal state the observation is not used.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip --quiet --disable-pip-version-check install "gymnasium==1.4.0" "numpy==2.4.6"
"$place/venv/bin/python" - <<'PY'
import gymnasium
import numpy as np
from gymnasium.wrappers import MaxAndSkipObservation


class Clock(gymnasium.Env):
    """Shows how many steps its episode has lasted; it is truncated after so many."""

    observation_space = gymnasium.spaces.Box(0, 100, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, length):
        self.length, self.time = length, 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.time = 0
        return np.zeros(1, np.float32), {}

    def step(self, action):
        self.time += 1
        return np.array([self.time], np.float32), 1.0, False, self.time >= self.length, {}


def episode(world):
    """What each step of an episode shows, beside the clock and the reward."""
    world.reset()
    seen, over = [], False
    while not over:
        shown, reward, _, over, _ = world.step(0)
        seen.append((int(shown[0]), world.unwrapped.time, int(reward)))
    return seen


of_five = episode(MaxAndSkipObservation(Clock(5), skip=4))
of_two = MaxAndSkipObservation(Clock(2), skip=4)
short = [episode(of_two) for _ in range(2)]
shortened = MaxAndSkipObservation(Clock(4), skip=4)
before = episode(shortened)
shortened.unwrapped.length = 2
after = episode(shortened)
print("shown, clock, reward of each step | of 5:", of_five, "| of 2, twice:", short, "| of 4:", before, "then of 2:", after)
as_said = (
    of_five == [(4, 4, 4), (4, 5, 1)]
    and short == [[(0, 2, 2)], [(0, 2, 2)]]
    and before == [(4, 4, 4)]
    and after == [(4, 2, 2)]
)
raise SystemExit(0 if as_said else "this has changed")
PY
