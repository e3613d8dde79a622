"""How fair a search over five modalities is: nDCG@10 and the share of each modality, by method and by modality gap.

A labelled mixed corpus (``mixed_corpus.py``) goes through the SDK to the emulator, whose stand-in model sets modalities
apart by an adjustable gap, and is asked by text, by picture and by sound. Each query looks up the ten nearest nodes of
each modality, exactly; the methods differ in how they make ten hits of them:

- raw: by cosine;
- quotas: by cosine, but at least one of each modality;
- calibration: by cosine less what an unrelated node of that modality scores (``calibration.py``), from the statistics
  that are kept with an index;
- rank fusion: by the reciprocal of the place in the modality's own list;
- LlamaIndex: its MultiModalVectorStoreIndex over the same model, which holds texts and pictures in two stores and
  answers text with five of each and a picture with ten pictures. It knows no sounds, films and pages, and cannot be
  asked by sound: that counts as nothing found. So a second table has nothing but texts and pictures in it.

Relevant is what belongs to the query's topic, whatever its medium. The stand-in model is not Gemini: the numbers tell
whether a method undoes a gap, not how well Gemini searches. Constants of the methods were chosen on one half of the
topics (``--half tuning``); the other half, with other wordings and variations of the pictures, is reported.

    python benchmarks/mixed_retrieval.py [--pairs FOLDER] [--half report|tuning] [--dimension 768] [--json FILE.json]
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

import numpy as np
from llama_index.core.indices.multi_modal import MultiModalVectorStoreIndex
from llama_index.core.schema import ImageNode, Node, NodeWithScore, QueryBundle, TextNode
from mixed_corpus import Corpus, Query, build, read_topics
from rich.console import Console
from rich.table import Table

from llama_index_gemini_mm import GeminiMultimodalEmbedding, MediaStore
from llama_index_gemini_mm.calibration import Calibration, Samples
from llama_index_gemini_mm.emulator import GeminiEmulator
from llama_index_gemini_mm.fusion import reciprocal_rank, with_quotas
from llama_index_gemini_mm.limits import MODALITIES, Modality
from llama_index_gemini_mm.media import MODALITY

_PAIRS = Path(__file__).parents[2] / "shared" / "corpus" / "pairs"
_OUT = Path(__file__).parent / "results" / "mixed_retrieval.json"
_GAPS = (0.0, 0.1, 0.3, 0.6, 1.0)
_HALVES = {"tuning": (0, 1), "report": (1, 11)}
"""Which of two topics, and the seed of wordings and variations."""
_HITS = 10
_SUBSET: tuple[Modality, ...] = ("text", "image")
_SCOPES: dict[str, Sequence[Modality]] = {"all modalities": MODALITIES, "text and image": _SUBSET}

Lists = Mapping[Modality, Sequence[tuple[str, float]]]
"""Ids and cosines of the nearest nodes of each modality, best first."""


@dataclass(frozen=True)
class Asked:
    """A query with its vector, what was found for it, and what it is judged by."""

    query: Query
    vector: np.ndarray
    lists: Lists
    calibration: Calibration
    modality_of: Mapping[str, Modality]


def by_cosine(asked: Asked) -> list[str]:
    """Raw scores."""
    return _best((score, each) for found in asked.lists.values() for each, score in found)


def by_quotas(asked: Asked) -> list[str]:
    """Raw scores, and at least one of each modality."""
    return with_quotas(by_cosine(asked), asked.modality_of.__getitem__, dict.fromkeys(asked.lists, 1), _HITS)


def by_calibration(asked: Asked) -> list[str]:
    """Calibrated scores."""
    expected = asked.calibration.expected(asked.query.modality, asked.vector)
    return _best((score - expected[m], each) for m, found in asked.lists.items() for each, score in found)


def by_rank(asked: Asked) -> list[str]:
    """Reciprocal ranks; equal ones, of which there is one in each list, by cosine."""
    ranks = reciprocal_rank([[each for each, _ in found] for found in asked.lists.values()])
    return sorted(by_cosine(asked), key=lambda each: -ranks[each])


def _best(scored: Iterable[tuple[float, str]]) -> list[str]:
    return [each for _, each in sorted(scored, key=lambda pair: -pair[0])]


METHODS: Mapping[str, Callable[[Asked], list[str]]] = {
    "raw cosine": by_cosine,
    "quotas": by_quotas,
    "calibration": by_calibration,
    "rank fusion": by_rank,
}
_LLAMA = "LlamaIndex"


@dataclass
class Tally:
    """What one method has reached: nDCG by query modality, in the order of the queries, and hits by modality."""

    ndcg: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    hits: Counter[Modality] = field(default_factory=Counter)

    def add(self, asked: Query, ranked: Sequence[str], corpus: Corpus, modality_of: Mapping[str, Modality]) -> None:
        """Judge the first ten of ``ranked``; relevant are the nodes named in ``modality_of`` of the query's topic."""
        relevant = {each for each in modality_of if corpus.topics[each] == asked.topic}
        self.ndcg[asked.modality].append(ndcg([each in relevant for each in ranked[:_HITS]], len(relevant)))
        self.hits.update(modality_of[each] for each in ranked[:_HITS])

    def result(self) -> dict[str, dict[str, float]]:
        """Means and shares."""
        every = [value for values in self.ndcg.values() for value in values]
        means = {"all": fmean(every)} | {modality: fmean(values) for modality, values in self.ndcg.items()}
        shares = {modality: self.hits[modality] / max(1, self.hits.total()) for modality in MODALITIES}
        return {"ndcg": _rounded(means), "share": _rounded(shares)}


def ndcg(found: Sequence[bool], relevant: int) -> float:
    """Discounted gain of the hits by that of the best possible ones."""
    best = sum(1 / math.log2(place + 2) for place in range(min(_HITS, relevant)))
    return sum(1 / math.log2(place + 2) for place, hit in enumerate(found) if hit) / best


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in values.items()}


@dataclass(frozen=True)
class Searched:
    """The corpus in vectors."""

    nodes: list[Node]
    vectors: np.ndarray
    calibration: Calibration

    def lists(self, vector: np.ndarray, modalities: Sequence[Modality]) -> Lists:
        """The ten nearest nodes of each modality."""
        scores = self.vectors @ vector
        found: dict[Modality, list[tuple[str, float]]] = {}
        for modality in modalities:
            places = [n for n, node in enumerate(self.nodes) if node.metadata[MODALITY] == modality]
            places.sort(key=lambda place: -scores[place])
            found[modality] = [(self.nodes[place].node_id, float(scores[place])) for place in places[:_HITS]]
        return found


def searched(nodes: Sequence[Node], folder: Path) -> Searched:
    """Embedded nodes, with the statistics as an index keeps them."""
    samples = Samples(folder / "samples.sqlite3", "mixed")
    samples.clear()
    samples.add(nodes)
    calibration = Calibration.of(samples.vectors())
    samples.close()
    return Searched(list(nodes), np.array([node.embedding for node in nodes], np.float32), calibration)


def among(corpus: Corpus, modalities: Sequence[Modality]) -> dict[str, Modality]:
    """Ids and modalities of the nodes of ``modalities``."""
    return {n.node_id: n.metadata[MODALITY] for n in corpus.nodes if n.metadata[MODALITY] in modalities}


def judge(corpus: Corpus, space: Searched, vectors: np.ndarray, modalities: Sequence[Modality]) -> dict[str, Tally]:
    """All methods over the nodes of ``modalities``, asked by those of them that can ask."""
    modality_of = among(corpus, modalities)
    tallies = {name: Tally() for name in METHODS}
    for query, vector in zip(corpus.queries, vectors, strict=True):
        if query.modality in modalities:
            asked = Asked(query, vector, space.lists(vector, modalities), space.calibration, modality_of)
            for name, method in METHODS.items():
                tallies[name].add(query, method(asked), corpus, modality_of)
    return tallies


def ask_llamaindex(corpus: Corpus, model: GeminiMultimodalEmbedding, folder: Path) -> Iterator[tuple[Query, list[str]]]:
    """Each query and the ids that LlamaIndex's own index over texts and pictures finds with its own retriever."""
    index = MultiModalVectorStoreIndex(_llama_nodes(corpus), embed_model=model, image_embed_model=model)
    five = index.as_retriever(similarity_top_k=_HITS // 2, image_similarity_top_k=_HITS // 2)
    ten = index.as_retriever(image_similarity_top_k=_HITS)
    for query in corpus.queries:
        hits: list[NodeWithScore] = []
        if isinstance(query.part, str):
            hits = five.retrieve(QueryBundle(query.part))
        elif query.modality == "image":
            path = folder / "query.png"
            path.write_bytes(query.part)
            hits = ten.image_to_image_retrieve(str(path))
        yield query, [hit.node.node_id for hit in hits]


def _llama_nodes(corpus: Corpus) -> list[TextNode | ImageNode]:
    nodes: list[TextNode | ImageNode] = []
    for node in corpus.nodes:
        if node.metadata[MODALITY] == "text":
            nodes.append(TextNode(id_=node.node_id, text=node.get_content()))
        elif node.metadata[MODALITY] == "image" and node.image_resource:
            path = str(node.image_resource.path)
            nodes.append(ImageNode(id_=node.node_id, image_path=path, metadata={"file_path": path}))  # else left out
    return nodes


def run_gap(corpus: Corpus, store: MediaStore, gap: float, dimension: int, folder: Path) -> dict[str, object]:
    """Embed everything at one gap, and judge."""
    with (
        GeminiEmulator(modality_gap=gap, keep=0) as emulator,
        GeminiMultimodalEmbedding(
            api_key=emulator.api_key,
            base_url=emulator.base_url,
            output_dimensionality=dimension,
            media_store=store,
            embedding_cache=None,
        ) as model,
    ):
        space = searched(model(corpus.nodes), folder)
        vectors = np.array([model.query_bundle(query.part).embedding for query in corpus.queries], np.float32)
        found = list(ask_llamaindex(corpus, model, folder))
    result: dict[str, object] = {}
    for scope, modalities in _SCOPES.items():
        tallies = judge(corpus, space, vectors, modalities) | {_LLAMA: Tally()}
        modality_of = among(corpus, modalities)
        for query, ranked in found:
            if query.modality in modalities:
                tallies[_LLAMA].add(query, ranked, corpus, modality_of)
        result[scope] = {name: tally.result() for name, tally in tallies.items()}
        result[f"{scope}: queries"] = against(tallies["calibration"], tallies["raw cosine"])
    return result


def against(tally: Tally, other: Tally) -> dict[str, int]:
    """In how many queries the one is better or worse than the other."""
    pairs = [pair for m in tally.ndcg for pair in zip(tally.ndcg[m], other.ndcg[m], strict=True)]
    better, worse = (sum(sign * (a - b) > 1e-9 for a, b in pairs) for sign in (1, -1))
    return {"calibration better": better, "calibration worse": worse, "queries": len(pairs)}


def run(pairs: Path, half: str, gaps: Sequence[float], dimension: int, console: Console) -> dict[str, object]:
    """All gaps as one JSON object."""
    first, seed = _HALVES[half]
    topics = read_topics(pairs)[first::2]
    with tempfile.TemporaryDirectory(prefix="gemini-mm-") as name:
        folder = Path(name)
        store = MediaStore(folder / "media")
        corpus = build(topics, store, seed)
        results = {}
        for gap in gaps:
            started = time.perf_counter()
            results[f"{gap:g}"] = run_gap(corpus, store, gap, dimension, folder)
            console.print(f"gap {gap:g}: {time.perf_counter() - started:.0f} s")
    return {
        "half": half,
        "dimension": dimension,
        "topics": len(topics),
        "nodes": dict(Counter(node.metadata[MODALITY] for node in corpus.nodes)),
        "queries": dict(Counter(query.modality for query in corpus.queries)),
        "gaps": results,
    }


def show(result: dict[str, object], console: Console) -> None:
    """Two tables for people."""
    console.print(*(f"{name}: {result[name]}" for name in ("topics", "nodes", "queries")), sep="\n")
    gaps: dict[str, dict[str, dict[str, dict[str, dict[str, float]]]]] = result["gaps"]  # type: ignore[assignment]
    for scope, modalities in _SCOPES.items():
        asking = ["all", *(m for m in ("text", "image", "audio") if m in modalities)]
        table = Table("gap", "method", title=f"{scope}: nDCG@10, also by the query's modality; % of hits")
        for name in (*asking, " ".join(m[:5].rjust(5) for m in modalities)):
            table.add_column(name, justify="right", no_wrap=True)
        for gap, scopes in gaps.items():
            for method, found in scopes[scope].items():
                shares = " ".join(f"{found['share'][m]:.0%}".rjust(5) for m in modalities)
                table.add_row(gap, method, *(f"{found['ndcg'][name]:.3f}" for name in asking), shares)
            table.add_section()
        console.print(table)
        for gap, scopes in gaps.items():
            console.print(f"gap {gap}: {scopes[f'{scope}: queries']}")


def main() -> None:
    """Measure, show, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=Path, default=_PAIRS, help="folder of labelled media, pairs.csv beside it")
    parser.add_argument("--half", choices=tuple(_HALVES), default="report")
    parser.add_argument("--gaps", type=float, nargs="+", default=_GAPS)
    parser.add_argument("--dimension", type=int, default=768)
    parser.add_argument("--json", type=Path, default=_OUT)
    given = parser.parse_args()
    console = Console(width=max(100, Console().width))
    result = run(given.pairs, given.half, given.gaps, given.dimension, console)
    show(result, console)
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
