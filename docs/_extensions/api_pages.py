"""The pages of the packages, made from what each offers in `__all__`."""

from __future__ import annotations

import ast
import importlib
import inspect
import typing
from pathlib import Path
from types import ModuleType

import metarl

_ROOT = Path(metarl.__file__).parent


def documented_modules() -> list[str]:
    """Returns what has a page: what `metarl` offers, and every door within it (`__init__.pyi`)."""
    tops = [f"metarl.{name}" for name in metarl.__all__]
    doors = [
        ".".join(["metarl", *path.parent.relative_to(_ROOT).parts])
        for path in sorted(_ROOT.rglob("__init__.pyi"))
    ]
    return sorted({*tops, *doors} - {"metarl"})


def public_names(module: ModuleType) -> list[str]:
    """Returns `__all__`; of a module without it the public names that its source defines."""
    offered = getattr(module, "__all__", None) or _defined(module)
    return [name for name in offered if not inspect.ismodule(getattr(module, name))]


def api_page(name: str) -> str:
    """Returns the page of a package or module as reStructuredText: its idea, then what it offers."""
    module = importlib.import_module(name)
    offered = public_names(module)
    lines = [name, "=" * len(name), "", f".. automodule:: {name}", "   :no-members:", ""]
    lines += [f".. currentmodule:: {name}", "", ".. autosummary::", "   :nosignatures:", ""]
    lines += [f"   {one}" for one in offered]
    for one in offered:
        lines += ["", *_directive(one, getattr(module, one))]
    return "\n".join(lines) + "\n"


def api_index() -> str:
    """Returns the page that lists the pages, each with the caption of its package."""
    lines = ["# Packages", "", "What each package offers, from its docstrings.", ""]
    lines += ["| package | what is in it |", "|---|---|"]
    names = documented_modules()
    for name in names:
        caption = (importlib.import_module(name).__doc__ or "").partition("\n")[0]
        lines.append(f"| [`{name}`]({name}.rst) | {caption} |")
    lines += ["", "```{toctree}", ":hidden:", ""]
    lines += [*(f"{name.removeprefix('metarl.')} <{name}>" for name in names), "```"]
    return "\n".join(lines) + "\n"


def _defined(module: ModuleType) -> list[str]:
    names = []
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign):
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
    return [name for name in names if not name.startswith("_")]


def _directive(name: str, thing: object) -> list[str]:
    if inspect.isclass(thing) and typing.get_origin(thing) is None:
        return [f".. autoclass:: {name}", "   :members:"]
    if inspect.isroutine(thing):
        return [f".. autofunction:: {name}"]
    return [f".. autodata:: {name}", "   :no-value:"]
