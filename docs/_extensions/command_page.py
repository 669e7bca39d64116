"""The page of the commands, made from the flags of each verb: the same words as `metarl VERB --help`."""

from __future__ import annotations

import argparse
import re
import warnings

from metarl.cli import VERBS, Verb

_INTRODUCTION = """\
# Commands

```
metarl search  [--problem digits-mlp ...] [--strategy ppo] [--space arxiv] [--depth 2] [--budget RULES | --minutes M]
               [--seed 0] [--preset laptop|demo|paper|smoke] [--config RUN_DIR/config.json] [--run-dir DIR]
               [--dry-run]
               [--evaluator local|ray|table:NAME]
metarl resume  RUN_DIR
metarl runs    list | diff | prune [DIR ...]
metarl compare RULE_OR_NAME ... [--optimizer my_module:factory ...] [--problem P ...|search|held-out|all]
               [--track tuned|one-rate|default] [--schedules constant cosine] [--weight-decays 0 1e-4]
               [--extra-points N] [--control N|RUN] [--references NAMES] [--steps N] [--seeds N] [--diagnostics]
               [--run-dir DIR]
metarl enumerate [--space sign] [--depth 1] [--max-size NODES] [--budget RULES] [--run-dir DIR]
metarl table   [--space sign] [--depth 1] [--max-size NODES] [--judges digits-mlp "digits-mlp x4" ...] [--replicates 8]
               [--evaluator local|ray] [--run-dir DIR]
metarl export  RULE_OR_RUN [--rank 1] --to optax|torch|latex|json [-o FILE]
metarl report  RUN_DIR
metarl train   --environment bandit [--arms 5] [--episodes 10] [--algorithm ppo|trpo|reinforce] [--warm-start gittins]
               [--preset bandit|mdp|laptop|paper|smoke] [--env-steps N | --minutes M] [--seed 0] [--run-dir DIR]
metarl evaluate AGENT_OR_RUN_DIR ... [--environment ...] [--against gittins ucb1:c=0.2 dqn ppo ...] [--tasks 1000]
               [--episodes-from-scratch N] [--tune]
metarl watch   AGENT_OR_RUN_DIR [-o FILE.gif] [--episodes 2] [--seed 0]
metarl reproduce [NAME|all] [--scale smoke|laptop|paper] [--run-dir DIR] [--data-dir DIR]
               [--cells 10x5,100x10] [--agents train|committed]
metarl bench   search|train|scaling|maze [--devices 1,2,4,8]
metarl bench   problems [--problem held-out] [--seeds 8] [--tuning-seeds 2] [-o DIR]
metarl bench   strategies [--table sign-1 ...] [--strategy ppo evolution my_module:factory ...] [--searches 200]
               [--budget RULES] [-o DIR]
metarl list    problems|rules|optimizers|primitives|strategies|tables|environments|agents
```

The flags of every verb, as `metarl VERB --help` explains them, follow below. `--learning-rate` and `--learning_rate`
are the same; a flag that takes a list has its values with spaces between. Every verb takes `--json`: one JSON document
on standard output, progress on standard error. `metarl --print-completion bash` prints the script that completes verbs
and flags.

A rule is a name (`powersign`), a text (`"sign(g) * exp(m)"`) or a run's (`runs/mine#2`). Ctrl-C ends a search or a
training cleanly; `metarl resume` goes on with the same numbers that an uninterrupted run would have had. `metarl
reproduce` without a name lists the tables and figures of both papers, `nos-*` and `rl2-*`, and three experiments of our
own, with what they cost; `--cells` and `--agents` are for those of RL².

Exit codes: 0 done; 2 what was typed, or a file it names, cannot be used (one message on standard error); 75
another process of a training on several hosts is gone (resume); 130 interrupted; 141 the reader of standard output went
away.
"""


def command_page() -> str:
    """Returns the page as Markdown."""
    return _INTRODUCTION + "".join(_section(verb) for verb in VERBS)


def _section(verb: Verb) -> str:
    parser = _parser(verb)
    described = " ".join((verb.load().Arguments.__doc__ or "").split())
    flags = [action for action in parser._actions if action.option_strings[:1] != ["-h"]]
    rows = [
        f"| {_written(flag)} | {_cell(_meaning(flag))} | {_cell(_default(flag))} |"
        for flag in flags
    ]
    return "\n".join(
        [
            "",
            f"## metarl {verb.name}",
            "",
            described,
            "",
            "| | meaning | default |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


def _parser(verb: Verb) -> argparse.ArgumentParser:
    import tyro

    with warnings.catch_warnings():  # tyro has no other way yet to ask for the flags
        warnings.simplefilter("ignore", DeprecationWarning)
        return tyro.extras.get_parser(verb.load().Arguments, config=(tyro.conf.FlagCreatePairsOff,))


def _written(flag: argparse.Action) -> str:
    """Returns the flag as it is typed, with the kind of its value."""
    metavar = flag.metavar if isinstance(flag.metavar, str) else ""
    value = metavar.replace("{None}|", "")
    names = ", ".join(sorted(flag.option_strings, key=len)) if flag.option_strings else ""
    return "`" + f"{names} {value}".strip().replace("|", "\\|") + "`"


def _meaning(flag: argparse.Action) -> str:
    return re.sub(
        r"\s*\((default: .*|required|fixed.*)\)\s*$", "", flag.help or "", flags=re.DOTALL
    )


def _default(flag: argparse.Action) -> str:
    """Returns the default as the help tells it; nothing for a switch, or where there is none."""
    found = re.search(
        r"\((default: (?P<value>.*)|required)\)\s*$", flag.help or "", flags=re.DOTALL
    )
    if found is None:
        return ""
    value = found["value"]
    if value is None:
        return "required"
    return "" if value in ("None", "False", "True") else f"`{value}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
