"""benchmark: the cost of training many different rules, beside hard-coded Adam and beside compiling each.

    a  K random valid rules through the whole inner training, by the interpreter, early stopping off
    b  as many runs and steps with optax's Adam hard-coded: one after another, vmapped, and one thread per device
    c  every rule compiled for itself: a sample, extrapolated to all
    d  `ortho(m)` through the interpreter of the space `modern`, beside optax's Muon hard-coded, on one device
    e  the K rules as one generation of a search, early stopping on: every rule in full, and racing

All are measured in turns within one process, warm, and reported as medians; (b) is the fastest of its three ways.
Compilation is measured with the cache of compiled programs off.

Letters: K rules, Z lanes (runs) of a rule, N steps.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import numpy as np
import optax
from jax import lax

from metarl import problems as problem_suite
from metarl.errors import require
from metarl.optimizers import weight_dimension_numbers
from metarl.problems import Problem
from metarl.runs import peak_memory_mb, without_compilation_cache
from metarl.update_rules import Grammar, Interpreter, parse, to_optax

from ..comparing.contest import Crew
from ..judging.candidates import Candidates, Judgement, Trial, make_judgement
from ..judging.evaluators import DEFAULT_WIDTH, Device, LocalEvaluator
from ..screening import filters
from ..screening.probes import Probes
from ..searching.earnings import train as train_generation
from ..searching.programs import SearchPrograms, search_trial
from ..settings.config import SearchConfig, TrainingConfig
from ..training.inner_training import Layout, held_out_score, optax_learner, start, train
from ..training.seeding import replicate_seeds

_SAMPLE = 4  # rules compiled one by one
_MANY = 1_000
_MUON_RULES = 4  # alike, so that a call is long enough to be timed
# vmap over convolutions is hundreds of times too slow to be run in full: a step longer than this is extrapolated
_VMAP_PATIENCE_SECONDS = 20.0


def measure_search(
    problem_name: str,
    rules: int = 64,
    repeats: int = 5,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Returns the figures of `metarl bench search` on one problem.

    Args:
      problem_name: of the suite.
      rules: K.
      repeats: rounds; each round measures (a) and (b) once.
      say: called with a line about what is measured next.

    Returns:
      "ratio_to_fixed_adam" (a / b, warm), "racing_speedup" (the two of e), "compile_speedup" (compiling 1,000 rules one
      by one over compiling the interpreter once), "ratio_to_fixed_muon" (the two of d), "speedup_over_compiling" (whole
      work for the first K rules, compilation included), "rules_per_second", "compile_seconds", "peak_memory_mb",
      "steps_executed", and under "seconds" the medians
      behind them.

    Raises:
      InvalidInput: an unknown problem, or numbers that are not positive.
    """
    require(rules >= 1 and repeats >= 1, "rules and repeats must be at least 1.")
    problem, grammar = problem_suite.load(problem_name), Grammar("arxiv", 2)
    trial = replace(search_trial(problem.steps, SearchConfig()), refine=False, early_stopping=False)
    rates = np.asarray(TrainingConfig().learning_rates, np.float32)
    seeds = replicate_seeds(0, "search", trial.replicates)
    judgement = make_judgement(problem, grammar, trial, "search", seeds)
    tokens = _valid_rules(grammar, rules)

    say("compiling the interpreter")
    compile_seconds = _interpreter_compile_seconds(judgement, tokens, rates)
    say(f"compiling {_SAMPLE} rules one by one")
    alone = [
        _rule_seconds(problem, grammar, judgement, trial, rates, row) for row in tokens[:_SAMPLE]
    ]
    say(f"{rules} rules, {repeats} rounds")
    seconds, steps = _rounds(problem, judgement, trial, tokens, rates, repeats, say)
    say("functions of whole tensors")
    seconds |= _muon_seconds(problem, trial, rates, repeats)
    say("a generation of a search, every rule in full and racing")
    seconds |= _generation_seconds(problem, grammar, tokens, repeats)

    threads = jax.local_device_count()
    compile_each = statistics.mean(compiled for compiled, _ in alone)
    each = statistics.mean(sum(pair) for pair in alone)
    fixed = min(seconds[way] for way in ("adam_loop", "adam_vmap", "adam_threads"))
    return {
        "problem": problem.name,
        "rules": rules,
        "threads": threads,
        "ratio_to_fixed_adam": seconds["interpreter"] / fixed,
        "ratio_to_fixed_muon": seconds["ortho_of_m"] / seconds["muon_loop"],
        "compile_speedup": _MANY * compile_each / compile_seconds,
        "speedup_over_compiling": (rules * each / threads)
        / (compile_seconds + seconds["interpreter"]),
        "rules_per_second": rules / seconds["interpreter"],
        "racing_speedup": seconds["every_rule"] / seconds["racing"],
        "compile_seconds": compile_seconds,
        "peak_memory_mb": peak_memory_mb(),
        "steps_executed": steps,
        "seconds": {**seconds, "compile_one_rule": compile_each, "one_rule_compiled_and_run": each},
        "extrapolated": {
            "compile_one_rule": f"mean of {len(alone)} rules, times {_MANY:,} or {rules}, over {threads} threads",
            "adam_vmap": "the runs of one rule side by side, once, times the rules; if that would take longer than "
            f"{_VMAP_PATIENCE_SECONDS:.0f} s, one step of them, times the steps",
        },
    }


def _valid_rules(grammar: Grammar, count: int) -> np.ndarray:
    """Returns the first `count` random rules that pass the filters of a search, [K, L]."""
    probes, config = Probes(Interpreter(grammar)), SearchConfig().filters
    generator, found = np.random.default_rng(0), []
    while sum(len(part) for part in found) < count:
        tokens = grammar.sample(generator, 64)
        verdicts = filters.screen(probes.outputs(tokens), probes, config)
        found.append(tokens[[verdict == filters.Verdict.PASSES for verdict in verdicts]])
    return np.concatenate(found)[:count]


def _interpreter_compile_seconds(
    judgement: Judgement, tokens: np.ndarray, rates: np.ndarray
) -> float:
    rows = np.resize(tokens, (DEFAULT_WIDTH, tokens.shape[1]))
    grid = np.tile(rates, (DEFAULT_WIDTH, 1))
    candidates = Candidates(rows, grid, np.ones(DEFAULT_WIDTH, bool))
    return _compile(judgement.program, judgement.data, candidates)[1]


def _rule_seconds(
    problem: Problem,
    grammar: Grammar,
    judgement: Judgement,
    trial: Trial,
    rates: np.ndarray,
    tokens: np.ndarray,
) -> tuple[float, float]:
    """Returns the seconds to compile one rule for itself, and to run it."""
    rule = grammar.to_rule(tokens)

    def make(rate: jax.Array) -> optax.GradientTransformation:
        return to_optax(rule, rate, total_steps=trial.full_steps)

    program = jax.jit(_fixed_program(problem, judgement.layout, make))
    lanes = _lanes(trial, rates, 1)
    compiled, seconds = _compile(program, judgement.data[0], *lanes)
    began = time.perf_counter()
    jax.block_until_ready(compiled(judgement.data[0], *lanes))
    return seconds, time.perf_counter() - began


def _rounds(
    problem: Problem,
    judgement: Judgement,
    trial: Trial,
    tokens: np.ndarray,
    rates: np.ndarray,
    repeats: int,
    say: Callable[[str], None],
) -> tuple[dict[str, float], int]:
    """Returns median seconds by way, and the steps that each way executes."""
    grid = np.tile(rates, (len(tokens), 1))
    evaluator = LocalEvaluator({problem.name: judgement})
    fixed = jax.jit(_fixed_program(problem, judgement.layout, optax.adam))
    fixture = judgement.data[0]
    chunks = [_lanes(trial, rates, len(part)) for part in _parts(tokens)]
    placed = {device: jax.device_put(fixture, device) for device in jax.local_devices()}
    verdicts = evaluator.evaluate(tokens, grid)[problem.name]

    def loop() -> None:
        for lanes in chunks:
            jax.block_until_ready(fixed(fixture, *lanes))

    with Crew() as crew:

        def on_device(lanes: tuple, device: Device) -> None:
            jax.block_until_ready(fixed(placed[device], *jax.device_put(lanes, device)))

        ways: dict[str, Callable[[], Any]] = {
            "interpreter": lambda: evaluator.evaluate(tokens, grid),
            "adam_loop": loop,
            "adam_threads": lambda: crew.map(on_device, chunks),
        }
        crew.map(on_device, chunks[: len(placed)] * 2)
        found: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(repeats):
            for name, way in ways.items():
                began = time.perf_counter()
                way()
                found[name].append(time.perf_counter() - began)
            say(f"round {number + 1} of {repeats}")
    evaluator.close()
    seconds = {name: statistics.median(values) for name, values in found.items()}
    seconds["adam_vmap"] = _vmap_seconds(problem, judgement, trial, rates, len(tokens))
    return seconds, int(verdicts.steps.sum())


def _muon_seconds(
    problem: Problem, trial: Trial, rates: np.ndarray, repeats: int
) -> dict[str, float]:
    """Returns median seconds of `ortho(m)`, interpreted, and of Muon, hard-coded, on the same runs in turn."""
    grammar = Grammar("modern", 2)
    seeds = replicate_seeds(0, "search", trial.replicates)
    judgement = make_judgement(problem, grammar, trial, "search", seeds)
    tokens = np.tile(grammar.to_tokens(parse("ortho(m)")), (_MUON_RULES, 1))
    grid = np.tile(rates, (_MUON_RULES, 1))
    candidates = Candidates(tokens, grid, np.ones(_MUON_RULES, bool))
    fixed = jax.jit(_fixed_program(problem, judgement.layout, _muon))
    lanes = _lanes(trial, rates, _MUON_RULES)
    ways: dict[str, Callable[[], Any]] = {
        "ortho_of_m": lambda: judgement.program(judgement.data, candidates),
        "muon_loop": lambda: fixed(judgement.data[0], *lanes),
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(repeats + 1):
        for name, way in ways.items():
            began = time.perf_counter()
            jax.block_until_ready(way())
            if turn > 0:  # the first compiles
                found[name].append(time.perf_counter() - began)
    return {name: statistics.median(values) for name, values in found.items()}


def _generation_seconds(
    problem: Problem, grammar: Grammar, tokens: np.ndarray, repeats: int
) -> dict[str, float]:
    """Returns median seconds of training rules as one generation of a search does, with racing and without, in turn."""
    found: dict[str, list[float]] = {"every_rule": [], "racing": []}
    ways = {
        name: SearchPrograms(grammar, [problem], SearchConfig(racing=name == "racing"))
        for name in found
    }
    sorting = ways["racing"].sort(tokens, {})
    for programs in ways.values():
        programs.prepare()
    for turn in range(repeats + 1):
        for name, programs in ways.items():
            began = time.perf_counter()
            train_generation(tokens, sorting, programs)
            if turn > 0:  # the first compiles
                found[name].append(time.perf_counter() - began)
    for programs in ways.values():
        programs.close()
    return {name: statistics.median(values) for name, values in found.items()}


def _muon(rate: Any) -> optax.GradientTransformation:
    """Returns optax's Muon on the leaves that are matrices to a rule, without Nesterov's look ahead."""

    def dimensions(params: Any) -> Any:
        roles = jax.tree.map(
            lambda leaf: {0: "vector", 1: "vector", 2: "matrix"}.get(leaf.ndim, "convolution"),
            params,
        )
        return weight_dimension_numbers(params, roles)

    return optax.contrib.muon(
        rate, beta=0.9, nesterov=False, muon_weight_dimension_numbers=dimensions
    )


def _fixed_program(
    problem: Problem,
    layout: Layout,
    make: Callable[[Any], optax.GradientTransformation],
    over: Callable = lax.map,
) -> Callable:
    """Returns (fixture, rates [Z], replicates [Z], steps [Z]) -> losses [Z], the optimizer a part of the program."""

    def one(fixture: Any, lane: tuple) -> jax.Array:
        rate, replicate, steps = lane
        learner = optax_learner(make(rate))
        place = (problem, layout, learner, fixture, replicate)
        run = start(learner, fixture, replicate)
        return held_out_score(*place, train(*place, run, steps, never_stop=True))[0]

    return lambda fixture, *lanes: over(lambda lane: one(fixture, lane), lanes)


def _vmap_seconds(
    problem: Problem, judgement: Judgement, trial: Trial, rates: np.ndarray, rules: int
) -> float:
    """Returns the time of all lanes with those of one rule side by side; extrapolated from one step if that is long."""

    def side_by_side(function: Callable, lanes: tuple) -> Any:
        return jax.vmap(lambda *lane: function(lane))(*lanes)

    program = jax.jit(_fixed_program(problem, judgement.layout, optax.adam, side_by_side))
    lanes = _lanes(trial, rates, 1)
    one_step = (*lanes[:2], np.ones_like(lanes[2]))
    jax.block_until_ready(program(judgement.data[0], *one_step))

    def timed(lanes: tuple) -> float:
        began = time.perf_counter()
        jax.block_until_ready(program(judgement.data[0], *lanes))
        return time.perf_counter() - began

    short = timed(one_step)
    whole = short * trial.full_steps * rules
    return whole if whole > _VMAP_PATIENCE_SECONDS else timed(lanes) * rules


def _lanes(trial: Trial, rates: np.ndarray, rules: int) -> tuple[np.ndarray, ...]:
    """Returns rates, replicates and steps of all runs of so many rules, [Z] each: what the interpreter's lanes do."""
    full = trial.full_replicates
    lane_rates = np.concatenate([rates, np.full(full, rates[len(rates) // 2])])
    replicates = np.concatenate([np.zeros(len(rates)), 1 + np.arange(full)])
    steps = np.concatenate(
        [np.full(len(rates), trial.sweep_steps), np.full(full, trial.full_steps)]
    )
    return (
        np.tile(lane_rates, rules).astype(np.float32),
        np.tile(replicates, rules).astype(np.int32),
        np.tile(steps, rules).astype(np.int32),
    )


def _parts(tokens: np.ndarray) -> list[np.ndarray]:
    return [tokens[i : i + DEFAULT_WIDTH] for i in range(0, len(tokens), DEFAULT_WIDTH)]


def _compile(program: Any, *arguments: Any) -> tuple[Any, float]:
    """Returns the compiled program and the seconds it took to trace and compile it, the cache off."""
    with without_compilation_cache():
        began = time.perf_counter()
        compiled = program.lower(*arguments).compile()
        return compiled, time.perf_counter() - began
