from .aggregates import extended_mean as extended_mean
from .aggregates import geometric_mean as geometric_mean
from .aggregates import iqm as iqm
from .bootstrap import Interval as Interval
from .bootstrap import bootstrap_interval as bootstrap_interval
from .bootstrap import fewest_runs as fewest_runs
from .bootstrap import paired_difference as paired_difference
from .bootstrap import paired_differences as paired_differences
from .bootstrap import stratified_bootstrap as stratified_bootstrap
from .correlation import rank_correlation as rank_correlation
from .means import Mean as Mean
from .means import mean_interval as mean_interval
from .means import ratio_interval as ratio_interval
from .means import share_interval as share_interval
from .plain_values import infinities_to_json as infinities_to_json
from .plain_values import interval_from_json as interval_from_json
from .plain_values import interval_to_json as interval_to_json
from .plain_values import number_from_json as number_from_json
from .profiles import performance_profile as performance_profile

__all__ = [
    "Interval",
    "Mean",
    "bootstrap_interval",
    "extended_mean",
    "fewest_runs",
    "geometric_mean",
    "infinities_to_json",
    "interval_from_json",
    "interval_to_json",
    "iqm",
    "mean_interval",
    "number_from_json",
    "paired_difference",
    "paired_differences",
    "performance_profile",
    "rank_correlation",
    "ratio_interval",
    "share_interval",
    "stratified_bootstrap",
]
