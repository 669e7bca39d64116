"""Stay probabilities: counted by a loop, and told apart for whom they were thought up to tell apart."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.rl_squared import Plan, reproduce
from metarl.rl_squared.reproduction import two_step
from metarl.rl_squared.reproduction.stays import CONDITIONS, Rounds, stays_of
from metarl.runs import experiment_folder

TASKS, ROUNDS = 400, 60


def at_random(seed: int) -> Rounds:
    rng = np.random.default_rng(seed)
    halves = [rng.integers(0, 2, (TASKS, ROUNDS)) for _ in range(4)]
    return Rounds(halves[0], *(half > 0 for half in halves[1:]))


def who(rule, seed: int = 0) -> Rounds:
    """Returns rounds of who takes the action again if `rule(rewarded, common)`."""
    rounds = at_random(seed)
    actions = rounds.actions.copy()
    for t in range(1, ROUNDS):
        stays = rule(rounds.rewarded[:, t - 1], rounds.common[:, t - 1])
        actions[:, t] = np.where(stays, actions[:, t - 1], 1 - actions[:, t - 1])
    return rounds._replace(actions=actions)


def test_stays_are_those_of_a_loop():
    rounds = at_random(1)
    happened: dict[str, int] = dict.fromkeys(CONDITIONS, 0)
    stayed: dict[str, int] = dict.fromkeys(CONDITIONS, 0)
    apart: dict[tuple, list[int]] = {key: [0, 0] for key in itertools.product((0, 1), repeat=3)}
    for n, t in itertools.product(range(TASKS), range(ROUNDS - 1)):
        rewarded, common, right = (
            bool(part[n, t]) for part in (rounds.rewarded, rounds.common, rounds.right)
        )
        same = int(rounds.actions[n, t] == rounds.actions[n, t + 1])
        name = f"{'' if rewarded else 'not '}rewarded, {'common' if common else 'rare'}"
        happened[name] += 1
        stayed[name] += same
        apart[rewarded, common, right][0] += same
        apart[rewarded, common, right][1] += 1
    found = stays_of(rounds)
    shares = [stayed[name] / happened[name] for name in CONDITIONS]
    np.testing.assert_allclose([p.mean for p in found.probabilities], shares)
    assert found.interaction.mean == pytest.approx(shares[0] - shares[1] - shares[2] + shares[3])
    assert found.of_reward.mean == pytest.approx((sum(shares[:2]) - sum(shares[2:])) / 2)
    p = {key: same / count for key, (same, count) in apart.items()}
    of_half = [p[1, 1, k] - p[1, 0, k] - p[0, 1, k] + p[0, 0, k] for k in (0, 1)]
    assert found.interaction_apart.mean == pytest.approx(np.mean(of_half))


def test_who_repeats_what_paid_has_an_effect_of_reward_and_who_plans_an_interaction():
    repeats = stays_of(who(lambda rewarded, common: rewarded))
    assert repeats.of_reward.mean == 1 and repeats.interaction.mean == 0
    plans = stays_of(who(lambda rewarded, common: rewarded == common))
    assert plans.interaction.mean == 2 and plans.of_reward.mean == 0
    assert [p.mean for p in plans.probabilities] == [1, 0, 0, 1]


def test_intervals_hold_what_is_true_of_who_acts_at_random():
    """True is 0: of 60 intervals of 95 % at least 47 hold it, but once in 10,000 runs."""
    held = 0
    for seed in range(60):
        interaction = stays_of(at_random(100 + seed)).interaction
        held += interaction.low <= 0 <= interaction.high
    assert held >= 47


def test_every_scale_names_known_agents():
    settings = json.loads((experiment_folder("two_step") / "settings.json").read_text())
    assert settings["yardsticks"] == ["model-based", "model-free", "oracle"]
    assert set(settings["scales"]) == {"smoke", "laptop", "paper"}


def test_what_it_has_not_is_refused(tmp_path):
    with pytest.raises(InvalidInput, match="two-step has no cells"):
        reproduce(Plan("two-step", "smoke", cells=["1"]), tmp_path / "run")


@pytest.mark.extras
@pytest.mark.usefixtures("keys_unchecked")
def test_a_small_run_is_written_and_gone_on_with(tmp_path, monkeypatch):
    place = tmp_path / "run"
    document = reproduce(Plan("two-step", "smoke"), place)
    assert (place / "two-step.md").is_file() and (place / "two-step.png").is_file()
    rows = document["tables"]["two-step"].rows
    assert [row["agent"].partition(":")[0] for row in rows] == [
        "RL²",
        *("model-based", "model-free", "oracle"),
    ]
    monkeypatch.setattr(two_step, "play_rounds", None)  # nothing is measured again
    again = reproduce(Plan("two-step", "smoke"), place)
    assert again["tables"] == document["tables"]
