"""Draws the README's figure, `docs/front_figure.svg`, from results that are committed: `python docs/front_figure.py`.

Above, what the search of `make demo` found as it went (`experiments/digits_search`): the best rule so far by its
score on search data, and the same rules judged again on data that the search never saw. Below, what an agent that
learnt to learn earns in an MDP that is new to it, and what learners from scratch earn in the same MDPs
(`experiments/rl_baselines`).

The file is one picture for light and dark pages: it carries its own background, and both follow the reader's setting.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

from metarl.reporting import Drawing, write_file
from metarl.reporting.drawing import NAMESPACE, STYLE
from metarl.reporting.palette import BAND, HUES, INK

HERE = Path(__file__).parent
FIGURE = HERE / "front_figure.svg"
SEARCH = HERE.parent / "experiments" / "digits_search"
BASELINES = HERE.parent / "experiments" / "rl_baselines"

SIZE = (6.4, 6.6)  # inches; on a telephone a letter is still 8 pixels high
LEARNERS = {"dqn": "DQN", "q-learning": "Q-learning", "ppo": "PPO"}
COLOURS = """\
<style>
  svg { color: #1a1d21 } #paper { fill: #ffffff }
  @media (prefers-color-scheme: dark) { svg { color: #e6e8eb } #paper { fill: #16191d } }
</style>
<rect id="paper" width="100%" height="100%"/>
"""


def main() -> None:
    """Writes the figure."""
    write_file(FIGURE, figure())


def figure() -> str:
    """Returns the figure as a file of SVG."""
    return page(draw())


def page(drawing: Drawing) -> str:
    """Returns a drawing as a file of SVG with a background of its own, for light and dark pages."""
    svg = drawing.svg.replace("<svg ", f'<svg xmlns="{NAMESPACE}" ', 1)
    head, end, rest = svg.partition(">")
    return f"{head}{end}\n{COLOURS}{rest}\n"


def draw() -> Drawing:
    """Returns the two panels, one above the other."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({**STYLE, "font.size": 11.0}):
        figure = Figure(figsize=SIZE, layout="constrained")
        figure.get_layout_engine().set(h_pad=0.09, hspace=0.06)  # type: ignore[union-attr]
        above, below = figure.subplots(2, 1)
        _draw_search(above)
        _draw_learning(below)
        for axes in (above, below):
            axes.grid(color=INK, alpha=0.13, linewidth=0.6)
            axes.spines[["top", "right"]].set_visible(False)
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
            axes.minorticks_off()
        above.set_xticks([64, 128, 256, 600])
    return Drawing(
        figure,
        "Above: the score of the best update rule against the number of rules that a search has trained; "
        "tuned Adam is 0. On the search's own data it rises from 0.16 after 64 rules to 0.20; on data that it never "
        "saw the five leaders score from 0.13 to 0.21. Below: reward of an episode "
        "against episodes in a new MDP. RL² "
        "rises from 11 to 18 within its ten episodes; DQN needs about seventy to earn as much as it does in these, "
        "Q-learning and PPO twice as many.",
    )


def _draw_search(axes) -> None:
    """Draws the best score so far, and what its holders are worth on other data."""
    lines = (SEARCH / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    log = [json.loads(line) for line in lines]
    trained = [line["position"] for line in log]
    axes.step(trained, [line["best_reward"] for line in log], where="post", color=HUES[0], lw=2.2)
    leaders = _rows(SEARCH / "meta_overfitting.csv")
    mean, low, high = (
        [float(row[f"choice_{name}"]) for row in leaders] for name in ("mean", "low", "high")
    )
    below, over = (
        [abs(m - edge) for m, edge in zip(mean, edges, strict=True)] for edges in (low, high)
    )
    axes.errorbar(
        [int(row["rules_trained"]) for row in leaders], mean, [below, over],
        fmt="o", color=HUES[1], markersize=5.5, capsize=3, lw=1.5,
    )  # fmt: skip
    axes.axhline(0, color=INK, lw=1.2, dashes=(4, 2))
    axes.set_title("It searches for update rules", loc="left", fontsize=13, fontweight="bold")
    axes.set_ylabel("score: 0.1 is 10 % less\nloss than tuned Adam")
    axes.set_xlabel("rules trained by the search")
    axes.set_xlim(50, 700)
    top, bottom = max(high), min(low)
    axes.set_ylim(-0.05, top + 0.06)
    axes.text(80, top, "best rule so far,\non the search's data", color=HUES[0], va="center")
    axes.text(600, -0.006, "tuned Adam", ha="right", va="top", color=INK)
    axes.text(
        180,
        0.7 * bottom,
        "the same rules on data\nthat the search never saw",
        color=HUES[1],
        va="center",
    )


def _draw_learning(axes) -> None:
    """Draws reward against episodes, of the agent and of learners from scratch."""
    curves: dict[str, list[dict[str, str]]] = {}
    for row in _rows(BASELINES / "mdp-curves.csv"):
        curves.setdefault(row["agent"].partition(":")[0], []).append(row)
    for order, name in enumerate(("rl2-mdp-10", *LEARNERS)):
        rows, colour = curves[name], HUES[(0, 2, 1, 3)[order]]
        middle = [(int(row["first_episode"]) * int(row["last_episode"])) ** 0.5 for row in rows]
        returns, low, high = (
            [float(row[field]) for row in rows] for field in ("return", "return_low", "return_high")
        )
        axes.plot(middle, returns, color=colour, lw=2.4 if order == 0 else 1.8)
        axes.fill_between(middle, low, high, color=colour, alpha=BAND, lw=0)
    axes.set_title("It learns to learn", loc="left", fontsize=13, fontweight="bold")
    axes.set_ylabel("reward of an episode")
    axes.set_xlabel("episodes in an MDP that is new to the learner")
    axes.set_xlim(1, 2000)
    axes.set_ylim(8.5, 24)
    for text, x, y, colour in (
        ("RL²: only its hidden\nstate changes", 1.1, 18.6, HUES[0]),
        ("DQN from\nscratch", 24, 19.2, HUES[2]),
        ("Q-learning", 330, 16.4, HUES[1]),
        ("PPO", 330, 14.9, HUES[3]),
    ):
        axes.text(x, y, text, color=colour, va="bottom")


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    main()
