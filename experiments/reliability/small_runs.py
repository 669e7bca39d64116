"""Small runs to be harmed: a search and a training of seconds, begun or gone on with.

    python small_runs.py search|train RUN_DIR ... [--backwards]

Goes on with each run in turn, and begins it where there is none. "driving" is printed when the work
itself begins. Ends as the command line does: 0 when done, 2 with one line on an error that a user can
cause, 130 when interrupted. With --backwards the wall clock jumps back by an hour every half second.
"""

from __future__ import annotations

import datetime
import os
import sys
import time
from pathlib import Path
from typing import Any

JOBS = ("search", "train")


def main(words: list[str]) -> int:
    """Drives the runs that the words name, and returns the exit code."""
    if "--backwards" in words:
        words.remove("--backwards")
        let_the_clock_go_backwards()
    # Programs that take less to compile than this are compiled anew in every process.
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.05")
    from metarl.cli.startup import configure
    from metarl.errors import InvalidInput

    configure("cpu", threads=1)
    drive = {"search": drive_search, "train": drive_training}[words[0]]
    code = 0
    for place in words[1:]:
        try:
            drive(Path(place))
        except KeyboardInterrupt:
            print("metarl: interrupted", file=sys.stderr)
            return 130
        except (InvalidInput, OSError) as error:
            where = f": {error.filename}" if isinstance(error, OSError) and error.filename else ""
            text = getattr(error, "strerror", None) or error
            print(f"metarl: error: {text}{where}", file=sys.stderr)
            code = 2
    return code


def drive_search(place: Path) -> None:
    """Searches by PPO on a quadratic; the stages behind the search itself are left out."""
    from metarl.optimizer_search import SearchConfig, to_dict
    from metarl.optimizer_search.searching.search_job import SearchJob, drive_search
    from metarl.optimizer_search.settings.config import TrainingConfig
    from metarl.runs import SilentProgress

    config = SearchConfig(
        problem=("quadratic",),
        strategy="ppo",
        budget=400,
        batch_size=16,
        training=TrainingConfig(steps=20, seeds=1),
    )
    job = SearchJob(config)
    run = opened(place, "search", to_dict(config))
    print("driving", flush=True)
    drive_search(job, run, SilentProgress())


def drive_training(place: Path) -> None:
    """Trains an agent of a two-armed bandit, in small chunks."""
    import metarl.rl_squared.learning.train_job as train_job
    from metarl.rl_squared import NetworkConfig, TrainConfig, WorldConfig, resume_training
    from metarl.runs import SilentProgress

    train_job.CHUNK_STEPS = 2_000
    config = TrainConfig(
        world=WorldConfig(arms=2, episodes=10),
        network=NetworkConfig(hidden=8),
        batch_steps=1_000,
        env_steps=120_000,
        validation_tasks=20,
        validation_every=20_000,
    )
    opened(place, "train", config.to_json())
    print("driving", flush=True)
    resume_training(place, progress=SilentProgress())


def opened(place: Path, job: str, config: dict[str, Any]) -> Any:
    """Returns the run at a place, new or begun before."""
    from metarl.runs import RunDirectory

    if (place / "run.json").exists():
        return RunDirectory.open(place)
    return RunDirectory.create(place, job, config, ["small_runs.py", job])


def let_the_clock_go_backwards() -> None:
    """Replaces the wall clock of this process; the monotonic clock stays, as it does in a kernel."""
    began, true_time = time.monotonic(), time.time

    def backwards() -> float:
        return true_time() - 3600.0 * ((time.monotonic() - began) // 0.5)

    class Backwards(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Any:
            return cls.fromtimestamp(backwards(), tz)

    time.time = backwards
    time.time_ns = lambda: int(1e9 * backwards())
    datetime.datetime = Backwards  # type: ignore[misc]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
