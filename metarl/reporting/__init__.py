"""Rows in, files out: tables, figures, HTML (the only importer of matplotlib).

A `Table` of rows is written once and read four ways: in a terminal, as CSV, as strict JSON, and in
a page. A `Drawing` is a chart that takes its ink from the page it stands in, so one SVG serves
light and dark. `html_page` puts both, with formulas and provenance, into one file that opens from
disk and asks the network for nothing.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
