"""One recurrent controller, trained by reinforcement learning: it writes update rules, or learns to learn.

In the first job it proposes optimizers as formulas, and what they are worth beside tuned Adam is its reward; in the
second it is itself the learner, and its hidden state learns a bandit, an MDP or a maze that it has never seen.

    optimizer_search  The first job: search for update rules that train networks well.
    rl_squared        The second job: a recurrent agent that learns to learn, RL², trained, evaluated and kept.
    optimizers        Named rules as optax transforms: powersign, addsign, found rules.
    update_rules      The rule language: primitives, parser, grammar, interpreter, optax compiler, exporters.
    problems          What an optimizer trains: digits, text, tabular data, quadratics, landscapes.
    controller        The recurrent controller: cores from GRU to transformer, policy and value heads, in haiku.
    policy_gradient   Outer-loop algorithms over a Policy and a Batch: REINFORCE, PPO, TRPO; returns; losses.
    environments      What an agent acts in: bandits, tabular MDPs, grids, mazes, control; task distributions; trials.
    classical_agents  Hand-made reference agents, each with its paper: Gittins, UCB1, Thompson, PSRL, UCRL2 ...
    rl_baselines      Learners from scratch: DQN, Q-learning, REINFORCE, PPO, TRPO, MuZero, IRIS, in each task anew.
    statistics        Numbers in, numbers out: intervals, aggregates, paired comparisons.
    runs              A run on disk: directory, provenance, metric log, checkpoints, the loop that drives a job.
    reporting         Rows in, files out: tables, figures, HTML (the only importer of matplotlib).
    cli               The command line: one verb a file.
    reading           Files in, values out: JSON, settings and arrays from anywhere, within bounds.
    user_code         A user's own problem, strategy or optimizer, named as my_module:factory.
    errors            Errors a user can cause: one class, one wording.

Every name is imported when it is first used, so `import metarl` is quick.
"""

import lazy_loader as _lazy

from metarl.environments import register_with_gymnasium as _register_with_gymnasium

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)

_register_with_gymnasium()  # at once, or when gymnasium is imported; it imports nothing heavy
