"""Ray workers: the bits of this process, whoever dies on the way; and who is not like it is refused."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import importlib.util
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from driving import bits, driven
from few_rules import GRAMMAR, TRIAL, WIDTH
from toy_tables import TOY, Stopping, contents

from metarl.errors import InvalidInput
from metarl.optimizer_search import begin_table, load_table, resume_table
from metarl.optimizer_search.journal.journal import Journal
from metarl.optimizer_search.journal.journaled import journaling
from metarl.optimizer_search.judging.candidates import make_judgement
from metarl.optimizer_search.judging.evaluators import DEFAULT_WIDTH, LocalEvaluator
from metarl.optimizer_search.searching.search_job import SearchJob
from metarl.optimizer_search.settings.config import EvolutionConfig, SearchConfig, TrainingConfig
from metarl.optimizer_search.tables import table_job
from metarl.optimizer_search.workers import ray_workers
from metarl.optimizer_search.workers.ray_cluster import RayCluster
from metarl.optimizer_search.workers.ray_evaluator import RayEvaluator, ray_backend
from metarl.optimizer_search.workers.ray_workers import RayWorkers, WorkersLost
from metarl.runs import SilentProgress

if importlib.util.find_spec("ray") is None:  # it must not be imported before metarl does it
    pytest.skip("ray is not installed", allow_module_level=True)

pytestmark = [
    pytest.mark.extras,
    # of Ray's own: files and sockets that it leaves to the garbage collector
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning:ray"),
]

SEARCH = SearchConfig(
    problem=("toy_problem:logistic",),
    strategy="evolution",
    space="sign",
    depth=1,
    budget=24,
    batch_size=24,
    lag=1,
    seed=4,
    evolution=EvolutionConfig(population=4, sample=2, first="random"),
    training=TrainingConfig(steps=600, learning_rates=(0.1, 1.0), seeds=4),
)


@pytest.fixture(scope="module")
def cluster():
    """A cluster on this machine, with room for two workers and one more."""
    with contextlib.closing(RayCluster(cores=3)) as cluster:
        yield cluster
    gc.collect()  # what Ray leaves behind, while the filters above are on


@pytest.fixture(scope="module")
def workers(cluster):
    with contextlib.closing(RayWorkers(cluster, 2)) as workers:
        yield workers


def assert_same(found, expected):
    assert list(found) == list(expected)
    for name, verdict in expected.items():
        for ours, theirs in zip(found[name], verdict, strict=True):
            assert ours.dtype == theirs.dtype and ours.tobytes() == theirs.tobytes()


def actor_processes() -> list[int]:
    """Returns the numbers of the worker processes that belong to this one."""

    def parent(process: Path) -> int:
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])

    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            named = (process / "cmdline").read_bytes().startswith(b"ray::Worker")
            raylet = Path("/proc") / str(parent(process))
            if named and parent(raylet) == os.getpid():
                found.append(int(process.name))
    return found


def test_workers_give_the_bits_of_this_process(workers, judgements, asked, verdicts):
    evaluator = RayEvaluator(judgements, WIDTH, workers)
    assert_same(evaluator.evaluate(*asked), verdicts)
    some = evaluator.evaluate(asked[0][2:4], asked[1][2:4], ["two"])
    assert some["two"].losses.tobytes() == verdicts["two"].losses[2:4].tobytes()
    evaluator.close()
    with pytest.raises(RuntimeError, match="closed"):
        evaluator.evaluate(*asked)
    assert len(actor_processes()) == 2


def test_a_problem_of_ones_own_travels_with_what_it_holds(workers, toy, asked):
    shift = np.float32(0.5)
    own = dataclasses.replace(
        toy, name="own", loss=lambda p, s, batch, key: (*toy.loss(p, s, batch, key)[:1], s)
    )
    own = dataclasses.replace(
        own, examples=lambda split: {**toy.examples(split), "x": toy.examples(split)["x"] + shift}
    )
    judgements = {"own": make_judgement(own, GRAMMAR, TRIAL, "choice", [1, 2, 3])}
    here = LocalEvaluator(judgements, WIDTH)
    there = RayEvaluator(judgements, WIDTH, workers)
    assert_same(there.evaluate(*asked), here.evaluate(*asked))
    here.close()
    there.close()


def test_what_fails_on_a_worker_fails_here_and_its_worker_is_none_the_worse(
    cluster, judgements, asked, verdicts, monkeypatch
):
    class Clumsy(ray_workers.Worker):
        clumsy = True

        def judge(self, specified, chunk):
            if self.clumsy:
                self.clumsy = False
                raise ValueError("out of memory")
            return super().judge(specified, chunk)

    monkeypatch.setattr(ray_workers, "Worker", Clumsy)
    with contextlib.closing(RayWorkers(cluster, 1)) as workers:
        evaluator = RayEvaluator(judgements, WIDTH, workers)
        with pytest.raises(ValueError, match="out of memory"):
            evaluator.evaluate(*asked)
        assert_same(evaluator.evaluate(*asked), verdicts)
        evaluator.close()


def whole(config, backend, twin=None):
    """The log of a search, and the bits of its last state."""
    job = made(config, backend, twin)
    state, rows = driven(job)
    found = rows, bits(job, state)
    job.close()
    return found


def made(config, backend, twin=None):
    job = SearchJob(config)
    if twin is not None:
        job.programs.share(twin.programs)
    job.programs.train_with(backend)
    return job


def threads(judgements):
    return LocalEvaluator(judgements, DEFAULT_WIDTH)


@pytest.fixture(scope="module", params=["every rule in full", "racing"])
def local_search(toy, request):
    """Settings, what threads of this process find by them, and a job whose programs can be shared."""
    config = dataclasses.replace(SEARCH, racing=request.param == "racing")
    twin = SearchJob(config)
    yield config, whole(config, threads, twin), twin
    twin.close()


def test_a_search_on_workers_finds_what_threads_find(workers, local_search):
    config, found, twin = local_search
    assert whole(config, ray_backend(workers), twin) == found


@pytest.mark.parametrize("first_on_workers", [True, False])
def test_a_search_that_was_stopped_goes_on_elsewhere_to_the_same_end(
    workers, local_search, tmp_path, first_on_workers
):
    config, (rows, end), twin = local_search
    backends = [ray_backend(workers), threads]
    begun, goes_on = backends if first_on_workers else backends[::-1]
    with Journal(tmp_path / "journal.jsonl") as journal:
        job = made(config, journaling(begun, journal), twin)
        stopped, before = driven(job, job.init(), 1)
        saved = job.save(stopped)
        job.close()
        assert 0 < stopped.counts.trained < config.budget
        job = made(config, journaling(goes_on, journal), twin)
        state, after = driven(job, job.load(*saved))
        assert before + after == rows and bits(job, state) == end
        job.close()


def test_a_table_that_workers_began_and_threads_ended_is_that_of_threads(
    workers, toy, tmp_path, monkeypatch
):
    config = dataclasses.replace(TOY, max_size=2)
    monkeypatch.setenv("METARL_CHECKPOINT_SECONDS", "0")
    monkeypatch.setattr(table_job, "_RULES", 2)
    alone, shared = (begin_table(config, tmp_path / name).path for name in ("alone", "shared"))
    resume_table(alone, progress=SilentProgress())
    with pytest.raises(KeyboardInterrupt):
        resume_table(shared, progress=Stopping(), backend=ray_backend(workers))
    assert [judge.name for judge in load_table(shared).judges] == ["toy"]
    resume_table(shared, progress=SilentProgress())
    for name in ("functions.npz", "toy.npz", "toy-x2.npz"):
        assert contents(shared / "table" / name) == contents(alone / "table" / name)


def test_a_search_whose_workers_are_killed_again_and_again_finds_the_same(
    cluster, local_search, tmp_path, monkeypatch
):
    config, found, twin = local_search
    said, deaths = [], [tmp_path / f"death-{number}" for number in range(3)]

    class Mortal(ray_workers.Worker):
        def judge(self, specified, chunk):
            for death in deaths:  # each of them is died once, whoever is first
                with contextlib.suppress(FileExistsError):
                    death.touch(exist_ok=False)
                    os.kill(os.getpid(), signal.SIGKILL)
            return super().judge(specified, chunk)

    monkeypatch.setattr(ray_workers, "Worker", Mortal)
    with (
        contextlib.closing(RayWorkers(cluster, 2, said.append)) as workers,
        Journal(tmp_path / "journal.jsonl") as journal,
    ):
        assert whole(config, journaling(ray_backend(workers), journal), twin) == found
    assert all(death.exists() for death in deaths)
    assert sum("what it had is given to another" in text for text in said) == len(deaths)
    with Journal(tmp_path / "journal.jsonl") as journal:
        assert len(journal) > config.budget if config.racing else len(journal) == config.budget


def test_candidates_that_end_every_worker_are_given_up_with_one_error(
    cluster, judgements, asked, monkeypatch
):
    said = []

    class Deadly(ray_workers.Worker):
        def judge(self, specified, chunk):
            os.kill(os.getpid(), signal.SIGKILL)
            return super().judge(specified, chunk)

    monkeypatch.setattr(ray_workers, "Worker", Deadly)
    monkeypatch.setattr(ray_workers, "_TRIES", 2)
    with contextlib.closing(RayWorkers(cluster, 1, said.append)) as workers:
        evaluator = RayEvaluator(judgements, WIDTH, workers)
        with pytest.raises(WorkersLost, match="2 workers died over the same candidates on 'toy'"):
            evaluator.evaluate(asked[0][:WIDTH], asked[1][:WIDTH], ["one"])
        evaluator.close()
    assert "what it had is given to another" in said[0]


def test_a_worker_that_is_not_like_this_process_is_refused_and_said(
    cluster, judgements, asked, monkeypatch
):
    said = []
    ours = ray_workers.process_fingerprint()
    monkeypatch.setattr(ray_workers, "process_fingerprint", lambda: {**ours, "jax": "0.0.1"})
    with contextlib.closing(RayWorkers(cluster, 1, said.append)) as workers:
        evaluator = RayEvaluator(judgements, WIDTH, workers)
        with pytest.raises(InvalidInput, match=r"No worker can be used: jax is .*, not 0\.0\.1"):
            evaluator.evaluate(*asked)
        evaluator.close()
    assert said[0].startswith("A worker is refused: jax is ")
