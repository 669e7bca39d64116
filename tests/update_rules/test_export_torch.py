"""The exporter to PyTorch: the file takes the compiler's step and behaves as torch's own optimizers do."""

from __future__ import annotations

import ast
import copy
import pickle
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl import update_rules
from metarl.update_rules import NAMED_RULES, parse, to_torch

to_optax: Any = update_rules.to_optax  # types of trees are too wide for a checker to follow

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.extras

ENTRIES = {"mu": "exp_avg", "nu": "exp_avg_sq", "xi": "exp_avg_cube"}
# Averages of an exact binary rate: optax rounds 0.999 to float32 before it takes powers of it.
RATES = {"mu": 0.875, "nu": 1 - 2**-10, "xi": 1 - 2**-10}
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


def optax_rates(rates):
    return dict(zip(("b1", "b2", "b3"), rates.values(), strict=True))


def torch_rates(rule, rates):
    """Returns the rates of a rule's averages as its torch class takes them."""
    needed = {
        name: rate for name, rate in zip("mvy", rates.values(), strict=True) if name in rule.needs
    }
    if "m" in needed:
        return {"betas": tuple(needed.values())}
    return {f"beta{'mvy'.index(name) + 1}": rate for name, rate in needed.items()}


def assert_same_step(rule, Optimizer, rng, weight_decay=0.0):
    """Takes one step from a random state with both and compares the parameters and the state."""
    steps = {"total_steps": 1000} if "progress" in rule.needs else {}
    g, w = (rng.standard_normal(8).astype(np.float32) for _ in range(2))
    # Late enough that optax, which corrects averages in float32, has the digits of 1 - b2^t.
    count = int(rng.integers(200, 990))
    ours = to_optax(rule, 1.0, weight_decay=weight_decay, **steps, **optax_rates(RATES))
    first, *rest = ours.init(jnp.asarray(w))
    p = torch.nn.Parameter(torch.tensor(w))
    theirs = Optimizer([p], lr=1.0, weight_decay=weight_decay, **steps, **torch_rates(rule, RATES))
    theirs.state[p]["step"] = torch.tensor(float(count))
    theirs.param_groups[0]["steps"] = torch.tensor(float(count))
    first = first._replace(count=jnp.int32(count))
    for name, entry in ENTRIES.items():
        if getattr(first, name) is not None:
            moment = rng.standard_normal(8) ** (2 if name == "nu" else 1)
            moment = (moment * (1.0 - RATES[name] ** count)).astype(np.float32)
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
    with pytest.raises(ValueError, match=r"betas takes 2 of 0.0 <= beta < 1.0; got \(1.5, 0.999\)"):
        Rule([p], betas=(1.5, 0.999))


def test_the_file_imports_torch_alone_and_its_class_is_named_in_camel_case():
    tree = ast.parse(to_torch("powersign-ld"))
    assert [node.names[0].name for node in tree.body if isinstance(node, ast.Import)] == ["torch"]
    assert [node.name for node in tree.body if isinstance(node, ast.ClassDef)] == ["PowersignLd"]


def parameters(dtype=torch.float32, sizes=((2, 3), (4,), (), (5, 1))):
    """Returns some parameters, the same at every call."""
    rng = np.random.default_rng(3)
    return [
        torch.nn.Parameter(torch.tensor(rng.standard_normal(size), dtype=dtype)) for size in sizes
    ]


def give_gradients(step, *lists):
    """Gives equal gradients, of this step, to the parameters of each list."""
    rng = np.random.default_rng(step)
    for row in zip(*lists, strict=True):
        g = rng.standard_normal(row[0].shape)
        for p in row:
            p.grad = torch.tensor(g, dtype=p.dtype)


EVERYTHING = "adam * exp(sign(g) * sign(m)) * rd10 + y * cd + ld * w"
PRECISION = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 0.04}


@pytest.mark.parametrize("dtype", PRECISION)
def test_together_and_one_by_one_it_goes_the_compilers_way_step_by_step(dtype, load):
    rates = {"b1": 0.875, "b2": 1 - 2**-7, "b3": 1 - 2**-7}  # exact in each type
    Rule = load(to_torch(EVERYTHING, name="Rule")).Rule
    betas = tuple(rates.values())
    lists = [parameters(dtype) for _ in range(3)]
    ways = ({"foreach": True}, {"foreach": False}, {"capturable": True})
    theirs = [
        Rule(params, lr=0.125, betas=betas, weight_decay=0.25, total_steps=20, **way)
        for params, way in zip(lists, ways, strict=True)
    ]
    kind = {torch.float64: jnp.float64, torch.float32: jnp.float32, torch.bfloat16: jnp.bfloat16}
    with jax.enable_x64(dtype == torch.float64):
        ours = to_optax(EVERYTHING, 0.125, weight_decay=0.25, total_steps=20, **rates)
        update = jax.jit(ours.update)
        state = ours.init([jnp.asarray(values(p), kind[dtype]) for p in lists[0]])
        for step in range(8):  # rd10 restarts at every second step
            # From the same point each time: rounding would grow through the signs.
            w = [jnp.asarray(values(p), kind[dtype]) for p in lists[0]]
            for params in lists[1:]:
                for p, first in zip(params, lists[0], strict=True):
                    p.data.copy_(first.data)
            give_gradients(step, *lists)
            g = [jnp.asarray(values(p.grad), kind[dtype]) for p in lists[0]]
            updates, state = update(g, state, w)
            for optimizer in theirs:
                optimizer.step()
            for params, way in zip(lists, ways, strict=True):
                # Counters on a device are float32 numbers, as torch's own.
                least = 1e-6 if "capturable" in way else 0.0
                for before, moved, p in zip(w, updates, params, strict=True):
                    scale = max(np.abs(before).max(), np.abs(moved).max())
                    expected = np.asarray(before, np.float64) + np.asarray(moved, np.float64)
                    error = np.abs(values(p) - expected).max()
                    assert error <= max(PRECISION[dtype], least) * scale
    assert all(
        optimizer.state[p]["exp_avg"].dtype == dtype
        for optimizer, p in zip(theirs, [x[0] for x in lists], strict=True)
    )


def values(tensor):
    return tensor.detach().double().numpy().copy()


@pytest.mark.parametrize("default", [torch.bfloat16, torch.float16])
def test_counters_are_exact_whatever_torchs_default_type_is(default, load):
    Rule = load(to_torch("v * g * rd10 * exp(2)", name="Rule")).Rule
    ends = []
    for dtype in (default, torch.float32):
        torch.set_default_dtype(dtype)
        try:
            p = torch.nn.Parameter(torch.ones(2, dtype=torch.float32))
            optimizer = Rule([p], lr=1.0, total_steps=5000)
            optimizer.state[p] = {
                "step": torch.tensor(2051.0, dtype=torch.float32),
                "exp_avg_sq": torch.ones(2, dtype=torch.float32),
            }
            optimizer.param_groups[0]["steps"] += 2051.0
            for _ in range(3):
                p.grad = torch.full((2,), 0.1, dtype=torch.float32)
                optimizer.step()
            fresh = torch.nn.Parameter(torch.ones(2, dtype=torch.float32))
            other = Rule([fresh], lr=1.0, total_steps=5000)
            fresh.grad = torch.full((2,), 0.1, dtype=torch.float32)
            other.step()
        finally:
            torch.set_default_dtype(torch.float32)
        assert (
            optimizer.state[p]["step"].item() == optimizer.param_groups[0]["steps"].item() == 2054
        )
        assert optimizer.state[p]["step"].dtype == other.state[fresh]["step"].dtype == torch.float32
        ends.append((p.detach(), fresh.detach()))
    assert torch.equal(ends[0][0], ends[1][0])
    assert torch.equal(ends[0][1], ends[1][1])
    assert torch.isfinite(ends[0][1]).all()


def test_in_float64_the_corrections_have_all_digits(load):
    Rule = load(to_torch("v", name="Rule")).Rule
    p = torch.nn.Parameter(torch.zeros(2, dtype=torch.float64))
    optimizer = Rule([p], lr=1.0)
    p.grad = torch.full((2,), 0.3, dtype=torch.float64)
    optimizer.step()  # the corrected average of one square is the square
    np.testing.assert_allclose(values(p), -0.09, rtol=1e-13)


@pytest.mark.parametrize(
    ("rule", "betas"),
    [
        ("m", (0.9,)),
        ("adam", (0.9, 0.999)),
        ("m * y", (0.9, 0.999)),
        ("adam + y", (0.9, 0.999, 0.999)),
    ],
)
def test_schedules_of_the_momentum_find_it_first_among_the_betas(rule, betas, load):
    Rule = load(to_torch(rule, name="Rule")).Rule
    schedulers = torch.optim.lr_scheduler
    for make in (
        lambda optimizer: schedulers.OneCycleLR(optimizer, max_lr=0.1, total_steps=10),
        lambda optimizer: schedulers.CyclicLR(optimizer, 0.01, 0.1, step_size_up=4),
    ):
        params = parameters()
        optimizer = Rule(params, lr=0.1)
        assert optimizer.defaults["betas"] == betas
        schedule = make(optimizer)
        for step in range(3):
            give_gradients(step, params)
            optimizer.step()
            schedule.step()
        first, *rest = optimizer.param_groups[0]["betas"]
        assert (0.8 < first < 0.95, first != 0.9, tuple(rest)) == (True, True, betas[1:])


def test_a_rule_without_m_refuses_a_schedule_of_the_momentum(load):
    Rule = load(to_torch("rmsprop", name="Rule")).Rule
    one_cycle = torch.optim.lr_scheduler.OneCycleLR
    with pytest.raises(ValueError, match="must support momentum or beta1"):
        one_cycle(Rule(parameters()), max_lr=0.1, total_steps=10)
    one_cycle(Rule(parameters(), beta2=0.9), max_lr=0.1, total_steps=10, cycle_momentum=False)
    with pytest.raises(ValueError, match=r"0.0 <= beta2 < 1.0 is needed; got 1.0"):
        Rule(parameters(), beta2=1.0)


def test_what_a_wrapper_puts_into_the_state_first_does_no_harm(load):
    Rule = load(to_torch("adam * ld", name="Rule")).Rule
    plain, wrapped = parameters(), parameters()
    optimizers = Rule(plain, total_steps=9), Rule(wrapped, total_steps=9)
    for p in wrapped:
        optimizers[1].state[p]["z"] = p.detach().clone()
    for step in range(3):
        give_gradients(step, plain, wrapped)
        for optimizer in optimizers:
            optimizer.step()
    assert all(map(torch.equal, plain, wrapped))
    assert set(optimizers[1].state[wrapped[0]]) == {"z", "step", "exp_avg", "exp_avg_sq"}


@pytest.mark.parametrize("foreach", [True, False])
def test_decays_are_those_of_the_optimizer_for_parameters_that_join_late(foreach, load):
    Rule = load(to_torch("ld * g", name="Rule")).Rule
    early, idle, late = (torch.nn.Parameter(torch.zeros(2)) for _ in range(3))
    optimizer = Rule([early, idle], lr=1.0, total_steps=10, foreach=foreach)
    early.grad = torch.ones(2)
    for _ in range(4):
        optimizer.step()
    optimizer.add_param_group({"params": [late]})
    fresh = [torch.nn.Parameter(torch.zeros(2)) for _ in range(3)]
    restored = Rule(fresh[:2], lr=9.0, total_steps=3)
    restored.add_param_group({"params": fresh[2:]})
    restored.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for params, each in (((early, idle, late), optimizer), (fresh, restored)):
        for p in params:
            p.data.zero_()
            p.grad = torch.ones(2)
        each.step()
        np.testing.assert_allclose(torch.stack(list(params)).detach(), -0.6, rtol=1e-6)


def test_averages_of_parameters_that_join_late_are_corrected_for_their_own_start(load):
    Rule = load(to_torch("v", name="Rule")).Rule
    early, late = (torch.nn.Parameter(torch.zeros(2)) for _ in range(2))
    optimizer = Rule([early, late], lr=1.0, foreach=True)
    early.grad = torch.full((2,), 0.5)
    optimizer.step()
    late.grad = torch.full((2,), 3.0)
    optimizer.step()
    np.testing.assert_allclose(late.detach(), -9.0, rtol=1e-6)
    np.testing.assert_allclose(early.detach(), -0.5, rtol=1e-6)


@pytest.mark.parametrize("way", ["state_dict", "deepcopy", "pickle"])
def test_the_generator_is_saved_with_the_state(way, load, tmp_path, monkeypatch):
    module = load(to_torch("drop(m, 0.5) + noise", name="Rule"))
    monkeypatch.setitem(sys.modules, module.__name__, module)  # where pickle looks it up
    params = parameters()
    optimizer = module.Rule(params, generator=torch.Generator().manual_seed(7))
    give_gradients(0, params)
    optimizer.step()
    if way == "state_dict":
        torch.save(optimizer.state_dict(), tmp_path / "state.pt")
        others = [torch.nn.Parameter(p.detach().clone()) for p in params]
        other = module.Rule(others)
        other.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    else:
        other = (
            copy.deepcopy(optimizer) if way == "deepcopy" else pickle.loads(pickle.dumps(optimizer))
        )
        others = other.param_groups[0]["params"]
    give_gradients(1, params, others)
    optimizer.step()
    other.step()
    assert all(map(torch.equal, params, others))


def test_a_checkpoint_of_an_older_file_goes_on(load):
    Rule = load(to_torch("adam * ld", name="Rule")).Rule
    params, others = parameters(), parameters()
    optimizer, other = Rule(params, betas=(0.8, 0.99), total_steps=9), Rule(others, total_steps=9)
    for step in range(3):
        give_gradients(step, params)
        optimizer.step()
    old = copy.deepcopy(optimizer.state_dict())
    for group in old["param_groups"]:
        group["beta1"], group["beta2"] = group.pop("betas")
        for name in ("foreach", "capturable", "steps"):
            del group[name]
    for state in old["state"].values():
        state["step"] = state["step"].bfloat16()
    other.load_state_dict(old)
    for p, q in zip(params, others, strict=True):
        q.data.copy_(p.data)
    give_gradients(3, params, others)
    optimizer.step()
    other.step()
    assert all(map(torch.equal, params, others))
    assert other.state[others[0]]["step"].dtype == torch.float32


def test_a_capturable_step_reads_nothing_on_the_host(load):
    Rule = load(to_torch("adam * exp(sign(g) * sign(m)) * rd10 + drop(y, 0.1)", name="Rule")).Rule
    # A meta tensor has no numbers: whatever reads one raises.
    params = [torch.nn.Parameter(torch.ones(3, 2, device="meta")) for _ in range(3)]
    for capturable in (True, False):
        optimizer = Rule(params, total_steps=9, weight_decay=0.1, capturable=capturable)
        for p in params:
            p.grad = torch.ones_like(p)
        optimizer.step()
        p.grad = None
        optimizer.step()
        assert optimizer.state[p]["step"].is_meta == capturable
        assert optimizer.param_groups[0]["steps"].is_meta == capturable


def test_sparse_and_complex_gradients_are_refused_before_anything_changes(load):
    Rule = load(to_torch("m", name="Rule")).Rule
    p, table = torch.nn.Parameter(torch.ones(2)), torch.nn.Embedding(3, 2, sparse=True)
    p.grad = torch.ones(2)
    table(torch.tensor([1])).sum().backward()
    turning = torch.nn.Parameter(torch.ones(2, dtype=torch.complex64))
    turning.grad = torch.ones_like(turning)
    for other in (table.weight, turning):
        optimizer = Rule([{"params": [p]}, {"params": [other]}])
        with pytest.raises(RuntimeError, match="Rule works on dense, real gradients alone"):
            optimizer.step()
        assert p.tolist() == [1.0, 1.0]
        assert not optimizer.state


def test_a_learning_rate_that_is_a_tensor_acts_as_the_number(load):
    Rule = load(to_torch("adam", name="Rule")).Rule
    lists = [parameters() for _ in range(2)]
    give_gradients(0, *lists)
    for params, lr in zip(lists, (0.25, torch.tensor(0.25)), strict=True):
        Rule(params, lr=lr, weight_decay=0.5, maximize=True).step()
    for p, q in zip(*lists, strict=True):
        torch.testing.assert_close(p, q)


def test_the_sign_keeps_nan_and_knows_infinity(load):
    module = load(to_torch("sign(g)", name="Rule"))
    x = torch.tensor([torch.nan, torch.inf, -torch.inf, 0.0, 2.0, -1e-30])
    expected = np.array([np.nan, 1.0, -1.0, 0.0, 1.0, -1.0])
    np.testing.assert_array_equal(module._sign(x), expected)


def test_many_small_parameters_are_joined_and_large_ones_are_not(load):
    Rule = load(to_torch("g", name="Rule")).Rule
    sizes = [100] * 5 + [10**5] + [100] * 5
    params = [torch.nn.Parameter(torch.zeros(size)) for size in sizes]
    for p in params:
        p.grad = torch.ones_like(p)
    wanted = {None: [5, 1, 5], True: [5, 1, 5], False: [1] * 11}
    for foreach, counts in wanted.items():
        optimizer = Rule(params, foreach=foreach)
        batches = optimizer._batches(optimizer.param_groups[0])
        assert [len(batch) for batch in batches] == counts
