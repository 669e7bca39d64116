from .cifar10 import cifar10_wrn as cifar10_wrn
from .data_files import use_data_folder as use_data_folder
from .difficulties import Diagnostic as Diagnostic
from .difficulties import diagnostics as diagnostics
from .digits import wide_residual as wide_residual
from .landscapes import quadratic as quadratic
from .leaf_roles import LEAF_ROLES as LEAF_ROLES
from .leaf_roles import LeafRole as LeafRole
from .leaf_roles import guessed_leaves as guessed_leaves
from .leaf_roles import leaf_paths as leaf_paths
from .leaf_roles import roles_of_leaves as roles_of_leaves
from .networks import Network as Network
from .networks import linear as linear
from .networks import mlp as mlp
from .networks import stateless as stateless
from .photographs import wide_denoiser as wide_denoiser
from .problem import SPLITS as SPLITS
from .problem import Card as Card
from .problem import Problem as Problem
from .problem import Split as Split
from .registry import cards as cards
from .registry import load as load
from .registry import names as names
from .registry import register as register
from .registry import suite as suite
from .supervised import classification as classification
from .supervised import regression as regression
from .transformer import wide_transformer as wide_transformer
from .widths import at_width as at_width
from .widths import require_widths as require_widths

__all__ = [
    "LEAF_ROLES",
    "SPLITS",
    "Card",
    "Diagnostic",
    "LeafRole",
    "Network",
    "Problem",
    "Split",
    "at_width",
    "cards",
    "cifar10_wrn",
    "classification",
    "diagnostics",
    "guessed_leaves",
    "leaf_paths",
    "linear",
    "load",
    "mlp",
    "names",
    "quadratic",
    "register",
    "regression",
    "require_widths",
    "roles_of_leaves",
    "stateless",
    "suite",
    "use_data_folder",
    "wide_denoiser",
    "wide_residual",
    "wide_transformer",
]
