"""Evaluation: everybody in the same tasks with the same luck, and what is refused."""

from __future__ import annotations

import dataclasses
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from metarl import classical_agents
from metarl.environments import play_split
from metarl.errors import InvalidInput
from metarl.rl_squared import (
    NetworkConfig,
    TrainConfig,
    WorldConfig,
    conclude,
    evaluate,
    evaluation_table,
    load,
    make_trial,
    rivals,
    save,
)
from metarl.rl_squared.evaluating import evaluation_job, result
from metarl.rl_squared.evaluating.entrants import find_entrants
from metarl.runs import RunDirectory, run_status

BANDIT = WorldConfig("bandit", arms=3, episodes=4)
NETWORK = NetworkConfig(hidden=4)


@pytest.fixture(scope="module")
def make_agent(untrained):
    """The function from settings to an agent that has learnt nothing."""

    def make(world: WorldConfig = BANDIT, **settings):
        config = dataclasses.replace(TrainConfig(world=world, network=NETWORK), **settings)
        return untrained(config)

    return make


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def kept(tmp_path_factory, make_agent):
    """The text of an agent on disk."""
    return str(save(make_agent(), tmp_path_factory.mktemp("kept") / "kept.npz"))


@pytest.fixture(scope="module")
def found(kept):
    """An evaluation, whose agents were typed neither by rank nor by the alphabet."""
    return evaluate([kept, "ucb1:c=0.2", "random"], tasks=60, seed=3)


def test_a_score_is_that_of_playing_the_agent_by_hand(kept, make_agent, found):
    trial = make_trial(BANDIT)
    by_hand = {
        kept: make_agent().as_agent(),
        "ucb1:c=0.2": classical_agents.make("ucb1:c=0.2", trial),
    }
    totals = {}
    for text, agent in by_hand.items():
        played = play_split(agent, trial, 3, 60, "test")
        totals[text] = np.asarray(played.totals)
        np.testing.assert_array_equal(found.agents[text].totals, totals[text])
        assert found.agents[text].returns.mean == pytest.approx(played.totals.mean())
        assert found.agents[text].per_episode == pytest.approx(played.returns.mean(axis=0))
    difference = totals["ucb1:c=0.2"] - totals[kept]
    error = difference.std(ddof=1) / np.sqrt(60)
    measured = found.agents["ucb1:c=0.2"].difference
    assert measured is not None
    assert measured.mean == pytest.approx(difference.mean(), abs=1e-6)
    assert measured.standard_error == pytest.approx(error)
    assert found.agents[kept].difference is None


def test_the_document_has_the_texts_typed_as_keys_in_their_order(kept, found):
    document = found.to_json()
    assert list(document)[:3] == ["environment", "tasks", "agents"]
    assert list(document["agents"]) == [kept, "ucb1:c=0.2", "random"]
    assert document["tasks"] == 60
    assert document["environment"] == {
        "name": "bandit",
        "rewards": "bernoulli",
        "arms": 3,
        "episodes": 4,
    }
    interval = {"mean", "standard_error", "low", "high"}
    for text, score in document["agents"].items():
        assert set(score["return"]) == set(score["normalised"]) == interval
        assert len(score["per_episode"]) == 4
        assert ("greedy_actions" in score) == (text == kept)
    assert set(document["agents"][kept]["greedy_actions"]["return"]) == interval


def test_normalised_is_0_for_random_and_1_for_who_knows_the_task():
    found = evaluate(["random", "oracle", "gittins"], world=BANDIT, tasks=200)
    scores = [found.agents[text].normalised for text in ("random", "oracle", "gittins")]
    means = [score.mean for score in scores if score]
    assert means[:2] == [0.0, 1.0]
    assert 0 < means[2] < 1
    returns = {text: score.returns.mean for text, score in found.agents.items()}
    span = returns["oracle"] - returns["random"]
    assert means[2] == pytest.approx((returns["gittins"] - returns["random"]) / span)


def test_where_nobody_can_know_the_task_nothing_is_normalised():
    world = WorldConfig("pendulum", horizon=5, episodes=1)
    found = evaluate(["random"], world=world, tasks=10)
    assert found.agents["random"].normalised is None
    assert set(found.yardsticks) == {"random"}


def test_who_is_named_twice_is_played_once():
    said = []
    found = evaluate(["greedy", "greedy"], world=BANDIT, tasks=10, say=said.append)
    assert list(found.agents) == ["greedy"]
    assert sum(line.startswith("greedy") for line in said) == 1


def test_a_name_comes_before_a_path_of_the_same_letters(elsewhere, make_agent):
    (elsewhere / "greedy").mkdir()
    save(make_agent(), elsewhere / "greedy" / "agent.npz")
    found = evaluate(["greedy", "./greedy"], world={"arms": 3}, tasks=10)
    assert not found.agents["greedy"].learnt
    assert found.agents["./greedy"].learnt


def test_greedy_actions_are_the_likeliest_ones(kept, make_agent, found):
    greedy = play_split(make_agent().as_agent(greedy=True), make_trial(BANDIT), 3, 60, "test")
    score = found.agents[kept].greedy
    assert score is not None
    assert score.mean == pytest.approx(greedy.totals.mean())


def test_a_trained_agent_can_be_tried_in_longer_trials_than_its_own(kept):
    found = evaluate([kept], world={"episodes": 6}, tasks=10)
    assert found.environment["episodes"] == 6
    assert len(found.agents[kept].per_episode) == 6


def test_the_table_marks_who_was_warm_started(make_agent):
    agents = [make_agent(warm_start="gittins"), make_agent()]
    document = evaluate(agents, tasks=10).to_json()
    table = evaluation_table(document)
    names = [row["agent"] for row in table.rows]
    assert "agent 1 (warm start: gittins)" in names and "agent 2" in names
    assert {names[index] for index in table.highlighted} == {
        "agent 1 (warm start: gittins)",
        "agent 2",
    }
    assert any("Warm start" in note for note in table.notes)


def test_the_table_marks_who_was_distilled_and_from_whom(make_agent):
    agents = [
        make_agent(distil="decision", teacher="ucb1", variance_reduction="regret"),
        make_agent(),
    ]
    document = evaluate(agents, tasks=10).to_json()
    assert document["distilled"] == {"agent 1": "decision-pretrained: ucb1"}
    table = evaluation_table(document)
    assert "agent 1 (decision-pretrained: ucb1)" in [row["agent"] for row in table.rows]
    assert any("Decision-pretrained: it learnt" in note for note in table.notes)
    assert not any("Algorithm distillation" in note for note in table.notes)


def test_the_table_marks_who_is_shown_more_and_who_learnt_from_other_rewards(make_agent):
    network = dataclasses.replace(NETWORK, inner_values=True)
    agents = [
        make_agent(network=network, variance_reduction="regret", auxiliary_weight=0.5),
        make_agent(),
    ]
    document = evaluate(agents, tasks=3).to_json()
    assert document["inputs"] == {"agent 1": "inner values"}
    table = evaluation_table(document)
    marked = "agent 1 (control variate: regret, auxiliary loss: 0.5, inputs: inner values)"
    assert {marked, "agent 2"} <= {row["agent"] for row in table.rows}
    assert any(note.startswith("Auxiliary loss: in training") for note in table.notes)
    assert any(
        note.startswith("Inner values: it is shown what an inner learner") for note in table.notes
    )


@pytest.mark.parametrize("trust, inherited", [(2.0, 0.0), (0.0, 2.0)])
def test_the_table_marks_who_began_by_going_by_what_it_is_told(make_agent, trust, inherited):
    network = dataclasses.replace(
        NETWORK, core="outer-product", inner_values=True, inner_trust=trust
    )
    agent = make_agent(network=network)
    agent.scores["ancestor_inner_trust"] = inherited
    document = evaluate([agent, "random"], tasks=3).to_json()
    assert document["inputs"] == {"agent 1": "inner values, followed at first"}
    notes = evaluation_table(document).notes
    assert any(note.startswith("Followed at first: before it had learnt") for note in notes)


def test_the_table_says_what_an_agent_assumes_that_is_not_so():
    world = WorldConfig("bandit", arms=2, setting=("rewards=restless", "pulls=4"), episodes=1)
    document = evaluate(["thompson", "random"], world=world, tasks=3).to_json()
    assert document["doubts"] == {"thompson": ["assumes arms that stay as they are"]}
    table = evaluation_table(document)
    assert {row["agent"] for row in table.rows} == {"thompson †", "random"}
    assert "† thompson assumes arms that stay as they are." in table.notes


def test_a_training_is_in_use_while_its_agent_is_evaluated(monkeypatch, make_agent, tmp_path):
    """It was called interrupted, and `metarl resume` beside it played everybody once more."""
    run = RunDirectory.create(tmp_path / "run", "train", make_agent().config.to_json(), ["metarl"])
    run.write_outcome({"outcome": "finished", "position": 100, "total": 100, "seconds": 1.0})
    save(make_agent(), run.path / "agent.npz")

    def played(agents: list[str], **how: Any) -> None:
        assert run_status(run.path).state == "running"
        conclude(run.path)

    monkeypatch.setattr(result, "rivals", lambda trial, say: [])
    monkeypatch.setattr(result, "evaluate", played)
    with pytest.raises(InvalidInput, match="is in use by process"):
        conclude(run.path)
    status = run_status(run.path)
    assert (status.position, status.total, status.unit) == (100, 100, "environment steps")
    with run.lock():
        pass


def test_rivals_fit_their_world():
    bandit, mdp = rivals(make_trial(BANDIT)), rivals(make_trial(WorldConfig("mdp")))
    assert "gittins" in bandit and any(text.startswith("ucb1:c=") for text in bandit)
    assert {text.partition("=")[2] for text in mdp} == {"paper", "matched"}


@pytest.mark.parametrize("name", ["ppo", "random", "rl2-bandit-10x5"])
def test_a_run_that_is_called_as_an_agent_is_evaluated_itself(monkeypatch, make_agent, name):
    config = make_agent().config
    run = RunDirectory.create(Path(name), "train", config.to_json(), ["metarl", "train"])
    run.write_outcome({"outcome": "finished", "position": 100, "seconds": 1.0})
    save(make_agent(), run.path / "agent.npz")
    asked: list[Any] = []
    monkeypatch.setattr(result, "rivals", lambda trial, say: ["gittins"])
    monkeypatch.setattr(result, "evaluate", lambda agents, **how: asked.append(agents) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        conclude(name)
    assert asked == [[f"./{name}", "gittins"]]
    for given in (f"./{name}", Path(name)):
        (entrant,) = find_entrants([given])
        assert entrant.text == f"./{name}" and entrant.trained is not None
        assert entrant.trained.config == config
    assert load(Path(name)).config == config
    (known,) = find_entrants([name])  # a text names the agent first
    assert known.trained is None or known.trained.config != config


def test_a_searcher_is_shown_in_dark_rooms():
    assert rivals(make_trial(WorldConfig("dark-room"))) == ["searcher"]
    assert rivals(make_trial(WorldConfig("harlow"))) == ["win-stay-lose-shift"]
    assert rivals(make_trial(WorldConfig("point-robot"))) == ["trilateration"]
    sparse = WorldConfig("point-robot", setting=("sparse=true",))
    assert (
        rivals(make_trial(sparse)) == []
    )  # it reads distances from rewards, of which there are none


def test_rivals_where_arms_change_are_those_that_forget(monkeypatch):
    monkeypatch.setattr(classical_agents, "tune", lambda name, trial: name)
    world = WorldConfig("bandit", arms=2, setting=("rewards=restless", "pulls=6"), episodes=1)
    names = {text.partition(":")[0] for text in rivals(make_trial(world))}
    assert names == {"thompson", "discounted-greedy", "discounted-thompson", "discounted-ucb"}


@pytest.mark.parametrize(
    ("agents", "settings", "message"),
    [
        ([], {}, "nobody to evaluate"),
        (["gittins"], {}, "give --environment"),
        (["gitins"], {"world": BANDIT}, "Did you mean 'gittins'?"),
        (["ucb:c=1"], {"world": BANDIT}, "Unknown agent 'ucb'. Did you mean 'ucb1'?"),
        (["ucb1:d=1"], {"world": BANDIT}, "no setting 'd'|Unknown setting"),
        (["gittins"], {"world": WorldConfig("mdp")}, "is for bandits"),
        (["psrl"], {"world": BANDIT}, "is for MDPs"),
        (["greedy"], {"world": WorldConfig("bandito")}, "Did you mean 'bandit'?"),
        (["greedy"], {"world": BANDIT, "tasks": 0}, "tasks is 0"),
        (["greedy"], {"world": BANDIT, "tasks": 10**14}, "it must be from 1 to 10000000"),
        (["greedy"], {"world": BANDIT, "tasks": 2.5}, "tasks is 2.5; it must be a whole number"),
        (["greedy"], {"world": BANDIT, "seed": -1}, "seed is -1"),
        ("greedy", {"world": BANDIT}, r"stand in a list, such as \['greedy'\]"),
        (["none.npz"], {}, "no such file"),
        (["runs/none"], {}, "runs/none"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(agents, settings, message):
    with pytest.raises(InvalidInput, match=message):
        evaluate(agents, **settings)


def test_trained_agents_whose_trials_have_different_lengths_have_to_be_told_theirs(make_agent):
    longer = make_agent(dataclasses.replace(BANDIT, episodes=9))
    with pytest.raises(InvalidInput, match="trials of different lengths"):
        evaluate([make_agent(), longer])
    found = evaluate([make_agent(), longer], world={"episodes": 6}, tasks=10)
    assert found.environment["episodes"] == 6


def test_a_cut_and_a_foreign_file_are_refused(elsewhere, make_agent):
    kept = str(save(make_agent(), elsewhere / "kept.npz"))
    whole = (elsewhere / "kept.npz").read_bytes()
    (elsewhere / "kept.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InvalidInput, match="damaged or was cut short"):
        evaluate([kept])
    np.savez(elsewhere / "foreign.npz", x=np.zeros(3))
    with pytest.raises(InvalidInput, match=r"lacks foreign\.json"):
        evaluate(["foreign.npz"])


def test_rewards_that_are_nan_where_no_check_has_looked_are_told(elsewhere, monkeypatch):
    (elsewhere / "broken_world.py").write_text(
        textwrap.dedent(
            """
            import dataclasses
            import jax.numpy as jnp
            from metarl.environments import load

            def make():
                sound = load("bandit", arms=2)

                def step(key, state, action, task):
                    step = sound.step(key, state, action, task)
                    return step._replace(reward=step.reward + jnp.nan)

                return dataclasses.replace(sound, step=step)
            """
        )
    )
    monkeypatch.setattr(sys, "path", [str(elsewhere), *sys.path])
    monkeypatch.setattr(evaluation_job, "check_own_world", lambda name, environment: None)
    world = WorldConfig("broken_world:make", episodes=2)
    with pytest.raises(InvalidInput, match="random: its return in test task 0 is not finite"):
        evaluate(["random"], world=world, tasks=10)


def test_what_is_one_is_told_in_the_singular():
    said: list[str] = []
    found = evaluate(["ucb1"], world=WorldConfig(arms=2, episodes=1), tasks=1, say=said.append)
    assert said[-1] == "ucb1: 1 task"
    title = evaluation_table(found.to_json()).title
    assert title.endswith("trials of 1 episode: 1 test task")
