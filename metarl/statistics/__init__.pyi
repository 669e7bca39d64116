from .aggregates import extended_mean as extended_mean
from .aggregates import geometric_mean as geometric_mean
from .aggregates import iqm as iqm
from .bootstrap import Interval as Interval
from .bootstrap import bootstrap_interval as bootstrap_interval
from .bootstrap import paired_difference as paired_difference
from .bootstrap import stratified_bootstrap as stratified_bootstrap
from .correlation import rank_correlation as rank_correlation
from .means import Mean as Mean
from .means import mean_interval as mean_interval
from .means import ratio_interval as ratio_interval
from .profiles import performance_profile as performance_profile

__all__ = [
    "Interval",
    "Mean",
    "bootstrap_interval",
    "extended_mean",
    "geometric_mean",
    "iqm",
    "mean_interval",
    "paired_difference",
    "performance_profile",
    "rank_correlation",
    "ratio_interval",
    "stratified_bootstrap",
]
