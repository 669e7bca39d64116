"""Which choice of a winner transfers: the rules of a search of the demo, judged by further search problems.

    python experiments/digits_search/choices.py gather --seed 11 -o choices-seed-11.json     5.5 minutes of one thread
    python experiments/digits_search/choices.py show choices-seed-11.json                    the page's tables

`gather` searches as the demo does, by evolution and at random, ranks the rules by the choice's own problem, and has the
first twelve of both tuned and judged by each further problem, six seeds. `show` draws sets of these rules, chooses in
each as a design would, and says what the chosen rule is worth on all problems; what a design did not look at is what
tells whether it transfers. No held-out problem has a part in it.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

FURTHER = (
    ("python-docs-ngram", 1.0),
    ("python-docs-ngram", 0.25),
    ("quadratic", 1.0),
    ("china-denoising", 1.0),
)
DIGITS, NGRAM, SHORT, QUADRATIC, CHINA = (
    "digits-mlp",
    "python-docs-ngram",
    "python-docs-ngram x0.25",
    "quadratic",
    "china-denoising",
)
DESIGNS = {  # order: problems that it looks at
    "digits-mlp alone": ("worst", (DIGITS,)),
    "lowest of digits-mlp, quadratic": ("worst", (DIGITS, QUADRATIC)),
    "lowest of digits-mlp, ngram": ("worst", (DIGITS, NGRAM)),
    "lowest of digits-mlp, ngram x0.25": ("worst", (DIGITS, SHORT)),
    "lowest of digits-mlp, ngram, quadratic": ("worst", (DIGITS, NGRAM, QUADRATIC)),
    "mean of digits-mlp, ngram": ("mean", (DIGITS, NGRAM)),
    "mean of digits-mlp, ngram, quadratic": ("mean", (DIGITS, NGRAM, QUADRATIC)),
}
RULES, SEEDS, DRAWS = 12, 6, 2000


def main() -> None:
    """Gathers or shows."""
    parser = argparse.ArgumentParser(description="Which choice of a winner transfers.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    gathering = verbs.add_parser("gather")
    gathering.add_argument("--seed", type=int, required=True)
    gathering.add_argument("-o", "--output", type=Path, required=True)
    showing = verbs.add_parser("show")
    showing.add_argument("files", type=Path, nargs="+")
    asked = parser.parse_args()
    if asked.verb == "gather":
        asked.output.write_text(json.dumps(gather(asked.seed), indent=1) + "\n", encoding="utf-8")
    else:
        show([json.loads(path.read_text(encoding="utf-8")) for path in asked.files])


def gather(seed: int) -> dict[str, Any]:
    """Returns the first rules of two searches, {"rule", "scores"} each, the scores by judge; 0 is tuned Adam's."""
    from metarl.cli.startup import configure

    configure("cpu", threads=1)
    from metarl import problems
    from metarl.optimizer_search.judging.judges import judges_of
    from metarl.optimizer_search.judging.panel import Panel, sweeping_trial
    from metarl.optimizer_search.searching.search_job import SearchJob
    from metarl.optimizer_search.selecting.choice import choice_panel, rank
    from metarl.optimizer_search.settings.config import preset

    config = dataclasses.replace(preset("demo"), seed=seed)
    random = dataclasses.replace(config, strategy="random", batch_size=512)
    job = SearchJob(config)
    panel = choice_panel(job.problems, job.grammar, config)
    rows, tokens = [], []
    for settings in (config, random):
        if settings is random:
            programs, job = job.programs, SearchJob(random)
            job.programs.share(programs)
        state = job.init()
        while not job.finished(state):
            state, _ = job.update(state)
        ranked = rank(state.archive.best(config.final.candidates), panel)[:RULES]
        tokens += [one.tokens for one in ranked]
        rows += [
            {
                "strategy": settings.strategy,
                "rule": one.choice.rule,
                "scores": {DIGITS: one.choice.choice_score},
            }
            for one in ranked
        ]
    for problem, horizon in FURTHER:
        judges = judges_of([problems.load(problem)], None, (horizon,))
        judging = Panel(
            judges,
            job.grammar,
            config,
            "funnel",
            lambda steps: sweeping_trial(steps, SEEDS, config),
        )
        scores = judging.scores(np.array(tokens, np.int32))
        judging.close()
        for row, score in zip(rows, scores.total, strict=True):
            row["scores"][judges[0].name] = float(score)
    return {"seed": seed, "rules": rows}


def show(documents: list[dict[str, Any]]) -> None:
    """Prints the scores of all rules, and what designs choose from sets of them."""
    found = {row["rule"]: row["scores"] for one in documents for row in one["rules"][::-1]}
    rules = sorted(found, key=lambda rule: -found[rule][DIGITS])
    names = (DIGITS, NGRAM, SHORT, QUADRATIC, CHINA)
    print(f"| rule | {' | '.join(names)} |\n|---|{'---|' * len(names)}")
    for rule in rules:
        print(f"| `{rule}` | {' | '.join(f'{found[rule][name]:+.3f}' for name in names)} |")
    scores = {name: np.array([found[rule][name] for rule in rules]) for name in names}
    stream = np.random.default_rng(0)
    sets = [stream.choice(len(rules), 8, replace=False) for _ in range(DRAWS)]
    print(f"\nOf {DRAWS:,} sets of 8 of the {len(rules)} rules; worse: the share below 0\n")
    shown = (DIGITS, NGRAM, QUADRATIC, CHINA)
    print(f"| chosen by | {' | '.join(shown)} |\n|---|{'---|' * len(shown)}")
    for design, (order, judges) in DESIGNS.items():
        of = np.min if order == "worst" else np.mean
        joint = of([scores[name] for name in judges], axis=0)
        chosen = np.array([one[np.argmax(joint[one])] for one in sets])
        cells = [
            f"{scores[name][chosen].mean():+.3f}, {(scores[name][chosen] < 0).mean():.0%} worse"
            + (" *" if name in judges else "")
            for name in shown
        ]
        print(f"| {design} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
