from .batch import VALUE as VALUE
from .batch import Algorithm as Algorithm
from .batch import Batch as Batch
from .batch import TrainablePolicy as TrainablePolicy
from .config import PPOConfig as PPOConfig
from .config import ReinforceConfig as ReinforceConfig
from .config import TRPOConfig as TRPOConfig
from .config import ValueConfig as ValueConfig
from .losses import clipped_surrogate as clipped_surrogate
from .losses import masked_mean as masked_mean
from .losses import prediction_loss as prediction_loss
from .losses import surrogate as surrogate
from .normalisation import RunningMoments as RunningMoments
from .preferences import Preferences as Preferences
from .preferences import bradley_terry_loss as bradley_terry_loss
from .preferences import direct_preference_loss as direct_preference_loss
from .proximal import PPOState as PPOState
from .proximal import ppo as ppo
from .returns import discounted_returns as discounted_returns
from .returns import generalised_advantages as generalised_advantages
from .score_function import ReinforceState as ReinforceState
from .score_function import reinforce as reinforce
from .steps import MakeOptimizer as MakeOptimizer
from .steps import global_norm as global_norm
from .trust_region import TRPOState as TRPOState
from .trust_region import fisher_vector_product as fisher_vector_product
from .trust_region import trpo as trpo
from .value_bins import ValueBins as ValueBins
from .value_bins import make_bins as make_bins

__all__ = [
    "VALUE",
    "Algorithm",
    "Batch",
    "MakeOptimizer",
    "PPOConfig",
    "PPOState",
    "Preferences",
    "ReinforceConfig",
    "ReinforceState",
    "RunningMoments",
    "TRPOConfig",
    "TRPOState",
    "TrainablePolicy",
    "ValueBins",
    "ValueConfig",
    "bradley_terry_loss",
    "clipped_surrogate",
    "direct_preference_loss",
    "discounted_returns",
    "fisher_vector_product",
    "generalised_advantages",
    "global_norm",
    "make_bins",
    "masked_mean",
    "ppo",
    "prediction_loss",
    "reinforce",
    "surrogate",
    "trpo",
]
