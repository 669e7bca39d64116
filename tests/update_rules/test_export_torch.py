"""The exporter to PyTorch: the file takes the compiler's step and behaves as torch's own optimizers do."""

from __future__ import annotations

import ast
import copy
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from metarl import update_rules
from metarl.update_rules import NAMED_RULES, parse, to_torch

to_optax: Any = update_rules.to_optax  # types of trees are too wide for a checker to follow

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.extras

ENTRIES = {"mu": "exp_avg", "nu": "exp_avg_sq", "xi": "exp_avg_cube"}
AWKWARD = (
    "1",
    "ld",
    "-(-g)^2",
    "2^g * -1",
    "exp(2)^0.5 * g",
    "sign(1) * g",
    "sign(g^0.5)",
    "clip(ld, 0.5)^m",
)


def assert_same_step(rule, Optimizer, rng, weight_decay=0.0):
    """Takes one step from a random state with both and compares the parameters and the state."""
    steps = {"total_steps": 100} if "progress" in rule.needs else {}
    g, w = (rng.standard_normal(8).astype(np.float32) for _ in range(2))
    count = int(rng.integers(0, 90))
    ours = to_optax(rule, 1.0, weight_decay=weight_decay, **steps)
    first, *rest = ours.init(jnp.asarray(w))
    p = torch.nn.Parameter(torch.tensor(w))
    theirs = Optimizer([p], lr=1.0, weight_decay=weight_decay, **steps)
    theirs.state[p]["step"] = torch.tensor(float(count))
    first = first._replace(count=jnp.int32(count))
    for name, entry in ENTRIES.items():
        if getattr(first, name) is not None:
            moment = rng.standard_normal(8).astype(np.float32) ** (2 if name == "nu" else 1)
            first = first._replace(**{name: jnp.asarray(moment)})
            theirs.state[p][entry] = torch.tensor(moment)
    updates, (after, *_) = ours.update(jnp.asarray(g), (first, *rest), jnp.asarray(w))
    p.grad = torch.tensor(g)
    theirs.step()
    actual, expected = p.detach().numpy(), np.asarray(w + updates)
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(actual[~finite], expected[~finite], err_msg=str(rule))
    # A step is w + update: what cancels there is measured on the larger of the two.
    scale = np.maximum(np.abs(w), np.abs(updates))[finite]
    assert (np.abs(actual[finite] - expected[finite]) <= 1e-5 * scale).all(), str(rule)
    for name, entry in ENTRIES.items():
        if getattr(first, name) is not None:
            np.testing.assert_allclose(
                theirs.state[p][entry], getattr(after, name), rtol=1e-5, atol=1e-6
            )


@pytest.mark.parametrize(
    "name", [row.name for row in NAMED_RULES.values() if "random" not in row.rule.needs]
)
def test_a_named_rule_takes_the_compilers_step(name, load):
    module = load(to_torch(name, name="Rule"))
    for weight_decay in (0.0, 0.1):
        assert_same_step(
            NAMED_RULES[name].rule, module.Rule, np.random.default_rng(0), weight_decay
        )


def test_two_hundred_random_rules_take_the_compilers_step(load, rules_of_every_depth):
    rng = np.random.default_rng(1)
    drawn = [*rules_of_every_depth(400), *rules_of_every_depth(80, "constants")]
    rules = [rule for rule in drawn if "random" not in rule.needs]
    assert len(rules) >= 200
    for number, rule in enumerate([*rules, *map(parse, AWKWARD)]):
        assert_same_step(rule, load(to_torch(rule, name="Rule"), f"exported_{number}").Rule, rng)


@pytest.mark.parametrize(
    ("rule", "reference"),
    [("g", torch.optim.SGD), ("adam", torch.optim.AdamW)],
)
def test_it_trains_as_torchs_own_optimizer_does(rule, reference, load):
    ends = []
    for Optimizer in (load(to_torch(rule, name="Rule")).Rule, reference):
        p = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
        optimizer = Optimizer([p], lr=0.05, weight_decay=0.0)
        for _ in range(20):
            optimizer.zero_grad()
            (p**2).sum().backward()
            optimizer.step()
        ends.append(p.detach().numpy())
    np.testing.assert_allclose(ends[0], ends[1], rtol=2e-4)


def test_a_restored_optimizer_goes_on_as_if_never_stopped(load, tmp_path):
    Rule = load(to_torch("adam * ld", name="Rule")).Rule

    def steps(p, optimizer):
        for _ in range(3):
            p.grad = torch.sin(p.detach())
            optimizer.step()

    p = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
    optimizer = Rule([p], lr=0.1, total_steps=10)
    steps(p, optimizer)
    torch.save(optimizer.state_dict(), tmp_path / "state.pt")
    q = torch.nn.Parameter(p.detach().clone())
    restored = Rule([q], lr=0.7, total_steps=3)
    restored.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    steps(p, optimizer)
    steps(q, restored)
    assert torch.equal(p, q)


def test_groups_closures_schedules_and_maximize_work_as_in_torch(load):
    Rule = load(to_torch("g", name="Rule")).Rule
    p, q, idle = (torch.nn.Parameter(torch.tensor([1.0])) for _ in range(3))
    optimizer = Rule([{"params": [p, idle]}, {"params": [q], "lr": 0.5, "maximize": True}], lr=0.1)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.0)

    def closure():
        optimizer.zero_grad()
        loss = (p + q).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 2.0
    schedule.step()
    optimizer.step(closure)
    assert (p.item(), q.item(), idle.item()) == (pytest.approx(0.9), pytest.approx(1.5), 1.0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_parameters_keep_their_type_and_shape(dtype, load):
    Rule = load(to_torch("adam * exp(m) + ld * y * drop(w, 0.5) + noise", name="Rule")).Rule
    p = torch.nn.Parameter(torch.ones(2, 3, dtype=dtype))
    scalar = torch.nn.Parameter(torch.tensor(1.0, dtype=dtype))
    optimizer = Rule([p, scalar], lr=0.1, total_steps=10)
    for parameter in (p, scalar):
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    assert (p.dtype, p.shape, scalar.shape) == (dtype, (2, 3), ())
    assert torch.isfinite(p).all()
    assert optimizer.state[p]["exp_avg"].dtype == dtype


def test_chance_is_drawn_from_the_generator_with_the_promised_law(load):
    Rule = load(to_torch("drop(g, 0.3) + 100 * noise", name="Rule")).Rule

    def updates(seed):
        p = torch.nn.Parameter(torch.zeros(40_000))
        optimizer = Rule([p], lr=1.0, generator=torch.Generator().manual_seed(seed))
        p.grad = torch.ones_like(p)
        optimizer.step()
        return -p.detach().numpy()

    assert np.var(updates(0)) == pytest.approx(100.0, rel=0.03)
    np.testing.assert_array_equal(updates(0), updates(0))
    assert not np.array_equal(updates(0), updates(1))


def test_a_copy_draws_too_and_survivors_are_not_rescaled(load):
    Rule = load(to_torch("drop(g, 0.3)", name="Rule")).Rule
    optimizer = copy.deepcopy(Rule([torch.nn.Parameter(torch.zeros(40_000))], lr=1.0))
    p = optimizer.param_groups[0]["params"][0]
    p.grad = torch.ones_like(p)
    optimizer.step()
    assert set(np.unique(p.detach())) == {-1.0, 0.0}
    assert -p.detach().mean().item() == pytest.approx(0.7, abs=0.01)


def test_a_number_out_of_range_is_refused(load):
    Rule = load(to_torch("adam", name="Rule")).Rule
    p = torch.nn.Parameter(torch.ones(1))
    with pytest.raises(ValueError, match=r"0.0 <= beta1 < 1.0 is needed; got 1.5"):
        Rule([p], beta1=1.5)


def test_the_file_imports_torch_alone_and_its_class_is_named_in_camel_case():
    tree = ast.parse(to_torch("powersign-ld"))
    assert [node.names[0].name for node in tree.body if isinstance(node, ast.Import)] == ["torch"]
    assert [node.name for node in tree.body if isinstance(node, ast.ClassDef)] == ["PowersignLd"]
