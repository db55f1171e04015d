"""Label baselines: scores of a classifier p(y | x) trained on the in-distribution classes.

The group "use in-distribution data labels y" of HVK Table 2. They read no bound of the model.
"""

from __future__ import annotations

import numpy as np

from hvae_core.common.arrays import Floats
from hvae_core.scores.material import Material
from hvae_core.scores.score import Score


def max_softmax(material: Material) -> Floats:
    """1 - max_y p(y | x) (Hendrycks and Gimpel 2017, section 3), (N,).

    As the share of the other classes, which stays apart from 0 where the largest rounds to 1.
    """
    logits = _measure(material, "logits")
    odds = np.exp(logits - logits.max(1, keepdims=True))
    others = np.sort(odds, axis=1)[:, :-1].sum(1)
    return np.asarray(others / (others + 1))


def label_entropy(material: Material) -> Floats:
    """Entropy of p(y | x) in nats (HVK Table 2), (N,)."""
    logits = _measure(material, "logits")
    shifted = logits - logits.max(1, keepdims=True)
    return _entropy(shifted - np.log(np.exp(shifted).sum(1, keepdims=True)))


def odin(material: Material) -> Floats:
    """1 - max_y p(y | x~; T), x~ moved towards its class (Liang et al. 2018, Eq. 1, 2), (N,)."""
    return 1 - _measure(material, "odin")


def class_mahalanobis(material: Material) -> Floats:
    """Squared distance to the nearest class Gaussian of the features (Lee 2018, Eq. 2), (N,)."""
    return np.asarray(_measure(material, "class_distances").min(1))


def deep_ensemble(material: Material) -> Floats:
    """Entropy in nats of the mean of p(y | x) over classifiers (Lakshminarayanan 2017), (N,)."""
    return _entropy(_measure(material, "ensemble_log_p"))


def label_scores() -> tuple[Score, ...]:
    """The label baselines; they are the same for a model of any depth."""
    return (
        Score(
            key="msp",
            name="maximum softmax probability",
            symbol=r"1 - \max p(y \mid x)",
            citation="Hendrycks and Gimpel 2017, A Baseline for Detecting Misclassified and "
            "Out-of-Distribution Examples",
            family="labels",
            function=max_softmax,
            needs=("labels",),
            measures=("logits",),
            cost="seconds",
            unit="",
        ),
        Score(
            key="label_entropy",
            name="entropy of the classes",
            symbol=r"\mathrm{H}[p(y \mid x)]",
            citation="Ren et al. 2019, Likelihood Ratios for Out-of-Distribution Detection, "
            "section 4",
            family="labels",
            function=label_entropy,
            needs=("labels",),
            measures=("logits",),
            cost="seconds",
        ),
        Score(
            key="odin",
            name="ODIN",
            symbol=r"\mathrm{ODIN}",
            citation="Liang et al. 2018, Enhancing the Reliability of Out-of-distribution Image "
            "Detection, Eq. 1, 2",
            family="labels",
            function=odin,
            needs=("labels", "gradient"),
            measures=("odin",),
            cost="seconds",
            unit="",
        ),
        Score(
            key="class_mahalanobis",
            name="Mahalanobis distance of a classifier's features",
            symbol=r"M(f)",
            citation="Lee et al. 2018, A Simple Unified Framework for Detecting "
            "Out-of-Distribution Samples, Eq. 1, 2",
            family="labels",
            function=class_mahalanobis,
            needs=("labels",),
            measures=("class_distances",),
            cost="seconds",
            unit="",
        ),
        Score(
            key="deep_ensemble",
            name="entropy of an ensemble of classifiers",
            symbol=r"\mathrm{H}[\mathrm{mean} p(y \mid x)]",
            citation="Lakshminarayanan et al. 2017, Simple and Scalable Predictive Uncertainty "
            "Estimation using Deep Ensembles",
            family="labels",
            function=deep_ensemble,
            needs=("labels",),
            measures=("ensemble_log_p",),
            cost="seconds",
        ),
    )


def _measure(material: Material, name: str) -> Floats:
    return np.asarray(material.measures[name], dtype=np.float64)


def _entropy(log_p: Floats) -> Floats:
    return np.asarray(-(np.exp(log_p) * log_p).sum(1))
