"""config: the settings of a search, as frozen dataclasses; nothing here imports jax.

Every field is a flag of the command line; the text under a field is its help. A preset is a set of defaults: `laptop`
suits two cores and minutes, `demo` is what `make demo` runs, `paper` holds the settings of Bello et al. (2017), `smoke`
ends within a minute and shows only that everything works.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from metarl.errors import require
from metarl.reading import (
    Bounds,
    Budget,
    Cosine,
    Count,
    CountOrNone,
    Fraction,
    Horizon,
    NotNegative,
    PairedSeeds,
    Positive,
    Real,
    Seed,
    Seeds,
    Steps,
    check_fields,
)
from metarl.reading import from_dict as from_dict

from .compare_config import Schedule, check_schedules

Preset = Literal["laptop", "demo", "paper", "smoke"]
Reward = Literal["loss", "accuracy"]
First = Literal["random", "simplest"]
FunnelOrder = Literal["alone", "mean", "worst"]

MOST_SPREAD = 1000.0
MOST_WIDTH = 16.0
MULTIPLES = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0, 1000.0)  # of tuned Adam's learning rate


@dataclass(frozen=True)
class ControllerConfig:
    """The recurrent controller and how it learns, in every strategy that has one."""

    hidden: Count = 64
    """Units of the LSTM."""
    embedding: Count = 16
    """Size of the embedding of the controller's own previous choice."""
    init_scale: Positive = 0.08
    """Parameters start uniform in [-scale, scale]."""
    learning_rate: Positive = 2e-3
    """Of Adam; trpo takes it for the value alone."""
    entropy_weight: NotNegative = 0.03
    """Weight of the entropy bonus, in nats a token."""
    clip_ratio: Positive = 0.2
    """Of ppo: the probability ratio is clipped to 1 -+ this."""
    epochs: Count = 4
    """Passes over what is learnt from; reinforce and trpo take one."""
    kl_bound: Positive = 0.02
    """Of trpo: bound on the mean KL divergence of one update, in nats a token."""


@dataclass(frozen=True)
class EvolutionConfig:
    """Regularised evolution (Real et al. 2019): the oldest die, the best of a sample breeds."""

    population: Annotated[int, Bounds(least=2)] = 64
    """Rules alive."""
    sample: Count = 16
    """Rules drawn for each tournament; the best of them is mutated."""
    init_from: str | None = None
    """A rule (name or text) whose mutations fill the first population."""
    first: First = "simplest"
    """What fills the first population otherwise: random rules, or the simplest functions of the space, each once."""


@dataclass(frozen=True)
class RiskSeekingConfig:
    """Risk-seeking policy gradient (Petersen et al. 2021): learn from the best of a generation alone."""

    fraction: Annotated[float, Bounds(above=0, most=1)] = 0.2
    """Share of a generation that is learnt from."""


@dataclass(frozen=True)
class PriorityQueueConfig:
    """Priority queue training (Abolafia et al. 2018): the controller imitates the best rules so far."""

    size: Count = 10
    """Rules in the queue."""


@dataclass(frozen=True)
class GuidedEvolutionConfig:
    """Neural-guided evolution (Mundhenk et al. 2021): the controller seeds evolution, which trains the controller."""

    generations: Count = 3
    """Generations of evolution after each of the controller."""
    population: Annotated[int, Bounds(least=2)] = 64
    """Rules alive."""
    sample: Count = 5
    """Rules drawn for each tournament."""
    crossover: Fraction = 0.5
    """Share of children with two parents; the others are mutations of one."""
    elite: Count = 16
    """Children that train the controller, beside its own rules."""
    fraction: Annotated[float, Bounds(above=0, most=1)] = 0.2
    """Share of the two together that is learnt from."""


@dataclass(frozen=True)
class GoExploreConfig:
    """Go-Explore (Ecoffet et al. 2021): return to a promising kind of behaviour, and explore from there."""

    cells: Count = 1024
    """Cells of behaviour in the archive; each keeps its best rule."""
    sample: Count = 8
    """Cells drawn for each return, little visited ones more often; the one with the best rule is taken."""
    mutations: Annotated[float, Bounds(least=1)] = 1.5
    """Mean number of mutations of an exploration."""


@dataclass(frozen=True)
class BayesianConfig:
    """Bayesian optimisation: a Gaussian process over what rules do on the probes foresees what they are worth."""

    first: First = "random"
    """What is proposed before the process knows anything: random rules, or the simplest functions, each once."""
    start: Annotated[int, Bounds(least=2)] = 32
    """Rules that it is told first."""
    candidates: Count = 16
    """Candidates for each rule that is proposed, before the filters."""
    random: Fraction = 0.25
    """Share of candidates that are random rules; the others are children of good ones."""
    sample: Count = 16
    """Rules drawn for each tournament of parents."""
    crossover: Fraction = 0.25
    """Share of children with two parents."""
    mutations: Annotated[float, Bounds(least=1)] = 1.5
    """Mean number of mutations of a child."""
    spread: NotNegative = 0.5
    """Times the deviations from the mean in the worlds drawn: 1 is Thompson sampling, 0 proposes the best means."""
    fitted: Annotated[int, Bounds(least=2)] = 256
    """Rules to which lengths and noise of the process are fitted, drawn from those remembered."""
    memory: Annotated[int, Bounds(least=2)] = 1024
    """Rules remembered, the last ones."""


@dataclass(frozen=True)
class TreeSearchConfig:
    """Monte Carlo tree search over prefixes of rules, the maximum backed up (strategy mcts)."""

    exploration: NotNegative = 0.3
    """Weight c of the bonus for tokens that were seldom tried; the best rule is worth 1, the worst 0."""
    widening: Positive = 1.0
    """A node visited n times has at most about this times the square root of n children."""
    jumps: Fraction = 0.2
    """Share of proposals that are mutations and crossings of good rules."""
    sample: Count = 16
    """Rules drawn for each tournament of a jump."""
    memory: Annotated[int, Bounds(least=2)] = 16384
    """Rules remembered."""


@dataclass(frozen=True)
class PreferenceConfig:
    """Direct preference optimisation (Rafailov et al. 2023) of the controller, on pairs of rules (strategy dpo)."""

    beta: Positive = 0.1
    """How dearly the controller pays for leaving the reference."""
    renewal: Count = 4
    """Generations after which the reference is the controller as it is then."""
    pairs: Count = 64
    """Pairs of rules in a gradient step."""
    sample: Count = 4
    """Rules of which the best is the better one of a pair; the other is any rule."""
    steps: Count = 8
    """Gradient steps a generation."""
    memory: Annotated[int, Bounds(least=2)] = 1024
    """Rules remembered, the last ones."""


@dataclass(frozen=True)
class JudgeModelConfig:
    """The ensemble of small networks that guesses what a rule is worth (strategies rlhf and imagination)."""

    members: Count = 4
    """Networks."""
    hidden: Count = 64
    """Units of each of their two hidden layers."""
    learning_rate: Positive = 3e-3
    """Of Adam."""
    steps: Count = 24
    """Gradient steps a generation."""
    batch: Annotated[int, Bounds(least=2)] = 128
    """Rules in a step of each network; half as many pairs."""
    memory: Annotated[int, Bounds(least=2)] = 1024
    """Rules that it is fitted to, the last ones."""


@dataclass(frozen=True)
class DreamConfig:
    """How the controller improves in a model of the judge (strategies rlhf and imagination)."""

    dreams: Count = 2
    """Times a generation that the controller writes rules that nobody trains, and learns from their scores."""
    rules: Annotated[int, Bounds(least=2)] = 128
    """Rules of a dream."""
    beta: NotNegative = 0.03
    """Price of a nat of distance to the controller before the dreams, in deviations of the scores."""


@dataclass(frozen=True)
class RewardModelConfig:
    """Learning from comparisons (Christiano et al. 2017): a reward model, and PPO in it (strategy rlhf)."""

    sample: Count = 2
    """Rules of which the best is the better one of a pair; the other is any rule."""


@dataclass(frozen=True)
class ImaginationConfig:
    """A world model of the judge: rules are written and improved in it before any is trained."""

    candidates: Count = 4
    """Rules written for each that is proposed."""
    curiosity: Fraction = 0.25
    """Share of proposals about which the model is most uncertain; the others are the most promising."""


@dataclass(frozen=True)
class DecisionTransformerConfig:
    """Decision transformer (Chen et al. 2021): a causal transformer that is asked for rules with a high return."""

    asked: Positive = 1.1
    """The return it is asked for: 1 is that of the best rule so far, 0 that of the worst."""
    steps: Count = 16
    """Gradient steps a generation."""
    batch: Count = 64
    """Rules in a gradient step."""
    memory: Annotated[int, Bounds(least=2)] = 4096
    """Rules that it is shown, the last ones."""


@dataclass(frozen=True)
class TrajectoryTransformerConfig:
    """Trajectory transformer (Janner et al. 2021): beam search by value in a model of tokens and returns."""

    beams: Count = 4
    """Lines that a search goes on with; every rule has a search of its own."""
    expand: Count = 4
    """Tokens that each line is continued by, drawn from the model, no two alike."""
    likelihood: NotNegative = 0.03
    """Worth of a nat of log-probability beside a return that is drawn, which is 1 for the best rule so far, 0 for the
    worst."""
    bins: Annotated[int, Bounds(least=2)] = 16
    """Returns that are told apart."""
    steps: Count = 16
    """Gradient steps a generation."""
    batch: Count = 64
    """Rules in a gradient step."""
    memory: Annotated[int, Bounds(least=2)] = 4096
    """Rules that it is shown, the last ones."""


@dataclass(frozen=True)
class AlphaZeroConfig:
    """The controller as prior and value of a tree search that it learns from (strategy alphazero)."""

    simulations: Count = 16
    """Nodes of the tree that is grown before every token."""
    steps: Count = 16
    """Gradient steps a generation."""
    batch: Count = 64
    """Rules in a gradient step."""
    memory: Annotated[int, Bounds(least=2)] = 1024
    """Rules that it learns from, the last ones."""


@dataclass(frozen=True)
class FilterConfig:
    """Cheap hurdles a rule must pass before it is trained, on fixed random probes."""

    min_cosine: Cosine = 0.1
    """Least mean cosine between update and gradient; -1 turns the hurdle off."""
    min_oddness: Cosine = 0.5
    """Least cosine between u(-s) and -u(s), s the state with all signs flipped; -1 turns the hurdle off."""
    both_signs: bool = True
    """Whether the update must take both signs."""
    oddness_penalty: NotNegative = 0.0
    """Times 1 minus the cosine of --filters.min-oddness, taken off the reward of a rule that passes."""
    max_size: Count | None = None
    """The most nodes of a rule's canonical form, as `metarl enumerate` counts them; no bound if not given."""


@dataclass(frozen=True)
class TrainingConfig:
    """How a candidate rule is judged by training real networks."""

    steps: Steps | None = None
    """Optimizer steps of a full run; each problem's own default if not given."""
    horizons: tuple[Horizon, ...] = (1.0,)
    """Multiples of these steps; a rule is trained at each, at learning rates of its own, and rewards are averaged."""
    hurdle: Real | None = None
    """A rule with no more than this reward at the shorter horizons keeps it, and is not trained at the longer ones."""
    judge_cap: Positive | None = None
    """The most that one problem at one horizon may earn a rule: a triumph on one does not pay for the others."""
    sweep_fraction: Annotated[float, Bounds(above=0, most=1)] = 0.5
    """Length of the learning-rate sweep as a share of the full run; with racing it is a quarter, whatever this says."""
    learning_rates: tuple[Positive, ...] = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
    """Learning rates tried for every rule."""
    one_rate: bool = False
    """Judge a rule, in the choice too, at one multiple of tuned Adam's rate for all problems and horizons, the best."""
    multiples: tuple[Positive, ...] = MULTIPLES
    """Multiples tried for every rule with --training.one-rate, in place of learning rates."""
    refine: bool = True
    """Sweep the half-decades beside the best learning rate too, as racing always does, and run the two best in full."""
    seeds: Seeds = 4
    """Full runs at the best learning rate, each with its own start and its own split of the data."""
    give_up: Positive = 1.0
    """A rule whose best sweep ends above this multiple of the starting loss is not trained further; 1e9: all are."""
    random_horizon: Annotated[float, Bounds(least=1, most=MOST_SPREAD)] = 1.0
    """Each replicate runs for a number of steps of its own, drawn up to this factor below or above; 1: all alike."""
    random_scale: Annotated[float, Bounds(least=1, most=MOST_SPREAD)] = 1.0
    """Each replicate starts from parameters times a number of its own, drawn up to this factor below or above 1."""
    random_batch: Annotated[float, Bounds(least=1, most=MOST_SPREAD)] = 1.0
    """Each replicate has batches of a size of its own, one of a few up to this factor below or above the problem's."""
    random_width: Annotated[float, Bounds(least=1, most=MOST_WIDTH)] = 1.0
    """Each replicate is trained at one of three widths of hidden layers: the problem's, this factor below, or above."""
    schedule: Schedule = "constant"
    """What becomes of every learning rate in the course of a run, short ones too, and of Adam's beside it."""


@dataclass(frozen=True)
class FinalistConfig:
    """How the best rules are chosen, tuned and reported."""

    candidates: Count = 64
    """Rules of the archive that are re-tuned on choice data, on few seeds; the better ones go on to more."""
    choice_seeds: Seeds = 48
    """Fresh seeds that report what the last eighth of them is worth; a sixth of these is a portion of the ranking's."""
    funnel: tuple[str, ...] = ()
    """Further problems, larger ones or merely others, that rank the best of the choice again; without any there is no
    such stage."""
    funnel_horizons: tuple[Horizon, ...] = (1.0,)
    """Multiples of the further problems' steps; each is a judge of its own."""
    funnel_rules: Count = 12
    """Rules that reach the further problems."""
    funnel_seeds: Seeds = 12
    """Fresh seeds of the ranking on further problems."""
    funnel_order: FunnelOrder = "alone"
    """What orders rules there: alone: the mean score on the further problems; mean: that on them and on those searched,
    each counted once; worst: the lowest of these scores."""
    simplify: NotNegative | None = None
    """Drop what a finalist does not need: parts that, by a 95 % interval, cost at most this much score (try 0.02)."""
    meta_overfitting: tuple[str, ...] = ()
    """Problems, best held-out ones, on whose choice data the search's best rule so far is judged as it went."""
    tuning_seeds: Seeds = 5
    """Seeds at each learning rate of the comparison's grid."""
    report_seeds: PairedSeeds | None = None
    """Fresh paired seeds of the report; 60 if not given, 10 on costly problems (CIFAR-10)."""
    held_out: tuple[str, ...] = ("phase-retrieval", "python-docs-chapters", "digits-neighbours")
    """Problems the search never saw; by default the three whose runs cost least, of families nobody searches on."""
    references: tuple[str, ...] = ("classic",)
    """Standard optimizers beside Adam that finalists are compared with: by name, or classic or all."""
    schedules: tuple[Schedule, ...] = ()
    """Learning-rate schedules of that comparison, see `metarl compare --help`; that of the training if not given."""
    random_baseline: bool = True
    """Run random search at the same number of trained rules beside the strategy."""


@dataclass(frozen=True)
class SearchConfig:
    """A search for update rules."""

    problem: tuple[str, ...] = ("digits-mlp",)
    """Problems a rule is judged on, jointly; names (see `metarl list problems`) or my_module:factory."""
    strategy: str = "evolution"
    """How rules are proposed: see `metarl list strategies`; or my_module:factory."""
    space: str = "arxiv"
    """Primitives that rules may use (see `metarl list primitives`)."""
    depth: Annotated[int, Bounds(least=1, most=4)] = 2
    """Groups of a rule, 1 to 4; five tokens each."""
    different_operands: bool = False
    """The paper's constraint: left and right operand differ."""
    no_final_addition: bool = False
    """The paper's constraint: the last binary function is no addition."""
    reuse_values: bool = False
    """The paper's constraint: a later group uses an earlier group's value."""
    normalised: bool = False
    """Divide every rule's update by its root mean square in each tensor; such a rule is written rms(...)."""
    budget: Budget | None = None
    """Distinct rules to train. 2,000 if neither this nor --minutes is given."""
    minutes: Positive | None = None
    """Search for so many minutes, compiling not counted; the budget that repeats the run is stored."""
    batch_size: Annotated[int, Bounds(least=1, most=100_000)] = 64
    """Rules proposed in a generation."""
    table: str | None = None
    """Look losses up in this rule table instead of training; the same as --evaluator table:NAME."""
    lag: CountOrNone = 0
    """Generations in flight besides the one being finished: keeps many workers busy; part of what the search finds."""
    racing: bool = False
    """--racing: most rules of a generation are stopped after short runs, the best sixth of it is run in full;
    --no-racing: every rule is run in full, as always with --reward accuracy, and on tables unless --racing is said."""
    reward: Reward = "loss"
    """loss: minus the log of the loss relative to tuned Adam's; accuracy: the metric, as in the paper."""
    finalists: Count = 5
    """Rules that enter the comparison."""
    init_from: str | None = None
    """An earlier run of the same strategy and grammar: what it learnt, and its archive if it judged alike, go over."""
    seed: Seed = 0
    """Of everything random."""
    controller: ControllerConfig = field(default_factory=ControllerConfig)
    """The controller."""
    evolution: EvolutionConfig = field(default_factory=EvolutionConfig)
    """Regularised evolution."""
    risk_seeking: RiskSeekingConfig = field(default_factory=RiskSeekingConfig)
    """Risk-seeking policy gradient."""
    priority_queue: PriorityQueueConfig = field(default_factory=PriorityQueueConfig)
    """Priority queue training."""
    guided_evolution: GuidedEvolutionConfig = field(default_factory=GuidedEvolutionConfig)
    """Neural-guided evolution."""
    go_explore: GoExploreConfig = field(default_factory=GoExploreConfig)
    """Go-Explore."""
    bayesian: BayesianConfig = field(default_factory=BayesianConfig)
    """Bayesian optimisation."""
    mcts: TreeSearchConfig = field(default_factory=TreeSearchConfig)
    """Monte Carlo tree search."""
    dpo: PreferenceConfig = field(default_factory=PreferenceConfig)
    """Direct preference optimisation."""
    rlhf: RewardModelConfig = field(default_factory=RewardModelConfig)
    """Learning from comparisons."""
    imagination: ImaginationConfig = field(default_factory=ImaginationConfig)
    """Imagination."""
    judge_model: JudgeModelConfig = field(default_factory=JudgeModelConfig)
    """The model of the judge."""
    dream: DreamConfig = field(default_factory=DreamConfig)
    """Dreams."""
    decision_transformer: DecisionTransformerConfig = field(
        default_factory=DecisionTransformerConfig
    )
    """Decision transformer."""
    trajectory_transformer: TrajectoryTransformerConfig = field(
        default_factory=TrajectoryTransformerConfig
    )
    """Trajectory transformer."""
    alphazero: AlphaZeroConfig = field(default_factory=AlphaZeroConfig)
    """AlphaZero."""
    filters: FilterConfig = field(default_factory=FilterConfig)
    """Hurdles before training."""
    training: TrainingConfig = field(default_factory=TrainingConfig)
    """Inner training."""
    final: FinalistConfig = field(default_factory=FinalistConfig)
    """Choice and comparison."""

    def validate(self) -> SearchConfig:
        """Returns self if every number makes sense; names are checked where they are looked up.

        Raises:
          InvalidInput: says which field, what it is and what it may be.
        """
        require(
            len(self.problem) > 0,
            "A search needs at least one problem; see `metarl list problems`.",
        )
        check_schedules((self.training.schedule, *self.final.schedules))
        check_fields(self, within=True)
        require(
            self.budget is None or self.minutes is None,
            "Give either a budget or minutes, not both.",
        )
        require(
            len(self.training.learning_rates) > 0,
            "training.learning_rates must be positive numbers, not ().",
        )
        require(
            not self.racing or self.reward == "loss",
            "--racing compares losses; it goes with --reward loss, not with accuracy.",
        )
        require(
            not self.normalised or self.table is None,
            "--normalised: a table holds rules as they are, not normalised; leave --evaluator table:NAME out, so that "
            "rules are trained.",
        )
        require(
            self.bayesian.start <= self.bayesian.memory,
            f"bayesian.start is {self.bayesian.start} and bayesian.memory {self.bayesian.memory}: that many are never "
            "remembered, and nothing would be learnt; choose a start of at most the memory.",
        )
        self._validate_funnel()
        self._validate_one_rate()
        self._validate_spreads()
        _validate_horizons("training.horizons", self.training.horizons)
        _validate_horizons("final.funnel_horizons", self.final.funnel_horizons)
        return self

    def _validate_funnel(self) -> None:
        final = self.final
        require(
            final.funnel_order == "alone" or len(final.funnel) > 0,
            f"--final.funnel-order {final.funnel_order} orders rules by problems of --final.funnel beside those "
            "searched, and there are none; name some, or leave it out.",
        )
        require(
            final.funnel_order != "worst" or self.reward == "loss",
            "--final.funnel-order worst compares scores of different problems, which only losses over Adam's allow; it "
            "goes with --reward loss, not with accuracy.",
        )

    def _validate_spreads(self) -> None:
        training = self.training
        names = ("horizon", "scale", "batch", "width")
        drawn = [name for name in names if getattr(training, f"random_{name}") != 1.0]
        require(
            not drawn or self.table is None,
            f"--training.random-{' and --training.random-'.join(drawn)}: a table holds runs of equal length from the "
            "usual starts, on batches and by networks of the usual size; leave --evaluator table:NAME out, so that "
            "rules are trained.",
        )

    def _validate_one_rate(self) -> None:
        training = self.training
        if not training.one_rate:
            require(
                training.multiples == MULTIPLES,
                "--training.multiples are tried with --training.one-rate alone; add it, or name "
                "--training.learning-rates.",
            )
            return
        require(
            len(training.multiples) > 0 and len(set(training.multiples)) == len(training.multiples),
            f"training.multiples must be one or more different positive numbers, not {training.multiples}.",
        )
        goes_with = {
            "multiples are of the rate of tuned Adam, whose loss they are measured against; it goes with --reward "
            "loss, not with accuracy": self.reward == "loss",
            "all horizons together decide on a multiple; leave --training.hurdle out, by which the shorter ones alone "
            "decide who goes on": training.hurdle is None,
            "simplification tunes every rule on every problem; leave --final.simplify out": self.final.simplify
            is None,
            "a table holds rules at learning rates, not at multiples of Adam's; leave --evaluator table:NAME out, so "
            "that rules are trained": self.table is None,
        }
        for why, fits in goes_with.items():
            require(fits, f"--training.one-rate: {why}.")


def preset(name: Preset) -> SearchConfig:
    """Returns the search settings of a preset.

    Raises:
      KeyError: no such preset.
    """
    return _PRESETS[name]


def to_dict(config: Any) -> dict[str, Any]:
    """Returns a configuration as plain JSON values."""
    return dataclasses.asdict(config)


def check_one_size(filters: FilterConfig) -> None:
    """Refuses a bound on sizes among filters where the functions themselves end at a size.

    Raises:
      InvalidInput: there is one.
    """
    require(
        filters.max_size is None,
        f"--filters.max-size {filters.max_size} is a filter of searches; where functions of a space are listed or "
        f"trained, --max-size {filters.max_size} says at which size they end.",
    )


def _validate_horizons(name: str, horizons: tuple[float, ...]) -> None:
    require(
        len(horizons) > 0,
        f"{name} must be positive multiples of the steps, such as 1 4, not {horizons}.",
    )
    require(len(set(horizons)) == len(horizons), f"{name} holds a horizon twice: {horizons}.")


_PRESETS: dict[str, SearchConfig] = {
    "laptop": SearchConfig(racing=True),
    "demo": SearchConfig(
        space="modern",
        budget=600,
        racing=True,
        finalists=3,
        training=TrainingConfig(schedule="cosine"),
        final=FinalistConfig(
            candidates=32,
            report_seeds=40,
            references=(
                *("nesterov", "nadam", "adamw", "momentum", "muon"),
                *("powersign", "addsign"),
            ),
        ),
    ),
    "paper": SearchConfig(
        problem=("cifar10-conv",),
        strategy="ppo",
        reward="accuracy",
        budget=14_000,
        batch_size=5,
        controller=ControllerConfig(hidden=150, learning_rate=1e-5, entropy_weight=0.0015),
        filters=FilterConfig(min_cosine=-1.0, min_oddness=-1.0, both_signs=False),
        training=TrainingConfig(sweep_fraction=0.2, refine=False, seeds=1),
    ),
    "smoke": SearchConfig(
        budget=48,
        batch_size=16,
        racing=True,
        finalists=2,
        training=TrainingConfig(steps=20, seeds=2),
        final=FinalistConfig(
            candidates=4,
            choice_seeds=4,
            tuning_seeds=2,
            report_seeds=4,
            held_out=("phase-retrieval",),
        ),
    ),
}
