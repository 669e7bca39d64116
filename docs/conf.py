"""How Sphinx builds the site; `make docs` calls it, and warnings are errors.

Pages are written in Markdown; the pages of packages, of commands and of experiments are made anew at each build from
the packages' `__all__`, the verbs' flags and the experiments' READMEs (`_extensions/`), so nothing is listed by hand
twice. The site asks the network for nothing: formulas are MathML, which browsers set themselves.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

import metarl

project = "metarl"
author = "The metarl authors"
version = release = metarl.__version__
project_copyright = author

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "plain_docstrings",  # before napoleon, which reads what this makes of a docstring
    "sphinx.ext.napoleon",
    "myst_parser",
    "mathml",
    "made_pages",
]
exclude_patterns = ["_build", "front.md"]  # the latter is a part of index.md
root_doc = "index"
default_role = "py:obj"  # a name in backticks is a link where there is something of that name
nitpicky = False
keep_warnings = True

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autosummary_generate = False
autodoc_type_aliases = {
    name: name
    for name in ("optax.ScalarOrSchedule", "jax.typing.ArrayLike", "jax.typing.DTypeLike")
}
add_module_names = False
smartquotes = False  # `--flag` keeps its two dashes
toc_object_entries = False
python_maximum_signature_line_length = 90
napoleon_use_ivar = False
napoleon_attr_annotations = False  # the signature has the types
napoleon_use_rtype = False
napoleon_custom_sections = [("Reference", "References"), "Paper", "Papers"]

highlight_language = "text"  # of fences that name none
myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"metarl {release}"
html_math_renderer = "mathml"
html_show_sphinx = False
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
