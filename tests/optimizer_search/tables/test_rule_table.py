"""Tables: what is in them, that every sequence is found, and that a damaged or foreign file is refused by its words."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.optimizer_search import SearchConfig, TrainingConfig, load_table, table_names
from metarl.optimizer_search.screening.filters import Verdict
from metarl.optimizer_search.screening.probes import Probes, probes_of
from metarl.optimizer_search.searching import sorting
from metarl.optimizer_search.searching.search_job import SearchJob
from metarl.optimizer_search.tables import Places, table_files, table_programs, truth
from metarl.optimizer_search.tables.packing import ROUNDING, Losses, pack, unpack
from metarl.optimizer_search.tables.places import used_tokens
from metarl.optimizer_search.tables.table_evaluator import TableEvaluator
from metarl.optimizer_search.tables.table_files import FUNCTIONS, read_file, write_file
from metarl.update_rules import Grammar, Interpreter

DATA = Path(table_files.__file__).parent / "data"


def test_the_tables_that_come_along_are_small_and_whole():
    assert "sign-1" in table_names()
    sizes = [path.stat().st_size for path in DATA.rglob("*") if path.is_file()]
    assert max(sizes) < 2e6
    assert sum(sizes) < 8e6
    for name in table_names():
        table = load_table(name)
        functions = len(table.tokens)
        assert table.name == name
        assert (np.diff(table.sizes) >= 0).all()
        some = np.arange(
            0, functions, 1 if table.depth == 1 else 40
        )  # deeper ones are looked up on the probes
        assert (table.place_of(table.tokens[some]) == some).all()
        assert np.allclose(np.log10(table.rates), np.arange(-5.5, 1.6, 0.5))
        assert len({judge.family for judge in table.judges}) >= (4 if name == "sign-1" else 2)
        assert {judge.role for judge in table.judges} == {"search", "held-out"}
        for judge in table.judges:
            shape = (functions, 15, table.replicates)
            assert table.losses(judge).shape == (*shape, 4)
            assert table.choice(judge).shape == table.test(judge).shape == shape
            assert len(judge.seeds) == table.replicates == len(set(judge.seeds))


def test_the_digits_are_in_every_table_at_two_horizons_and_short_runs_stand_last():
    for name in table_names():
        table = load_table(name)
        short, whole = table.judge("digits-mlp x0.25"), table.judge("digits-mlp")
        assert 4 * short.steps == whole.steps
        assert not set(short.seeds) & set(whole.seeds)
        assert whole.is_whole and not short.is_whole
        assert short in table.judges[len(table.whole_judges) :]
        assert all(judge.is_whole for judge in table.whole_judges)


def test_a_table_holds_the_rules_that_a_search_of_its_space_would_train(toy_table):
    assert (toy_table.sizes <= 3).all()
    assert toy_table.rule(0) == "g"
    assert {toy_table.rule(place) for place in range(len(toy_table.tokens))} >= {"g", "m", "adam"}


def test_rounded_losses_are_within_the_rounding_and_divergence_stays(toy_table, exact_table):
    for judge in toy_table.judges:
        adam = np.log(judge.adam["search"])[:, None]  # [S, 1]
        exact, rounded = exact_table.losses(judge), toy_table.losses(judge)
        assert (np.isfinite(exact) == np.isfinite(rounded)).all()
        good = np.isfinite(exact)
        near = good & (np.abs(np.log(np.where(good, exact, 1.0)) - adam) < 5.0)
        assert near.mean() > 0.5
        assert np.abs(np.log(exact[near] / rounded[near])).max() <= judge.rounding + 1e-6


def test_a_loss_far_from_adams_is_kept_as_far_as_rewards_go():
    adam = Losses(*(np.array([2.0]),) * 3)
    losses = Losses(
        np.array([1e9, 2.0, 0.0, np.inf]).reshape(1, 1, 1, 4),
        np.full((1, 1, 1), 2.0 * np.exp(1.01)),
        np.full((1, 1, 1), np.inf),
    )
    codes = pack(losses, adam)
    assert codes.ravel().tolist() == [251, 126, 1, 0, 151, 0]
    back = unpack(codes, adam)
    assert back.search.ravel() == pytest.approx([2 * np.exp(5), 2.0, 2 * np.exp(-5), np.inf])
    assert abs(np.log(back.choice / losses.choice)) <= ROUNDING


def test_every_sequence_is_sorted_as_a_search_sorts_it(toy_table):
    """Filtered, repeated and new rules are those of the probes; only what is too large differs, and passes."""
    grammar, probes = toy_table.grammar, Probes(Interpreter(toy_table.grammar))
    tokens = grammar.sample(np.random.default_rng(3), 400)
    config = SearchConfig(
        space="sign", depth=1, table="toy", problem=("toy_problem:logistic",), budget=5,
        training=SearchConfig().training,
    )  # fmt: skip
    programs = _programs(toy_table, config)
    want = sorting.sort(tokens, probes, config.filters, known=())
    got = programs.sort(tokens, known=())
    assert got.reasons == want.reasons
    assert (got.passes == want.passes).all()
    places = toy_table.place_of(tokens)
    inside = places >= 0
    assert 0 < inside.sum() < want.passes.sum()
    assert [p for p, i in zip(got.fingerprints, inside, strict=True) if i] == [
        p for p, i in zip(want.fingerprints, inside, strict=True) if i
    ]
    assert (got.repeated[inside] == want.repeated[inside]).all()
    met = [place for place in want.new if inside[place]][:3]
    again = programs.sort(tokens, {want.fingerprints[place] for place in met})
    assert set(again.new) == set(got.new) - set(met)
    new = [place for place in got.new if inside[place]]
    simplest = probes.outputs(toy_table.tokens[places[new]])
    assert (got.outputs.update[new] == simplest.update).all()


@pytest.mark.parametrize(("name", "most"), [("toy", 1), ("toy", 3), ("sign-2", 3), ("sign-2", 5)])
def test_where_sizes_are_bounded_a_table_sorts_sequences_as_a_search_does(toy_table, name, most):
    table = toy_table if name == "toy" else load_table(name)
    filters = dataclasses.replace(table.filters, max_size=most)
    problem = "toy_problem:logistic" if name == "toy" else "quadratic"
    config = SearchConfig(
        space="sign", depth=table.depth, problem=(problem,), filters=filters, budget=2
    )
    tokens = table.grammar.sample(np.random.default_rng(5), 1500)
    want = sorting.sort(tokens, probes_of(table.grammar), filters, known=())
    got = _programs(table, config).sort(tokens, known=())
    assert got.reasons == want.reasons
    assert (got.new == want.new).all() and (got.repeated == want.repeated).all()
    assert (table.place_of(tokens, most) >= 0).tolist() == want.passes.tolist()
    assert 0 < want.passes.sum() < want.reasons.count(Verdict.TOO_LARGE) + want.passes.sum()


@pytest.mark.parametrize("strategy", ["random", "evolution", "enumeration", "bayesian", "ppo"])
def test_what_any_strategy_proposes_and_passes_is_in_the_table(toy_table, strategy):
    config = SearchConfig(
        space="sign", depth=1, strategy=strategy, budget=len(toy_table.tokens), batch_size=32,
        problem=("toy_problem:logistic",), training=TrainingConfig(seeds=2),
        filters=dataclasses.replace(toy_table.filters, max_size=toy_table.max_size),
    )  # fmt: skip
    job = SearchJob(config, programs=table_programs(toy_table))
    state, passed, sort = job.init(), [], job.programs.sort

    def noting(tokens, *given):
        found = sort(tokens, *given)
        passed.extend(tokens[found.passes])
        return found

    job.programs.sort = noting  # type: ignore[method-assign]
    for _ in range(6):
        state, _ = job.update(state)
    assert len(passed) > state.counts.trained > 5
    assert (toy_table.place_of(np.stack(passed)) >= 0).all()
    evaluator = job.programs.evaluator
    assert isinstance(evaluator, TableEvaluator) and evaluator.outside == 0


def test_the_true_score_is_that_of_a_naive_loop(toy_table):
    names, shown = [judge.name for judge in toy_table.judges], [1, 4]
    got = truth(toy_table, names, shown)
    for k in range(len(toy_table.tokens)):
        by_judge = []
        for name in names:
            means = {}
            for split in ("choice", "test"):
                losses = getattr(toy_table, split)(name)[k]  # [R, S]
                adam = toy_table.judge(name).adam[split]
                means[split] = []
                for row in losses:
                    runs = [
                        -np.log(row[s] / adam[s]) if np.isfinite(row[s]) else np.nan
                        for s in (0, 2, 3, 5)
                    ]
                    bad = any(np.isnan(runs))
                    means[split].append(-5.0 if bad else float(np.mean(np.clip(runs, -5, 5))))
            by_judge.append(means["test"][int(np.argmax(means["choice"]))])
        assert got[k] == pytest.approx(np.mean(by_judge), abs=1e-5)
    with pytest.raises(InvalidInput, match="All 6 replicates of table 'sign-1-size-3' were shown"):
        truth(toy_table, names, range(6))


def test_names_are_found_or_the_nearest_is_suggested(toy_table):
    with pytest.raises(InvalidInput, match=r"Unknown table 'sign1'\. Did you mean 'sign-1'\?"):
        load_table("sign1")
    with pytest.raises(
        InvalidInput, match=r"Unknown judge of table .* 'toi'\. Did you mean 'toy'\?"
    ):
        toy_table.losses("toi")


def test_space_and_depth_name_the_table_of_the_largest_size(built, tmp_path, monkeypatch):
    monkeypatch.setattr(table_files, "_DATA", tmp_path)
    for name in ("sign-1-size-3", "sign-1-size-10"):
        shutil.copytree(built / "table", tmp_path / name)
    assert table_files.full_name("sign-1") == "sign-1-size-10"
    assert load_table("sign-1") is load_table("sign-1-size-10") is not load_table("sign-1-size-3")
    notice = load_table("sign-1").notice
    assert notice == f"sign-1: up to size 3, {len(load_table('sign-1').tokens)} rules."
    with pytest.raises(InvalidInput, match=r"Unknown table 'sgin-1'\. Did you mean 'sign-1'\?"):
        load_table("sgin-1")
    shutil.copytree(built / "table", tmp_path / "sign-1")  # as if it were the whole space
    assert table_files.full_name("sign-1") == "sign-1"
    assert load_table("sign-1") is not load_table("sign-1-size-10")


@pytest.mark.parametrize(("space", "depth"), [("sign", 2), ("modern", 3)])
def test_what_a_sequence_does_not_use_is_zero_and_the_rule_the_same(space, depth):
    grammar = Grammar(space, depth)
    tokens = grammar.sample(np.random.default_rng(0), 200)
    used = used_tokens(grammar, tokens)
    same = [
        str(grammar.to_rule(one)) == str(grammar.to_rule(other))
        for one, other in zip(tokens, used, strict=True)
    ]
    assert all(same)
    assert (used != tokens).any(axis=1).mean() > 0.5
    assert (used_tokens(grammar, used) == used).all()


@pytest.fixture()
def copy(built, tmp_path):
    """A copy of the table that a test may change."""
    return Path(shutil.copytree(built / "table", tmp_path / "copy"))


def changed(path, **values):
    """Writes a file anew, its document changed, under a right hash."""
    kind = "functions" if path.name == FUNCTIONS else "judge"
    document, arrays = read_file(path, kind)
    write_file(path, document | values, arrays)


def test_a_damaged_file_is_found_by_its_hash(copy):
    with np.load(copy / "toy.npz", allow_pickle=False) as file:
        arrays = dict(file)
    arrays["codes"][3, 7, 2, 1] ^= 1
    np.savez_compressed(copy / "toy.npz", **arrays)
    with pytest.raises(
        InvalidInput, match=r"toy\.npz' is damaged: its contents do not have the hash"
    ):
        load_table(copy)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"version": 9}, "is of version 9 of the format, this metarl reads 1"),
        ({"format": "other"}, "names another format"),
        ({"language": 1}, "is of version 1 of the rule language, this metarl has 2"),
        ({"functions": "00"}, "belongs to other functions than the functions.npz beside it"),
        ({"kind": "functions"}, "holds a table's functions, where its judge are expected"),
    ],
)
def test_a_foreign_file_is_refused_by_its_words(copy, values, words, monkeypatch):
    own = {"format": "metarl-rule-table", "version": 1} | values
    monkeypatch.setattr(table_files, "FORMAT", own["format"])
    monkeypatch.setattr(table_files, "FORMAT_VERSION", own["version"])
    document, arrays = _raw(copy / "toy.npz")
    write_file(copy / "toy.npz", document | own, arrays)
    monkeypatch.undo()
    with pytest.raises(InvalidInput, match=words):
        load_table(copy)


def test_a_table_of_fewer_judges_is_a_table(copy):
    (copy / "toy-x2.npz").unlink()
    assert [judge.name for judge in load_table(copy).judges] == ["toy"]


def _raw(path):
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    import json

    return json.loads(str(arrays.pop("document"))), arrays


def _programs(table, config):
    from metarl import problems

    made = table_programs(table)
    loaded = [problems.load(name) for name in config.problem]
    import dataclasses

    config = dataclasses.replace(config, training=dataclasses.replace(config.training, seeds=2))
    return made(table.grammar, loaded, config)


def test_sequences_are_found_whatever_machine_took_the_fingerprints(toy_table):
    """Fingerprints hang on the last bits of the moments on the probes, which differ between machines and flags."""
    foreign = np.random.default_rng(0).integers(0, 256, (len(toy_table.tokens), 16), np.uint8)
    places = Places(toy_table.grammar, toy_table.filters, toy_table.tokens, foreign)
    assert (places.of(toy_table.tokens) == np.arange(len(toy_table.tokens))).all()
    tokens = toy_table.grammar.sample(np.random.default_rng(4), 200)
    assert (places.of(tokens) == toy_table.place_of(tokens)).all()
    assert places.named(places.fingerprint(3)) == 3
    assert places.named(b"another") == -1


@pytest.mark.parametrize("name", table_names())
def test_a_whole_space_has_every_sequence_and_every_function_is_one(name):
    table = load_table(name)
    if table.max_size is not None or table.depth > 1:
        pytest.skip("a part of its space")
    numbers = np.arange(table.grammar.size)
    shape = tuple(table.grammar.slot_sizes)
    tokens = np.stack(np.unravel_index(numbers, shape), axis=1)
    codes = table.places.codes(tokens)
    assert (codes != -1).all()  # what passes the filters is in the table
    assert set(codes[codes >= 0]) == set(range(len(table.tokens)))
