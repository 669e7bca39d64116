"""Agents for bandits that look at more of a posterior than its mean or a draw.

Letters: K arms; μ the posterior mean of an arm, s its deviation; t the number of the coming pull, from
1; σ the noise of a Gaussian reward; A the best arm, whichever it is; G cells of a grid.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.scipy.special import betainc, ndtr, ndtri, xlogy

from .arm_posteriors import Arms, BetaArms, NormalArms
from .scoring_agent import Memory, Scoring

CELLS = 256  # G
HALVINGS = 20  # of an interval of length 1 in which a quantile lies


def bayes_ucb(c: float, pulls: int) -> Scoring:
    """Takes a quantile of the posterior that rises with time.

      score = the quantile of the posterior at 1 - 1 / (t (ln T)^c)

    Args:
      c: 0 or more; 0 in the paper's experiments, 5 in its proof.
      pulls: T, of the trial.

    Reference: Kaufmann, Cappé, Garivier (2012), "On Bayesian upper confidence bounds for bandit
    problems", AISTATS, algorithm 1.
    """
    return Scoring(_bayes_ucb_scores, jnp.log(jnp.float32(max(pulls, 2))) ** c)


def information_directed() -> Scoring:
    """Pays as little regret as it can for what it learns of which arm is best: IDS.

      π minimises (Σ π_a Δ_a)² / Σ π_a g_a,   Δ_a = E[θ_A - θ_a]

    Bernoulli rewards: g_a = Σ_i P(A = i) kl(E[θ_a | A = i], μ_a), the mutual information of A and a
    reward of arm a. Gaussian rewards: g_a = Σ_i P(A = i) (E[θ_a | A = i] - μ_a)², the paper's
    variance-based variant. Two arms at most have π > 0. Integrals are sums over a grid of 256 cells,
    which is fine enough for some thousand pulls of an arm.

      score = 1 for an arm drawn from π, else 0

    Reference: Russo, Van Roy (2014), "Learning to optimize via information-directed sampling",
    NeurIPS 27, arXiv:1403.5556, algorithms 1 and 2, section 6.3.
    """
    return Scoring(_information_directed_scores)


def knowledge_gradient() -> Scoring:
    """Adds what one more reward of an arm is worth for all pulls that follow.

      score = μ + (pulls left - 1) ν,   ν = σ̃ f(-|μ - max of the other arms' μ| / σ̃)
      σ̃ = s² / √(s² + σ²),   f(z) = φ(z) + z Φ(z)

    ν is by how much the highest posterior mean is expected to rise. Gaussian rewards.

    Reference: Frazier, Powell, Dayanik (2008), "A knowledge-gradient policy for sequential
    information collection", SIAM Journal on Control and Optimization 47; for rewards that count
    Ryzhov, Powell, Frazier (2012), "The knowledge gradient algorithm for a general class of online
    learning problems", Operations Research 60.
    """
    return Scoring(_knowledge_gradient_scores)


def normal_gittins(table: jax.Array, prior_pulls: float, ends: bool) -> Scoring:
    """Takes the arm of the highest Gittins index, from a table for Gaussian arms.

      score = μ + σ b(k, pulls left), or μ + σ b(k) without an end, after k pulls of the arm

    Args:
      table: from `gaussian_gittins`, [T, T + 1] with an end, else [T].
      prior_pulls: (σ / deviation of the arms' means)².
      ends: whether the trial's end is taken into account.

    Reference: Gittins, Glazebrook, Weber (2011), "Multi-armed bandit allocation indices", chapter 8.
    """
    score = _normal_gittins_scores if ends else _endless_normal_gittins_scores
    return Scoring(score, (table, jnp.float32(prior_pulls)))


def _bayes_ucb_scores(of_horizon: jax.Array, key: jax.Array, memory: Memory) -> jax.Array:
    del key
    above = 1 / ((memory.taken + 1) * of_horizon)  # probability mass above the quantile
    return upper_quantile(_own(memory), jnp.minimum(above, 1.0))


def upper_quantile(arms: Arms, above: jax.Array) -> jax.Array:
    """Returns the numbers [K] above which the posteriors have a mass of `above` [], in (0, 1]."""
    if isinstance(arms, NormalArms):
        return arms.mean - ndtri(above) / jnp.sqrt(arms.precision)

    def halve(_: int, bracket: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        low, high = bracket
        middle = (low + high) / 2
        higher = betainc(arms.failures, arms.successes, 1 - middle) > above
        return jnp.where(higher, middle, low), jnp.where(higher, high, middle)

    ends = jnp.zeros_like(arms.mean), jnp.ones_like(arms.mean)
    low, high = jax.lax.fori_loop(0, HALVINGS, halve, ends)
    return (low + high) / 2


def _knowledge_gradient_scores(numbers: tuple[()], key: jax.Array, memory: Memory) -> jax.Array:
    del numbers, key
    arms = memory.arms
    assert isinstance(arms, NormalArms)
    if arms.mean.shape[0] == 1:
        return arms.mean
    others = jnp.where(jnp.eye(arms.mean.shape[0], dtype=bool), -jnp.inf, arms.mean[None])
    gap = jnp.abs(arms.mean - jnp.max(others, axis=1))  # [K]
    learnt = jnp.sqrt(1 / arms.precision - 1 / (arms.precision + arms.noise_precision))
    z = -gap / learnt
    density = jnp.exp(-0.5 * z * z) / jnp.sqrt(2 * jnp.pi)
    return arms.mean + (memory.left - 1) * learnt * (density + z * ndtr(z))


def _normal_gittins_scores(
    numbers: tuple[jax.Array, jax.Array], key: jax.Array, memory: Memory
) -> jax.Array:
    del key
    arms, (table, prior_pulls) = _own(memory), numbers
    return arms.mean + arms.scale * table[_own_pulls(arms, prior_pulls), memory.left]


def _endless_normal_gittins_scores(
    numbers: tuple[jax.Array, jax.Array], key: jax.Array, memory: Memory
) -> jax.Array:
    del key
    arms, (table, prior_pulls) = _own(memory), numbers
    return arms.mean + arms.scale * table[_own_pulls(arms, prior_pulls)]


def _own_pulls(arms: Arms, prior_pulls: jax.Array) -> jax.Array:
    """Returns how often each arm was pulled [K] int32, without the prior's pulls."""
    return jnp.round(arms.pulls - prior_pulls).astype(jnp.int32)


def _own(memory: Memory) -> Arms:
    """Returns a posterior that does not fade, which these agents have."""
    assert isinstance(memory.arms, BetaArms | NormalArms)
    return memory.arms


def _information_directed_scores(numbers: tuple[()], key: jax.Array, memory: Memory) -> jax.Array:
    del numbers
    chances, means, given = best_arm_beliefs(_own(memory))
    regrets = jnp.maximum(chances @ jnp.diag(given) - means, 0.0)
    if isinstance(memory.arms, NormalArms):
        gains = chances @ (given - means[None]) ** 2
    else:
        gains = chances @ _bernoulli_divergence(given, means[None])
    first, second, share = cheapest_pair(regrets, gains)
    arm = jnp.where(jax.random.uniform(key) < share, first, second)
    return jax.nn.one_hot(arm, means.shape[0])


def best_arm_beliefs(arms: Arms) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Returns what a posterior says of which arm is best.

    Returns:
      P(A = i) [K]; E[θ_a], as the grid has it [K]; and E[θ_a | A = i] [K (i), K (a)].
    """
    values, masses = _grid(arms)  # [G] or [K, G], [K, G]
    before = jnp.cumsum(masses, axis=1) - masses / 2  # F in the middle of each cell
    weighted = masses * values
    weighted_before = jnp.cumsum(weighted, axis=1) - weighted / 2  # E[θ; θ <= x]
    tiny = jnp.finfo(jnp.float32).tiny
    log_before = jnp.log(jnp.maximum(before, tiny))
    log_others = jnp.sum(log_before, axis=0, keepdims=True) - log_before
    joint = masses * jnp.exp(log_others)  # [K, G] P(A = i, θ_i in the cell)
    joint = joint / jnp.sum(joint)
    chances = jnp.sum(joint, axis=1)
    below = weighted_before / jnp.maximum(before, tiny)  # E[θ_a | θ_a <= x]
    given = joint @ below.T  # [K (i), K (a)]
    own = jnp.sum(joint * values, axis=1)
    given = jnp.where(jnp.eye(len(own), dtype=bool), own[:, None], given)
    means = jnp.sum(weighted, axis=1)
    known = chances[:, None] > tiny
    return chances, means, jnp.where(known, given / jnp.where(known, chances[:, None], 1), means)


def _grid(arms: Arms) -> tuple[jax.Array, jax.Array]:
    """Returns the middles of cells [1, G], and the mass of each arm's posterior in each [K, G]."""
    if isinstance(arms, NormalArms):
        deviation = 1 / jnp.sqrt(arms.precision)
        low = jnp.min(arms.mean - 5 * deviation)
        high = jnp.max(arms.mean + 5 * deviation)
        edges = low + (high - low) * jnp.linspace(0, 1, CELLS + 1)
        cumulative = ndtr((edges[None] - arms.mean[:, None]) / deviation[:, None])
        return ((edges[1:] + edges[:-1]) / 2)[None], jnp.diff(cumulative, axis=1)
    # Even in arcsin √x, in which posteriors are equally wide everywhere, and finite for a, b >= 1/2.
    angle = (jnp.arange(CELLS) + 0.5) / CELLS * (jnp.pi / 2)
    log_sine, log_cosine = jnp.log(jnp.sin(angle))[None], jnp.log(jnp.cos(angle))[None]
    a, b = arms.successes[:, None], arms.failures[:, None]
    masses = jax.nn.softmax((2 * a - 1) * log_sine + (2 * b - 1) * log_cosine, axis=1)
    return (jnp.sin(angle) ** 2)[None], masses


def _bernoulli_divergence(p: jax.Array, q: jax.Array) -> jax.Array:
    """Returns kl(p, q), p and q in [0, 1], 0 at least."""
    q = jnp.clip(q, 1e-7, 1 - 1e-7)
    return jnp.maximum(xlogy(p, p / q) + xlogy(1 - p, (1 - p) / (1 - q)), 0.0)


def cheapest_pair(regrets: jax.Array, gains: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Returns the two arms, and the share of the first, that minimise regret² / gain.

    For arms i and j the ratio is convex in the share q of i; with Δ' = Δ_i - Δ_j and g' = g_i - g_j it
    is least at q = Δ_j / Δ' - 2 g_j / g', or at an end.

    Args:
      regrets: Δ [K], at least 0.
      gains: g [K], at least 0.

    Returns:
      i [] int32, j [] int32, q [].
    """
    arms = regrets.shape[0]
    i, j = (x.ravel() for x in jnp.meshgrid(jnp.arange(arms), jnp.arange(arms), indexing="ij"))
    slope, of_gain = regrets[i] - regrets[j], gains[i] - gains[j]

    def ratio(share: jax.Array) -> jax.Array:
        regret, gain = regrets[j] + share * slope, gains[j] + share * of_gain
        return regret**2 / jnp.maximum(gain, 1e-12)

    def over(x: jax.Array, y: jax.Array) -> jax.Array:
        return x / jnp.where(y == 0, 1.0, y)

    inside = jnp.clip(over(regrets[j], slope) - 2 * over(gains[j], of_gain), 0, 1)
    shares = jnp.stack([jnp.zeros_like(inside), inside, jnp.ones_like(inside)])  # [3, K²]
    ratios = jax.vmap(ratio)(shares)
    best = jnp.argmin(ratios)
    pair = best % (arms * arms)
    return i[pair], j[pair], shares.ravel()[best]
