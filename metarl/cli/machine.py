"""machine: the flags that say what to compute on; shared by every verb that trains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .hosts import Hosts
from .startup import Device, Precision, configure

if TYPE_CHECKING:
    from metarl.runs import Gang


@dataclass(frozen=True)
class Machine:
    """What to compute on."""

    device: Device | None = None
    """The kind of device; the best one present if not given."""
    threads: int | None = None
    """CPU devices, each driven by one thread; all usable cores if not given."""
    matmul_precision: Precision | None = None
    """Of float32 matrix products on GPU and TPU; the backend's own if not given."""

    def start(self, hosts: Hosts | None = None) -> Gang:
        """Starts jax accordingly, before its first computation, and returns whom this process works with.

        Args:
          hosts: the other processes of a training; none if not given.
        """
        hosts = hosts or Hosts()
        hosts.check()
        configure(self.device, self.matmul_precision, self.threads, hosts.join)
        return hosts.gang(self.flags)

    @property
    def flags(self) -> str:
        """These flags, as they are typed."""
        named = {
            "--device": self.device,
            "--threads": self.threads,
            "--matmul-precision": self.matmul_precision,
        }
        return " ".join(f"{name} {value}" for name, value in named.items() if value is not None)
