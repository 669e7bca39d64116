"""The rows of agents for tasks of psychology."""

from __future__ import annotations

from .harlow_agents import harlow_oracle, win_stay_lose_shift
from .row import Row, Setting
from .two_step_agents import model_based, model_free, two_step_reasoner

_AKAM = "Akam et al. (2015), PLoS Computational Biology 11"
_RATES = {
    "learning_rate": Setting(0.5, "α, how far a value moves towards a reward", 0, 1),
    "inverse_temperature": Setting(10.0, "β, of the probabilities of actions ∝ exp(β Q)", 0),
}
_GRID = {
    "matched": {
        "learning_rate": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8),
        "inverse_temperature": (2.0, 5.0, 10.0, 20.0),
    }
}

COGNITION_ROWS: tuple[Row, ...] = (
    Row(
        name="oracle",
        world="two-step",
        caption="knows all probabilities, and believes by Bayes' rule which state is better",
        formula="argmaxₐ Σ P(s | a) P(s is better | rewards so far)",
        paper="",
        build=lambda values, trial: two_step_reasoner(),
    ),
    Row(
        name="model-based",
        world="two-step",
        caption="learns what each state brings and where actions lead, and plans",
        formula="Q(a) = Σ P̂(s | a) V(s), V(s) += α (r - V(s))",
        paper=_AKAM,
        build=lambda values, trial: model_based(**values),  # pyright: ignore[reportArgumentType]
        settings=_RATES,
        grids=_GRID,
    ),
    Row(
        name="model-free",
        world="two-step",
        caption="learns what each action brings, wherever it led",
        formula="Q(a) += α (r - Q(a))",
        paper=_AKAM,
        build=lambda values, trial: model_free(**values),  # pyright: ignore[reportArgumentType]
        settings=_RATES,
        grids=_GRID,
    ),
    Row(
        name="oracle",
        world="harlow",
        caption="knows which object pays",
        formula="the side on which it stands",
        paper="",
        build=lambda values, trial: harlow_oracle(),
    ),
    Row(
        name="win-stay-lose-shift",
        world="harlow",
        caption="takes the same object again if it paid, else the other one",
        formula="what paid; what did not pay never again; any at first",
        paper="Harlow (1949), Psychological Review 56",
        build=lambda values, trial: win_stay_lose_shift(),
    ),
)
