#!/usr/bin/env bash
# pytorch-optimizer 4.1.0: with `cautious=True` a parameter of one number moves at half its rate for ever, and one of three at three quarters.
#
# Guess, before looking: `cautious=True` is the mask of Liang et al. (2024, arXiv:2411.16085), rescaled as in their code by one over the share of
# coordinates that agree with the gradient; where all agree the step is that without caution, whatever the number of coordinates.
# Seen (pytorch-optimizer 4.1.0, torch 2.13.0, Python 3.11; a constant gradient, so that every coordinate agrees at every step): Lion with
# caution moves a parameter of n numbers by n / (n + 1) of what Lion moves it: 0.50 for one number, 0.75 for three, 0.99 for a hundred.
# It divides by one more than the number of coordinates that agree, which keeps an empty mask from dividing by nothing.
# Who meets it: models with scalar parameters (temperatures, gates, scales of a layer), which learn at half the rate that was set.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip --quiet --disable-pip-version-check install "pytorch-optimizer==4.1.0" "torch==2.13.0" "numpy==2.4.6"
"$place/venv/bin/python" - <<'PY'
from importlib.metadata import version

import torch
from pytorch_optimizer import Lion


def moved(size, cautious, steps=20):
    parameter = torch.nn.Parameter(torch.zeros(size))
    optimizer = Lion([parameter], lr=0.01, weight_decay=0.0, cautious=cautious)
    for _ in range(steps):
        parameter.grad = torch.ones(size)
        optimizer.step()
    return -float(parameter.detach().mean())


shares = {size: moved(size, True) / moved(size, False) for size in (1, 3, 100)}
print("pytorch-optimizer", version("pytorch-optimizer"), "| moved with caution over without, by size:", shares)
for size, share in shares.items():
    assert abs(share - size / (size + 1)) < 1e-4, shares
print("as described")
PY
