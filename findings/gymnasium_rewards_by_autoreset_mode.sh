#!/usr/bin/env bash
# gymnasium 1.4.0: `NormalizeReward` makes rewards five times larger or four times smaller, by how the worlds are reset.
#
# Guess, before looking: it divides rewards by the standard deviation of the discounted sum of the episode so far, which begins at 0 with
# each episode; so the same episodes give the same rewards, whichever autoreset mode they are played in, and with the wrapper for one world.
# Seen (gymnasium 1.4.0, numpy 2.4.6, Python 3.11): episodes of 10 steps that pay 1 at their end, and nothing before it. Counted by hand the
# standard deviation is 0.3, so the 1 becomes 3.33; with `SAME_STEP` it does. With `NEXT_STEP`, and with the wrapper for one
# world, the 1 becomes 16.9 after 300 episodes that terminate (the same formula, written down: 35.6 after 30,000) and 0.75 after 300
# that are truncated (3.14 after 30,000).
# Why: at the step that terminates, what was summed so far is dropped and the reward of that step kept, so the next episode begins
# with the last one's reward; a truncation drops nothing at all, and neither does `reset` of the wrapper for one world. With
# `SAME_STEP` the sum is set to 0 after either. Pull request 1668 of gymnasium (August 2026) made it so there; issues 760 and 1507, both
# closed, asked for it elsewhere. The documentation does not tell the modes apart.
# Who meets it: whoever trains where success pays at the end (mazes, games): the scale of values, and with it the weight of an entropy
# bonus, follows from the mode. Take the wrapper for vectors, around worlds in `SAME_STEP`.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip --quiet --disable-pip-version-check install "gymnasium==1.4.0" "numpy==2.4.6"
"$place/venv/bin/python" - <<'PY'
import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import NormalizeReward
from gymnasium.wrappers.vector import NormalizeReward as NormalizeRewards

LENGTH, EPISODES, GAMMA = 10, 300, 0.99


class Errand(gymnasium.Env):
    """Pays 1 at the last step of an episode."""

    observation_space = gymnasium.spaces.Discrete(LENGTH + 1)
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, truncated):
        self.truncated, self.time = truncated, 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.time = 0
        return self.time, {}

    def step(self, action):
        self.time += 1
        ended = self.time == LENGTH
        return self.time, float(ended), ended and not self.truncated, ended and self.truncated, {}


def by_hand():
    """The reward of an end, were the sums of discounted rewards to begin with each episode."""
    sums = [0.0] * (LENGTH - 1) + [1.0]
    return 1 / np.std(sums)


def in_one_world(truncated):
    world = NormalizeReward(Errand(truncated), gamma=GAMMA)
    for _ in range(EPISODES):
        world.reset()
        for _ in range(LENGTH):
            last = world.step(0)[1]
    return float(last)


def in_a_vector(truncated, mode):
    worlds = SyncVectorEnv([lambda: Errand(truncated)] * 2, autoreset_mode=mode)
    worlds = NormalizeRewards(worlds, gamma=GAMMA)
    worlds.reset()
    ends = 0
    while ends < EPISODES:
        _, rewards, terminated, truncations, _ = worlds.step(np.zeros(2, int))
        if (terminated | truncations)[0]:
            last, ends = float(rewards[0]), ends + 1
    return last


found = {
    (how, ending): reward
    for ending, truncated in (("terminated", False), ("truncated", True))
    for how, reward in (
        ("one world", in_one_world(truncated)),
        ("NEXT_STEP", in_a_vector(truncated, AutoresetMode.NEXT_STEP)),
        ("SAME_STEP", in_a_vector(truncated, AutoresetMode.SAME_STEP)),
    )
}
print("by hand:", round(by_hand(), 2), "|", {" ".join(name): round(reward, 2) for name, reward in found.items()})
same = [found["SAME_STEP", ending] for ending in ("terminated", "truncated")]
rest = {ending: [found[how, ending] for how in ("one world", "NEXT_STEP")] for ending in ("terminated", "truncated")}
as_said = (
    np.allclose(same, by_hand(), rtol=1e-3)
    and np.all(np.array(rest["terminated"]) > 4 * by_hand())
    and np.all(np.array(rest["truncated"]) < by_hand() / 4)
)
raise SystemExit(0 if as_said else "this has changed: the rewards depend on the mode in another way, or no longer")
PY
