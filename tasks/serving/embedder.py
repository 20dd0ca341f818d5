"""The registered model sslflow-embedder: image bytes or paths in, embeddings out. Runs without sslflow.

MLflow stores this file with the model (models-from-code) and executes it when the model is loaded;
``decode.py``, the very file that read the images for training, travels beside it.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import torch

BATCH = 64


class Embedder(mlflow.pyfunc.PythonModel):  # type: ignore[misc, name-defined, unused-ignore]
    """Decodes, resizes, normalizes and embeds."""

    def load_context(self, context: Any) -> None:
        """Load the graph and what model.json says of its input."""
        self.spec = json.loads(Path(context.artifacts["spec"]).read_text(encoding="utf-8"))
        self.graph = torch.export.load(context.artifacts["graph"]).module()

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> Any:
        """Embed images.

        Args:
            context: Unused; MLflow passes it.
            model_input: A column ``image`` of encoded bytes, or a column ``path`` of file names.
            params: Unused.

        Returns:
            float32 array [N, D], a row per image, in order.
        """
        images = [self._image(row) for row in model_input.to_dict("records")]
        normalization = self.spec["normalization"]
        mean, std = (torch.tensor(normalization[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
        features = []
        with torch.no_grad():
            for start in range(0, len(images), BATCH):
                batch = torch.from_numpy(np.stack(images[start : start + BATCH])).permute(0, 3, 1, 2)
                features.append(self.graph((batch.float() / 255 - mean) / std).float())
        return torch.cat(features).numpy()

    def _image(self, row: Mapping[Any, Any]) -> np.ndarray[Any, np.dtype[np.uint8]]:
        from decode import decode_resized  # type: ignore[import-not-found, unused-ignore]

        data = row.get("image")
        if not isinstance(data, bytes):
            data = Path(str(row["path"])).read_bytes()
        return np.asarray(decode_resized(data, self.spec["image_size"]), dtype=np.uint8)


mlflow.models.set_model(Embedder())
