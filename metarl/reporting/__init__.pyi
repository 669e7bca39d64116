from .animations import Frame as Frame
from .animations import write_animation as write_animation
from .bars import bar_panels as bar_panels
from .blocks import Code as Code
from .blocks import Facts as Facts
from .blocks import Figure as Figure
from .blocks import Folded as Folded
from .blocks import Formula as Formula
from .blocks import Paragraph as Paragraph
from .blocks import Section as Section
from .charts import curve_chart as curve_chart
from .charts import learning_curves as learning_curves
from .charts import search_curve as search_curve
from .comparisons import interval_chart as interval_chart
from .comparisons import learning_rate_sensitivity as learning_rate_sensitivity
from .curves import Curve as Curve
from .drawing import Drawing as Drawing
from .files import write_file as write_file
from .formulas import formula_svg as formula_svg
from .landscapes import Trajectory as Trajectory
from .landscapes import View as View
from .landscapes import landscape_chart as landscape_chart
from .numerals import IntervalLike as IntervalLike
from .numerals import counted as counted
from .numerals import interval_text as interval_text
from .numerals import number_text as number_text
from .pages import html_page as html_page
from .panels import curve_panels as curve_panels
from .pictures import picture_grid as picture_grid
from .sequences import WritingRow as WritingRow
from .sequences import WritingStep as WritingStep
from .sequences import sequence_chart as sequence_chart
from .strict_json import to_json as to_json
from .strict_json import write_json as write_json
from .tables import Column as Column
from .tables import Table as Table
from .tables import to_csv as to_csv
from .tables import to_markdown as to_markdown
from .tables import write_csv as write_csv
from .terminal import print_table as print_table
from .terminal import table_text as table_text
from .trees import Tree as Tree
from .trees import tree_chart as tree_chart

__all__ = [
    "Code",
    "Column",
    "Curve",
    "Drawing",
    "Facts",
    "Figure",
    "Folded",
    "Formula",
    "Frame",
    "IntervalLike",
    "Paragraph",
    "Section",
    "Table",
    "Trajectory",
    "Tree",
    "View",
    "WritingRow",
    "WritingStep",
    "bar_panels",
    "counted",
    "curve_chart",
    "curve_panels",
    "formula_svg",
    "html_page",
    "interval_chart",
    "interval_text",
    "landscape_chart",
    "learning_curves",
    "learning_rate_sensitivity",
    "number_text",
    "picture_grid",
    "print_table",
    "search_curve",
    "sequence_chart",
    "table_text",
    "to_csv",
    "to_json",
    "to_markdown",
    "tree_chart",
    "write_animation",
    "write_csv",
    "write_file",
    "write_json",
]
