"""Named rules as optax transforms: powersign, addsign, found rules.

    from metarl import optimizers
    optimizer = optimizers.powersign(learning_rate=0.1, decay="ld", total_steps=1000)

PowerSign and AddSign with any base and decay, the rules of the paper's table under their own names, the rules that
searches of metarl found, every named rule through `named`, and the paper's schedules of the learning rate; and of the
optimizers that rules are compared with those that optax lacks: SOAP, MARS and cautious updates. All are used as
`optax.adam` is. `by_name` takes the name of any of them, or a rule's text.

Inside `optax.inject_hyperparams` they work as optax's own do, with one difference. Where all parameters are bfloat16 it
rounds hyperparameters to bfloat16, in which b2 = 0.999 is 1, and `optax.adam` gives NaN; here the largest number below
1, 0.996, takes its place. `hyperparam_dtype=jax.numpy.float32` keeps 0.999.

Letters: g gradient, m, v, y moving averages of g, g², g³, corrected for their start at zero, w parameters, t steps
taken before this one, T steps of the whole run (`total_steps`), f(t) a decay from 1 to 0.

References: Bello, Zoph, Vasudevan, Le, "Neural Optimizer Search with Reinforcement Learning", ICML 2017, and
arXiv:1709.07417 for the decays and the schedules.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
