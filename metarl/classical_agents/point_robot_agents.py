"""Agents for point robots: one that knows the goal, and one that finds it by three distances.

A reward is minus the squared distance from the goal g. With p₀ and r₀ of the first step, q = p - p₀,

    (r - r₀ + |q|²) / 2 = q · (g - p₀)

which is linear in g: two more steps in different directions tell it exactly.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from metarl.environments import Agent, PointRobotTask, Trial, make_agent
from metarl.errors import require

from .row import Row

_SPEED = 0.1
_INDEPENDENT = (
    1e-9  # of a determinant of products of steps of 0.1: 1e-4 where they are at right angles
)


class Survey(NamedTuple):
    """What is known of the goal."""

    place: jax.Array  # [2] p₀
    reward: jax.Array  # [] r₀
    products: jax.Array  # [2, 2] Σ q qᵀ
    right: jax.Array  # [2] Σ q (r - r₀ + |q|²) / 2
    steps: jax.Array  # [] int32, taken so far


def point_robot_oracle() -> Agent:
    """Returns the agent that knows the goal and walks there: nobody earns more."""
    return make_agent(_know, _walk, _keep, sees_task=True)


def trilateration(trial: Trial) -> Agent:
    """Returns the agent that finds the goal in three steps and walks there, in later episodes at once.

    Raises:
      InvalidInput: rewards are sparse.
    """
    require(
        not trial.environment.settings["sparse"],
        "Agent 'trilateration' reads distances from rewards; with sparse=true they tell none from afar.",
    )
    return make_agent(_know_nothing, _survey, _see)


def _know(key: jax.Array, trial: Trial, task: PointRobotTask) -> jax.Array:
    del key, trial
    return task.goal


def _walk(key: jax.Array, goal: jax.Array, place: jax.Array):
    del key
    return jnp.clip(goal - place, -_SPEED, _SPEED), goal


def _keep(goal: jax.Array, *transition: Any) -> jax.Array:
    del transition
    return goal


def _know_nothing(key: jax.Array, trial: Trial, task: None) -> Survey:
    del key, trial, task
    return Survey(
        jnp.zeros(2), jnp.zeros(()), jnp.zeros((2, 2)), jnp.zeros(2), jnp.zeros((), jnp.int32)
    )


def _survey(key: jax.Array, survey: Survey, place: jax.Array):
    del key
    (a, b), (_, d) = survey.products
    determinant = a * d - b * b
    across = jnp.stack(
        [d * survey.right[0] - b * survey.right[1], a * survey.right[1] - b * survey.right[0]]
    )
    goal = survey.place + across / jnp.where(determinant > 0, determinant, 1.0)
    corner = jnp.where(survey.steps % 2 == 0, jnp.array([_SPEED, 0.0]), jnp.array([0.0, _SPEED]))
    to_goal = jnp.clip(goal - place, -_SPEED, _SPEED)
    return jnp.where(determinant > _INDEPENDENT, to_goal, corner), survey


def _see(
    survey: Survey,
    observation: Any,
    action: Any,
    reward: jax.Array,
    terminated: Any,
    truncated: Any,
    place: jax.Array,
) -> Survey:
    del observation, action, terminated, truncated
    first = survey.steps == 0
    begun = survey._replace(place=place, reward=reward)
    survey = jax.tree.map(lambda a, b: jnp.where(first, a, b), begun, survey)
    q = place - survey.place
    told = (reward - survey.reward + q @ q) / 2
    return survey._replace(
        products=survey.products + jnp.outer(q, q),
        right=survey.right + told * q,
        steps=survey.steps + 1,
    )


POINT_ROBOT_ROWS: tuple[Row, ...] = (
    Row(
        name="oracle",
        world="point-robot",
        caption="knows the goal, and walks there",
        formula="clip(g - p)",
        paper="",
        build=lambda values, trial: point_robot_oracle(),
    ),
    Row(
        name="trilateration",
        world="point-robot",
        caption="takes three steps, from whose rewards the goal follows, and walks there",
        formula="q · (g - p₀) = (r - r₀ + |q|²) / 2",
        paper="elementary geometry",
        build=lambda values, trial: trilateration(trial),
    ),
)
