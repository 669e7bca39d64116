"""Members of spaces: as vectors, and drawn."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium import spaces

from metarl.environments import draw_member, feature_size, features
from metarl.errors import InvalidInput

HALF_BOUNDED = spaces.Box(
    np.array([-np.inf, 0, -np.inf], np.float32), np.array([np.inf, np.inf, 1], np.float32)
)
SPACES = [
    spaces.Discrete(3),
    spaces.Discrete(3, start=5),
    spaces.MultiDiscrete([2, 3]),
    spaces.MultiDiscrete([2, 3], start=[1, -1]),
    spaces.MultiBinary(4),
    spaces.Box(-1.0, 2.0, (2, 2)),
    HALF_BOUNDED,
    spaces.Box(0, 255, (3,), np.uint8),
    spaces.Box(np.array([-3, 5]), np.array([-1, 9]), (2,), np.int64),
    spaces.Box(-(2**31), 2**31 - 1, (2,), np.int32),
]


@pytest.mark.parametrize(
    ("space", "member", "vector"),
    [
        (spaces.Discrete(3), 1, [0, 1, 0]),
        (spaces.Discrete(3, start=5), 7, [0, 0, 1]),
        (spaces.MultiDiscrete([2, 3]), [1, 0], [0, 1, 1, 0, 0]),
        (spaces.MultiDiscrete([2, 3], start=[1, -1]), [1, 1], [1, 0, 0, 0, 1]),
        (spaces.MultiBinary(3), [1, 0, 1], [1, 0, 1]),
        (spaces.Box(-1.0, 1.0, (2, 2)), [[0.1, 0.2], [0.3, 0.4]], [0.1, 0.2, 0.3, 0.4]),
    ],
)
def test_members_become_vectors(space, member, vector):
    encoded = features(space, jnp.array(member))
    np.testing.assert_allclose(encoded, vector)
    assert encoded.dtype == jnp.float32 and len(encoded) == feature_size(space)


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_what_is_drawn_is_a_member_and_fills_the_space(space):
    keys = jax.random.split(jax.random.key(0), 300)
    drawn = np.asarray(jax.jit(jax.vmap(lambda key: draw_member(key, space)))(keys))
    kind = np.dtype(space.dtype)
    members = [kind.type(x) if space.shape == () else x.astype(kind) for x in drawn]
    assert all(map(space.contains, members))
    sampled = np.array([space.sample() for _ in range(300)])
    assert len(np.unique(drawn)) > 0.9 * min(len(np.unique(sampled)), 200)
    assert np.abs(drawn.mean(axis=0) - sampled.mean(axis=0)).max() <= 0.5 * sampled.std() + 0.1


def test_spaces_that_no_agent_can_act_in_are_refused():
    for door in (
        feature_size,
        lambda s: features(s, 0),
        lambda s: draw_member(jax.random.key(0), s),
    ):
        with pytest.raises(
            InvalidInput, match="Space Text is not supported; accepted are Discrete"
        ):
            door(spaces.Text(3))
