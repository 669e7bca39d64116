"""What is fuzzed: for each reader of metarl a corpus that metarl wrote, and a law.

A target takes any bytes. It gives True if they are a valid input (then what was read must survive
being written and read again) and False if they are refused by a documented error. Anything else is
a finding.
"""

from __future__ import annotations

import atexit
import functools
import hashlib
import io
import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from metarl.errors import InvalidInput
from metarl.optimizer_search import SearchConfig, preset
from metarl.optimizer_search import from_dict as search_settings
from metarl.optimizer_search.settings.compare_config import CompareConfig
from metarl.optimizer_search.settings.config import to_dict
from metarl.reading import from_dict, parse_json, read_arrays
from metarl.rl_squared import WorldConfig, train_config
from metarl.rl_squared import preset as training
from metarl.runs import MetricLog, RunDirectory, load_checkpoint, save_checkpoint
from metarl.update_rules import NAMED_RULES, Rule, resolve, to_json

MOST_BYTES = 2**20  # of the arrays that are read here
BETWEEN = b"\n====\n"  # between the files of an input that is several
ACCEPTED = "accepted"
SIGN_HERE = b"<its hash>"  # replaced by what a forger would write there


class Target(NamedTuple):
    """A reader and its law."""

    read: Callable[[bytes], None]  # raises InvalidInput for what is refused
    corpus: Callable[[], Sequence[bytes]]
    words: Sequence[bytes]  # that mean something in such an input

    def answer(self, data: bytes) -> str:
        """Returns "accepted", or the name of the documented error that refuses an input."""
        try:
            self.read(data)
        except InvalidInput as refusal:
            message = str(refusal)
            assert message and len(message) < 5_000, "a message is for a person"
            message.encode()
            return type(refusal).__name__
        return ACCEPTED

    def accepts(self, data: bytes) -> bool:
        """Returns whether an input is valid; raises nothing that is documented."""
        return self.answer(data) == ACCEPTED


@functools.cache
def place() -> Path:
    """Returns a folder for the files of this process, which goes with it."""
    shared = Path("/dev/shm")
    folder = tempfile.mkdtemp(prefix="metarl-fuzz-", dir=shared if shared.is_dir() else None)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


# Rules -------------------------------------------------------------------------------------------


def read_rule(data: bytes) -> None:
    """A text is a rule that prints as itself and has one simplest form, or a syntax error."""
    text = data.decode("utf-8", errors="surrogateescape")
    rule = resolve(text)
    assert Rule.parse(str(rule)) == rule
    assert Rule.from_json(rule.to_json()) == rule
    simplest = rule.canonical()
    assert simplest.canonical() == simplest
    assert rule.to_latex() and rule.size >= 1 and rule.depth >= 1


def rules() -> list[bytes]:
    """Returns the texts and names of the table."""
    return [text.encode() for row in NAMED_RULES.values() for text in (row.text, row.name)]


RULE_WORDS = (
    *(b"(", b")", b"-", b"^", b"**", b" * ", b", 0.1", b"exp(", b"clip(", b"drop(", b"1e-4", b"g"),
    *(b"m", b"noise", b"1e400", b"1e-400", b"\xff", b"\xc2\xb2", b"\x00", b"\n", b"\xed\xa0\x80"),
)


def read_rule_document(data: bytes) -> None:
    """A document is that of a rule and written as it was read, or refused."""
    rule = Rule.from_json(data)  # type: ignore[arg-type]
    assert Rule.from_json(rule.to_json()) == rule


def rule_documents() -> list[bytes]:
    """Returns documents with their provenance."""
    return [to_json(name).encode() for name in list(NAMED_RULES)[:8]]


JSON_WORDS = (
    *(b"[", b"]", b"{", b"}", b":", b",", b'"', b"null", b"true", b"-1", b"0", b"1.5", b"1e999"),
    *(b"NaN", b"-Infinity", b"1" * 50, b'"a"', b'"\\ud800"', b"\\u0000", b"\xff", b"\xef\xbb\xbf"),
    *(b"[]", b"{}", b"9223372036854775808", b"1e-999", b'""', b'"version": 1', b'{"a":'),
)


def read_document(data: bytes) -> None:
    """JSON is strict, and what is read can be written again."""
    value = parse_json(data, "it")
    assert parse_json(json.dumps(value, allow_nan=False), "it") == value


# Arrays ------------------------------------------------------------------------------------------


def packed(arrays: dict[str, np.ndarray], save: Callable = np.savez_compressed) -> bytes:
    """Returns an archive of arrays."""
    buffer = io.BytesIO()
    save(buffer, **arrays)
    return buffer.getvalue()


def read_archive(data: bytes) -> None:
    """An archive holds arrays no larger than allowed, which can be written again, or is refused."""
    arrays = read_arrays(data, "it", MOST_BYTES)
    assert sum(array.nbytes for array in arrays.values()) <= MOST_BYTES
    named = {f"{place}": array for place, array in enumerate(arrays.values())}
    again = read_arrays(packed(named), "it", 2 * MOST_BYTES)
    assert all(again[name].tobytes() == array.tobytes() for name, array in named.items())


def archives() -> list[bytes]:
    """Returns archives of all kinds of arrays."""
    arrays = {
        "a": np.arange(6.0).reshape(2, 3),
        "['b/c']['w']": np.asfortranarray(np.ones((3, 2), np.float16)),
        "one": np.array(3),
        "none": np.zeros((0, 4), bool),
        "text": np.array(["a", "bc"]),
    }
    return [packed(arrays), packed(arrays, np.savez), packed({}), packed({"z": np.zeros(10_000)})]


ARRAY_WORDS = (
    *(b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07", b"\x93NUMPY\x01"),
    *(b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\xff\xff", b"\x08\x00", b".npy", b"|O", b"<f8"),
    *(b"(1000000000,)", b"'shape': ()", b"fortran_order': True", b"\x7f\xff\xff\xff", b"\x0e"),
)


def signed(data: bytes, payload: bytes) -> bytes:
    """Returns a text with the hash of the bytes that it vouches for, as a forger would write it."""
    return data.replace(SIGN_HERE, hashlib.sha256(payload).hexdigest().encode())


def read_checkpoint(data: bytes) -> None:
    """A checkpoint whose hash is right is still not believed."""
    head, _, payload = data.partition(b"\n")
    path = place() / "a.checkpoint"
    path.write_bytes(signed(head, payload).replace(b"<n>", b"%d" % len(payload)) + b"\n" + payload)
    arrays, meta = load_checkpoint(path)
    save_checkpoint(path, arrays, meta)
    again, meta_again = load_checkpoint(path)
    assert meta_again == meta and list(again) == list(arrays)
    for name, array in arrays.items():
        assert again[name].dtype == array.dtype and again[name].tobytes() == array.tobytes()


def checkpoints() -> list[bytes]:
    """Returns checkpoints with a place for their hash."""
    import ml_dtypes

    path = place() / "new.checkpoint"
    arrays = {"w": np.ones((2, 3)), "h": np.ones(4, ml_dtypes.bfloat16), "n": np.array(7)}
    save_checkpoint(path, arrays, {"generation": 3, "job": [1, "a", None], "seconds": 0.5})
    payload = path.read_bytes().partition(b"\n")[2]
    return [b"metarl-checkpoint 1 <n> " + SIGN_HERE + b"\n" + payload, path.read_bytes()]


# Agents ------------------------------------------------------------------------------------------


def read_agent(data: bytes) -> None:
    """An agent whose hash is right is that of its settings, and acts, or is refused."""
    from metarl.rl_squared import load, save

    card, _, payload = data.partition(BETWEEN)
    path = place() / "agent.npz"
    path.write_bytes(payload)
    path.with_suffix(".json").write_bytes(signed(card, payload))
    forget_programs()
    agent = load(path)
    save(agent, path)
    again = load(path)
    assert again.config == agent.config and again.scores == agent.scores


_seen = 0


def forget_programs() -> None:
    """Lets go, now and then, of what was compiled and kept for settings that do not come again."""
    global _seen
    _seen += 1
    if _seen % 2_000 == 0:
        import jax

        from metarl.environments import registry
        from metarl.rl_squared.agent import agent, network

        agent.make_trial.cache_clear()
        network.make_policy.cache_clear()
        registry._loaded.clear()
        jax.clear_caches()


@functools.cache
def agents() -> list[bytes]:
    """Returns small agents, untrained, with a place for their hash."""
    import dataclasses

    import jax

    from metarl.rl_squared import NetworkConfig, TrainedAgent, save
    from metarl.rl_squared.agent.agent import make_trial
    from metarl.rl_squared.agent.network import POLICY, make_policy

    written = []
    for world, core in ((WorldConfig(arms=2, episodes=2), "gru"), (WorldConfig("mdp"), "lstm")):
        network = NetworkConfig(core=core, hidden=3)  # type: ignore[arg-type]
        config = dataclasses.replace(training("smoke", world), network=network)
        policy = make_policy(make_trial(world).environment, network, acting=True)
        params = jax.jit(policy.init)(jax.random.key(0))[POLICY]
        path = place() / "new.npz"
        save(TrainedAgent(params, config, {"validation_return": 1.5}), path)
        card, payload = path.with_suffix(".json").read_bytes(), path.read_bytes()
        own = hashlib.sha256(payload).hexdigest().encode()
        written.append(card.replace(own, SIGN_HERE) + BETWEEN + payload)
    return written


# Settings ----------------------------------------------------------------------------------------


def read_settings(data: bytes) -> None:
    """Settings of a search, a comparison or a training: typed as flags are, or refused by name."""
    values = parse_json(data, "it")
    for kind in (SearchConfig, CompareConfig, None):
        try:
            if kind is None:
                read = train_config(values, "it")
                assert train_config(json.loads(json.dumps(read.to_json())), "it") == read
            else:
                read = from_dict(kind, values, "it").validate()
                again = json.loads(json.dumps(to_dict(read), allow_nan=False))
                assert search_settings(kind, again, "it") == read
            return
        except InvalidInput as error:
            refusal = error
    raise refusal


def settings() -> list[bytes]:
    """Returns the presets."""
    names = ("laptop", "paper", "smoke")
    searches = [to_dict(preset(name)) for name in names]
    trainings = [training(name).to_json() for name in names]
    written = [json.dumps(one) for one in (*searches, *trainings, to_dict(CompareConfig()))]
    return [text.encode() for text in written] + [b'{"depth": 3}', b'{"seeds": 2}', b"{}"]


SETTINGS_WORDS = (*JSON_WORDS, b'"seed": 1', b'"training": {}', b'"world": {}', b'"os:system"')


# Runs --------------------------------------------------------------------------------------------


def read_log(data: bytes) -> None:
    """A metric log is rows, its cut end left out; cutting it back leaves a beginning of it."""
    path = place() / "metrics.jsonl"
    path.write_bytes(data)
    log = MetricLog(path)
    rows = log.rows()
    half = rows[len(rows) // 2]["generation"] if rows else 0
    log.truncate(after=max(0, half))
    left = log.rows()
    assert left == rows[: len(left)]


def logs() -> list[bytes]:
    """Returns logs, one with an unfinished line."""
    rows = [{"generation": n, "position": 10 * n, "seconds": 0.5, "x": None} for n in range(1, 6)]
    whole = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    return [whole, whole[:-9], b""]


LOG_WORDS = (*JSON_WORDS, b"\n", b'{"generation": 2}\n', b'"generation": -1', b"\r", b"\x00" * 30)


def read_run(data: bytes) -> None:
    """A run's directory can be opened, or says what is damaged."""
    run = place() / "run"
    run.mkdir(exist_ok=True)
    names = ("run.json", "config.json", "provenance.json", "outcome.json")
    for name, content in zip(names, data.split(BETWEEN), strict=False):
        (run / name).write_bytes(content)
    opened = RunDirectory.open(run)
    assert isinstance(opened.config, dict) and isinstance(opened.provenance, dict)
    assert opened.outcome is None or isinstance(opened.outcome, dict)


def runs() -> list[bytes]:
    """Returns the files of a finished run."""
    identity = {"format": "metarl-run", "version": 1, "job": "search", "name": "a"}
    files = (identity, {"seed": 0}, {"command": ["metarl"]}, {"outcome": "finished"})
    return [BETWEEN.join(json.dumps(file).encode() for file in files)]


def read_journal(data: bytes) -> None:
    """A journal gives what is intact in it and goes on, whatever else is in it."""
    from metarl.optimizer_search.journal.journal import Journal

    path = place() / "journal.jsonl"
    path.write_bytes(b"".join(map(sealed, data.splitlines(keepends=True))))
    said: list[str] = []
    with Journal(path, said.append) as journal:
        for key in list(journal._places):
            verdict = journal.get(key)
            assert verdict is not None
            assert verdict.rates.shape == verdict.sweep.shape
            assert verdict.losses.shape == verdict.metrics.shape
        before = len(journal)
        journal.add([verdict_entry("new one")], {"width": 8})
    damaged = len(said)
    with Journal(path, said.append) as journal:
        assert len(journal) in (before, before + 1) and journal.get("new one") is not None
    assert len(said) - damaged <= damaged, "what was damaged is told again, no more"


def sealed(line: bytes) -> bytes:
    """Returns a line of a journal; behind a tilde it gets a checksum, as a forger would give it."""
    from metarl.optimizer_search.journal.journal import _SEAL, _checksum

    if not line.startswith(b"~"):
        return line
    body = line[1:].rstrip(b"\n").removesuffix(b"}")
    return body + _SEAL + _checksum(body) + b'"}\n'


def verdict_entry(key: str):
    """Returns an entry of a journal."""
    from metarl.optimizer_search.journal.journal import JournalEntry
    from metarl.optimizer_search.judging.candidates import Verdicts

    numbers = np.array([0.5, np.inf], np.float32)
    verdict = Verdicts(
        rates=numbers,
        sweep=numbers,
        rate=np.float32(0.1),
        losses=numbers,
        metrics=numbers,
        steps=np.int32(7),
    )
    return JournalEntry(key, "0123456789abcdef", np.arange(5), numbers[:1], verdict)


@functools.cache
def journals() -> list[bytes]:
    """Returns a journal as it is, and one whose lines get their checksums anew."""
    from metarl.optimizer_search.journal.journal import _SEAL, Journal

    path = place() / "new-journal.jsonl"
    with Journal(path) as journal:
        journal.add([verdict_entry(str(n)) for n in range(3)], {"width": 8, "judge": "digits"})
    lines = path.read_bytes().splitlines()
    unsealed = [b"~" + line.rpartition(_SEAL)[0] + b"}\n" for line in lines]
    return [path.read_bytes(), b"".join(unsealed), path.read_bytes()[:-20], b"".join(unsealed[2:])]


JOURNAL_WORDS = (*LOG_WORDS, b"~", b'"inf"', b'"nan"', b'"digest": "a"', b'"sha256": "', b"1e40")


TARGETS = {
    "rule": Target(read_rule, rules, RULE_WORDS),
    "rule-json": Target(read_rule_document, rule_documents, (*JSON_WORDS, *RULE_WORDS)),
    "agent": Target(read_agent, agents, (*ARRAY_WORDS, *SETTINGS_WORDS, BETWEEN)),
    "journal": Target(read_journal, journals, JOURNAL_WORDS),
    "config": Target(read_settings, settings, SETTINGS_WORDS),
    "json": Target(read_document, lambda: [*rule_documents(), *settings()], JSON_WORDS),
    "arrays": Target(read_archive, archives, ARRAY_WORDS),
    "checkpoint": Target(read_checkpoint, checkpoints, (*ARRAY_WORDS, *JSON_WORDS)),
    "log": Target(read_log, logs, LOG_WORDS),
    "run": Target(read_run, runs, (*JSON_WORDS, BETWEEN)),
}
