"""The model registry: register what was trained, and promote it when it is better.

Two registered models under the same aliases. ``sslflow-backbone`` is a graph from images to features, with
the weights and model.json beside it; ``sslflow-embedder`` goes from image bytes to embeddings.
Aliases: ``challenger`` (just trained), ``champion`` (the best so far), ``previous-champion`` (to go back to).
"""

import logging
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from PIL import Image

from sslcore.errors import UserError
from tasks import serving
from tasks.workspace import Workspace

if TYPE_CHECKING:
    from mlflow import MlflowClient

__all__ = [
    "BACKBONE",
    "EMBEDDER",
    "Version",
    "fetch_champion",
    "fetch_version",
    "list_versions",
    "promote",
    "promote_if_better",
    "register",
]

log = logging.getLogger(__name__)

BACKBONE = "sslflow-backbone"
EMBEDDER = "sslflow-embedder"
WEIGHTS = ("backbone.safetensors", "model.json")


@dataclass(frozen=True)
class Version:
    """One registered version of the backbone."""

    version: str
    aliases: tuple[str, ...]
    model_id: str
    tags: Mapping[str, str]
    run_id: str | None


def register(client: "MlflowClient", run_id: str, folder: Path) -> str:
    """Register the backbone in ``folder`` under both names, with the alias challenger.

    Args:
        client: Of the store in which the run is.
        run_id: The run that trained it.
        folder: Holds backbone.safetensors and model.json.

    Returns:
        The version of the backbone. What is registered already is not registered twice; where an earlier
        attempt was cut off after the backbone, its embedder is added.
    """
    from sslcore.backbones import load_backbone
    from sslcore.backbones.export import export_graph

    module, info = load_backbone(folder)
    version = _version_of(client, info.model_id)
    if version is None or not _embedders_of(client, version):
        with tempfile.TemporaryDirectory() as scratch:
            graph = Path(scratch) / "backbone.pt2"
            free = export_graph(module, image_size=info.image_size, path=graph)
            tags = {"model_id": info.model_id, "method": info.method, "any_image_size": str(free).lower()}
            if version is None:
                files = [graph, *(folder / name for name in WEIGHTS)]
                version = _log_backbone(client, run_id, module, info.image_size, files)
                _tag(client, BACKBONE, version, tags)
            embedder = _log_embedder(run_id, graph, folder / "model.json")
            _tag(client, EMBEDDER, embedder, {**tags, "backbone_version": version})
    _set_alias(client, "challenger", version)
    return version


def _log_backbone(
    client: "MlflowClient", run_id: str, module: Any, image_size: int, files: list[Path]
) -> str:
    import mlflow

    example = np.random.default_rng(0).standard_normal((2, 3, image_size, image_size)).astype(np.float32)
    with mlflow.start_run(run_id=run_id):
        logged = mlflow.pytorch.log_model(
            module,
            name="backbone",
            input_example=example,
            extra_files=[str(file) for file in files],
            pip_requirements=_requirements("torch", "numpy", "mlflow"),
            registered_model_name=BACKBONE,
            serialization_format="pt2",
        )
    return str(logged.registered_model_version)


def _log_embedder(run_id: str, graph: Path, spec: Path) -> str:
    import mlflow
    from mlflow.types import ColSpec, Schema

    code = Path(serving.__file__).with_name("embedder.py")
    inputs = Schema([ColSpec("binary", "image", required=False), ColSpec("string", "path", required=False)])
    with mlflow.start_run(run_id=run_id):
        logged = mlflow.pyfunc.log_model(
            name="embedder",
            python_model=str(code),
            code_paths=[str(_decode_file())],
            artifacts={"graph": str(graph), "spec": str(spec)},
            signature=mlflow.models.ModelSignature(inputs=inputs),
            input_example=pd.DataFrame({"image": [_small_png()]}),
            pip_requirements=_requirements("torch", "numpy", "pandas", "pillow", "mlflow"),
            registered_model_name=EMBEDDER,
        )
    return str(logged.registered_model_version)


def _small_png() -> bytes:
    file = BytesIO()
    Image.new("RGB", (2, 2)).save(file, "PNG")
    return file.getvalue()


def _decode_file() -> Path:
    from sslcore.data import decode

    return Path(decode.__file__)


def _requirements(*names: str) -> list[str]:
    from importlib.metadata import version

    return [f"{name}=={version(name).partition('+')[0]}" for name in names]


def _tag(client: "MlflowClient", name: str, version: str, tags: Mapping[str, str]) -> None:
    for key, value in tags.items():
        client.set_model_version_tag(name, version, key, value)


def _version_of(client: "MlflowClient", model_id: str) -> str | None:
    return next((each.version for each in list_versions(client) if each.model_id == model_id), None)


def list_versions(client: "MlflowClient") -> list[Version]:
    """Return the registered versions, newest first."""
    from mlflow.exceptions import MlflowException

    try:
        aliases: dict[str, list[str]] = {}
        for alias, version in client.get_registered_model(BACKBONE).aliases.items():
            aliases.setdefault(str(version), []).append(alias)
    except MlflowException:
        return []
    found = client.search_model_versions(f"name = '{BACKBONE}'", max_results=1000)
    return [
        Version(
            version=str(each.version),
            aliases=tuple(sorted(aliases.get(str(each.version), []))),
            model_id=each.tags.get("model_id", ""),
            tags=dict(each.tags),
            run_id=each.run_id,
        )
        for each in sorted(found, key=lambda each: -int(each.version))
    ]


def fetch_version(client: "MlflowClient", workspace: Workspace, version: str) -> Path:
    """Return a folder with a version's backbone.safetensors and model.json, kept under .state/models/.

    Args:
        client: Of the registry.
        workspace: Where to keep it.
        version: Its number, or an alias such as champion.

    Raises:
        UserError: If there is no such version.
    """
    import mlflow

    known = {each.version: each for each in list_versions(client)}
    version = next((each.version for each in known.values() if version in each.aliases), version)
    if version not in known:
        raise UserError(f"{BACKBONE} has no version {version}; there are: {', '.join(known) or 'none'}")
    folder = workspace.state / "models" / known[version].model_id
    if not folder.is_dir():
        partial = folder.with_name(f".{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        for name in WEIGHTS:
            uri = f"models:/{BACKBONE}/{version}/extra_files/{name}"
            found = mlflow.artifacts.download_artifacts(uri, tracking_uri=mlflow.get_tracking_uri())
            partial.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(found, partial / name)
        partial.rename(folder)
    return folder


def fetch_champion(client: "MlflowClient", workspace: Workspace) -> Path | None:
    """Return a folder with the champion's weights, or None if there is no champion yet."""
    champion = next((each for each in list_versions(client) if "champion" in each.aliases), None)
    return None if champion is None else fetch_version(client, workspace, champion.version)


def promote_if_better(
    client: "MlflowClient", model_id: str, *, candidate: float | None, champion: float | None
) -> str:
    """Make a just-evaluated backbone the champion if it beats the champion on the same samples.

    Args:
        client: Of the registry.
        model_id: Of the backbone that was evaluated.
        candidate: Its kNN accuracy on the validation split, or None if there were no labels.
        champion: The champion's on the same samples, or None if there is none or it was not measured.

    Returns:
        A line that says what was done and why.
    """
    versions = list_versions(client)
    version = next((each for each in versions if each.model_id == model_id), None)
    reigning = next((each for each in versions if "champion" in each.aliases), None)
    if version is None:
        return f"backbone {model_id} is not in the registry, so it cannot become champion"
    if reigning is None:
        promote(client, version.version)
        return f"version {version.version} is champion: there was none before"
    if reigning.model_id == model_id:
        return f"version {version.version} is champion already"
    if candidate is None or champion is None:
        return (
            f"version {reigning.version} stays champion: no labelled validation samples to compare on; "
            f"'sslflow models promote {version.version}' does it by hand"
        )
    figures = f"kNN accuracy {candidate:.4f} against {champion:.4f} on the same validation samples"
    if candidate <= champion:
        return f"version {reigning.version} stays champion: {figures}"
    promote(client, version.version)
    return f"version {version.version} replaces champion {reigning.version}: {figures}"


def promote(client: "MlflowClient", version: str) -> None:
    """Make a version the champion; the one before becomes previous-champion.

    Raises:
        UserError: If there is no such version.
    """
    versions = {each.version: each for each in list_versions(client)}
    if version not in versions:
        raise UserError(f"{BACKBONE} has no version {version}; there are: {', '.join(versions) or 'none'}")
    for each in versions.values():
        if "champion" in each.aliases and each.version != version:
            _set_alias(client, "previous-champion", each.version)
    _set_alias(client, "champion", version)


def _set_alias(client: "MlflowClient", alias: str, version: str) -> None:
    """Set an alias on a backbone and on the embedder that was made from it."""
    client.set_registered_model_alias(BACKBONE, alias, version)
    embedders = _embedders_of(client, version)
    for each in embedders:
        client.set_registered_model_alias(EMBEDDER, alias, each)
    if not embedders:
        log.warning("%s version %s has no %s: its %s stays what it was", BACKBONE, version, EMBEDDER, alias)


def _embedders_of(client: "MlflowClient", version: str) -> list[str]:
    """Return the versions of the embedder that were made from a version of the backbone."""
    found = client.search_model_versions(f"name = '{EMBEDDER}'", max_results=1000)
    return [str(each.version) for each in found if each.tags.get("backbone_version") == version]
