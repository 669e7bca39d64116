"""Ray cluster: how a search joins one, or starts one on this machine.

This comes before jax computes anything: Ray starts its processes by a fork, and jax's threads do not survive one.
Nothing here imports jax.

A cluster runs the code of whoever can speak to it, so it is started behind a token, and on a loopback address that no
other machine can reach. A cluster that is joined has its address and token from whoever started it.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import secrets
import sys
import warnings
from typing import Any

from metarl.errors import InvalidInput
from metarl.runs import usable_cores

# Ray's own first address, 127.0.0.1, is rewritten by it to the address of the host, which others may reach.
_LOOPBACK = "127.0.0.2"
_STORE_BYTES = 128 << 20  # recipes of a user's own problems lie there, and nothing else
_ATTEMPTS = 3  # Ray gives its processes 30 s to start, which a busy machine may need


class RayCluster:
    """A connection to a Ray cluster.

    Args:
      address: of the cluster's head, HOST:PORT; None starts a cluster on this machine.
      cores: of the cluster that is started; all usable ones if None.

    Attributes:
      ray: the package.

    Raises:
      InvalidInput: Ray is not installed, or the cluster cannot be joined or started.
    """

    def __init__(self, address: str | None = None, cores: int | None = None):
        """Joins or starts the cluster; one that this process has joined already is taken as it is."""
        # read when Ray is imported; a change after that would part it from its servers
        if "ray" not in sys.modules:
            os.environ.setdefault("RAY_AUTH_MODE", "token")
        try:
            self.ray: Any = importlib.import_module("ray")
        except ImportError as error:
            raise InvalidInput(
                "Ray is not installed; `pip install 'metarl[ray]'` brings it, or take "
                "`--evaluator local`."
            ) from error
        self._leaves = not self.ray.is_initialized()
        if self._leaves:
            _join(self.ray, address, cores)

    def close(self) -> None:
        """Leaves the cluster, and ends it if it was started here."""
        if self._leaves:
            self.ray.shutdown()


def _join(ray: Any, address: str | None, cores: int | None) -> None:
    settings: dict[str, Any] = {"log_to_driver": False, "configure_logging": False}
    if address is None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        settings |= {
            "num_cpus": cores or usable_cores(),
            "include_dashboard": False,
            "object_store_memory": _STORE_BYTES,
            "_node_ip_address": _LOOPBACK,
        }
    for attempt in range(_ATTEMPTS):
        try:
            with warnings.catch_warnings():
                # where jax runs already (a notebook): the child does nothing but become another program
                warnings.filterwarnings("ignore", "os.fork", RuntimeWarning)
                ray.init(address=address or "local", **settings)
            return
        except Exception as error:
            with contextlib.suppress(Exception):
                ray.shutdown()
            if attempt < _ATTEMPTS - 1 and "timed out" in str(error):
                continue
            where = f"at {address}" if address else "on this machine"
            raise InvalidInput(
                f"No Ray cluster {where}: {_first_line(error)} It must run Ray {ray.__version__} "
                "and know the same token; see docs/cluster.md."
            ) from error


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
