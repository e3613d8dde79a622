"""Named, weighted features, and the one space they are hashed into."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from llama_index_gemini_mm.limits import DIMENSIONS_MAX

Features = dict[str, float]
"""Weight of each named feature; names carry their kind in front (``w:red``, ``thumb:3``)."""

Vector = npt.NDArray[np.float64]
"""A point of the space, shape (3072,) or shorter."""

_PLACES = 96
_STRIDE = DIMENSIONS_MAX // _PLACES


def blend(*groups: tuple[Features, float]) -> Features:
    """Join groups of features, each first brought to unit length and then given its weight."""
    joined: Features = {}
    for features, weight in groups:
        norm = float(np.sqrt(sum(value * value for value in features.values())))
        if norm > 0.0 and weight > 0.0:
            for name, value in features.items():
                joined[name] = joined.get(name, 0.0) + value * weight / norm
    return joined


def unit(vector: Vector) -> Vector:
    """The vector at length 1; zeros stay zeros."""
    norm = float(np.linalg.norm(vector))
    return vector / norm if norm > 0.0 else vector


class HashedSpace:
    """Gives every feature name its own pseudo-random ±1 places among the 3,072 numbers.

    Each feature takes one place in every stretch of 32 numbers. So the first 128, 256 … numbers hold an equal share of
    every feature, and a shortened vector ranks as the full one does, only with more noise.

    Args:
        cache: how many features' places are remembered (under 1 KB each).
    """

    def __init__(self, cache: int = 32_768) -> None:
        self._places = lru_cache(maxsize=cache)(_places)

    def project(self, features: Mapping[str, float]) -> Vector:
        """The weighted sum of the features' places, shape (3072,), not normalised."""
        if not features:
            return np.zeros(DIMENSIONS_MAX)
        places = np.concatenate([self._places(name) for name in features])
        weights = np.repeat(np.fromiter(features.values(), np.float64, len(features)), _PLACES)
        halves = np.bincount(places, weights, minlength=2 * DIMENSIONS_MAX).astype(np.float64)
        return halves[:DIMENSIONS_MAX] - halves[DIMENSIONS_MAX:]


def _places(name: str) -> npt.NDArray[np.int64]:
    """Where a feature adds (its index) or subtracts (its index + 3072); the same on every machine."""
    digest = hashlib.shake_128(name.encode("utf-8", "surrogatepass")).digest(2 * _PLACES)
    draws = np.frombuffer(digest, dtype="<u2").astype(np.int64)
    index = np.arange(_PLACES) * _STRIDE + draws % _STRIDE
    places: npt.NDArray[np.int64] = index + DIMENSIONS_MAX * (draws >> 15)
    return places
