"""Several devices: gradients are summed, results are those of one device, trials stay where they are."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.rl_squared.learning.parallel import make_mesh, replicate, spread

# Two seeds, as a vmapped axis inside; three updates as one program; eight groups on one device too.
EIGHT_DEVICES = """
import dataclasses, json, re
import jax, numpy as np
jax.config.update("jax_num_cpu_devices", 8)
from metarl.policy_gradient import PPOConfig
from metarl.rl_squared import NetworkConfig, TrainConfig, TrainJob, WorldConfig
from metarl.rl_squared.learning.parallel import make_mesh

config = TrainConfig(
    world=WorldConfig(arms=2, episodes=3), network=NetworkConfig(hidden=4), batch_steps=192,
    seeds=2, ppo=PPOConfig(epochs=2, minibatches=2, shuffle_groups=8),
)
learnt, start = {}, {}
for devices in (1, 8):
    job = TrainJob(config, mesh=make_mesh(devices))
    learner, rows = job.init().learner, job.reinforcement_rows(0, 3)
    program = job.reinforcement_chunk.lower(learner, *rows).compile()
    row = lambda learner: np.concatenate([np.ravel(x) for x in jax.tree.leaves(learner.params)])
    start[devices], learnt[devices] = row(learner), row(program(learner, *rows)[0])
way = np.linalg.norm(learnt[1] - start[1])
print(json.dumps({
    "devices": len(jax.devices()),
    "same_start": bool(np.array_equal(start[1], start[8])),
    "difference": float(np.linalg.norm(learnt[8] - learnt[1]) / way),
    "sums": len(re.findall(r" all-reduce(?:-start)?\\(", program.as_text())),
    "gathers": re.findall(r"= (\\S+) (?:all-gather|all-to-all)(?:-start)?\\(", program.as_text()),
}))
"""


@pytest.fixture(scope="module")
def eight_devices() -> dict:
    """What a process with eight forced devices finds."""
    answer = subprocess.run(
        [sys.executable, "-c", EIGHT_DEVICES], env=os.environ, capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


@pytest.mark.slow  # the quick form: two devices give the trials and the gradient of one, in test_rollout
def test_eight_devices_learn_what_one_learns(eight_devices):
    """But for rounding: the sums are taken in another order."""
    assert eight_devices["devices"] == 8 and eight_devices["same_start"]
    assert eight_devices["difference"] < 1e-4


@pytest.mark.slow  # the quick form: two devices give the trials and the gradient of one, in test_rollout
def test_gradients_are_summed_and_trials_shuffled_in_groups_do_not_travel(eight_devices):
    assert eight_devices["sums"] > 0
    assert eight_devices["gathers"] == []


def test_the_gradient_of_what_all_devices_hold_is_summed_over_them():
    def function(weights, rows):
        return jnp.tanh(rows @ weights)

    weights, rows = jnp.array([0.3, -0.2]), jnp.arange(8.0).reshape(4, 2)
    spread_function = spread(function, make_mesh(2), replicated=1)
    np.testing.assert_allclose(spread_function(weights, rows), function(weights, rows), rtol=1e-6)
    found, expected = (
        jax.grad(lambda w, f=f: jnp.sum(f(w, rows) ** 2))(weights)
        for f in (spread_function, function)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_every_device_holds_what_is_replicated():
    mesh = make_mesh(2)
    placed = replicate({"a": jnp.arange(3.0)}, mesh)["a"]
    assert placed.is_fully_replicated and placed.sharding.device_set == set(mesh.devices.flat)


def test_a_mesh_of_more_devices_than_there_are_is_refused():
    with pytest.raises(InvalidInput, match="A mesh of 99 devices was asked for; 2 are present"):
        make_mesh(99)
