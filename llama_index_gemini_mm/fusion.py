"""From several rankings to one: reciprocal ranks, quotas by modality, and slots that media without text keep."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar

from llama_index_gemini_mm.limits import Modality

RANK_CONSTANT = 60
"""How little the first places count above the next ones; as in the paper that introduced the method.

Source: Cormack, Clarke, Büttcher: Reciprocal Rank Fusion outperforms Condorcet, SIGIR 2009.
"""

Ranked = TypeVar("Ranked")


def reciprocal_rank(
    rankings: Sequence[Sequence[str]], k: float = RANK_CONSTANT, weights: Sequence[float] | None = None
) -> dict[str, float]:
    """The sum of ``weight / (k + rank)`` of each id over all rankings, best first; ranks count from 1.

    Of an id that a ranking names twice the better place counts. Ids of equal score stand as they were first met, place
    by place. Raises ``ValueError`` when there is not one weight for each ranking.
    """
    scores: dict[str, float] = {}
    lists = [list(dict.fromkeys(ranking)) for ranking in rankings]
    shares = [1.0] * len(lists) if weights is None else list(weights)
    if len(shares) != len(lists):
        raise ValueError(f"{len(shares)} weights for {len(lists)} rankings")
    for place in range(max(map(len, lists), default=0)):
        for ranking, share in zip(lists, shares, strict=True):
            if place < len(ranking):
                scores[ranking[place]] = scores.get(ranking[place], 0.0) + share / (k + place + 1)
    return dict(sorted(scores.items(), key=lambda item: -item[1]))


def with_quotas(
    ranked: Sequence[Ranked],
    modality_of: Callable[[Ranked], Modality],
    quotas: Mapping[Modality, int],
    limit: int,
) -> list[Ranked]:
    """The first ``limit`` of ``ranked``, but at least ``quotas[modality]`` of a modality if there are that many.

    What the quotas bring in takes the place of the last ones that no quota asks for; the order stays. Quotas that
    together ask for more than ``limit`` are served in the order of ``ranked``.
    """
    left = dict(quotas)
    asked, others = list[int](), list[int]()
    for place, each in enumerate(ranked):
        modality = modality_of(each)
        wanted = left.get(modality, 0) > 0
        (asked if wanted else others).append(place)
        left[modality] = left.get(modality, 0) - 1
    kept = asked[: max(0, limit)]
    kept += others[: max(0, limit) - len(kept)]
    return [ranked[place] for place in sorted(kept)]


def slots(
    dense: Sequence[str], sparse: Sequence[str], has_text: Collection[str], k: float = RANK_CONSTANT
) -> list[str]:
    """One ranking of a dense and a sparse one in which media without text keep exactly the rank that dense gave them.

    A sparse ranking knows only what has words. Were the two fused as they are, whatever has none would fall behind
    everything that both name. So the places of nodes with text, and only those, are dealt out anew: by the reciprocal
    ranks of the nodes with text in both. What only sparse has found and finds no place comes last.

    Args:
        dense: ids of nodes of every modality, best first.
        sparse: ids of nodes with text, best first.
        has_text: the ids in ``dense`` that have text; those in ``sparse`` count as having some.
        k: as in ``reciprocal_rank``.
    """
    with_text = {*has_text, *sparse}
    dense = list(dict.fromkeys(dense))
    texts = iter(reciprocal_rank([[each for each in dense if each in with_text], sparse], k))
    placed = [next(texts) if each in with_text else each for each in dense]
    return [*placed, *texts]
