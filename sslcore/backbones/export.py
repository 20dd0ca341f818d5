"""A backbone as a graph that runs without its Python code: torch.export, pt2.

Source: PyTorch's export archive, https://docs.pytorch.org/docs/stable/export.html.
"""

import logging
import os
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import Dim

from sslcore.errors import UserError

__all__ = ["export_graph"]

log = logging.getLogger(__name__)


def export_graph(backbone: nn.Module, *, image_size: int, path: Path, any_size: bool = True) -> bool:
    """Write a backbone as ``path`` (pt2), for any batch size, and for any height and width where it can.

    Args:
        backbone: From float32 [B, 3, H, W] to features [B, D]; in eval mode.
        image_size: Side in pixels that it was trained at; it must be accepted.
        path: File to write, beside and renamed.
        any_size: Try to leave height and width free.

    Returns:
        True if height and width are free in the file, False if they are fixed at ``image_size``.
    """
    images = torch.rand(2, 3, image_size, image_size)
    program = None
    free = {2: Dim.AUTO, 3: Dim.AUTO}
    with torch.no_grad():
        if any_size:
            program = _with_free_sides(backbone, images, free)
        fixed = program is None
        if program is None:
            program = torch.export.export(backbone, (images,), dynamic_shapes=({0: Dim.AUTO},), strict=False)
    partial = path.with_name(f"{path.stem}.partial-{os.getpid()}.pt2")
    torch.export.save(program, partial)
    partial.replace(path)
    return not fixed


def _with_free_sides(
    backbone: nn.Module, images: Tensor, free: dict[int, object]
) -> torch.export.ExportedProgram | None:
    """Export with free sides and try it at another size; None if the architecture does not allow it."""
    other = torch.rand(3, 3, images.shape[2] + 32, images.shape[3] + 64)
    try:
        program = torch.export.export(
            backbone, (images,), dynamic_shapes=({0: Dim.AUTO, **free},), strict=False
        )
        close = torch.allclose(program.module()(other), backbone(other), rtol=1e-3, atol=1e-4)
    except (AssertionError, RuntimeError, ValueError, UserError) as error:
        log.info("height and width stay fixed in the exported graph: %s", str(error).splitlines()[0])
        return None
    return program if close else None
