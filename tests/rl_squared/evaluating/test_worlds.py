"""Trained agents in other worlds than their own: which is meant, who can act there, and what is said of it."""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

import numpy as np
import pytest

from metarl import classical_agents
from metarl.environments import Trial, load, play_split
from metarl.errors import InvalidInput
from metarl.rl_squared import (
    NetworkConfig,
    TrainConfig,
    TrainedAgent,
    WorldConfig,
    evaluate,
    evaluation_table,
    make_trial,
    save,
)
from metarl.rl_squared import load as load_agent
from metarl.rl_squared.evaluating.entrants import Entrant, find_entrants
from metarl.rl_squared.evaluating.worlds import find_trial, otherwise_in_words, trained_otherwise

BANDIT = WorldConfig("bandit", arms=3, episodes=4)
MDP = WorldConfig("mdp", states=3, actions=2, horizon=4, episodes=2)
MAZE = WorldConfig("maze", size=5, horizon=160, setting=("width=20", "height=15"), episodes=2)
OWN = """
from metarl.environments import load

def rooms(arms: int = 3, noise: float = 1.0):
    return load("bandit", arms=arms, rewards="gaussian", noise=noise)

def corridors(rooms: int = 3, horizon: int | None = None):
    return load("dark-maze", size=3, horizon=2 * rooms if horizon is None else horizon)

def halls(size: int = 3, horizon: int = 5):
    return load("dark-maze", size=3, horizon=horizon)
"""


@pytest.fixture
def own_worlds(tmp_path, monkeypatch):
    """A module of somebody's own in the present folder: worlds_of_mine."""
    (tmp_path / "worlds_of_mine.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    yield "worlds_of_mine"
    sys.modules.pop("worlds_of_mine", None)


def entrant(world: WorldConfig, text: str = "mine", **network: Any) -> Entrant:
    """Returns an agent of a world that is not to be played; it has no weights."""
    return Entrant(text, TrainedAgent({}, config_of(world, **network)))


def config_of(world: WorldConfig, **network: Any) -> TrainConfig:
    return TrainConfig(world=world, network=NetworkConfig(hidden=4, **network))


# Which world is meant -----------------------------------------------------------------------------


def test_settings_that_are_given_take_the_place_of_those_of_the_training_one_by_one():
    gaussian = WorldConfig(
        "bandit", arms=3, setting=("rewards=gaussian", "noise=0.5", "mean=2"), episodes=4
    )
    trial = find_trial([entrant(gaussian)], {"setting": ("noise=0.1",)})
    assert trial.environment.settings == {
        **{"rewards": "gaussian", "arms": 3, "mean": 2.0, "deviation": 1.0, "noise": 0.1}
    }
    assert (trial.episodes, trial.steps) == (4, None)
    shorter = find_trial([entrant(gaussian)], {"arms": 3, "trial_steps": 7})
    assert shorter.environment is make_trial(gaussian).environment
    assert (shorter.episodes, shorter.steps) == (None, 7)


def test_what_an_agent_brings_along_is_what_it_was_trained_in():
    assert find_trial([entrant(MDP)], {}) == make_trial(MDP)
    assert find_trial([entrant(MDP)], MDP) == make_trial(MDP)


@pytest.mark.parametrize(
    ("given", "horizon"),
    [
        ({}, 160),
        ({"size": 5}, 160),
        ({"setting": ("splits=layout",)}, 160),
        ({"size": 4}, 250),
        ({"setting": ("size=4",)}, 250),
        ({"size": 9}, 1000),
        ({"size": 9, "horizon": 300}, 300),
        ({"horizon": 300}, 300),
    ],
)
def test_a_horizon_that_follows_from_the_size_is_that_of_the_size_asked_for(given, horizon):
    environment = find_trial([entrant(MAZE, inner_values=True)], given).environment
    assert environment.horizon == environment.settings["horizon"] == horizon
    assert environment.settings["width"] == 20


def test_a_horizon_that_follows_from_nothing_stays_that_of_the_training(own_worlds):
    given = {"setting": ("alpha=0.5",)}
    assert find_trial([entrant(MDP)], given).environment.horizon == 4
    world = WorldConfig(f"{own_worlds}:halls", horizon=9, episodes=1)
    given = {"environment": f"{own_worlds}:halls", "size": 4}
    assert find_trial([entrant(world)], given).environment.horizon == 9


def test_a_horizon_of_ones_own_world_follows_as_its_factory_says(own_worlds):
    world = WorldConfig(f"{own_worlds}:corridors", horizon=9, episodes=1)
    given: dict[str, Any] = {"environment": f"{own_worlds}:corridors"}
    assert find_trial([entrant(world)], given).environment.horizon == 9
    given["setting"] = ("rooms=5",)
    assert find_trial([entrant(world)], given).environment.horizon == 10


def test_trained_agents_meet_where_all_settings_that_differ_are_given():
    noisy = WorldConfig("mdp", states=3, actions=2, setting=("reward_noise=2",), episodes=2)
    both = [entrant(MDP), entrant(noisy, "yours")]
    with pytest.raises(
        InvalidInput,
        match=r"mine and yours were trained in different worlds, horizon=4 and horizon=10, .*; say in which to "
        r"evaluate them, by --horizon and .*--setting reward_noise=\.\.\.",
    ):
        find_trial(both, {})
    told = {"horizon": 4, "setting": ("alpha=1", "reward_mean=1", "reward_noise=2")}
    assert find_trial(both, told).environment.settings["reward_noise"] == 2


def test_a_setting_of_the_training_that_does_not_fit_what_is_given_is_named():
    gaussian = WorldConfig("bandit", arms=3, setting=("rewards=gaussian", "noise=2"), episodes=4)
    with pytest.raises(
        InvalidInput,
        match=r"bernoulli rewards has no setting 'noise'.* \(mine was trained with arms=3, noise=2, which counts as "
        r"given where no flag says otherwise\.\)",
    ):
        find_trial([entrant(gaussian)], {"setting": ("rewards=bernoulli",)})
    with pytest.raises(InvalidInput, match=r"Did you mean 'noise'\?.* drift, [a-z_, ]+\.$"):
        find_trial([entrant(gaussian)], {"setting": ("nose=3",)})


# Who can act there --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("world", "given", "message"),
    [
        (
            BANDIT,
            {"arms": 5},
            r"^mine was trained in bandit\(rewards=bernoulli, arms=3\), whose action_space is Discrete\(3\); "
            r"bandit\(rewards=bernoulli, arms=5\) has Discrete\(5\)\. It acts where these are the same: choose other "
            r"settings, or train an agent for this\.$",
        ),
        (MDP, {"states": 4}, r"whose observation_space is Discrete\(3\); mdp.* has Discrete\(4\)"),
        (MDP, {"actions": 3}, r"whose action_space is Discrete\(2\); mdp.* has Discrete\(3\)"),
        (MAZE, {"setting": ("width=21",)}, r"\(15, 20, 3\), float32\); maze.* \(15, 21, 3\)"),
        (
            BANDIT,
            {"environment": "mdp"},
            r"^mine was trained in bandit, and mdp is another kind of environment\. Choose other settings of bandit, "
            r"give a world of your own .*, or name another agent\.$",
        ),
    ],
)
def test_a_world_in_which_an_agent_cannot_act_is_refused(world, given, message):
    with pytest.raises(InvalidInput, match=message):
        find_trial([entrant(world)], given)


def test_of_several_trained_agents_all_must_be_able_to_act():
    both = [entrant(BANDIT), entrant(dataclasses.replace(BANDIT, arms=4), "yours")]
    with pytest.raises(InvalidInput, match=r"^yours was trained in .*arms=4\), whose action_space"):
        find_trial(both, {})
    with pytest.raises(InvalidInput, match=r"^yours was trained in mdp, and bandit is another"):
        find_trial([entrant(BANDIT), entrant(MDP, "yours")], {})


def test_an_inner_learner_must_show_the_same_in_the_other_world(own_worlds):
    shown = entrant(MDP, inner_values=True)
    with pytest.raises(
        InvalidInput, match=r"^mine cannot act in mdp\(.*horizon=100000\): .* it takes at most"
    ):
        find_trial([shown], {"horizon": 100_000})
    other = dataclasses.replace(
        load("maze", size=3, width=20, height=15), name="a:maze", inner_learning=None
    )
    with pytest.raises(InvalidInput, match=r"^mine cannot act in a:maze\(.*has neither"):
        entrant(MAZE, inner_values=True).require_fits(other)
    entrant(MAZE).require_fits(other)
    own = load("maze", size=3, width=20, height=15).inner_learning
    assert own is not None
    other = dataclasses.replace(other, inner_learning=own._replace(revision=7))
    with pytest.raises(InvalidInput, match=r"inner learner is revision 1 of 33 .* has revision 7"):
        entrant(MAZE, inner_values=True).require_fits(other)


def test_a_world_of_ones_own_is_of_every_kind(own_worlds):
    given = {"environment": f"{own_worlds}:rooms"}
    assert find_trial([entrant(BANDIT)], given).environment.name == f"{own_worlds}:rooms"
    with pytest.raises(InvalidInput, match=r"has Discrete\(4\)"):
        find_trial([entrant(BANDIT)], {**given, "arms": 4})
    theirs = WorldConfig(f"{own_worlds}:rooms", setting=("noise=3",), episodes=4)
    trial = find_trial([entrant(BANDIT), entrant(theirs, "yours")], given)
    assert trial.environment.settings == {"noise": 3}  # who was trained there tells the settings


def test_nothing_is_played_before_all_is_known_to_fit(monkeypatch):
    from metarl.rl_squared.evaluating import parts

    monkeypatch.setattr(parts, "play_some", None)
    agent = entrant(BANDIT).trained
    assert agent is not None
    with pytest.raises(InvalidInput, match="whose action_space"):
        evaluate(["greedy", agent], world={"arms": 5}, tasks=2)


# What is said and what comes of it ----------------------------------------------------------------


@pytest.fixture(scope="module")
def elsewhere(untrained, tmp_path_factory):
    """An agent in a file, its evaluation beside a classical agent in longer episodes, and what was said."""
    path = str(save(untrained(config_of(MDP)), tmp_path_factory.mktemp("elsewhere") / "kept.npz"))
    said: list[str] = []
    world = {"horizon": 6, "setting": ("alpha=0.5",), "episodes": 3}
    found = evaluate([path, "psrl"], world=world, tasks=20, seed=3, say=said.append)
    return path, found, said


def test_everybody_earns_in_another_world_what_they_earn_there_from_python(elsewhere):
    path, found, _ = elsewhere
    trial = Trial(load("mdp", states=3, actions=2, horizon=6, alpha=0.5), 3)
    by_hand = {
        path: load_agent(path).as_agent(trial.environment),
        **{name: classical_agents.make(name, trial) for name in ("psrl", "random", "oracle")},
    }
    scores = {**found.agents, **found.yardsticks}
    assert set(scores) == set(by_hand)
    for text, agent in by_hand.items():
        returns = np.asarray(play_split(agent, trial, 3, 20, "test").returns, np.float64)
        np.testing.assert_array_equal(scores[text].totals, returns.sum(axis=1))
        assert len(scores[text].per_episode) == 3
    assert found.environment == {
        **{"name": "mdp", "states": 3, "actions": 2, "horizon": 6, "alpha": 0.5},
        **{"reward_mean": 1.0, "reward_deviation": 1.0, "reward_noise": 1.0, "episodes": 3},
    }


def test_what_was_otherwise_in_training_is_said_and_stands_in_document_and_table(elsewhere):
    path, found, said = elsewhere
    line = f"{path} was trained with horizon=4 (here 6), episodes=2 (here 3), alpha=1.0 (here 0.5)."
    assert said[0] == line and said.count(line) == 1
    document = found.to_json()
    assert document["trained_otherwise"] == {
        path: {
            "horizon": {"trained": 4, "here": 6},
            "episodes": {"trained": 2, "here": 3},
            "alpha": {"trained": 1.0, "here": 0.5},
        }
    }
    assert line in evaluation_table(document).notes
    before = {key: value for key, value in document.items() if key != "trained_otherwise"}
    assert line not in evaluation_table(before).notes  # evaluations of before say nothing


def test_nothing_is_said_of_an_agent_in_its_own_world(untrained):
    said: list[str] = []
    document = evaluate(
        [untrained(config_of(BANDIT))], world=BANDIT, tasks=2, say=said.append
    ).to_json()
    assert document["trained_otherwise"] == {}
    assert not any("trained" in line for line in said)
    assert not any("trained" in note for note in evaluation_table(document).notes)


def test_of_another_environment_all_settings_of_the_training_are_said(own_worlds):
    trained = entrant(BANDIT)
    trial = find_trial([trained], {"environment": f"{own_worlds}:rooms"})
    otherwise = trained_otherwise(trained, trial)
    assert otherwise == {
        "name": {"trained": "bandit", "here": f"{own_worlds}:rooms"},
        "rewards": {"trained": "bernoulli", "here": None},
        "arms": {"trained": 3, "here": 3},
        "episodes": {"trained": 4, "here": 4},
        "noise": {"trained": None, "here": 1.0},
    }
    said = "mine was trained in bandit (rewards=bernoulli, arms=3, episodes=4)."
    assert otherwise_in_words("mine", otherwise) == said


@pytest.mark.slow
def test_a_maze_agent_earns_in_a_larger_maze_what_it_earns_from_python():
    (entrant,) = find_entrants(["rl2-maze-inner"])
    found = evaluate(["rl2-maze-inner"], world={"size": 9, "horizon": 40}, tasks=4, seed=1)
    environment = load("maze", size=9, width=20, height=15, horizon=40)
    assert entrant.trained is not None
    agent = entrant.trained.as_agent(environment)
    played = play_split(agent, Trial(environment, 2), 1, 4, "test")
    returns = np.asarray(played.returns, np.float64)
    np.testing.assert_array_equal(found.agents["rl2-maze-inner"].totals, returns.sum(axis=1))
