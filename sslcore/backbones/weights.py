"""Weights to start from: a file, a saved backbone, or torchvision's; all of them must fit, or are named."""

import logging
import pickle
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast
from urllib.error import URLError

import torch
import torchvision
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from sslcore.choices import check_choice
from sslcore.errors import ConfigError, UserError

__all__ = ["load_weights"]

log = logging.getLogger(__name__)

SAVED = "backbone.safetensors"
TORCHVISION = "torchvision:"
REGISTRY = "registry:"
NAMED = 3


def load_weights(
    module: nn.Module, weights: str | Path, *, backbone: str, classifiers: Iterable[str] = ()
) -> None:
    """Load weights into a backbone, in place.

    Args:
        module: As build_backbone made it.
        weights: A folder that save_backbone wrote; a ``.safetensors`` file; a ``.pt``, ``.pth`` or ``.ckpt``
            file, of which nothing but tensors is unpickled; or ``torchvision:DEFAULT`` or another of
            torchvision's names of weights (``torchvision:IMAGENET1K_V1``), which are downloaded.
        backbone: Its name.
        classifiers: Parts of the published network that the backbone left away; their weights are not loaded.

    Raises:
        ConfigError: If torchvision has no such weights.
        UserError: If they cannot be read or fetched, or keys are missing, unknown or of another shape.
    """
    text = str(weights)
    if text.startswith(REGISTRY):
        raise UserError(
            f"weights {text} are fetched by 'sslflow pretrain'; here, name the folder they are in"
        )
    if text.startswith(TORCHVISION):
        found = _of_torchvision(text.removeprefix(TORCHVISION), backbone)
    else:
        found = _plain_names(_read(Path(text).expanduser()))
    left = {key: value for key, value in found.items() if not _under(key, classifiers)}
    if len(left) < len(found):
        log.info("weights %s: the classifier (%d tensors) is left away", text, len(found) - len(left))
    _check(module.state_dict(), left, where=f"weights {text} do not fit backbone {backbone}")
    module.load_state_dict(left)


def _of_torchvision(name: str, backbone: str) -> Mapping[str, Tensor]:
    known = torchvision.models.list_models(module=torchvision.models)
    if backbone not in known:
        raise ConfigError(f"torchvision has no weights for backbone {backbone}, only for networks of its own")
    choices = torchvision.models.get_model_weights(backbone)
    check_choice(name, {*choices.__members__, "DEFAULT"}, name=f"weights of {backbone}")
    chosen = choices[name]
    try:
        return cast(
            Mapping[str, Tensor],
            chosen.get_state_dict(progress=False, check_hash=True, weights_only=True),
        )
    except (URLError, OSError, RuntimeError) as error:
        raise UserError(
            f"weights {TORCHVISION}{name} cannot be fetched ({' '.join(str(error).split())}): download "
            f"{chosen.url} where there is a network, and name the file"
        ) from None


def _read(path: Path) -> Mapping[str, Any]:
    file = path / SAVED if path.is_dir() else path
    if not file.is_file():
        raise UserError(f"weights {path}: {'it holds no ' + SAVED if path.is_dir() else 'no such file'}")
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        content = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise UserError(
            f"weights {path} hold more than tensors, which is not unpickled: save its state_dict() alone"
        ) from None
    except (OSError, EOFError, RuntimeError, SafetensorError) as error:
        line = " ".join(str(error).split())
        raise UserError(f"weights {path} cannot be read as {file.suffix or 'a file'}: {line}") from None
    if not isinstance(content, dict):
        raise UserError(f"weights {path} must hold a state_dict, got {type(content).__name__}")
    return content


def _plain_names(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the tensors of a state_dict under the backbone's own names."""
    for key in ("state_dict", "model"):
        if isinstance(content.get(key), Mapping):
            content = content[key]
    found = {str(key): value for key, value in content.items() if isinstance(value, Tensor)}
    for prefix in ("module.", "_orig_mod."):
        if found and all(key.startswith(prefix) for key in found):
            found = {key.removeprefix(prefix): value for key, value in found.items()}
    inner = {
        key.removeprefix("backbone."): value for key, value in found.items() if key.startswith("backbone.")
    }
    return inner or found


def _under(key: str, places: Iterable[str]) -> bool:
    return any(key.startswith(f"{place}.") for place in places)


def _check(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor], *, where: str) -> None:
    """Compare keys and shapes, and name the first few that differ."""
    complaints = []
    for what, keys in (("missing", wanted.keys() - found.keys()), ("unknown", found.keys() - wanted.keys())):
        if keys:
            complaints.append(f"{len(keys)} {what} ({_first(sorted(keys))})")
    shapes = [
        f"{key} {list(found[key].shape)} instead of {list(wanted[key].shape)}"
        for key in sorted(wanted.keys() & found.keys())
        if found[key].shape != wanted[key].shape
    ]
    if shapes:
        complaints.append(f"{len(shapes)} of another shape ({_first(shapes)})")
    if complaints:
        raise UserError(f"{where}: keys are {', '.join(complaints)}")


def _first(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")
