"""Who a comparison compares: names, texts, and what is neither."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from metarl import optimizers, problems
from metarl.errors import InvalidInput
from metarl.optimizer_search.comparing import comparison
from metarl.optimizer_search.comparing.comparison import check_comparison, standard_optimizers
from metarl.optimizer_search.comparing.entrants import (
    BASELINE,
    check_own,
    decayed_once,
    entered,
    entrant,
    parts,
    references,
)
from metarl.optimizer_search.running.pipeline import comparison_config
from metarl.optimizer_search.settings.compare_config import CompareConfig
from metarl.optimizer_search.settings.config import FinalistConfig, SearchConfig
from metarl.update_rules import NAMED_RULES, parse, to_optax

PARAMS = {"w": jnp.array([0.5, -1.0, 2.0])}


def three_steps(made):
    transform, _ = parts(made)
    params: Any = PARAMS
    state = transform.init(PARAMS)
    for t in range(3):
        grads = jax.tree.map(lambda w, t=t: 2.0 * w + 0.3 * t, params)
        updates, state = transform.update(grads, state, params)
        params = optax.apply_updates(params, updates)
    return np.asarray(params["w"])


def made(text, total_steps=10, seed=0):
    return entrant(text).make(0.05, total_steps, jax.random.key(seed))


@pytest.mark.parametrize(
    ("name", "transform"),
    [
        ("sgd", optax.sgd(0.05)),
        ("momentum", optax.sgd(0.05, momentum=0.9)),
        ("nesterov", optax.sgd(0.05, momentum=0.9, nesterov=True)),
        ("rmsprop", optax.rmsprop(0.05)),
        ("adam", optax.adam(0.05)),
        ("adamw", optax.adamw(0.05)),
        ("nadam", optax.nadam(0.05)),
        ("sign-sgd", optax.sign_sgd(0.05)),
        ("lion", optax.lion(0.05)),
        ("powersign", to_optax("exp(sign(g) * sign(m)) * g", 0.05)),
        ("addsign", to_optax("(1 + sign(g) * sign(m)) * g", 0.05)),
        ("adam-shifted", optax.adam(0.05)),
        ("nadamw", optax.nadamw(0.05)),
        ("signum", optax.signum(0.05)),
        ("adan", optimizers.adan(0.05)),
        ("mars", optimizers.mars(0.05)),
        ("cautious-adamw", optimizers.cautious_adamw(0.05, weight_decay=1e-4)),
        ("prodigy", optax.contrib.prodigy(0.05)),
        ("schedule-free-adamw", optax.contrib.schedule_free_adamw(0.05)),
        ("muon", optax.contrib.muon(0.05)),
        ("soap", optimizers.soap(0.05)),
    ],
)
def test_names_of_references_mean_optaxs_own_at_their_defaults(name, transform):
    np.testing.assert_allclose(three_steps(made(name)), three_steps(transform), rtol=1e-6)
    assert name in {reference.label for reference in references()}


def test_adam_is_the_baseline_of_references_with_names_of_their_own():
    labels = [reference.label for reference in references()]
    assert len(labels) == len(set(labels)) == 23 and BASELINE == "adam" and BASELINE in labels


WITH_LISTS = ["python-docs-transformer", "digits-residual"]  # of blocks


@pytest.mark.parametrize(
    "problem",
    [
        *WITH_LISTS,
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in problems.suite()
            if name not in WITH_LISTS
        ),
    ],
)
def test_every_reference_takes_every_problem(problem):
    known = problems.load(problem)
    params = jax.eval_shape(known.init, jax.random.key(0))[0]
    numbers = optimizers.weight_dimension_numbers(
        params, problems.roles_of_leaves(params, known.leaf_roles)
    )
    for one in references():
        transform = parts(one.make(0.05, 100, jax.random.key(0), lambda _: numbers))[0]
        state = jax.eval_shape(transform.init, params)
        moved, _ = jax.eval_shape(transform.update, params, state, params)
        assert jax.tree.map(jnp.shape, moved) == jax.tree.map(jnp.shape, params), one.label


def test_rules_with_functions_of_matrices_enter_once_a_way_and_all_others_once():
    named = [entrant(text) for text in ("rms-ortho-cautious", "powersign", "muon", "rms(m)")]
    others = ["powersign", "muon", "rms(m)"]
    known = named[0].learning_rate_multiple
    for ways, expected in (
        (("shapes",), ["rms-ortho-cautious"]),
        (("roles",), ["rms-ortho-cautious by roles"]),
        (("roles", "shapes"), ["rms-ortho-cautious by roles", "rms-ortho-cautious"]),
    ):
        field = entered(named, ways)
        assert [one.label for one in field] == [*expected, *others]
        multiples = {one.label: one.learning_rate_multiple for one in field[: len(ways)]}
        # the rate that was found for it by shapes is not its rate by roles
        assert multiples == {x: None if "by roles" in x else known for x in expected}
    field, _ = check_comparison(
        named[:1], CompareConfig(problem=("beale",), references=(), tensor_functions=("roles",))
    )
    assert [one.label for one in field] == ["rms-ortho-cautious by roles", BASELINE]


def test_roles_are_refused_where_they_matter_to_nobody():
    config = CompareConfig(problem=("beale",), tensor_functions=("shapes", "roles"))
    says = (
        r"tensor_functions is shapes, roles: roles matter to rules with ortho, rownorm, colnorm alone, and of those "
        r"named \(adam, rms\(m\)\) none has one\. Name a rule that has"
    )
    with pytest.raises(InvalidInput, match=says):
        check_comparison([entrant("adam"), entrant("rms(m)")], config)
    refused: Any = (
        (("role",), "Unknown way of tensor_functions 'role'. Did you mean 'roles'"),
        (("roles", "roles"), "tensor_functions must be one or more different values, not roles, "),
        ((), "tensor_functions must be one or more different values, not none"),
    )
    for ways, says in refused:
        with pytest.raises(InvalidInput, match=says):
            CompareConfig(tensor_functions=ways).validate()


def test_ademamix_has_the_schedules_of_its_paper():
    """The slow rate grows from 0.9 so that its half-life does so evenly; the mixture linearly."""
    rates, mixtures = [], []
    for t in range(3):
        half_lives = [np.log(0.5) / np.log(rate) for rate in (0.9, 0.9999)]
        rates.append(0.5 ** (1.0 / ((1 - t / 4) * half_lives[0] + t / 4 * half_lives[1])))
        mixtures.append(5.0 * t / 4)
    expected = optax.contrib.ademamix(
        0.05,
        b3=lambda count: jnp.asarray(rates)[count],
        alpha=lambda count: jnp.asarray(mixtures)[count],
    )
    found = three_steps(made("ademamix", total_steps=4))
    np.testing.assert_allclose(found, three_steps(expected), rtol=1e-4)


def test_a_factory_may_give_a_pair():
    transform, evaluation = parts(made("own_optimizers:judged_at_zero"))
    np.testing.assert_allclose(three_steps(transform), three_steps(optax.sgd(0.05)))
    assert evaluation is not None
    np.testing.assert_array_equal(evaluation(None, PARAMS)["w"], 0.0)
    assert parts(made("adam"))[1] is None


def test_weights_decay_once():
    """With decays to try, a standard optimizer's own is off."""
    names = ("adamw", "nadamw")
    steps = {x: three_steps(decayed_once(entrant(x)).make(0.05, 1, None)) for x in names}
    np.testing.assert_allclose(steps["adamw"], three_steps(optax.adam(0.05)), rtol=1e-6)
    np.testing.assert_allclose(steps["nadamw"], three_steps(optax.nadam(0.05)), rtol=1e-6)
    config = CompareConfig(problem=("beale",), references=("adamw",), weight_decays=(0.0, 0.1))
    field, _ = check_comparison([], config)
    np.testing.assert_allclose(
        three_steps(field[1].make(0.05, 1, None)), three_steps(optax.adam(0.05)), rtol=1e-6
    )


def test_no_standard_optimizer_decays_where_weights_are_to_decay_once():
    for one in references():
        bare = decayed_once(one)._replace(without_decay=None, is_own=False, rule=parse("g"))
        assert decayed_once(bare).label == one.label  # probed as a rule is


@pytest.mark.parametrize(
    "text",
    [
        "adam",
        "own_optimizers:heavy_ball",
        "own_optimizers:bounded",
        "own_optimizers:decaying_if_asked",
        "adam + cautious(0.01 * w)",  # to read weights is not to decay them
        "rms-ortho-cautious",
        "drop(m, 0.3) * exp(1e-3 * w)",
        "noise * exp(0.1 * w)",
        "adam - 0.01 * w",
    ],
)
def test_who_does_not_decay_weights_is_left_as_he_is(text):
    one = entrant(text)
    assert decayed_once(one) == one


@pytest.mark.parametrize(
    "text",
    [
        "own_optimizers:decaying",
        "own_optimizers:penalised",
        "adam + 1e-2 * w",
        "sign(c) + 0.1 * drop(w, 0.3)",
        "noise + 0.1 * w",
        "rms(adam + 0.1 * w)",
    ],
)
def test_who_decays_weights_himself_is_refused_beside_weight_decays(text):
    """Users' and rules alike: nobody but their author can switch it off."""
    config = CompareConfig(problem=("beale",), references=(), weight_decays=(0.0, 0.1))
    with pytest.raises(InvalidInput) as refusal:
        check_comparison([entrant(text)], config)
    said = str(refusal.value)
    assert said.startswith(f"Optimizer {text!r} decays weights itself: where the gradient is zero")
    assert said.endswith("Take its decay out of it, or leave --weight-decays out.")
    check_comparison([entrant(text)], dataclasses.replace(config, weight_decays=(0.0,)))


def test_an_extra_point_that_decays_weights_is_refused_where_it_is_tried():
    one = entrant("own_optimizers:decaying_if_asked")
    config = CompareConfig(problem=("beale",), references=(), weight_decays=(0.0, 0.1))
    check_comparison([one], dataclasses.replace(config, extra_points=1))  # b2 alone
    with pytest.raises(InvalidInput) as refusal:
        check_comparison([one], dataclasses.replace(config, extra_points=2))
    said = str(refusal.value)
    assert "decays weights itself at its extra point {'shrink': 0.01}: where" in said
    assert said.endswith("Take its decay out of its extra_points, or leave --weight-decays out.")


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        ("scheduled_already", "its init or update raised TypeError: unsupported operand"),
        ("of_floats", "of_floats(learning_rate) raised TypeError: float() argument must be"),
        ("deaf", "moves parameters alike at learning rates of 0 and 0.001"),
    ],
)
def test_a_schedule_of_ones_own_is_refused_beside_those_of_a_comparison(factory, message):
    one = entrant(f"own_optimizers:{factory}")
    with pytest.raises(InvalidInput) as refusal:
        check_own(one, PARAMS, ("cosine", "constant"))
    assert message in str(refusal.value) and one.label in str(refusal.value)
    assert "Learning rates follow --schedules here (cosine, constant)" in str(refusal.value)
    if factory == "of_floats":  # of a traced rate it fails under constant ones too
        with pytest.raises(InvalidInput, match="of_floats"):
            check_own(one, PARAMS, ("constant",))
    else:
        check_own(one, PARAMS, ("constant",))


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        ("growing", "the optimizer's state is PyTreeDef("),
        (
            "counting_in_floats",
            "the optimizer's state[0] is int32 [] before a step and float32 [] after it",
        ),
        ("of_rounds", "of_rounds(learning_rate) raised TypeError: "),
        ("with_a_text", "its state has str at ['name']; it must be of arrays and numbers."),
        ("in_a_list", "it must give one change for each of them."),
        ("summed", "its update gave PyTreeDef({'w': *}) of shapes [()] for parameters "),
    ],
)
def test_what_no_compiled_loop_can_run_is_refused(factory, message):
    one = entrant(f"own_optimizers:{factory}")
    with pytest.raises(InvalidInput) as refusal:
        check_own(one, PARAMS, ("constant",), extra_points=1)
    assert message in str(refusal.value) and one.label in str(refusal.value)
    assert ("--extra-points tries its extra_points" in str(refusal.value)) == (
        factory == "of_rounds"
    )
    if factory == "of_rounds":  # nobody asked for other rounds
        check_own(one, PARAMS, ("constant",))


def test_weights_are_looked_at_where_they_are_to_decay():
    """A factory that knows the names of its own network is asked about these."""
    params = {"body": [jnp.ones(2)], "head": jnp.ones(())}
    assert decayed_once(entrant("own_optimizers:by_names"), params).is_own
    with pytest.raises(InvalidInput, match="'own_optimizers:decaying_by_names' decays weights"):
        decayed_once(entrant("own_optimizers:decaying_by_names"), params)


@pytest.mark.parametrize("named", ["track", "diagnostics"])
def test_an_optimizer_for_one_network_is_refused_where_it_meets_others(named, monkeypatch):
    """Before anything is trained: the rates of a track are found, diagnostics made, on other problems."""
    monkeypatch.setattr(problems, "suite", lambda role: ("rosenbrock",))
    beale, bowl = problems.load("beale"), problems.load("rosenbrock")
    parts_of = lambda key: ({"body": jnp.ones(2), "head": jnp.ones(1)}, ())  # noqa: E731
    loss = lambda params, state, batch, key: (params["body"].sum() * params["head"][0], state)  # noqa: E731
    mine = dataclasses.replace(beale, name="mine", init=parts_of, loss=loss)
    loaded = {"mine": mine, "rosenbrock": bowl}
    monkeypatch.setattr(problems, "load", loaded.__getitem__)
    monkeypatch.setattr(comparison, "suite_names", lambda names: names)
    one = entrant("own_optimizers:by_names")
    plain = CompareConfig(problem=("mine",), references=("sgd",), schedules=("constant",))
    check_comparison([one], plain)
    track = dataclasses.replace(plain, track="one-rate")
    reason = {
        "track": "The track 'one-rate' finds everybody's rate on rosenbrock too",
        "diagnostics": "--diagnostics tries everybody on rosenbrock too",
    }
    with pytest.raises(InvalidInput, match=reason[named]):
        check_comparison([one], track if named == "track" else plain, [bowl][named == "track" :])


def test_a_comparison_tries_own_optimizers_before_anything_is_trained():
    config = CompareConfig(problem=("beale",), references=("sgd",))
    check_comparison([entrant("own_optimizers:heavy_ball")], config)
    with pytest.raises(InvalidInput, match="compare with --schedules constant"):
        check_comparison([entrant("own_optimizers:scheduled_already")], config)


def test_a_factory_names_what_else_it_may_be_tuned_by():
    one = entrant("own_optimizers:tuned_further")
    assert [dict(change) for change in one.extras.tried] == [{"momentum": 0.5}, {"momentum": 0.0}]
    changed = one.make(0.05, 1, jax.random.key(0), **one.extras.at(2, 2))
    np.testing.assert_allclose(three_steps(changed), three_steps(optax.sgd(0.05)), rtol=1e-6)
    assert entrant("own_optimizers:heavy_ball").extras.tried == ()
    with pytest.raises(
        InvalidInput, match=r"no such argument with a number as default\. It has: none"
    ):
        entrant("own_optimizers:tuned_by_nothing_of_its_own")


def test_a_group_of_references_is_named_by_one_word():
    def labels(*wanted: str) -> list[str]:
        field, _ = check_comparison([], CompareConfig(problem=("beale",), references=wanted))
        return [one.label for one in field]

    assert labels() == ["adam"] and labels("soap") == ["adam", "soap"]
    assert labels("all") == [reference.label for reference in references()]
    assert len(labels("classic")) == 11 and "muon" not in labels("classic")
    assert set(labels("classic", "muon")) == {*labels("classic"), "muon"}
    with pytest.raises(InvalidInput, match="Did you mean 'classic'"):
        labels("clasic")


@pytest.mark.parametrize("text", ["g", "exp(g) - exp(m)", "ld * adam", "sign(m)*rmsprop"])
def test_the_text_of_a_rule_is_that_rule_under_the_text_as_typed(text):
    found = entrant(text)
    assert found.label == text and found.rule == parse(text)
    expected = three_steps(to_optax(text, 0.05, total_steps=10))
    np.testing.assert_array_equal(three_steps(made(text)), expected)


def test_finalists_of_a_search_meet_the_standard_optimizers_that_are_named_and_adam():
    def met(**final):
        config = comparison_config(SearchConfig(final=FinalistConfig(**final)))
        return {one.label for one in standard_optimizers(config.references)}

    named = ("muon", "soap", "nadamw", "schedule-free-adamw")
    assert met(references=named) == {*named, BASELINE}
    assert met(references=("classic", "soap")) == {*met(), "soap"}
    assert met() == met(references=("classic",)) and not met() & set(named)


def test_names_of_rules_that_are_no_references_mean_those_rules():
    for name in set(NAMED_RULES) - {reference.label for reference in references()}:
        assert entrant(name).rule == parse(NAMED_RULES[name].text)


def test_random_rules_draw_by_the_key_of_the_run():
    first, again, other = (three_steps(made("g + noise", seed=seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).all()


def test_the_learning_rate_may_be_traced():
    def final(rate):
        transform, _ = parts(entrant("g").make(rate, 10, jax.random.key(0)))
        updates: Any = transform.update(PARAMS, transform.init(PARAMS), PARAMS)[0]
        return updates["w"]

    np.testing.assert_allclose(jax.jit(final)(0.5), -0.5 * PARAMS["w"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("adamm", "Unknown optimizer or rule 'adamm'. Did you mean 'adam'?"),
        ("powersing", "Unknown optimizer or rule 'powersing'. Did you mean 'powersign'?"),
        ("sign(g * m", "^"),
        ("g ** 2", "^"),
        ("", ""),
    ],
)
def test_what_is_neither_name_nor_rule_is_refused(text, message):
    with pytest.raises(InvalidInput) as refusal:
        entrant(text)
    assert message in str(refusal.value) and str(refusal.value)
