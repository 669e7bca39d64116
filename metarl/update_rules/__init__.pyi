from .expression import Binary as Binary
from .expression import Expression as Expression
from .expression import Number as Number
from .expression import Operand as Operand
from .expression import Unary as Unary
from .expression import evaluate as evaluate
from .grammar import Grammar as Grammar
from .primitives import BINARY as BINARY
from .primitives import OPERANDS as OPERANDS
from .primitives import SPACES as SPACES
from .primitives import UNARY as UNARY
from .primitives import Primitive as Primitive
from .primitives import Scope as Scope
from .primitives import Space as Space
from .primitives import primitives as primitives
from .rule import Rule as Rule
from .rule import parse as parse
from .rule_text import RuleSyntaxError as RuleSyntaxError
from .spaces import space_named as space_named
from .spaces import space_names as space_names

__all__ = [
    "BINARY",
    "OPERANDS",
    "SPACES",
    "UNARY",
    "Binary",
    "Expression",
    "Grammar",
    "Number",
    "Operand",
    "Primitive",
    "Rule",
    "RuleSyntaxError",
    "Scope",
    "Space",
    "Unary",
    "evaluate",
    "parse",
    "primitives",
    "space_named",
    "space_names",
]
