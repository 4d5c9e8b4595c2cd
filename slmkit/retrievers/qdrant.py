"""Dense retrieval in a Qdrant server, for passages that do not fit into memory or are shared with other programs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from slmkit.errors import SlmkitError
from slmkit.files import sha256_of
from slmkit.retrievers._embedder import fit_embedder
from slmkit.types import Hit, Passage, Retriever

_BATCH = 256  # passages per request


def qdrant(
    passages: Sequence[Passage], *, url: str = ":memory:", embedder: str = "lsa", batch_size: int = 64
) -> Retriever:
    """Ranks passages by cosine similarity of their embeddings, stored and searched by the Qdrant server at `url`.

    url: http://HOST:6333, or ":memory:" for an index in this process. The collection's name is a hash of the passages
    and the embedder (of its files, if it is a folder), so the same passages are uploaded once. embedder: see `dense`.
    Source: Malkov and Yashunin 2018 (HNSW), https://arxiv.org/abs/1603.09320.
    """
    return _Qdrant([passage for passage in passages if passage.text.strip()], url, embedder, batch_size)


class _Qdrant:
    def __init__(self, passages: Sequence[Passage], url: str, embedder: str, batch_size: int) -> None:
        self.passages = passages
        if not passages:
            return
        self.client = _connect(url)
        texts = [passage.text for passage in passages]
        self.embed = fit_embedder(embedder, texts, batch_size=batch_size)
        parts = (part for passage in passages for part in (passage.id, passage.text))
        content = "\0".join([embedder, _files_hash(Path(embedder)), *parts])
        self.collection = f"slmkit-{hashlib.sha256(content.encode()).hexdigest()[:16]}"
        self._fill()

    def search(self, queries: Sequence[str], *, top_k: int) -> list[list[Hit]]:
        """The top_k most similar passages of each query, best first, with similarity above 0."""
        if not queries or not self.passages:
            return [[] for _ in queries]
        found = []
        for vector in self.embed(queries):
            points = self.client.query_points(self.collection, query=vector.tolist(), limit=top_k).points
            found.append([Hit(self.passages[point.id], point.score) for point in points if point.score > 0])
        return found

    def _fill(self) -> None:
        """Uploads the passages, unless the collection already holds all of them."""
        from qdrant_client.models import Distance, PointStruct, VectorParams

        if self.client.collection_exists(self.collection):
            if self.client.count(self.collection).count == len(self.passages):
                return
            self.client.delete_collection(self.collection)
        for start in range(0, len(self.passages), _BATCH):
            batch = self.passages[start : start + _BATCH]
            vectors = self.embed([passage.text for passage in batch])
            if start == 0:
                size = VectorParams(size=vectors.shape[1], distance=Distance.COSINE)
                self.client.create_collection(self.collection, vectors_config=size)
            points = [
                PointStruct(id=start + i, vector=vector.tolist(), payload=passage.to_dict())
                for i, (passage, vector) in enumerate(zip(batch, vectors, strict=True))
            ]
            self.client.upsert(self.collection, points)


def _files_hash(folder: Path) -> str:
    """Hash of all files of an embedder's folder, so that a retrained one gets a new collection; "" for other names."""
    return sha256_of(sorted(path for path in folder.rglob("*") if path.is_file())) if folder.is_dir() else ""


def _connect(url: str) -> Any:
    try:
        from qdrant_client import QdrantClient
    except ImportError:
        raise SlmkitError(
            "retriever 'qdrant' needs the package qdrant-client", fix="pip install 'slmkit[qdrant]'"
        ) from None
    client = QdrantClient(":memory:") if url == ":memory:" else QdrantClient(url=url, check_compatibility=False)
    try:
        client.get_collections()
    except Exception as error:  # each transport of qdrant-client raises its own kind
        what, fix = f"cannot reach a Qdrant server: {error}", "start the server, or remove url"
        raise SlmkitError(what, where=url, fix=fix) from None
    return client
