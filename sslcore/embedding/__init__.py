"""From samples to vectors, their files, and maps of them.

Names are imported when they are first used: who reads embeddings needs no networks.
"""

from typing import TYPE_CHECKING

from sslcore.lazy import names_from

if TYPE_CHECKING:
    from sslcore.embedding.embed import EmbedReport
    from sslcore.embedding.extract import batches_of, extract_features
    from sslcore.embedding.maps import pca_2d, tsne_2d
    from sslcore.embedding.neighbours import near_duplicates, nearest_neighbours, outlier_scores
    from sslcore.embedding.store import Embeddings, read_embeddings

__all__ = [
    "EmbedReport",
    "Embeddings",
    "batches_of",
    "extract_features",
    "near_duplicates",
    "nearest_neighbours",
    "outlier_scores",
    "pca_2d",
    "read_embeddings",
    "tsne_2d",
]

_MODULES = {
    "EmbedReport": "embed",
    "Embeddings": "store",
    "batches_of": "extract",
    "extract_features": "extract",
    "near_duplicates": "neighbours",
    "nearest_neighbours": "neighbours",
    "outlier_scores": "neighbours",
    "pca_2d": "maps",
    "read_embeddings": "store",
    "tsne_2d": "maps",
}

__getattr__ = names_from(__name__, _MODULES)
