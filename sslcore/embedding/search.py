"""The samples most similar to an image."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sslcore.choices import suggestion
from sslcore.embedding.neighbours import nearest_neighbours
from sslcore.embedding.store import read_embeddings
from sslcore.errors import UserError

__all__ = ["Hit", "search"]


@dataclass(frozen=True)
class Hit:
    """A sample that was found.

    Attributes:
        filename: Its name.
        sample_id: Its id.
        label: The data set's own, or None.
        similarity: Cosine similarity to the query, -1 to 1.
    """

    filename: str
    sample_id: str
    label: str | None
    similarity: float


def search(query: str, *, embeddings: Path, backbone: Path, k: int = 10) -> list[Hit]:
    """Find the ``k`` samples most similar to an image, the most similar first.

    Args:
        query: The name or id of a sample, which is then not among the hits; or the path of an image file.
        embeddings: The folder of embeddings.
        backbone: The network that made them; only needed for an image file.
        k: How many; fewer when there are fewer samples.

    Raises:
        UserError: If the query is neither, the image cannot be read, or the embeddings are of another model.
    """
    stored = read_embeddings(embeddings)
    names = {name: row for row, name in enumerate(stored.filenames)} | {
        sample_id: row for row, sample_id in enumerate(stored.sample_ids)
    }
    row = names.get(query)
    if row is None:
        path = Path(query).expanduser()
        if not path.is_file():
            hint = suggestion(query, stored.filenames)
            raise UserError(f"'{query}' is neither a sample nor an image file{hint}")
        from sslcore.embedding.one_image import embed_image  # networks take seconds to import

        vector = embed_image(path, stored, backbone)
        others = np.arange(len(stored))
    else:
        vector = stored.vectors[row]
        others = np.delete(np.arange(len(stored)), row)
    if not len(others):
        return []
    found, rows = nearest_neighbours(stored.vectors[others], min(k, len(others)), queries=vector[None])
    return [
        Hit(stored.filenames[place], stored.sample_ids[place], stored.labels[place], float(similarity))
        for similarity, place in zip(found[0], others[rows[0]], strict=True)
    ]
