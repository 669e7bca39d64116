"""Where data and formulas come from, as cards cite them."""

from __future__ import annotations

DIGITS = "Alpaydin and Kaynak (1998), Optical Recognition of Handwritten Digits, by scikit-learn"
CANCER = "Wolberg et al. (1995), Breast Cancer Wisconsin (Diagnostic), by scikit-learn"
WINE = "Aeberhard and Forina (1992), Wine, by scikit-learn"
DIABETES = "Efron et al. (2004), Least Angle Regression, by scikit-learn"
CHINA = "Photograph china.jpg by danielbuechele, CC BY 2.0, by scikit-learn"
FLOWER = "Photograph flower.jpg by vultilion, CC BY 2.0, by scikit-learn"
PYTHON = "The Python 3.13 language reference (c) Python Software Foundation, PSF licence"
CIFAR = "Krizhevsky (2009), Learning Multiple Layers of Features from Tiny Images"
NOISY = "Zhang et al. (2019), Which Algorithmic Choices Matter at Which Batch Sizes?"
MORE = "Moré, Garbow and Hillstrom (1981), Testing Unconstrained Optimization Software"
PENDULUM = "Raissi, Perdikaris and Karniadakis (2019), Physics-Informed Neural Networks"
CARTPOLE = "Barto, Sutton and Anderson (1983), Neuronlike Adaptive Elements"
