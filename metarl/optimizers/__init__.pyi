from .aliases import adam_exp_momentum as adam_exp_momentum
from .aliases import adam_powersign as adam_powersign
from .aliases import adam_sharp_powersign as adam_sharp_powersign
from .aliases import adam_step_back as adam_step_back
from .aliases import clip_momentum_exp_v as clip_momentum_exp_v
from .aliases import clip_rmsprop_plus_drop30_momentum as clip_rmsprop_plus_drop30_momentum
from .aliases import drop10_momentum_exp_g3 as drop10_momentum_exp_g3
from .aliases import drop10_momentum_over_exp_g2 as drop10_momentum_over_exp_g2
from .aliases import drop10_powersign as drop10_powersign
from .aliases import drop30_momentum_exp_w as drop30_momentum_exp_w
from .aliases import drop30_powersign as drop30_powersign
from .aliases import drop30_rmsprop_plus_drop10_adam as drop30_rmsprop_plus_drop10_adam
from .aliases import exp_g_minus_exp_momentum as exp_g_minus_exp_momentum
from .aliases import momentum_exp_g2 as momentum_exp_g2
from .aliases import momentum_exp_v as momentum_exp_v
from .aliases import named as named
from .aliases import ortho_plus_ortho_rownorm as ortho_plus_ortho_rownorm
from .aliases import ortho_plus_rownorm as ortho_plus_rownorm
from .aliases import powersign_plus_clip as powersign_plus_clip
from .aliases import rms_ortho_cautious as rms_ortho_cautious
from .aliases import sgd_minus_clip_g2 as sgd_minus_clip_g2
from .aliases import sgd_plus_drop10_adam_powersign as sgd_plus_drop10_adam_powersign
from .aliases import sgd_plus_drop30_momentum as sgd_plus_drop30_momentum
from .caution import cautious as cautious
from .caution import cautious_adamw as cautious_adamw
from .eigenbasis import scale_by_soap as scale_by_soap
from .eigenbasis import soap as soap
from .gradient_differences import adan as adan
from .gradient_differences import scale_by_adan as scale_by_adan
from .lookup import by_name as by_name
from .lookup import needs_total_steps as needs_total_steps
from .matrices import weight_dimension_numbers as weight_dimension_numbers
from .schedules import linear_cosine_decay as linear_cosine_decay
from .schedules import noisy_linear_cosine_decay as noisy_linear_cosine_decay
from .sign_agreement import DECAYS as DECAYS
from .sign_agreement import addsign as addsign
from .sign_agreement import powersign as powersign
from .variance_reduction import mars as mars
from .variance_reduction import scale_by_mars as scale_by_mars

__all__ = [
    "DECAYS",
    "adam_exp_momentum",
    "adam_powersign",
    "adam_sharp_powersign",
    "adam_step_back",
    "adan",
    "addsign",
    "by_name",
    "cautious",
    "cautious_adamw",
    "clip_momentum_exp_v",
    "clip_rmsprop_plus_drop30_momentum",
    "drop10_momentum_exp_g3",
    "drop10_momentum_over_exp_g2",
    "drop10_powersign",
    "drop30_momentum_exp_w",
    "drop30_powersign",
    "drop30_rmsprop_plus_drop10_adam",
    "exp_g_minus_exp_momentum",
    "linear_cosine_decay",
    "mars",
    "momentum_exp_g2",
    "momentum_exp_v",
    "named",
    "needs_total_steps",
    "noisy_linear_cosine_decay",
    "ortho_plus_ortho_rownorm",
    "ortho_plus_rownorm",
    "powersign",
    "powersign_plus_clip",
    "rms_ortho_cautious",
    "scale_by_adan",
    "scale_by_mars",
    "scale_by_soap",
    "sgd_minus_clip_g2",
    "sgd_plus_drop10_adam_powersign",
    "sgd_plus_drop30_momentum",
    "soap",
    "weight_dimension_numbers",
]
