"""The job of an evaluation: part after part, chunk after chunk of tasks, and of those who learn some steps at a time.

A generation is a chunk of tasks, or a hundredth of the steps of a chunk whose agents learn while they play, or a
hundred gradient steps of who learns from offline data. Between two generations all of it can be kept: what is
finished, and where the chunk at work stands, worlds, learners and all. Who goes on computes nothing again, and ends
with the same bits: a learner draws its luck by the number of the step, and no program depends on where it is cut.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from metarl import classical_agents, rl_baselines
from metarl.environments import Agent, NotRepeated, Pieces, Trial
from metarl.errors import InvalidInput, require
from metarl.reading import MOST_TASKS
from metarl.reporting import counted
from metarl.runs import flatten_tree, restore_tree

from ..agent.agent import TrainedAgent, check_own_world
from .entrants import Entrant, find_entrants
from .parts import Kept, Part
from .scores import ORACLE, RANDOM
from .within_task import FromScratchPlan
from .worlds import find_trial, otherwise_in_words, trained_otherwise

_DONE, _SO_FAR, _WALK = "done/", "so far/", "walk/"  # how names of saved arrays begin


@dataclass(frozen=True)
class Order:
    """What is asked for; see `evaluate`.

    Attributes:
      agents: who.
      world: settings of the world.
      tasks: N.
      seed: of tasks and luck.
      from_scratch: of learners.
    """

    agents: Sequence[str | Path | TrainedAgent]
    world: Mapping[str, Any]
    tasks: int
    seed: int
    from_scratch: FromScratchPlan

    def __post_init__(self) -> None:
        require(
            not isinstance(self.agents, str),
            f"Agents stand in a list, such as [{self.agents!r}]; received {self.agents!r} alone.",
        )
        require(len(self.agents) > 0, "There is nobody to evaluate; name at least one agent.")
        for name in ("tasks", "seed"):
            number = getattr(self, name)
            whole = isinstance(number, Integral) and not isinstance(number, bool)
            require(whole, f"{name} is {number!r}; it must be a whole number.")
        require(
            1 <= self.tasks <= MOST_TASKS,
            f"tasks is {self.tasks}; it must be from 1 to {MOST_TASKS}.",
        )
        require(0 <= self.seed < 2**32, f"seed is {self.seed}; it must be from 0 to 4294967295.")


class Standing(NamedTuple):
    """Where an evaluation stands."""

    done: tuple[Kept, ...]  # of the parts that are finished, in their order
    so_far: Kept  # of the chunks of the part at work that are finished
    first: int  # the first task of its next chunk
    walk: Any  # where that chunk, or a lesson, stands; None before it begins
    steps: int  # that the walk has taken


class EvaluationJob:
    """Plays everybody, and learns beforehand what is to be learnt; see `metarl.runs.Job`."""

    def __init__(
        self,
        order: Order,
        say: Callable[[str], None] = lambda text: None,
        formerly: Mapping[str, str] | None = None,
    ) -> None:
        """Finds everybody and the trial.

        Args:
          order: what is asked for.
          say: called with a line about what is played next.
          formerly: of texts that are paths, those that stand in what is saved, if all was moved since it began.

        Raises:
          InvalidInput: see `evaluate`.
        """
        self.order, self._say, self._formerly = order, say, formerly or {}
        own = [order.world.get("environment")]
        self.named = find_entrants(order.agents, own=own)
        self.trial = find_trial(self.named, order.world)
        check_own_world(order.world.get("environment") or "", self.trial.environment)
        self.learners = [entrant.text for entrant in self.named if entrant.from_scratch]
        # refuses what cannot be compared, before anything is played
        self.long_trial = order.from_scratch.trial(self.trial) if self.learners else None
        self._agents: dict[tuple[str, str], Agent] = {}
        self._lessons: dict[str, rl_baselines.Lesson] = {}
        self._at_work: tuple[tuple[str, int], Pieces] | None = None  # part and task; its trials
        self.parts = self._all_parts()
        self._total = sum(part.tasks * part.steps for part in self.parts)

    # what a job does ------------------------------------------------------------------------------

    def init(self) -> Standing:
        """Returns the state in which nobody has been played."""
        return Standing((), {}, 0, None, 0)

    def update(self, state: Standing) -> tuple[Standing, dict[str, Any]]:
        """Plays a chunk of tasks, or walks on in one; or goes on with a lesson."""
        part = self.parts[len(state.done)]
        if state.first == 0 and state.walk is None:
            if not state.done:
                self._tell_where()
            self._announce(part, state)
        if part.kind == "lesson":
            following = self._learn(part, state)
        elif part.walked:
            following = self._walk(part, state)
        else:
            following = self._keep(part, state, part.play(self._agent(part, state), state.first))
        return following, {"part": part.kind, "agent": self.text_of(part.who, state.done)}

    def finished(self, state: Standing) -> bool:
        """Tells whether all parts are."""
        return len(state.done) == len(self.parts)

    def position(self, state: Standing) -> tuple[int, int | None]:
        """Returns steps of worlds, and of lessons, as if no trial ended early."""
        done = self.parts[: len(state.done)]
        position = sum(part.tasks * part.steps for part in done)
        if not self.finished(state):
            part = self.parts[len(state.done)]
            together = 1 if part.kind == "lesson" else part.count(state.first)
            position += state.first * part.steps + state.steps * together
        return position, self._total

    def save(self, state: Standing) -> tuple[dict[str, np.ndarray], Any]:
        """Returns all of the state."""
        arrays = {f"{_SO_FAR}{name}": np.asarray(array) for name, array in state.so_far.items()}
        for number, kept in enumerate(state.done):
            arrays |= {f"{_DONE}{number}/{name}": np.asarray(a) for name, a in kept.items()}
        if state.walk is not None:
            arrays |= {f"{_WALK}{name}": a for name, a in flatten_tree(state.walk).items()}
        meta = {
            "parts": self._saved_names(),
            "done": len(state.done),
            "first": state.first,
            "steps": state.steps,
            "walks": state.walk is not None,
        }
        return arrays, meta

    def load(self, arrays: dict[str, np.ndarray], meta: Any) -> Standing:
        """Inverse of `save`.

        Raises:
          InvalidInput: it is the state of something else, or of another evaluation.
        """
        ours = self._saved_names()
        theirs = meta.get("parts") if isinstance(meta, dict) else None
        require(
            theirs == ours,
            f"The saved state is of {_few(theirs)}, this evaluation consists of {_few(ours)}. Resume with the "
            "configuration and the version of metarl that wrote it, or start a new run.",
        )
        count, first, steps = meta["done"], meta["first"], meta["steps"]
        done = tuple(_named(arrays, f"{_DONE}{number}/") for number in range(count))
        state = Standing(done, _named(arrays, _SO_FAR), first, None, steps)
        if not meta["walks"]:
            return state
        walk = restore_tree(self._template(state), _named(arrays, _WALK))
        return state._replace(walk=walk)

    def close(self) -> None:
        """Frees worlds that are at work."""
        at_work, self._at_work = self._at_work, None
        if at_work is not None:
            at_work[1].close()

    # who is played --------------------------------------------------------------------------------

    def kept(self, done: Sequence[Kept]) -> dict[str, Kept]:
        """Returns what is kept of parts that are finished, by their names."""
        return {part.name: kept for part, kept in zip(self.parts, done, strict=False)}

    def text_of(self, who: str, done: Sequence[Kept]) -> str:
        """Returns the text of somebody, with the settings that were chosen if it was tuned."""
        if not (self._is_tuned(who) and len(done) >= self._preparing):
            return who
        kept = self.kept(done)
        earned = {
            text: float(np.mean(kept[f"tuning {text}"]["totals"]))
            for text in rl_baselines.grid(who)
        }
        return max(earned, key=earned.__getitem__)

    def yardsticks(self) -> list[str]:
        """Returns who knows nothing and who knows everything, as far as there are such."""
        return [part.who for part in self.parts if part.kind == "play"][: self._yardsticks]

    def _all_parts(self) -> tuple[Part, ...]:
        """Returns all parts in their order, and refuses who does not fit before anything is played."""
        order, trial, plan = self.order, self.trial, self.order.from_scratch
        offline = [entrant.text for entrant in self.named if entrant.is_offline]
        lessons = [lesson_part(text, self.trial) for text in offline]
        tunings = [
            Part("tuning", text, self.long_trial or trial, rl_baselines.TUNING_TASKS, learns=True)
            for who in self.learners
            if self._is_tuned(who)
            for text in rl_baselines.grid(who)
        ]
        self._preparing = len(lessons) + len(tunings)
        known = [RANDOM, *([ORACLE] if _fits(ORACLE, trial) else [])]
        self._yardsticks = len(known)
        texts = list(dict.fromkeys([*known, *(entrant.text for entrant in self.named)]))
        plays = [
            Part("play", text, trial, order.tasks, order.seed, text in self.learners)
            for text in texts
        ]
        greedy = [
            Part("greedy", entrant.text, trial, order.tasks, order.seed)
            for entrant in self.named
            if entrant.trained is not None
        ]
        parts = [*lessons, *tunings, *plays, *greedy]
        if self.long_trial is not None:
            others = [e.text for e in self.named if e.text not in self.learners]
            parts += [Part("mark", text, trial, plan.tasks, order.seed) for text in others]
            parts += [
                Part("scratch", text, self.long_trial, plan.tasks, order.seed, True)
                for text in self.learners
            ]
        for part in parts:
            if part.kind in ("play", "scratch") and part.who not in offline:
                self._make(part, part.who)
        return tuple(parts)

    def _is_tuned(self, who: str) -> bool:
        return self.order.from_scratch.tune and who in rl_baselines.names()

    def _saved_names(self) -> list[str]:
        """Returns the names of all parts in what is saved."""
        return [f"{part.kind} {self._formerly.get(part.who, part.who)}" for part in self.parts]

    def _agent(self, part: Part, state: Standing) -> Agent:
        """Returns who acts in a part."""
        lesson = f"lesson {part.who}"
        kept = self.kept(state.done)
        if lesson not in kept:
            return self._make(part, self.text_of(part.who, state.done))
        if (found := self._agents.get((lesson, part.who))) is None:
            taught = self._lesson(part.who)
            learner = restore_tree(jax.eval_shape(taught.fitting.begin), kept[lesson])
            found = self._agents[lesson, part.who] = taught.agent(learner)
        return found

    def _make(self, part: Part, text: str) -> Agent:
        how = part.kind if part.kind in ("greedy", "scratch", "tuning") else "trial"
        if (how, text) not in self._agents:
            entrant = next((e for e in self.named if e.text == text), Entrant(text))
            self._agents[how, text] = entrant.make(part.trial, greedy=how == "greedy")
        return self._agents[how, text]

    def _lesson(self, who: str) -> rl_baselines.Lesson:
        if who not in self._lessons:
            lesson = rl_baselines.lesson(who, self.trial)
            assert lesson is not None, (
                "a part of the kind lesson is of who learns from offline data"
            )
            self._lessons[who] = lesson
        return self._lessons[who]

    # how a part goes on ---------------------------------------------------------------------------

    def _learn(self, part: Part, state: Standing) -> Standing:
        """Takes a chunk of gradient steps."""
        fitting = self._lesson(part.who).fitting
        learner = fitting.begin() if state.walk is None else state.walk
        learner = jax.block_until_ready(fitting.advance(learner, state.steps))
        steps = min(state.steps + rl_baselines.CHUNK, fitting.steps)
        if steps < fitting.steps:
            return state._replace(walk=learner, steps=steps)
        return Standing((*state.done, flatten_tree(learner)), {}, 0, None, 0)

    def _walk(self, part: Part, state: Standing) -> Standing:
        """Takes some steps of a chunk."""
        pieces = self._pieces(part, state)
        walk = pieces.begin() if state.walk is None else state.walk
        try:
            walk = pieces.advance(walk, int(walk.step) + part.steps_at_a_time)
        except NotRepeated:
            self._say(
                f"{part.trial.environment.name} does not do the same again with the same seeds and actions, so where "
                f"it stood cannot be reached: {part.who} begins anew with task {state.first}. Its numbers are not "
                "those of an evaluation that never stopped."
            )
            walk = pieces.begin()
        if not pieces.over(walk):
            return state._replace(walk=walk, steps=int(walk.step))
        chunk = part.kept(pieces.played(walk))
        self.close()
        return self._keep(part, state, chunk)

    def _keep(self, part: Part, state: Standing, chunk: Kept) -> Standing:
        """Returns the state after a chunk."""
        so_far, first = part.joined(state.so_far, chunk), state.first + part.count(state.first)
        if first < part.tasks:
            return Standing(state.done, so_far, first, None, 0)
        if part.kind == "tuning":
            mean = float(np.mean(so_far["totals"]))
            self._say(f"{part.who}: {mean:,.1f} on {part.tasks} validation tasks")
        return Standing((*state.done, so_far), {}, 0, None, 0)

    def _pieces(self, part: Part, state: Standing) -> Pieces:
        """Returns the trials of the chunk at work; those of before, if it is the same."""
        place = part.name, state.first
        if self._at_work is None or self._at_work[0] != place:
            self.close()
            self._at_work = place, part.pieces(self._agent(part, state), state.first)
        return self._at_work[1]

    def _template(self, state: Standing) -> Any:
        part = self.parts[len(state.done)]
        if part.kind == "lesson":
            return jax.eval_shape(self._lesson(part.who).fitting.begin)
        return self._pieces(part, state).template(state.steps)

    def _tell_where(self) -> None:
        """Says who was trained elsewhere."""
        for entrant in self.named:
            if otherwise := trained_otherwise(entrant, self.trial):
                self._say(otherwise_in_words(entrant.text, otherwise))

    def _announce(self, part: Part, state: Standing) -> None:
        text, tasks = self.text_of(part.who, state.done), counted(part.tasks, "task")
        episodes = counted(part.trial.episodes or 0, "episode")
        lines = {
            "lesson": f"{text}: {counted(part.tasks, 'gradient step')} on offline data",
            "play": f"{text}: {tasks}",
            "greedy": f"{text}, greedily: {tasks}",
            "mark": f"{text}: {tasks}, several trials in each",
            "scratch": f"{text}: {tasks}, {episodes} from scratch in each",
            "alone": f"{text}: {tasks}, {episodes} in each",
        }
        if part.kind in lines:
            self._say(lines[part.kind])


def lesson_part(text: str, trial: Trial) -> Part:
    """Returns the lesson of who learns from offline data, if it can act in the trial's environment."""
    row, config = rl_baselines.parse(text)
    row.require_fits(trial.environment)
    return Part("lesson", text, trial, config.steps)  # pyright: ignore[reportAttributeAccessIssue]


def _fits(name: str, trial: Any) -> bool:
    try:
        classical_agents.make(name, trial)
    except InvalidInput:  # there is none for this family
        return False
    return True


def _named(arrays: Mapping[str, np.ndarray], beginning: str) -> dict[str, np.ndarray]:
    """Returns the arrays whose names begin so, by the rest of their names."""
    return {
        name.removeprefix(beginning): array
        for name, array in arrays.items()
        if name.startswith(beginning)
    }


def _few(names: Any) -> str:
    """Returns the last names of parts, which tell most."""
    if not isinstance(names, list):
        return "something else"
    before = f"{len(names) - 3} parts and then " if len(names) > 3 else ""
    return before + ", ".join(map(str, names[-3:]))
