"""From samples to vectors, their files, and maps of them."""

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
