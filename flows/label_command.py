"""Labels out to a labelling tool and back."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from sslcore.errors import UserError
from tasks.workspace import LABELS, OUTPUTS, Workspace

__all__ = ["label"]

SHOWN = 10

as_json = click.option(
    "--json", "json_output", is_flag=True, help="Print the result as JSON on standard output."
)
in_format = click.option(
    "--format", "tool", default="label-studio", show_default=True, help="See 'sslflow list formats'."
)
under = click.option(
    "--image-root", default="", metavar="PREFIX", help="What the tool has before each file name."
)


@click.group()
def label() -> None:
    r"""Hand the selected samples to a labelling tool, and take its labels back.

    \b
    Example:
      sslflow label export to-label --format cvat
      sslflow label import annotations.xml --format cvat
    """


@label.command("export")
@click.argument("directory", type=click.Path(path_type=Path))
@in_format
@under
@click.option(
    "--suggestions",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="What a model thinks: .csv or .parquet (sample_id, label, score), or COCO .json with boxes.",
)
@click.option("--no-images", is_flag=True, help="Leave the images out; the tool reads them where they are.")
@as_json
def label_export(
    directory: Path, tool: str, image_root: str, suggestions: Path | None, no_images: bool, json_output: bool
) -> None:
    r"""Write what was selected into a new folder, as a labelling tool reads it.

    \b
    Example:
      sslflow label export to-label --format label-studio --image-root "/data/local-files/?d=pool/"
    """
    from sslcore.data import read_manifest
    from sslcore.labels import hand_over, read_labels
    from sslcore.labels.suggestions import read_suggestions
    from tasks.outputs import replacing

    if directory.exists():
        raise UserError(f"{directory} exists already; name a new folder")
    root = Workspace.find().root
    dataset = root / OUTPUTS["ingest"]["."]
    manifest = read_manifest(dataset)
    with replacing({".": directory}) as output:
        report = hand_over(
            dataset=dataset,
            selection=root / OUTPUTS["select"]["."],
            output=output,
            tool=tool,
            classes=sorted(set(read_labels(root / LABELS, manifest).values())),
            suggestions=read_suggestions(suggestions, manifest) if suggestions else None,
            image_root=image_root,
            images=not no_images,
        )
    if json_output:
        click.echo(json.dumps({"directory": str(directory), **asdict(report)}, indent=2))
        return
    gone = f"; {report.num_gone} selected samples are no longer in the data set" if report.num_gone else ""
    suggested = f"{report.num_suggested} with a suggestion"
    click.echo(f"{report.num_samples} samples for {tool} in {directory}/, {suggested}{gone}", err=True)


@label.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@in_format
@under
@click.option("--name", help="Of the label file, data/labels/NAME.csv; the format's name by default.")
@click.option("--confirmed", is_flag=True, help="Suggestions that nobody changed are right (cvat, coco).")
@as_json
def label_import(
    file: Path, tool: str, image_root: str, name: str | None, confirmed: bool, json_output: bool
) -> None:
    r"""Take a tool's labels back into data/labels/; evaluate, select and report read them from there.

    \b
    Example:
      sslflow label import export.json --format label-studio
    """
    from sslcore.labels import take_back

    workspace = Workspace.find()
    with workspace.lock():
        report = take_back(
            file,
            dataset=workspace.root / OUTPUTS["ingest"]["."],
            labels=workspace.root / LABELS,
            tool=tool,
            name=name,
            image_root=image_root,
            confirmed=confirmed,
        )
    if json_output:
        click.echo(json.dumps(asdict(report), indent=2, default=str))
        return
    click.echo(
        f"{report.file.relative_to(workspace.root)}: {report.num_labels} labels, {report.num_new} new, "
        f"{report.num_changed} changed, {report.num_withdrawn} taken away; {report.num_skipped} skipped, "
        f"{report.num_boxes} boxes, {report.num_unknown} of samples that are not here",
        err=True,
    )
    for what, found in (("people disagree", report.conflicts), ("another file says", report.elsewhere)):
        for each in found[:SHOWN]:
            taken = f"'{each.label}' is taken" if each.label else "no label is taken"
            click.echo(f"  {what}: {each.filename}: {each.said}; {taken}", err=True)
        if len(found) > SHOWN:
            click.echo(f"  {what}: and {len(found) - SHOWN} more; --json shows all", err=True)
