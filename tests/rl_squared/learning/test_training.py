"""Training: it learns, it repeats, it resumes, and it never gives back less than it began with."""

from __future__ import annotations

import dataclasses
import os
import signal
from typing import Any

import jax
import numpy as np
import pytest

from metarl.environments import play_split
from metarl.errors import InvalidInput
from metarl.optimizers.matrices import MATRIX
from metarl.rl_squared import (
    PRESETS,
    ImitationConfig,
    NetworkConfig,
    TrainConfig,
    WorldConfig,
    begin_training,
    load,
    make_job,
    make_trial,
    preset,
    resume_training,
    save,
    train,
    train_config,
)
from metarl.rl_squared.agent.network import POLICY, make_policy
from metarl.rl_squared.learning import learners
from metarl.rl_squared.learning.train_job import TrainJob
from metarl.runs import RunDirectory, SilentProgress

pytestmark = pytest.mark.usefixtures("keys_checked")

TINY = TrainConfig(
    world=WorldConfig(arms=2, episodes=5),
    network=NetworkConfig(hidden=8),
    ppo=dataclasses.replace(TrainConfig().ppo, learning_rate=1e-2),
    batch_steps=400,
    env_steps=1_600,
    imitation=ImitationConfig(env_steps=800, batch_steps=400),
    validation_tasks=20,
    validation_every=800,
    value_warm_up=1,
)


def one_chunk_at_a_time(monkeypatch):
    monkeypatch.setattr("metarl.rl_squared.learning.train_job.CHUNK_STEPS", 400)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """The directory of a finished training of TINY, to be read only, and its agent."""
    place = tmp_path_factory.mktemp("tiny") / "run"
    return place, train(TINY, place, progress=SilentProgress())


def leaves(tree):
    return [np.asarray(x) for x in jax.tree.leaves(tree)]


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["trpo", "reinforce"])
def test_every_algorithm_trains_and_logs(tmp_path, algorithm):
    config = dataclasses.replace(TINY, algorithm=algorithm, average_weights=0.9)
    agent = train(config, tmp_path / "run", progress=SilentProgress())
    check_log(tmp_path / "run", agent)


def test_ppo_trains_and_logs(tiny):
    check_log(*tiny)


def check_log(place, agent):
    rows = RunDirectory.open(place).metrics.rows()
    assert rows[-1]["position"] == agent.scores["env_steps"] == 1_600
    for name in ("return", "episode_returns", "kl", "entropy", "explained_variance"):
        assert np.all(np.isfinite(rows[-1][name])), name
    assert len(rows[-1]["episode_returns"]) == 5


def test_the_same_seed_gives_the_same_agent_and_another_does_not(tmp_path, tiny):
    _, first = tiny
    again = train(TINY, tmp_path / "b", progress=SilentProgress())
    other = train(dataclasses.replace(TINY, seed=1), tmp_path / "c", progress=SilentProgress())
    for a, b in zip(leaves(first.params), leaves(again.params), strict=True):
        np.testing.assert_array_equal(a, b)
    assert any(
        np.any(a != b) for a, b in zip(leaves(first.params), leaves(other.params), strict=True)
    )


@pytest.mark.parametrize(
    ("teacher", "stop_after", "average_weights"),
    [
        pytest.param(None, 1, None, marks=pytest.mark.slow),
        (None, 1, 0.9),
        pytest.param("thompson", 1, 0.9, marks=pytest.mark.slow),
        pytest.param("thompson", 3, None, marks=pytest.mark.slow),
        pytest.param("thompson", 4, 0.9, marks=pytest.mark.slow),
    ],
)
def test_a_training_that_was_interrupted_ends_as_one_that_was_not(
    tmp_path, monkeypatch, teacher, stop_after, average_weights
):
    """By a signal, after which nobody waits for a validation. With a teacher it is stopped once in each phase."""
    one_chunk_at_a_time(monkeypatch)
    config = dataclasses.replace(TINY, warm_start=teacher, average_weights=average_weights)
    whole = train(config, tmp_path / "whole", progress=SilentProgress())
    update, validate, updates = TrainJob.update, TrainJob.validate, []

    def stopping(job, state):
        result = update(job, state)
        updates.append(None)
        if len(updates) == stop_after:
            os.kill(os.getpid(), signal.SIGINT)
        return result

    def validating(job, params):
        assert len(updates) < stop_after
        return validate(job, params)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(TrainJob, "update", stopping)
        patch.setattr(TrainJob, "validate", validating)
        train(config, tmp_path / "parts", progress=SilentProgress())
    outcome = RunDirectory.open(tmp_path / "parts").outcome
    assert outcome is not None and outcome["outcome"] == "interrupted"
    assert (tmp_path / "parts" / "agent.npz").is_file()
    resumed = resume_training(tmp_path / "parts", progress=SilentProgress())
    for a, b in zip(leaves(whole.params), leaves(resumed.params), strict=True):
        np.testing.assert_array_equal(a, b)
    assert resumed.scores == whole.scores


def test_imitation_comes_first_and_the_value_then_learns_alone(tmp_path, monkeypatch):
    one_chunk_at_a_time(monkeypatch)
    job = make_job(dataclasses.replace(TINY, warm_start="thompson"))
    state = job.init()
    phases, policies, divergences = [], [], []
    while not job.finished(state):
        state, metrics = job.update(state)
        phases.append(metrics["phase"])
        divergences.append(metrics.get("kl"))
        policies.append(leaves(state.learner.params["policy"]))
    assert phases == ["imitation"] * 2 + ["ppo"] * 4
    for before, after in zip(policies[1], policies[2], strict=True):  # the warm-up of one update
        np.testing.assert_array_equal(before, after)
    assert any(np.any(a != b) for a, b in zip(policies[2], policies[3], strict=True))
    assert divergences[2] == 0 < divergences[3]


def test_what_is_kept_is_the_best_on_validation_tasks(monkeypatch):
    """The scores are given, so that the best is neither the first nor the last."""
    one_chunk_at_a_time(monkeypatch)
    config = dataclasses.replace(TINY, validation_every=400)
    job, scores = make_job(config), iter([1.0, 3.0, 2.0, 0.0])
    monkeypatch.setattr(job, "validate", lambda params: next(scores))
    state, policies = job.init(), []
    while not job.finished(state):
        state, _ = job.update(state)
        policies.append(leaves(state.learner.params["policy"]))
    assert state.progress.best_score == 3.0
    for kept, second in zip(leaves(state.best), policies[1], strict=True):
        np.testing.assert_array_equal(kept, second)


def test_what_the_clock_ends_before_its_first_trial_is_tried_and_handed_over(tmp_path, monkeypatch):
    one_chunk_at_a_time(monkeypatch)
    config = dataclasses.replace(TINY, env_steps=None, minutes=1e-9, validation_every=10**9)
    untrained = leaves(make_job(config).init().best)
    agent = train(config, tmp_path / "run", progress=SilentProgress())
    assert agent.scores["env_steps"] == agent.scores["best_at"] == 400
    assert 0 < agent.scores["validation_return"] < 5
    assert any(np.any(a != b) for a, b in zip(leaves(agent.params), untrained, strict=True))


@pytest.mark.parametrize("better", [pytest.param(True, marks=pytest.mark.slow), False])
def test_an_agent_that_has_not_learnt_says_so(tmp_path, monkeypatch, better):
    """Its returns are given: those of the random agent, and a little or nothing more."""
    chance = np.arange(20.0)
    more = np.linspace(0.1, 0.3, 20) if better else np.resize([-1, 1], 20)
    given = iter([chance, chance, chance + more])  # in training, then at random, then the best
    monkeypatch.setattr(
        "metarl.rl_squared.learning.validation.validation_returns", lambda *what: next(given)
    )
    monkeypatch.setattr(
        "metarl.rl_squared.learning.train_job.validation_returns", lambda *what: next(given)
    )
    said: list[str] = []
    progress = SilentProgress()
    monkeypatch.setattr(progress, "message", said.append)
    agent = train(dataclasses.replace(TINY, env_steps=400), tmp_path / "run", progress=progress)
    assert agent.scores["beats_random"] is better
    assert agent.scores["random_validation_return"] == 9.5
    assert said == [] if better else "at random 9.5: it has not been shown to be better" in said[0]


def test_what_training_starts_from_is_tried_first_and_kept_unless_beaten(monkeypatch, tiny):
    """The scores are given: 2 for the start, then `later`."""
    one_chunk_at_a_time(monkeypatch)
    place, start = tiny
    job = make_job(dataclasses.replace(TINY, init_from=str(place), env_steps=800))
    for later in (1.0, 3.0):
        scores = iter([2.0, later])
        monkeypatch.setattr(job, "validate", lambda params, scores=scores: next(scores))
        state, metrics = job.update(job.init())
        assert metrics["start_validation_return"] == 2.0
        while not job.finished(state):
            state, metrics = job.update(state)
            assert "start_validation_return" not in metrics
        assert state.progress.best_score == max(2.0, later)
        assert state.progress.best_at == (800 if later > 2 else 0)
        kept = zip(leaves(state.best), leaves(start.params), strict=True)
        assert all(np.array_equal(a, b) for a, b in kept) == (later < 2)


@pytest.mark.parametrize("trust", [2.0, 0.0])
def test_who_goes_by_plans_at_first_is_tried_first_and_waits_for_its_value(monkeypatch, trust):
    """As what has learnt before is and does. The update is made up."""
    network = NetworkConfig(
        core="outer-product", hidden=4, inner_values=True, inner_trust=trust, privileged_value=False
    )
    job = make_job(dataclasses.replace(TINY, network=network))
    monkeypatch.setattr(job, "validate", lambda params: 2.0)
    monkeypatch.setattr(TrainJob, "_reinforce", lambda job, state: (state, {"phase": "ppo"}))
    state, metrics = job.update(job.init())
    assert metrics.get("start_validation_return") == (2.0 if trust else None)
    frozen = job.reinforcement_rows(0, 3)[2]
    np.testing.assert_array_equal(frozen, [trust > 0, False, False])
    assert job.went_on(state) == (trust == 0)


@pytest.mark.parametrize("warm_up", [4, 3])
def test_a_training_that_ends_while_the_value_learns_alone_says_so(
    tmp_path, monkeypatch, tiny, warm_up
):
    """Of four updates, which are made up."""

    def update(job, state):
        return dataclasses.replace(state, progress=state.progress._replace(reinforcement=4)), {
            "phase": "ppo"
        }

    monkeypatch.setattr(TrainJob, "update", update)
    monkeypatch.setattr(
        "metarl.rl_squared.learning.training._beside_random", lambda agent, *_: agent
    )
    said: list[str] = []
    progress = SilentProgress()
    monkeypatch.setattr(progress, "message", said.append)
    config = dataclasses.replace(TINY, init_from=str(tiny[0]), value_warm_up=warm_up)
    train(config, tmp_path / "run", progress=progress)
    expected = "in the first 4 updates of 400 steps the value learns alone, and there were 4. Train"
    assert [expected in line for line in said] == [True] * (warm_up == 4)


@pytest.mark.parametrize(
    ("own", "updates"),
    [
        ({"warm_start": "thompson", "value_warm_up": 2}, (2, 3)),
        ({"distil": "algorithm", "teacher": "thompson"}, (2, 0)),
    ],
)
def test_patience_is_with_what_learns_and_not_with_a_policy_that_rests(monkeypatch, own, updates):
    """Every trial after the first is without a new best. The updates are made up."""
    one_chunk_at_a_time(monkeypatch)
    settings = dataclasses.replace(TINY, validation_every=400, patience=1, **own)
    job = make_job(settings)
    monkeypatch.setattr(job, "validate", lambda params: 1.0)
    for chunk in ("imitation_chunk", "reinforcement_chunk"):
        job.__dict__[chunk] = lambda learner, *rows: (learner, {"kl": np.zeros(1)})
    state = job.init()
    while not job.finished(state):
        state, _ = job.update(state)
    assert (state.progress.imitation, state.progress.reinforcement) == updates


@pytest.mark.parametrize(
    ("falls", "given", "over"), [(True, None, 7), (True, 3, 3), (False, 3, 3), (False, None, None)]
)
def test_the_learning_rate_falls_over_the_updates_that_are_asked_for(
    monkeypatch, falls, given, over
):
    monkeypatch.setattr(learners, "ppo", lambda policy, settings, *_: settings)
    ppo = dataclasses.replace(TINY.ppo, decay_updates=given)
    config = dataclasses.replace(TINY, ppo=ppo, learning_rate_decay=falls)
    policy = make_policy(make_trial(TINY.world).environment, TINY.network)
    settings: Any = learners.make_algorithm(policy, config, updates=7)
    assert settings.decay_updates == over


def test_patience_ends_a_training(monkeypatch):
    one_chunk_at_a_time(monkeypatch)
    job = make_job(dataclasses.replace(TINY, validation_every=400, patience=2))
    scores = iter([3.0, 2.0, 1.0, 9.0])
    monkeypatch.setattr(job, "validate", lambda params: next(scores))
    state = job.init()
    while not job.finished(state):
        state, _ = job.update(state)
    assert state.progress.reinforcement == 3


@pytest.mark.slow
def test_seeds_side_by_side_differ_and_the_best_is_kept(tmp_path):
    # The check of keys takes the batched program of several devices for one that reuses keys.
    with jax.debug_key_reuse(False):
        config = dataclasses.replace(TINY, seeds=2)
        agent = train(config, tmp_path / "run", progress=SilentProgress())
    rows = list(RunDirectory.open(tmp_path / "run").metrics.rows())
    both = rows[-1]["validation_returns"]
    assert len(set(both)) == 2
    assert max(both) == rows[-1]["validation_return"] <= agent.scores["validation_return"]
    assert agent.params["head"]["logits"]["w"].shape == (8, 2)


def test_an_agent_goes_on_from_another(tiny):
    place, first = tiny
    config = dataclasses.replace(TINY, init_from=str(place))
    job = make_job(config)
    for a, b in zip(leaves(job.init().best), leaves(first.params), strict=True):
        np.testing.assert_array_equal(a, b)


def test_an_agent_of_other_worlds_or_networks_is_no_start(tiny):
    start = dataclasses.replace(TINY, init_from=str(tiny[0]))
    with pytest.raises(
        InvalidInput, match=r"trained in bandit\(.*arms=2.*action_space is Discrete\(2\)"
    ):
        make_job(dataclasses.replace(start, world=WorldConfig(arms=3, episodes=5)))
    with pytest.raises(InvalidInput, match="another network than asked for: gru-8, not gru-16"):
        make_job(dataclasses.replace(start, network=NetworkConfig(hidden=16)))


@pytest.mark.parametrize(
    ("world", "own", "asked", "said"),
    [
        (
            TINY.world,
            {},
            {"activation": "relu"},
            r"gru-8, not gru-8 of relu\. Give the same --network settings: --network.activation tanh\.",
        ),
        (
            TINY.world,
            {"core": "outer-product", "memory_keys": 4, "pairs": True},
            {"core": "gru", "memory_keys": 64, "pairs": False},
            "outer-product-8 of 4 x 8 with pairs, not gru-8. Give .*: --network.core outer-product "
            r"--network.memory-keys 4 --network.pairs\.",
        ),
        (
            WorldConfig("maze", size=3, episodes=1),
            {"pixel_units": 16},
            {"pixel_units": None},
            "gru-8 with 16 pixel units, not gru-8. Give .*: --network.pixel-units 16",
        ),
    ],
)
def test_an_agent_is_no_start_where_its_weights_would_mean_something_else(
    tmp_path, untrained, world, own, asked, said
):
    of_start = dataclasses.replace(TINY.network, **own)
    agent = untrained(dataclasses.replace(TINY, world=world, network=of_start))
    start = str(save(agent, tmp_path / "start.npz"))
    network = dataclasses.replace(of_start, **asked)
    with pytest.raises(InvalidInput, match=f"another network than asked for: {said}"):
        make_job(dataclasses.replace(agent.config, network=network, init_from=start))


def test_a_training_goes_on_from_anywhere_and_without_the_files_of_its_ancestor(
    tmp_path, monkeypatch, untrained
):
    """The updates are made up, so what is handed over is what it began with."""

    def update(job, state):
        progress = state.progress._replace(reinforcement=4)
        return dataclasses.replace(state, progress=progress), {"phase": "ppo"}

    monkeypatch.setattr(TrainJob, "update", update)
    monkeypatch.setattr(
        "metarl.rl_squared.learning.training._beside_random", lambda agent, *_: agent
    )
    first, elsewhere = tmp_path / "first", tmp_path / "elsewhere"
    for place in (first, elsewhere):
        place.mkdir()
    monkeypatch.chdir(first)
    start = dataclasses.replace(untrained(TINY), scores={"env_steps": 7})
    save(start, "start.npz")
    config = dataclasses.replace(TINY, init_from="start.npz")
    begin_training(config, tmp_path / "run")
    for file in first.iterdir():
        file.unlink()
    monkeypatch.chdir(elsewhere)
    agent = resume_training(tmp_path / "run", progress=SilentProgress())
    assert agent.config == config and agent.scores["ancestor_env_steps"] == 7
    for a, b in zip(leaves(agent.params), leaves(start.params), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_saved_agent_acts_as_before(tmp_path, tiny):
    _, agent = tiny
    save(agent, tmp_path / "kept.npz")
    kept = load(tmp_path / "kept.npz")
    assert kept.config == agent.config and kept.scores == agent.scores
    before, after = (play_split(a.as_agent(), a.trial, 0, 50, "test") for a in (agent, kept))
    np.testing.assert_array_equal(before.returns, after.returns)


def test_half_precision_halves_the_file_and_nearly_keeps_the_weights(tmp_path, tiny):
    _, agent = tiny
    save(agent, tmp_path / "half.npz", precision="float16")
    for a, b in zip(leaves(agent.params), leaves(load(tmp_path / "half.npz").params), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-6)


def test_a_damaged_agent_is_refused(tmp_path, tiny):
    _, agent = tiny
    path = save(agent, tmp_path / "agent.npz")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InvalidInput, match="is damaged or was cut short"):
        load(path)
    path.write_bytes(whole)
    card = path.with_suffix(".json")
    card.write_text('{"format": "something"}')
    with pytest.raises(InvalidInput, match="does not describe an agent of metarl"):
        load(path)
    card.unlink()
    with pytest.raises(InvalidInput, match=r"lacks agent.json beside it"):
        load(path)
    with pytest.raises(InvalidInput, match="There is no agent"):
        load(tmp_path / "none.npz")
    with pytest.raises(InvalidInput, match="Unknown agent 'nothing'"):
        load("nothing")


@pytest.mark.parametrize("name", PRESETS)
def test_presets_survive_json(name):
    config = preset(name)
    assert train_config(config.to_json()) == config


def test_settings_of_a_file_are_checked_by_name():
    with pytest.raises(
        InvalidInput, match=r"run.json: Unknown setting 'sed'. Did you mean 'seed'\?"
    ):
        train_config({"sed": 1}, "run.json")
    with pytest.raises(InvalidInput, match="env_steps is 0; it must be at least 1"):
        train_config({"env_steps": 0}, "run.json")


def test_bad_worlds_are_refused_before_anything_is_written(tmp_path):
    for world, message in {
        WorldConfig(environment="bandid"): "Did you mean 'bandit'",
        WorldConfig(states=3): "has no setting 'states'",
        WorldConfig(episodes=1, trial_steps=5): "either of episodes or of steps",
        WorldConfig(setting=("rewards",)): "not of the form name=value",
        WorldConfig(arms=3, setting=("arms=4",)): "arms is given twice, as 3 and as 4",
        WorldConfig(setting=("arms=4", "arms=4")): "arms is given twice, as 4 and as 4",
        WorldConfig(
            environment="mdp", horizon=10, episodes=10**9
        ): "A trial of 10,000,000,000 steps is too long",
    }.items():
        with pytest.raises(InvalidInput, match=message):
            train(dataclasses.replace(TINY, world=world), tmp_path / "run")
    with pytest.raises(InvalidInput, match=r"Unknown agent 'gitins'\. Did you mean 'gittins'"):
        train(dataclasses.replace(TINY, warm_start="gitins"), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(InvalidInput, match=r"arms is 0; it must be at least 1, or None\."):
        WorldConfig(arms=0)
    with pytest.raises(
        InvalidInput, match="episodes is 10000000000; it must be at most 2147483647"
    ):
        WorldConfig(episodes=10**10)


@pytest.mark.slow
def test_reinforcement_alone_learns_to_explore(tmp_path):
    """Two arms, ten pulls: random earns 5, the Bayes optimum 6.02; a standard error here is 0.06."""
    config = TrainConfig(
        world=WorldConfig(arms=2, episodes=10),
        network=NetworkConfig(hidden=16),
        env_steps=1_000_000,
        batch_steps=10_000,
        ppo=dataclasses.replace(TrainConfig().ppo, learning_rate=3e-3),
    )
    agent = train(config, tmp_path / "run", progress=SilentProgress())
    assert play_split(agent.as_agent(), agent.trial, 1, 2_000, "test").totals.mean() > 5.7


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"optimizer": "muom"}, r"Unknown optimizer or rule 'muom'\. Did you mean 'muon'"),
        ({"optimizer": "muon", "algorithm": "trpo"}, "which takes natural gradients; leave"),
        (
            {"optimizer": "powersign-cd", "env_steps": None, "minutes": 1.0},
            "'powersign-cd' depends on how far the run is.*; give --env-steps",
        ),
    ],
)
def test_an_optimizer_that_cannot_train_is_refused_before_anything_is_written(
    settings, message, tmp_path
):
    with pytest.raises(InvalidInput, match=message):
        train(dataclasses.replace(TINY, **settings), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "optimizer", ["muon", pytest.param("adam-step-back", marks=pytest.mark.slow)]
)
def test_another_optimizer_trains_and_logs(optimizer, tmp_path, tiny):
    config = dataclasses.replace(TINY, optimizer=optimizer)
    agent = train(config, tmp_path / "run", progress=SilentProgress())
    check_log(tmp_path / "run", agent)
    pairs = zip(leaves(agent.params), leaves(tiny[1].params), strict=True)
    assert any(np.any(a != b) for a, b in pairs)


def test_muon_takes_for_matrices_what_lies_between_embeddings_and_last_layers():
    network = NetworkConfig(core="outer-product", hidden=8)
    job = TrainJob(dataclasses.replace(TINY, network=network))
    params = jax.eval_shape(job._initial_params)
    numbers = learners._matrices(params)
    core = numbers[POLICY]["core"]
    assert core["outer_product_memory/~_gist/think"]["w"] == MATRIX
    assert core["outer_product_memory/~_scores/score"]["w"] is None
    assert core["outer_product_memory"]["embedding"] is None
    assert numbers[POLICY]["head"]["logits"]["w"] is None
