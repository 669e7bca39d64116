from .compiler import ScaleByRuleState as ScaleByRuleState
from .compiler import average_rate as average_rate
from .compiler import check_learning_rate as check_learning_rate
from .compiler import check_total_steps as check_total_steps
from .compiler import descend as descend
from .compiler import known_number as known_number
from .compiler import scale_by_rule as scale_by_rule
from .compiler import to_optax as to_optax
from .cuts import complexity as complexity
from .cuts import simpler as simpler
from .cuts import unscaled as unscaled
from .cuts import with_parts as with_parts
from .export_json import to_json as to_json
from .export_json import to_latex as to_latex
from .export_python import to_python as to_python
from .export_torch import to_torch as to_torch
from .expression import Binary as Binary
from .expression import Expression as Expression
from .expression import Number as Number
from .expression import Operand as Operand
from .expression import Unary as Unary
from .expression import evaluate as evaluate
from .grammar import Grammar as Grammar
from .interpreter import Interpreter as Interpreter
from .interpreter import Moments as Moments
from .leaf_roles import LEAF_ROLES as LEAF_ROLES
from .leaf_roles import MATRIX_ROLES as MATRIX_ROLES
from .leaf_roles import LeafRole as LeafRole
from .leaf_roles import Roles as Roles
from .leaf_roles import leaves_taken_for_matrices as leaves_taken_for_matrices
from .leaf_roles import require_axes as require_axes
from .many_rules import exact_updates as exact_updates
from .named_rules import NAMED_RULES as NAMED_RULES
from .named_rules import Found as Found
from .named_rules import NamedRule as NamedRule
from .named_rules import resolve as resolve
from .primitives import BINARY as BINARY
from .primitives import LANGUAGE as LANGUAGE
from .primitives import OPERANDS as OPERANDS
from .primitives import PRIMITIVES as PRIMITIVES
from .primitives import UNARY as UNARY
from .primitives import Primitive as Primitive
from .primitives import Scope as Scope
from .provenance import Provenance as Provenance
from .reference import reference_update as reference_update
from .rule import Rule as Rule
from .rule import parse as parse
from .rule_text import RuleSyntaxError as RuleSyntaxError
from .spaces import IDENTITY as IDENTITY
from .spaces import KEEP as KEEP
from .spaces import SPACES as SPACES
from .spaces import Space as Space
from .spaces import UnaryFunction as UnaryFunction
from .spaces import applied as applied
from .spaces import space_named as space_named
from .spaces import space_names as space_names
from .tensor_functions import OF_MATRICES as OF_MATRICES

__all__ = [
    "BINARY",
    "IDENTITY",
    "KEEP",
    "LANGUAGE",
    "LEAF_ROLES",
    "MATRIX_ROLES",
    "NAMED_RULES",
    "OF_MATRICES",
    "OPERANDS",
    "PRIMITIVES",
    "SPACES",
    "UNARY",
    "Binary",
    "Expression",
    "Found",
    "Grammar",
    "Interpreter",
    "LeafRole",
    "Moments",
    "NamedRule",
    "Number",
    "Operand",
    "Primitive",
    "Provenance",
    "Roles",
    "Rule",
    "RuleSyntaxError",
    "ScaleByRuleState",
    "Scope",
    "Space",
    "Unary",
    "UnaryFunction",
    "applied",
    "average_rate",
    "check_learning_rate",
    "check_total_steps",
    "complexity",
    "descend",
    "evaluate",
    "exact_updates",
    "known_number",
    "leaves_taken_for_matrices",
    "parse",
    "reference_update",
    "require_axes",
    "resolve",
    "scale_by_rule",
    "simpler",
    "space_named",
    "space_names",
    "to_json",
    "to_latex",
    "to_optax",
    "to_python",
    "to_torch",
    "unscaled",
    "with_parts",
]
