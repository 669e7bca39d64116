"""The first job: search for update rules that train networks well.

A strategy proposes rules of a grammar; cheap filters drop the hopeless; evaluators train real networks with
the rest, at several learning rates, through one compiled interpreter; the best are tuned against standard
optimizers and reported.

Its wings, in the order of the data's flow; each looks only at those above it:

    settings      The settings of a search and of a comparison, as frozen dataclasses; nothing here imports jax.
    training      One network, one optimizer, a number of steps; and the seeds they are drawn from.
    screening     Filters, cheap tests that a rule passes before it is trained: what it does to random probes.
    judging       What a rule is worth: the compiled program, its judges, their rewards, and who runs it.
    journal       Every verdict on disk, under the hash of all that it depends on.
    workers       Judging on the workers of a Ray cluster, to the same bits.
    writing       What strategies propose with: the controller as a writer, breeding, memories, models of the judge.
    strategies    How rules are proposed, behind one ask / tell contract.
    searching     One generation after another: ask, sort (filter, drop repeats), train, reward, remember, tell.
    tables        Small spaces trained to their end: every rule by every judge, so that a search takes a second.
    selecting     From the many rules of a search to the few that are claimed.
    comparing     Equal tuning for everybody, fresh seeds, and what the differences amount to.
    reports       Documents, tables, charts and pages of what was run.
    running       From settings to a result on disk: a search, a comparison; what they will cost.
    measuring     How fast a search is, and which strategy finds what: searches replayed on tables of rules.
    reproduction  The paper's figures and tables, each a function of settings that lie in `experiments/`.

Reference:
  Bello, Zoph, Vasudevan, Le (2017), Neural Optimizer Search with Reinforcement Learning, arXiv:1709.07417.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
