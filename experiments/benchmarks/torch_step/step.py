"""A step of exported torch optimizers beside torch's AdamW, on a CPU.

    python step.py [--rounds 80] > step.json

150 parameters of one shape, gradients given. All optimizers take their steps in turns within one process, with
`foreach` on, and one of them also with `foreach` off. A time is the processor's, on one thread, and the shortest of
the rounds, which other work on the machine disturbs least. Needs `pip install 'metarl[torch]'`.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from metarl.update_rules import to_torch

TENSORS = 150
SHAPES = ((8,), (1000,), (32, 32), (64, 64), (256, 256))
RULES = ("powersign", "adam-powersign", "adam-step-back")
PEER = "torch.optim.AdamW, foreach"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=80)
    given = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        classes = {rule: exported(rule, Path(folder)) for rule in RULES}
    shapes = {
        " x ".join(map(str, shape)): measured(shape, classes, given.rounds) for shape in SHAPES
    }
    document = {**vars(given), "tensors": TENSORS, "torch": torch.__version__, "shapes": shapes}
    print(json.dumps(document, indent=1))


def exported(rule: str, folder: Path) -> Callable[..., torch.optim.Optimizer]:
    """Returns the class in the file that `metarl export RULE --to torch` writes."""
    path = folder / f"{rule.replace('-', '_')}.py"
    path.write_text(to_torch(rule, name="rule"), encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Rule


def measured(shape: tuple[int, ...], classes: dict[str, Any], rounds: int) -> dict[str, Any]:
    """Returns milliseconds of a step, and how many times the peer's they are."""
    optimizers: dict[str, torch.optim.Optimizer] = {
        PEER: torch.optim.AdamW(parameters(shape), lr=1e-4, foreach=True)
    }
    for rule, make in classes.items():
        optimizers[f"{rule}, foreach"] = make(parameters(shape), lr=1e-4, foreach=True)
    last = RULES[-1]
    optimizers[f"{last}, one by one"] = classes[last](parameters(shape), lr=1e-4, foreach=False)
    seconds = dict.fromkeys(optimizers, float("inf"))
    for _ in range(rounds):
        for name, optimizer in optimizers.items():
            began = time.process_time()
            optimizer.step()
            seconds[name] = min(seconds[name], time.process_time() - began)
    return {
        name: {"milliseconds": round(1e3 * value, 2), "ratio": round(value / seconds[PEER], 2)}
        for name, value in seconds.items()
    }


def parameters(shape: tuple[int, ...]) -> list[torch.nn.Parameter]:
    torch.manual_seed(0)
    params = [torch.nn.Parameter(torch.randn(shape)) for _ in range(TENSORS)]
    for p in params:
        p.grad = torch.randn_like(p)
    return params


if __name__ == "__main__":
    main()
