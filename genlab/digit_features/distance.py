"""The Fréchet distance of two Gaussians that have the means and covariances of two sets (Fréchet 1957; Heusel et al. 2017)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def frechet(ours: NDArray[np.floating], theirs: NDArray[np.floating]) -> float:
    """‖μ − μ'‖² + tr(Σ + Σ' − 2 (Σ^½ Σ' Σ^½)^½), the square as everybody quotes it; 0 for the same set, never below.

    Args:
        ours: Features ``(N, D)``, N ≥ 1.
        theirs: Features ``(M, D)``.
    """
    (mean, covariance), (other_mean, other_covariance) = (_moments(features) for features in (ours, theirs))
    values, vectors = np.linalg.eigh(covariance)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    mixed = np.sqrt(np.linalg.eigvalsh(root @ other_covariance @ root).clip(0)).sum()
    distance = np.square(mean - other_mean).sum() + np.trace(covariance) + np.trace(other_covariance) - 2 * mixed
    return float(max(0.0, distance))


def _moments(features: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and covariance (over N, so that a single one has one too)."""
    values = features.astype(np.float64)
    centred = values - values.mean(0)
    return values.mean(0), centred.T @ centred / len(values)
