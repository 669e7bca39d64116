"""hosts: the flags that make one training of several processes, on one machine or many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from metarl.errors import InvalidInput, require

if TYPE_CHECKING:
    from metarl.runs import Gang


@dataclass(frozen=True)
class Hosts:
    """Several processes that train together; started by the same command, but for --host-index."""

    hosts: int | Literal["auto"] | None = None
    """How many processes train together; auto asks SLURM, Open MPI, Kubernetes or the cloud TPU."""
    host_index: int | None = None
    """Of this process, from 0; process 0 has the run on disk."""
    coordinator: str | None = None
    """ADDRESS:PORT of process 0, where all of them find each other."""

    @property
    def asked_for(self) -> bool:
        """Whether any of the flags is given."""
        return self != Hosts()

    @property
    def flags(self) -> str:
        """These flags, as they are typed."""
        if self.hosts is None:
            return ""
        if self.hosts == "auto":
            return "--hosts auto"
        return (
            f"--hosts {self.hosts} --host-index {self.host_index} --coordinator {self.coordinator}"
        )

    def check(self) -> None:
        """Raises unless the flags fit each other.

        Raises:
          InvalidInput: says what is missing or too many.
        """
        named = {"--host-index": self.host_index, "--coordinator": self.coordinator}
        given = [name for name, value in named.items() if value is not None]
        if self.hosts is None or self.hosts == "auto":
            how = "without --hosts" if self.hosts is None else "with --hosts auto, which finds them"
            require(not given, f"{' and '.join(given)} cannot be given {how}.")
            return
        require(self.hosts >= 1, f"--hosts must be at least 1, not {self.hosts}.")
        missing = [name for name in named if name not in given]
        require(
            not missing,
            f"--hosts {self.hosts} needs {' and '.join(missing)} too (or take --hosts auto).",
        )
        require(
            0 <= (self.host_index or 0) < self.hosts,
            f"--host-index must be from 0 to {self.hosts - 1}, not {self.host_index}.",
        )
        address, _, port = (self.coordinator or "").rpartition(":")
        require(
            bool(address) and port.isdigit() and 0 < int(port) < 65_536,
            f"--coordinator takes ADDRESS:PORT, not {(self.coordinator or '')[:100]!r}.",
        )

    def join(self) -> None:
        """Returns when all processes are here; jax's backend must not run yet.

        Raises:
          InvalidInput: they do not find each other.
        """
        self.check()
        if self.hosts is None:
            return
        import jax

        try:
            if self.hosts == "auto":
                jax.distributed.initialize()
            else:
                # "deactivate": all devices of this machine are its one process's, also under SLURM.
                jax.distributed.initialize(
                    self.coordinator,
                    self.hosts,
                    self.host_index,
                    cluster_detection_method="deactivate",
                )
        except (RuntimeError, ValueError) as error:
            reason = str(error).partition("\n")[0]
            remedy = "Give --hosts N --host-index I --coordinator ADDRESS:PORT to each process."
            raise InvalidInput(f"{self.flags}: {reason} {remedy}") from error

    def gang(self, others: str = "") -> Gang:
        """Returns the gang that `join` has made; a process on its own if no flag is given.

        Args:
          others: other flags that this process needs to be the same when it is started again.
        """
        from metarl.runs import Gang

        return Gang.present(f"{others} {self.flags}".strip()) if self.asked_for else Gang()
