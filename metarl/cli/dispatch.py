"""The front door: from the words typed after `metarl` to a verb, its one document, and an exit code.

Exit codes: 0 done; 2 what was typed, or a file it names, cannot be used, or memory is not enough (one message on
standard error); 75 another process of a training on several hosts is gone: resume; 130 interrupted; 141 the reader of
standard output went away.
Any other exception is a defect of metarl and keeps its traceback.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import Any

from metarl.errors import InvalidInput, require
from metarl.user_code import fault

from .verbs import VERBS, find_verb

_INTERRUPTED = 128 + 2  # as a shell reports SIGINT
_READER_GONE = 128 + 13  # and SIGPIPE

_NO_MEMORY = (
    "There is not enough memory for this; take less of what is held at once, such as tasks, seeds, rules, steps of an "
    "update or units of a network."
)

_HELP = """\
usage: metarl VERB ...            (metarl VERB --help explains one)
       metarl --version [--json]
       metarl --print-completion bash|zsh|tcsh

{description}

Begin with (a few minutes each, on two cores):
  metarl search --preset smoke           update rules for handwritten digits, the tables, a report
  metarl train --arms 5 --episodes 10    an agent that learns bandits, beside the best that are known
  metarl list problems                   what rules can be searched on

{verbs}

Every verb takes --json: one JSON document on standard output and nothing else there.
METARL_CACHE=off turns the cache of compiled programs off.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line and returns the exit code.

    Args:
      argv: the words after `metarl`; None takes those the process was started with.
    """
    if argv is not None:
        return _exit_code_of(list(argv))
    from metarl.runs import leave_when_insisted

    leave_when_insisted()
    code = _exit_code_of(sys.argv[1:])
    if code == _INTERRUPTED:
        _leave_threads(code)
    return code


def _exit_code_of(words: list[str]) -> int:
    """Does what the words say; tells of what goes wrong."""
    from metarl.runs import Interruption

    _open_closed_streams()
    try:
        with Interruption(patient=False):
            _answer(words)
            sys.stdout.flush()  # here and not at exit, so that a closed pipe is met below
    except (
        SystemExit
    ) as leaving:  # tyro leaves by itself after --help and after its own error message
        return _exit_code(leaving.code)
    except KeyboardInterrupt:
        print("metarl: interrupted", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:
        _forget_standard_output()
        return _READER_GONE
    except (InvalidInput, OSError) as error:
        print(f"metarl: error: {_in_words(error)}", file=sys.stderr)
        return 2
    except Exception as error:
        if not _is_out_of_memory(error):
            raise
        print(f"metarl: error: {_NO_MEMORY} {_first_line(error)}".rstrip(), file=sys.stderr)
        return 2
    return 0


def _answer(words: list[str]) -> None:
    """Does what the first word asks for."""
    first = words[0] if words else "--help"
    if first in ("-h", "--help"):
        print(_help())
    elif first == "--version":
        _show_version(words[1:])
    elif first == "--print-completion":
        from .parsing import completion_script

        completion_script(words[1] if len(words) > 1 else "")
    else:
        _run_verb(first, words[1:])


def _run_verb(name: str, words: list[str]) -> None:
    """Parses a verb's arguments, runs it, and prints its document as JSON or for a person."""
    from .parsing import parse_arguments

    verb = find_verb(name).load()
    parse = getattr(verb, "parse", None)  # a verb with presets or --config has its own
    program = f"metarl {name}"
    arguments = (
        parse(words, program) if parse else parse_arguments(verb.Arguments, words, program=program)
    )
    if arguments.json:
        with contextlib.redirect_stdout(sys.stderr):
            document = _run(verb, arguments, program)
        _print_json(document)
    else:
        verb.show(_run(verb, arguments, program))


def _run(verb: Any, arguments: Any, program: str) -> Any:
    """Returns a verb's document; if a user's code leaves the interpreter in the midst of it, metarl does not."""
    try:
        return verb.run(arguments)
    except SystemExit as leaving:
        raise InvalidInput(f"{program} was left by {fault(leaving)}") from leaving


def _show_version(words: list[str]) -> None:
    from .version import version_document, version_line

    require(
        words in ([], ["--json"]), f"--version takes --json or nothing, not {' '.join(words)!r}."
    )
    if words:
        _print_json(version_document())
    else:
        print(version_line())


def _print_json(document: Any) -> None:
    """Prints one JSON document; NaN and infinities, which JSON does not know, are null."""
    from metarl.reporting import to_json

    print(to_json(document))


def _help() -> str:
    import metarl

    width = max(len(verb.name) for verb in VERBS)
    verbs = "\n".join(f"  {verb.name:<{width}}  {verb.caption}" for verb in VERBS)
    width = min(shutil.get_terminal_size().columns, 100)
    told = metarl.__doc__ or ""  # `python -OO` leaves none
    sentences = told.partition("\n\n    ")[0].split("\n\n")  # what stands above the map
    description = "\n\n".join(textwrap.fill(sentence, width) for sentence in sentences)
    return _HELP.format(description=description, verbs=verbs).rstrip()


def _in_words(error: Exception) -> str:
    """Returns the error's message without Python's marks ("[Errno 28]")."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return str(error)


def _is_out_of_memory(error: Exception) -> bool:
    """Tells whether Python, numpy or jax asked for more memory than there is; jax is not imported for it."""
    of_jax = type(error).__name__ in ("JaxRuntimeError", "XlaRuntimeError")
    return isinstance(error, MemoryError) or (
        of_jax and str(error).startswith("RESOURCE_EXHAUSTED")
    )


def _first_line(error: Exception) -> str:
    return (str(error).removeprefix("RESOURCE_EXHAUSTED: ").splitlines() or [""])[0]


def _exit_code(code: object) -> int:
    if code is None or isinstance(code, int):
        return code or 0
    print(code, file=sys.stderr)
    return 1


def _open_closed_streams() -> None:
    """Opens nothing in the place of streams that a shell has closed (`metarl ... >&-`), which Python has as None.

    Done first: else the next file that is opened would have the number of standard output.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 (for the rest of the process)


def _leave_threads(code: int) -> None:
    """Ends the process at once: threads train or compile what nobody wants any more, some of them not Python's.

    Python would wait for its own, and where others go on compiling while it takes itself apart, they crash.
    """
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def _forget_standard_output() -> None:
    """Points standard output at nothing, so that the interpreter's last flush does not fail again."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
