"""The program that judges rules: against a plain loop, and what its verdicts do not depend on."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax import lax

from metarl import problems
from metarl.optimizer_search.judging.candidates import (
    Candidates,
    Trial,
    loss_before_training,
    make_judgement,
)
from metarl.optimizer_search.judging.reference import adam_losses
from metarl.optimizer_search.training.inner_training import (
    draw_fixture,
    held_out_score,
    optax_learner,
    start,
    train,
)
from metarl.optimizer_search.training.schedules import scheduled
from metarl.problems import at_width
from metarl.update_rules import Grammar, Space, parse, to_optax

SPACE = Space(
    "few",
    operands=("g", "m", "sign(g)", "adam", "noise", "1"),
    unary=("x", "-x", "exp(x)"),
    binary=("*", "+", "keep", "^"),
    description="enough to tell rules apart",
)
GRAMMAR = Grammar(SPACE, depth=1)
SEEDS = [5, 6, 7, 8, 9]
RATES = np.array([1e-3, 1e-1, 1.0, 1e3], np.float32)
TRIAL = Trial(sweep_steps=4, full_steps=9, sweep_replicates=2, full_replicates=3, num_rates=4)
WIDTH = 4
TEXTS = ("g", "adam", "-adam", "sign(g) * exp(m)")


def tokens_of(*texts):
    return np.stack([GRAMMAR.to_tokens(parse(text)) for text in texts])


def candidates(*texts, active: bool | list[bool] = True, rates=RATES):
    rows = len(texts)
    return Candidates(
        tokens_of(*texts), np.tile(rates, (rows, 1)), np.broadcast_to(np.asarray(active), rows)
    )


@pytest.fixture(scope="module")
def judgement(toy):
    return make_judgement(toy, GRAMMAR, TRIAL, "search", SEEDS)


def run(judgement, which):
    return jax.tree.map(np.asarray, judgement.program(judgement.data, which))


@pytest.fixture(scope="module")
def verdicts(judgement):
    return run(judgement, candidates(*TEXTS))


@pytest.fixture(scope="module")
def run_by_optax(toy, judgement):
    """(rate, replicate, steps) -> loss, metric, steps taken, of optax's Adam on the same replicates."""

    @jax.jit
    def program(rate, replicate, steps):
        learner = optax_learner(optax.adam(rate))
        place = (toy, judgement.layout, learner, judgement.data[0], replicate)
        done = train(*place, start(learner, judgement.data[0], replicate), steps)
        return *held_out_score(*place, done), done.t

    return lambda rate, replicate, steps: program(rate, jnp.int32(replicate), jnp.int32(steps))


def test_verdicts_on_adam_are_those_of_loops_over_rates_and_seeds(verdicts, run_by_optax):
    place, sweep, steps = TEXTS.index("adam"), [], 0
    for rate in RATES:
        runs = [run_by_optax(rate, replicate, TRIAL.sweep_steps) for replicate in range(2)]
        sweep.append(np.mean([loss for loss, _, _ in runs]))
        steps += sum(int(taken) for _, _, taken in runs)
    best = RATES[int(np.argmin(sweep))]
    full = [run_by_optax(best, replicate, TRIAL.full_steps) for replicate in range(2, 5)]
    steps += sum(int(taken) for _, _, taken in full)
    np.testing.assert_allclose(verdicts.sweep[place], sweep, rtol=1e-4)
    assert verdicts.rate[place] == best
    np.testing.assert_allclose(verdicts.losses[place], [loss for loss, _, _ in full], rtol=1e-4)
    np.testing.assert_allclose(verdicts.metrics[place], [metric for _, metric, _ in full])
    assert verdicts.steps[place] == steps


def test_the_best_rate_is_that_of_the_lowest_sweep_loss(verdicts):
    np.testing.assert_array_equal(verdicts.rate, RATES[np.argmin(verdicts.sweep, axis=1)])
    assert len(set(verdicts.rate.tolist())) > 1


def test_losses_are_never_nan_and_those_of_diverged_runs_infinite(judgement):
    found = run(judgement, candidates("1", "noise", "g ^ g", "exp(g) * exp(g)"))
    for losses in (found.sweep, found.losses):
        assert not np.isnan(losses).any() and (losses > 0).all()
    nan_at_once = (
        2  # a negative base: every run ends when its loss is looked at for the second time
    )
    assert (
        np.isposinf(found.sweep[nan_at_once]).all() and np.isposinf(found.losses[nan_at_once]).all()
    )
    lanes = len(RATES) * TRIAL.sweep_replicates
    assert found.steps[nan_at_once] <= 2 * lanes


def test_a_rule_that_learns_nothing_is_given_up_after_its_sweep(verdicts, judgement):
    climber = TEXTS.index("-adam")
    assert (verdicts.sweep[climber] > judgement.baseline).all()
    assert np.isposinf(verdicts.losses[climber]).all() and np.isnan(verdicts.metrics[climber]).all()
    assert verdicts.steps[climber] <= len(RATES) * TRIAL.sweep_replicates * TRIAL.sweep_steps
    for other in (TEXTS.index("g"), TEXTS.index("adam")):
        assert np.isfinite(verdicts.losses[other]).all()


def test_without_early_stopping_every_lane_runs_to_its_end(toy):
    patient = dataclasses.replace(TRIAL, early_stopping=False)
    found = run(
        make_judgement(toy, GRAMMAR, patient, "search", SEEDS), candidates("g ^ g", "-adam")
    )
    every_step = len(RATES) * TRIAL.sweep_replicates * TRIAL.sweep_steps
    every_step += TRIAL.full_replicates * TRIAL.full_steps
    assert found.steps.tolist() == [every_step] * 2
    assert np.isposinf(found.losses[0]).all()
    assert np.isfinite(found.losses[1]).all()  # it climbs, but does not diverge


def test_refinement_sweeps_the_half_decades_and_runs_the_two_best_rates_in_full(
    toy, verdicts, run_by_optax
):
    refining = dataclasses.replace(TRIAL, refine=True)
    found = run(make_judgement(toy, GRAMMAR, refining, "search", SEEDS), candidates(*TEXTS))
    decades = len(RATES)
    np.testing.assert_array_equal(found.sweep[:, :decades], verdicts.sweep)
    np.testing.assert_array_equal(found.rates[:, :decades], verdicts.rates)
    beside = verdicts.rate[:, None] * np.array([10.0**-0.5, 10.0**0.5], np.float32)
    np.testing.assert_allclose(found.rates[:, decades:], beside, rtol=1e-6)

    adam, climber = TEXTS.index("adam"), TEXTS.index("-adam")
    swept = [
        np.mean([run_by_optax(rate, replicate, TRIAL.sweep_steps)[0] for replicate in range(2)])
        for rate in found.rates[adam, decades:]
    ]
    np.testing.assert_allclose(found.sweep[adam, decades:], swept, rtol=1e-4)
    two_best = found.rates[adam][np.argsort(found.sweep[adam])[:2]]
    full = [[run_by_optax(rate, r, TRIAL.full_steps)[0] for r in range(2, 5)] for rate in two_best]
    better = int(np.argmin(np.mean(full, axis=1)))
    np.testing.assert_allclose(found.losses[adam], full[better], rtol=1e-4)
    assert found.rate[adam] == two_best[better]
    assert np.isposinf(found.losses[climber]).all()
    assert (found.rate != verdicts.rate).any(), "no rule has its best rate beside a decade"


def test_under_a_schedule_every_run_completes_its_own(toy):
    """A loop over rates and replicates with optax's chain, whose rate falls from step to step, as `compare` has it."""
    cosine = dataclasses.replace(TRIAL, schedule="cosine", refine=True)
    judgement = make_judgement(toy, GRAMMAR, cosine, "search", SEEDS)
    found = run(judgement, candidates(*TEXTS))

    @jax.jit
    def program(rate, replicate, steps):
        rates: Any = scheduled(1.0, 0, ("cosine",), steps)
        place = toy, judgement.layout, judgement.data[0], replicate
        done = loop(
            *place,
            optax.chain(optax.scale_by_adam(), optax.scale_by_schedule(rates), optax.scale(-rate)),
            steps,
        )
        return done

    def loop(problem, layout, fixture, replicate, transform, steps):
        learner = optax_learner(transform)
        ran = train(
            problem, layout, learner, fixture, replicate, start(learner, fixture, replicate), steps
        )
        return held_out_score(problem, layout, learner, fixture, replicate, ran)[0]

    def loss(rate, replicate, steps):
        return float(program(rate, jnp.int32(replicate), jnp.int32(steps)))

    adam = TEXTS.index("adam")
    sweep = [
        np.mean([loss(rate, r, TRIAL.sweep_steps) for r in range(2)]) for rate in found.rates[adam]
    ]
    np.testing.assert_allclose(found.sweep[adam], sweep, rtol=1e-4)
    full = [loss(found.rate[adam], r, TRIAL.full_steps) for r in range(2, 5)]
    np.testing.assert_allclose(found.losses[adam], full, rtol=1e-4)
    alone = run(judgement, candidates("adam", "g", active=[True, False]))
    for part, whole in zip(alone, found, strict=True):
        np.testing.assert_array_equal(part[0], whole[adam])
    again = run(make_judgement(toy, GRAMMAR, cosine, "search", list(SEEDS)), candidates(*TEXTS))
    jax.tree.map(np.testing.assert_array_equal, again, found)


def test_replicates_of_their_own_length_and_scale_are_trained_as_loops_train_them(toy):
    trial = dataclasses.replace(TRIAL, schedule="cosine", random_horizon=2.0, random_scale=3.0)
    judgement = make_judgement(toy, GRAMMAR, trial, "search", SEEDS)
    found = run(judgement, candidates(*TEXTS))
    plain, layout = draw_fixture(toy, "search", SEEDS)
    lengths = np.asarray(judgement.data[0].lengths)
    scales = np.asarray(judgement.data[0].params["w"] / plain.params["w"])  # [S, 2]
    np.testing.assert_allclose(scales[:, 0], scales[:, 1], rtol=1e-6)
    assert ((lengths > 1 / 2) & (lengths < 2)).all() and len(set(lengths.tolist())) == len(SEEDS)
    assert ((scales > 1 / 3) & (scales < 3)).all() and np.ptp(np.log(scales[:, 0])) > 0.1

    @jax.jit
    def program(rate, replicate, steps, params):
        rates: Any = scheduled(1.0, 0, ("cosine",), steps)
        parts = (optax.scale_by_adam(), optax.scale_by_schedule(rates), optax.scale(-rate))
        learner = optax_learner(optax.chain(*parts))
        place = toy, layout, learner, plain, replicate
        begin = start(learner, plain, replicate)._replace(packed=params)
        return held_out_score(*place, train(*place, begin, steps))[0]

    def loss(rate, replicate, steps):
        params = jax.tree.map(lambda x: x[replicate] * scales[replicate, 0], plain.params)
        own = max(1, round(float(steps * lengths[replicate])))
        return float(program(rate, jnp.int32(replicate), jnp.int32(own), params))

    adam = TEXTS.index("adam")
    sweep = [
        np.mean([loss(rate, r, TRIAL.sweep_steps) for r in range(2)]) for rate in found.rates[adam]
    ]
    np.testing.assert_allclose(found.sweep[adam], sweep, rtol=1e-4)
    full = [loss(found.rate[adam], r, TRIAL.full_steps) for r in range(2, 5)]
    np.testing.assert_allclose(found.losses[adam], full, rtol=1e-4)
    reference = adam_losses(toy, judgement, trial, found.rate[adam : adam + 1])[0]
    np.testing.assert_allclose(reference, full, rtol=1e-4)  # the yardstick has the same runs


def test_replicates_of_their_own_width_are_those_of_a_problem_of_that_width(perceptron):
    seeds = [*SEEDS[:2], 7, 17, 19]  # each width among the last three, and each batch
    trial = dataclasses.replace(TRIAL, random_width=2.0, random_batch=2.0, give_up=1e9)
    judgement = make_judgement(perceptron, GRAMMAR, trial, "search", seeds)
    found = run(judgement, candidates(*TEXTS))
    own = [judgement.layout.widths[place] for place in np.asarray(judgement.data[0].widths)]
    assert own[2:] == [0.5, 1.0, 2.0] and np.asarray(judgement.data[0].sizes)[2:].tolist() == [
        0,
        1,
        2,
    ]
    once = dataclasses.replace(
        trial, sweep_replicates=0, full_replicates=1, num_rates=1, random_width=1.0
    )
    alone, adam, starts = [], TEXTS.index("adam"), []
    for factor, seed in zip(own, seeds, strict=True):
        wide = at_width(perceptron, factor)
        one = make_judgement(wide, GRAMMAR, once, "search", [seed])
        starts.append(loss_before_training(one))
        losses = run(one, candidates(*TEXTS)._replace(rates=found.rate[:, None])).losses[:, 0]
        rate = found.rate[adam : adam + 1]
        alone.append([*losses, adam_losses(wide, one, once, rate)[0, 0]])
    expected = np.array(alone[2:]).T
    np.testing.assert_allclose(found.losses, expected[:-1], rtol=1e-5)
    assert np.isfinite(expected).any(axis=0).all()
    reference = adam_losses(perceptron, judgement, trial, found.rate[adam : adam + 1])[0]
    np.testing.assert_allclose(reference, expected[-1], rtol=1e-5)
    np.testing.assert_allclose(judgement.baseline, np.mean(starts[:2]), rtol=1e-6)


def test_lanes_side_by_side_have_the_same_widths_and_batches(perceptron):
    trial = dataclasses.replace(TRIAL, random_width=2.0, random_batch=2.0)
    one, other = (
        run(
            make_judgement(perceptron, GRAMMAR, trial, "search", SEEDS, executor),
            candidates(*TEXTS),
        )
        for executor in ("switch", "select")
    )
    np.testing.assert_allclose(one.sweep, other.sweep, rtol=1e-4)
    np.testing.assert_allclose(one.losses, other.losses, rtol=1e-4)


def test_replicates_with_batches_of_their_own_size_are_those_of_a_problem_with_that_size(toy):
    seeds = [*SEEDS[:2], 15, 16, 11]  # three sizes among the last three
    texts = [text for text in TEXTS if text != "-adam"]  # which is given up after the sweep
    trial = dataclasses.replace(TRIAL, random_batch=4.0)
    judgement = make_judgement(toy, GRAMMAR, trial, "search", seeds)
    found = run(judgement, candidates(*texts))
    own = [judgement.layout.batches[place] for place in np.asarray(judgement.data[0].sizes)]
    assert len(set(own[2:])) == 3
    alone = [
        run(
            make_judgement(
                dataclasses.replace(toy, batch_size=size),
                GRAMMAR,
                dataclasses.replace(TRIAL, sweep_replicates=0, full_replicates=1, num_rates=1),
                "search",
                [seed],
            ),
            candidates(*texts)._replace(rates=found.rate[:, None]),
        ).losses[:, 0]
        for size, seed in zip(own[2:], seeds[2:], strict=True)
    ]
    np.testing.assert_allclose(found.losses, np.stack(alone, axis=1), rtol=1e-5)
    adam = texts.index("adam")
    reference = adam_losses(toy, judgement, trial, found.rate[adam : adam + 1])[0]
    np.testing.assert_allclose(reference, found.losses[adam], rtol=1e-4)


def test_padding_costs_no_step_and_changes_no_bit(judgement, verdicts):
    padded = run(judgement, candidates(*TEXTS, active=[True, False, True, False]))
    assert padded.steps[1] == padded.steps[3] == 0
    assert np.isposinf(padded.sweep[1]).all() and np.isposinf(padded.losses[1]).all()
    for part, whole in zip(padded, verdicts, strict=True):
        np.testing.assert_array_equal(part[[0, 2]], whole[[0, 2]])


def test_the_bits_of_a_candidate_depend_on_neither_neighbours_nor_place(judgement, verdicts):
    turned = run(judgement, candidates("noise", *TEXTS[2:], "adam"))
    for part, whole in zip(turned, verdicts, strict=True):
        np.testing.assert_array_equal(part[[1, 2, 3]], whole[[2, 3, 1]])


def test_the_bits_of_a_candidate_do_not_depend_on_the_device(judgement, verdicts):
    first, second = jax.local_devices()[:2]
    assert first != second
    data, moved = jax.device_put((judgement.data, candidates(*TEXTS)), second)
    jax.tree.map(
        np.testing.assert_array_equal,
        jax.tree.map(np.asarray, judgement.program(data, moved)),
        verdicts,
    )


def test_the_same_rule_twice_has_the_same_bits_even_if_it_draws_random_numbers(judgement):
    found = run(judgement, candidates("g + noise", "g", "g + noise", "g"))
    for part in found:
        np.testing.assert_array_equal(part[0], part[2])
    assert (found.losses[0] != found.losses[1]).all()


def test_selecting_executor_gives_the_same_verdicts_but_for_rounding(toy, verdicts):
    selecting = make_judgement(toy, GRAMMAR, TRIAL, "search", SEEDS, "select")
    found = run(selecting, candidates(*TEXTS))
    for name in ("sweep", "rate", "losses", "metrics"):
        np.testing.assert_allclose(getattr(found, name), getattr(verdicts, name), rtol=1e-3)
    np.testing.assert_array_equal(found.steps, verdicts.steps)


def test_the_baseline_is_the_mean_loss_before_training_on_the_sweeps_replicates(toy, judgement):
    fixture, layout = judgement.data[0], judgement.layout
    learner = optax_learner(optax.identity())

    def untrained(replicate):
        return held_out_score(
            toy, layout, learner, fixture, replicate, start(learner, fixture, replicate)
        )[0]

    losses = lax.map(untrained, jnp.arange(TRIAL.sweep_replicates))
    assert judgement.baseline == pytest.approx(float(losses.mean()), rel=1e-6)


def test_choice_data_are_another_judge(toy, verdicts):
    other = make_judgement(toy, GRAMMAR, TRIAL, "choice", SEEDS)
    assert other.layout.shared and other.layout.held == 24
    found = run(other, candidates(*TEXTS))
    adam = TEXTS.index("adam")
    assert np.isfinite(found.losses[adam]).all()
    assert (found.losses[adam] != verdicts.losses[adam]).all()


def test_a_function_of_whole_tensors_is_trained_as_its_optax_transform():
    """On a problem with matrices and vectors, whose shapes the program takes from it."""
    problem, rate, steps = problems.load("digits-mlp"), 0.02, 6
    space = Space("tensors", ("g", "m"), ("x", "ortho(x)"), ("keep",), "one function of tensors")
    grammar = Grammar(space, depth=1)
    trial = Trial(steps, steps, sweep_replicates=1, full_replicates=1, num_rates=1)
    judgement = make_judgement(problem, grammar, trial, "search", SEEDS[:2])
    tokens = grammar.to_tokens(parse("ortho(m)"))[None]
    found = run(judgement, Candidates(tokens, np.full((1, 1), rate, np.float32), np.ones(1, bool)))

    @jax.jit
    def program(replicate):
        learner = optax_learner(to_optax("ortho(m)", rate))
        place = (problem, judgement.layout, learner, judgement.data[0], replicate)
        return held_out_score(
            *place, train(*place, start(learner, judgement.data[0], replicate), jnp.int32(steps))
        )[0]

    np.testing.assert_allclose(found.sweep[0, 0], program(jnp.int32(0)), rtol=1e-4)
    np.testing.assert_allclose(found.losses[0, 0], program(jnp.int32(1)), rtol=1e-4)
    assert found.losses[0, 0] < judgement.baseline


def test_networks_of_coarser_numbers_are_judged_too(toy):
    """A rule's vector is float32; the network sees its own type."""

    def init(key):
        params, model_state = toy.init(key)
        return jax.tree.map(lambda x: x.astype(jnp.bfloat16), params), model_state

    judgement = make_judgement(dataclasses.replace(toy, init=init), GRAMMAR, TRIAL, "search", SEEDS)
    found = jax.eval_shape(judgement.program, judgement.data, candidates("g"))
    assert found.losses.shape == (1, TRIAL.full_replicates)
