"""Real tables, bundled with scikit-learn: a convex problem, a small network, a regression.

Features are standardised with training statistics only, and so is the target of the regression.
The tables are small, so their intervals are wide: 33 test wines, 105 test tumours.
"""

from __future__ import annotations

from .catalogue import CARDS
from .networks import linear, mlp
from .problem import Problem
from .supervised import Data, classification, regression


def breast_cancer_logistic() -> Problem:
    """Returns the logistic regression of 569 tumours: convex, and it starts at zero."""
    return classification(
        CARDS["breast-cancer-logistic"], linear(30, 2), _bundled("load_breast_cancer")
    )


def wine_mlp() -> Problem:
    """Returns the classification of 178 wines by a 13-16-3 ReLU network."""
    return classification(CARDS["wine-mlp"], mlp(13, 16, 3), _bundled("load_wine"))


def diabetes_regression() -> Problem:
    """Returns the regression on 442 patients by a 10-16-1 ReLU network."""
    return regression(CARDS["diabetes-regression"], mlp(10, 16, 1), _bundled("load_diabetes"))


def _bundled(loader: str) -> Data:
    """Returns a function that reads one of scikit-learn's tables when it is called."""

    def read():
        import sklearn.datasets  # heavy: loaded when data are first asked for

        return getattr(sklearn.datasets, loader)(return_X_y=True)

    return read
