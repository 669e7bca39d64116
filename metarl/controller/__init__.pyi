from .attention import CausalAttention as CausalAttention
from .attention import transformer as transformer
from .config import TOKEN_POLICY_PRESETS as TOKEN_POLICY_PRESETS
from .config import TokenPolicyConfig as TokenPolicyConfig
from .cores import Core as Core
from .cores import GatedRecurrentUnit as GatedRecurrentUnit
from .cores import gru as gru
from .cores import lstm as lstm
from .cores import unroll as unroll
from .delta_memory import DeltaRuleMemory as DeltaRuleMemory
from .delta_memory import delta_rule as delta_rule
from .delta_memory import gru_below_delta_rule as gru_below_delta_rule
from .distributions import Categorical as Categorical
from .distributions import DiagonalGaussian as DiagonalGaussian
from .distributions import Distribution as Distribution
from .distributions import GaussianParameters as GaussianParameters
from .distributions import mask_logits as mask_logits
from .fast_weights import ActionLayout as ActionLayout
from .fast_weights import OuterProductMemory as OuterProductMemory
from .fast_weights import outer_product_memory as outer_product_memory
from .fast_weights import scored_head as scored_head
from .feed_forward import memoryless as memoryless
from .heads import Bins as Bins
from .heads import Head as Head
from .heads import categorical_head as categorical_head
from .heads import gaussian_head as gaussian_head
from .heads import masked_categorical_head as masked_categorical_head
from .images import LEAST_PIXELS as LEAST_PIXELS
from .images import Sight as Sight
from .images import as_numbers as as_numbers
from .images import dense_front as dense_front
from .images import image_front as image_front
from .linear_recurrence import LinearRecurrentUnit as LinearRecurrentUnit
from .linear_recurrence import lru as lru
from .policy import CoreStates as CoreStates
from .policy import Policy as Policy
from .policy import recurrent_policy as recurrent_policy
from .residual import FeedForward as FeedForward
from .residual import ResidualStack as ResidualStack
from .sampling import TokenSample as TokenSample
from .sampling import sample_tokens as sample_tokens
from .tokens import TokenInputs as TokenInputs
from .tokens import TokenPolicy as TokenPolicy
from .tokens import token_inputs as token_inputs
from .tokens import token_policy as token_policy

__all__ = [
    "LEAST_PIXELS",
    "TOKEN_POLICY_PRESETS",
    "ActionLayout",
    "Bins",
    "Categorical",
    "CausalAttention",
    "Core",
    "CoreStates",
    "DeltaRuleMemory",
    "DiagonalGaussian",
    "Distribution",
    "FeedForward",
    "GatedRecurrentUnit",
    "GaussianParameters",
    "Head",
    "LinearRecurrentUnit",
    "OuterProductMemory",
    "Policy",
    "ResidualStack",
    "Sight",
    "TokenInputs",
    "TokenPolicy",
    "TokenPolicyConfig",
    "TokenSample",
    "as_numbers",
    "categorical_head",
    "delta_rule",
    "dense_front",
    "gaussian_head",
    "gru",
    "gru_below_delta_rule",
    "image_front",
    "lru",
    "lstm",
    "mask_logits",
    "masked_categorical_head",
    "memoryless",
    "outer_product_memory",
    "recurrent_policy",
    "sample_tokens",
    "scored_head",
    "token_inputs",
    "token_policy",
    "transformer",
    "unroll",
]
