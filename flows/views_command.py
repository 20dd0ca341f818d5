"""The command that draws what a set of views makes of an image."""

import json
from pathlib import Path
from typing import Any

import click

from sslcore.errors import ConfigError, UserError
from tasks.workspace import Workspace

__all__ = ["views"]


@click.command()
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--name", metavar="NAME", help="Which set; by default that of params.yaml.")
@click.option("--size", "image_size", type=click.IntRange(8), help="Side of a view in pixels.")
@click.option("--option", "options", multiple=True, metavar="KEY=VALUE", help="As in pretrain.view_options.")
@click.option("--rows", default=4, show_default=True, type=click.IntRange(1), help="Rows for a single image.")
@click.option("--cell", default=96, show_default=True, type=click.IntRange(8), help="Pixels of a cell.")
@click.option("--seed", default=0, show_default=True, help="The same seed draws the same views.")
@click.option(
    "--output", type=click.Path(path_type=Path), default=Path("views.jpg"), show_default=True, help="A file."
)
@click.option("--json", "json_output", is_flag=True, help="Print the result as JSON on standard output.")
def views(
    images: tuple[Path, ...],
    name: str | None,
    image_size: int | None,
    options: tuple[str, ...],
    rows: int,
    cell: int,
    seed: int,
    output: Path,
    json_output: bool,
) -> None:
    r"""Draw the views of an image, or of several, as a picture.

    \b
    Example:
      sslflow views photo.jpg
      sslflow views photo.jpg --name dino --option num_local=4 --output dino.jpg
    """
    import torch

    from sslcore.augment import build_views
    from sslcore.augment.sheet import view_sheet

    chosen, size, settings = _settings(name, image_size, options)
    made = build_views(chosen, image_size=size, **settings)
    pictures = [_read(path, round(size * 8 / 7)) for path in images]
    batch = torch.stack(pictures * rows if len(pictures) == 1 else pictures)
    sheet = view_sheet(batch, made(batch, torch.Generator().manual_seed(seed)), cell=cell)
    try:
        sheet.save(output, quality=80)
    except (OSError, ValueError) as error:
        raise UserError(f"{output} cannot be written: {error}") from None
    if json_output:
        written = {"output": str(output), "views": chosen, "image_size": size, "options": settings}
        click.echo(json.dumps(written, indent=2, sort_keys=True))
        return
    click.echo(f"{output}: {chosen} at {size} pixels; each row is an image and its views", err=True)


def _settings(
    name: str | None, image_size: int | None, options: tuple[str, ...]
) -> tuple[str, int, dict[str, Any]]:
    """Return the name, the size and the options: those of the workspace, unless a name was given."""
    given = _parsed(options)
    if name is not None:
        return name, image_size or (32 if name.endswith("-small") else 224), given
    pretrain = Workspace.find().params().pretrain
    size = image_size or pretrain.image_size
    chosen = pretrain.views
    if chosen == "auto":
        from sslcore.methods import method_class

        chosen = method_class(pretrain.method).default_views(size)
    return chosen, size, {**pretrain.view_options, **given}


def _parsed(options: tuple[str, ...]) -> dict[str, Any]:
    import yaml

    values: dict[str, Any] = {}
    for option in options:
        key, equals, text = option.partition("=")
        if not equals or not key:
            raise ConfigError(f"an option must look like key=value, got '{option}'")
        try:
            values[key.strip()] = yaml.safe_load(text)
        except yaml.YAMLError:
            raise ConfigError(f"the value in '{option}' is not valid YAML") from None
    return values


def _read(path: Path, side: int) -> Any:
    """Read an image as uint8 [3, side, side], as it is read for training."""
    import numpy as np
    import torch

    from sslcore.data.decode import ImageError, decode_resized

    try:
        decoded = decode_resized(path.read_bytes(), side)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    except ImageError as error:
        raise UserError(f"{path} is no image that can be read: {error}") from None
    return torch.from_numpy(np.array(decoded)).permute(2, 0, 1)
