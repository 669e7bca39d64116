"""Settings that make no sense are refused by name, with what is accepted."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest

from metarl.errors import InvalidInput
from metarl.policy_gradient import PPOConfig, ReinforceConfig, TRPOConfig


@pytest.mark.parametrize(
    ("config", "settings", "message"),
    [
        (ReinforceConfig(), {"learning_rate": 0.0}, "learning_rate is 0.0; it must be positive"),
        (ReinforceConfig(), {"baseline": "mean"}, "value, moving_average, batch_mean, none"),
        (ReinforceConfig(), {"baseline_decay": 1.5}, "must lie between 0 and 1"),
        (ReinforceConfig(), {"entropy_weight": -1.0}, "must not be negative"),
        (PPOConfig(), {"epochs": 0}, "epochs is 0; it must be at least 1"),
        (PPOConfig(), {"max_kl": 0.0}, "max_kl is 0.0; it must be positive, or None"),
        (PPOConfig(), {"gae_lambda": -0.1}, "gae_lambda is -0.1; it must lie between 0 and 1"),
        (PPOConfig(), {"value_target": "td"}, "value_target is 'td'; it must be one of lambda"),
        (TRPOConfig(), {"max_kl": -1.0}, "max_kl is -1.0; it must be positive"),
        (TRPOConfig(), {"backtracks": 0}, "backtracks is 0; it must be at least 1"),
    ],
)
def test_bad_settings_are_refused(config, settings, message):
    with pytest.raises(InvalidInput, match=message):
        dataclasses.replace(config, **settings)


@pytest.mark.parametrize("package", ["policy_gradient", "controller"])
def test_settings_do_not_load_jax(package):
    code = f"import sys, metarl.{package}.config; assert 'jax' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
