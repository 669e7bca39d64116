"""An outside yardstick: rules that searches found in the optimizer slot of discogen's on-policy reinforcement learning.

    python run.py                   # measures what results.json has not, and prints the table
    python run.py --show            # the table of what is measured; needs no discogen
    python run.py --smoke --output DIR      # a minute: one game, two optimizers

discogen (PyPI, Python >= 3.12) writes PPO in games of MinAtar as a folder of modules, of which one, `optim.py`, is
the optimizer. Here that file alone is replaced: by `optax.adam`, or by what `metarl export NAME --to optax` writes;
"discogen" is its own. Gradients are clipped before each of them, as discogen's file does. The loop, the networks, the
schedule (rates fall linearly to 0) and the score, the return of greedy episodes at the end, are discogen's, as are all
settings but the number of steps.

For each game and optimizer each learning rate is tried on the tuning seeds, and the best by mean return is run on the
seeds that are reported, which tune nothing. One optimizer in one game is one process, which compiles the training once.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
BASE = "discogen"  # its own file
REFERENCES = BASE, "adam"  # what others are held against
Rows = list[dict[str, Any]]

SLOT = '''{source}

import optax


def make_optimizer(config):
    """Returns what discogen's training calls: a maker of a transform whose updates it multiplies by minus the rate."""

    def scale_by_optimizer():
        clip = optax.clip_by_global_norm(config["MAX_GRAD_NORM"])
        return optax.chain(clip, {call}(-1.0))  # a rate of -1: discogen turns the sign itself

    return scale_by_optimizer
'''


def main() -> None:
    """Measures what was not measured, and prints the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--output", type=Path, default=HERE, help="where results.json lies")
    parser.add_argument("--smoke", action="store_true", help="small, to see that it runs")
    parser.add_argument("--show", action="store_true", help="what is measured, no more")
    parser.add_argument("--only", nargs=2, metavar=("GAME", "OPTIMIZER"), help="one of the table")
    arguments = parser.parse_args()
    if arguments.smoke and arguments.output == HERE:
        parser.error(
            "--smoke needs an --output of its own: results.json here is of the full scale."
        )
    scale = "smoke" if arguments.smoke else "full"
    settings = json.loads((HERE / "settings.json").read_text(encoding="utf-8"))[scale]
    file = arguments.output / "results.json"
    if arguments.only is not None:
        measure(*arguments.only, settings, file)
        return
    arguments.output.mkdir(parents=True, exist_ok=True)
    for game in () if arguments.show else settings["games"]:
        for optimizer in settings["optimizers"]:
            if next_run(read(file), game, optimizer, settings) is not None:
                alone = [sys.executable, __file__, *sys.argv[1:], "--only", game, optimizer]
                subprocess.run(alone, check=True)
    say(read(file), settings)


def measure(game: str, optimizer: str, settings: dict[str, Any], file: Path) -> None:
    """Trains one optimizer in one game: at each rate on the tuning seeds, then at the best on the reported ones."""
    with tempfile.TemporaryDirectory() as folder:
        train_and_play = compiled(write_task(Path(folder), game, optimizer), settings)
        while (run := next_run(read(file), game, optimizer, settings)) is not None:
            rate, seed = run
            began = time.process_time()
            played, trained = train_and_play(seed, rate)
            row = {"game": game, "optimizer": optimizer, "rate": rate, "seed": seed}
            row |= {"return": played, "training_return": trained}
            row["seconds"] = round(time.process_time() - began, 1)
            write(file, [*read(file), row])
            print(row, flush=True)


def next_run(
    rows: Rows, game: str, optimizer: str, settings: dict[str, Any]
) -> tuple[float, int] | None:
    """Returns the learning rate and the seed of the next training, None if all were done."""
    own = {
        (row["rate"], row["seed"])
        for row in rows
        if (row["game"], row["optimizer"]) == (game, optimizer)
    }
    rates = settings["rates"][game]
    tuning = [(rate, seed) for seed in settings["tuning_seeds"] for rate in rates]
    waiting = [run for run in tuning if run not in own]
    if not waiting:
        best = best_rate(rows, game, optimizer, settings)
        seeds = [*settings["seeds"], *settings["again"]]
        waiting = [(best, seed) for seed in seeds if (best, seed) not in own]
    return waiting[0] if waiting else None


def best_rate(rows: Rows, game: str, optimizer: str, settings: dict[str, Any]) -> float:
    """Returns the rate with the best mean return on the tuning seeds, of equals the smallest."""
    return max(
        sorted(settings["rates"][game]),
        key=lambda rate: sum(returns(rows, game, optimizer, rate, settings["tuning_seeds"])),
    )


def returns(
    rows: Rows, game: str, optimizer: str, rate: float, seeds: list[int], what: str = "return"
) -> list[float]:
    """Returns the scores of these seeds, in their order; of what was not measured none."""
    found = {
        row["seed"]: row[what]
        for row in rows
        if (row["game"], row["optimizer"], row["rate"]) == (game, optimizer, rate)
    }
    return [found[seed] for seed in seeds if seed in found]


def write_task(folder: Path, game: str, optimizer: str) -> Path:
    """Returns the folder of modules that discogen writes for a game, with this optimizer in the slot."""
    from discogen import create_config, create_task  # pyright: ignore[reportMissingImports]

    config = create_config("OnPolicyRL")
    config |= {name: False for name in config if name.startswith("change_")}
    config |= {"train_task_id": [f"MinAtar/{game}"], "test_task_id": [f"MinAtar/{game}"]}
    config |= {"change_optim": True, "source_path": str(folder / "task")}
    create_task("OnPolicyRL", test=False, config_dict=config, use_base=True)
    modules = folder / "task" / "MinAtar" / game
    if optimizer != BASE:
        (modules / "optim.py").unlink()  # a link to the file that who discovers would change
        (modules / "optim.py").write_text(slot(optimizer), encoding="utf-8")
    return modules


def slot(optimizer: str) -> str:
    """Returns `optim.py`: optax's Adam, or a named rule as `metarl export` writes it, behind discogen's clipping."""
    if optimizer == "adam":
        return SLOT.format(source="", call="optax.adam").lstrip()
    export = [sys.executable, "-m", "metarl", "export", optimizer, "--to", "optax"]
    done = subprocess.run(export, check=True, capture_output=True, text=True)
    return SLOT.format(source=done.stdout, call=optimizer.replace("-", "_"))


def compiled(modules: Path, settings: dict[str, Any]) -> Any:
    """Returns a function from seed and learning rate to the return of greedy episodes after a training, and that
    of the last 5 % of training, as discogen takes them.
    """
    from metarl.cli import configure

    configure("cpu", threads=1)  # before discogen's modules, which set flags of XLA, are imported
    import jax
    import jax.numpy as jnp
    import numpy as np

    sys.path.insert(0, str(modules))
    import main as of_discogen  # pyright: ignore[reportMissingImports]

    config = of_discogen.config
    config["TOTAL_TIMESTEPS"] = settings["steps"]
    train = of_discogen.make_train(config)
    play = of_discogen.make_eval(config, settings["episodes"])

    @jax.jit
    def train_then_play(key: Any, rate: Any) -> Any:
        led = train(key, rate)
        state, worlds = led["runner_state"][:2]
        of_one = jax.tree.map(lambda leaf: leaf[None], (state.params, worlds))  # play takes many
        scores = play(of_one[0], jax.random.PRNGKey(42), of_one[1])
        return jnp.mean(scores), led["metrics"]["mean_training_return"]

    program = train_then_play.lower(jax.random.PRNGKey(0), jnp.float32(0)).compile()

    def train_and_play(seed: int, rate: float) -> tuple[float, float | None]:
        score, curve = jax.device_get(program(jax.random.PRNGKey(seed), jnp.float32(rate)))
        last = curve[int(len(curve) * 0.95) :]
        last = last[np.isfinite(last)]  # NaN where no episode ended
        return float(score), float(np.mean(last)) if len(last) else None

    return train_and_play


def say(rows: Rows, settings: dict[str, Any]) -> None:
    """Prints the tables of each game: returns on the seeds of now and on those of again, and what tuning saw."""
    for game in settings["games"]:
        for what, seeds in ("", settings["seeds"]), ("again, ", settings["again"]):
            if seeds:
                print(f"{game}, {what}{settings['steps']:,} steps, {len(seeds)} seeds\n")
                compare(rows, game, seeds, settings)
        tuning(rows, game, settings)


def compare(rows: Rows, game: str, seeds: list[int], settings: dict[str, Any]) -> None:
    """Prints returns with intervals over seeds, and differences by seed to discogen's optimizer and to Adam."""
    from metarl.statistics import mean_interval

    print(
        "| optimizer | rate | return | minus discogen's | minus `adam`'s | in training | seconds |"
    )
    print("|---|---|---|---|---|---|---|")
    of_references: dict[str, list[float]] = {}
    rates = settings["rates"][game]
    for optimizer in settings["optimizers"]:
        if next_run(rows, game, optimizer, settings) is not None:
            print(f"| `{optimizer}` | not measured whole | | | | | |")
            continue
        rate = best_rate(rows, game, optimizer, settings)
        own = returns(rows, game, optimizer, rate, seeds)
        trained = returns(rows, game, optimizer, rate, seeds, "training_return")
        spent = sum(returns(rows, game, optimizer, rate, seeds, "seconds")) / len(seeds)
        edge = " (edge)" if rate in (min(rates), max(rates)) else ""
        ahead = [
            difference(own, of_references[other]) if other in of_references else ""
            for other in REFERENCES
        ]
        if optimizer in REFERENCES:
            of_references[optimizer] = own
        shown = [written(mean_interval(own)), *ahead, written(mean_interval(trained))]
        print(f"| `{optimizer}` | {rate:g}{edge} | {' | '.join(shown)} | {spent:.1f} |")
    print()


def tuning(rows: Rows, game: str, settings: dict[str, Any]) -> None:
    """Prints what each rate earned on the tuning seeds."""
    rates = settings["rates"][game]
    print(f"Mean return on the tuning seeds, {game}\n")
    print("| optimizer | " + " | ".join(f"{rate:g}" for rate in rates) + " |")
    print("|---" * (len(rates) + 1) + "|")
    for optimizer in settings["optimizers"]:
        cells = []
        for rate in rates:
            own = returns(rows, game, optimizer, rate, settings["tuning_seeds"])
            cells.append(f"{sum(own) / len(own):.2f}" if own else "")
        print(f"| `{optimizer}` | " + " | ".join(cells) + " |")
    print()


def difference(ours: list[float], theirs: list[float]) -> str:
    """Returns the mean difference over seeds in words, with its interval, and who is clearly ahead."""
    from metarl.statistics import mean_interval

    mean = mean_interval([our - their for our, their in zip(ours, theirs, strict=True)])
    verdict = "better" if mean.low > 0 else "worse" if mean.high < 0 else "not clear"
    return f"{written(mean)}, {verdict}"


def written(mean: Any) -> str:
    """Returns a mean with its interval; fewer than eight seeds have none."""
    return f"{mean.mean:.2f} [{mean.low:.2f}, {mean.high:.2f}]"


def read(file: Path) -> Rows:
    """Returns what was measured before."""
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else []


def write(file: Path, rows: Rows) -> None:
    """Writes what was measured, a row a line; whoever is interrupted leaves the file as it was."""
    from metarl.reporting import write_file

    lines = ",\n".join(json.dumps(row) for row in rows)
    write_file(file, f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
