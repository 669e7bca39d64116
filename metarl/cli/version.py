"""Which metarl this is, and what it runs on: the answer to `metarl --version [--json]`."""

from __future__ import annotations

import importlib.metadata
import platform
from typing import Any

import metarl

_DISTRIBUTIONS = ("jax", "jaxlib", "dm-haiku", "optax", "chex", "numpy", "scipy", "scikit-learn")
_OPTIONAL = ("torch", "ray")


def version_line() -> str:
    """Returns the version in one line, at once: nothing else is imported."""
    return f"metarl {metarl.__version__}"


def version_document() -> dict[str, Any]:
    """Returns versions and devices, for a report of a defect; starts jax's backend.

    Returns:
      "metarl", "python", "system"; "packages" by name, null where one is not installed; "backend", the platform that
      jax chose; "devices", one entry each.
    """
    import jax

    return {
        "metarl": metarl.__version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "packages": {name: _installed(name) for name in (*_DISTRIBUTIONS, *_OPTIONAL)},
        "backend": jax.default_backend(),
        "devices": [
            {"id": d.id, "platform": d.platform, "kind": d.device_kind} for d in jax.devices()
        ],
    }


def _installed(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None
