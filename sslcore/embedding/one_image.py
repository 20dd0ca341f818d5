"""The vector of an image that is not in the data set, as stored embeddings have it."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from sslcore.augment import normalize
from sslcore.backbones import load_backbone, read_model_info
from sslcore.data import decode_resized
from sslcore.data.decode import ImageError
from sslcore.embedding.features import feature_function
from sslcore.embedding.store import Embeddings
from sslcore.errors import UserError

__all__ = ["embed_image"]


def embed_image(path: Path, stored: Embeddings, backbone: Path) -> NDArray[np.float32]:
    """Return an image's features [D].

    Args:
        path: The image file.
        stored: Embeddings that it shall be compared with.
        backbone: The folder of the network that made them.

    Raises:
        UserError: If the image cannot be read, or the embeddings are of another model.
    """
    info = read_model_info(backbone)
    if info.model_id != stored.model_id:
        raise UserError(
            f"the embeddings are of model {stored.model_id}, not {info.model_id}; run: sslflow embed"
        )
    try:
        image = decode_resized(path.read_bytes(), info.image_size)
    except (ImageError, OSError) as error:
        raise UserError(f"{path} cannot be read as an image: {error}") from None
    network, _ = load_backbone(backbone)
    pixels = torch.from_numpy(np.array(image, dtype=np.uint8)).permute(2, 0, 1)[None]
    with torch.inference_mode():
        extract = feature_function(network, stored.features)
        vector: NDArray[np.float32] = extract(normalize(pixels, info.normalization)).float().numpy()[0]
    return vector
