"""evaluators: the flags that say where the candidates of a search are trained."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import tyro

from metarl.errors import require, unknown_name
from metarl.reading import Count

from .machine import Machine

if TYPE_CHECKING:
    from metarl.optimizer_search import Backend


TABLE = "table:"


@dataclass(frozen=True)
class Evaluators:
    """Where candidates are trained; the numbers are the same."""

    evaluator: Annotated[str, tyro.conf.arg(metavar="local|ray|table:NAME")] = "local"
    """local: threads of this process; ray: workers on a Ray cluster (pip install 'metarl[ray]'); table:sign-1, or the
    path of a table: nothing is trained, losses are looked up (docs/rule_tables.md)."""
    ray_address: str | None = None
    """HOST:PORT of the cluster's head; a cluster is started on this machine if not given. See docs/cluster.md."""
    ray_workers: Count | None = None
    """Workers, a core or a GPU each; as many as the cluster has if not given."""

    @property
    def table(self) -> str | None:
        """Name or path of the table that answers; None if candidates are trained."""
        return self.evaluator.removeprefix(TABLE) if self.evaluator.startswith(TABLE) else None

    def check(self) -> None:
        """Refuses flags that mean nothing together.

        Raises:
          InvalidInput: says which.
        """
        if self.evaluator not in ("local", "ray") and self.table is None:
            raise unknown_name("evaluator", self.evaluator, ("local", "ray", "table:NAME"))
        require(
            self.evaluator == "ray" or (self.ray_address is None and self.ray_workers is None),
            "--ray-address and --ray-workers go with --evaluator ray.",
        )

    @contextlib.contextmanager
    def backend(self, machine: Machine) -> Iterator[Backend]:
        """Starts jax, and gives what trains candidates for the length of the block.

        Raises:
          InvalidInput: the machine has no such device; Ray is not installed, or its cluster cannot be joined; or losses
            are to be looked up.
        """
        from metarl.optimizer_search import RayCluster, RayWorkers, local_evaluator, ray_backend

        self.check()
        require(
            self.table is None,
            f"--evaluator {self.evaluator} looks losses up, and this trains; take local or ray.",
        )
        if self.evaluator == "local":
            machine.start()
            yield local_evaluator
            return
        with contextlib.closing(RayCluster(self.ray_address, self.ray_workers)) as cluster:
            machine.start()  # after the cluster, whose processes are forked
            with contextlib.closing(RayWorkers(cluster, self.ray_workers, _say)) as workers:
                yield ray_backend(workers)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
