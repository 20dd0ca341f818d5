"""The command that writes samples of the dataset back as image files."""

import dataclasses
import json
from pathlib import Path

import click

from sslcore.errors import UserError
from tasks.workspace import Workspace

__all__ = ["dump"]

SELECTION = Path("data/selection/selection.parquet")


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--selection", is_flag=True, help="Only the samples in data/selection/selection.parquet.")
@click.option(
    "--filenames",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Only the samples named in this text file, one in a line.",
)
@click.option("--split", "splits", multiple=True, help="Only samples of this split (train, val, test).")
@click.option("--label", "labels", multiple=True, help="Only samples that were ingested with this label.")
@click.option("--dataset", type=click.Path(path_type=Path), help="Another dataset than the workspace's.")
@click.option("--json", "json_output", is_flag=True, help="Print the result as JSON on standard output.")
def dump(
    directory: Path,
    selection: bool,
    filenames: Path | None,
    splits: tuple[str, ...],
    labels: tuple[str, ...],
    dataset: Path | None,
    json_output: bool,
) -> None:
    r"""Write samples of the dataset as image files into a new folder, each under its own name.

    What is asked for is combined: --selection --split train writes the selected ones of the training split.

    \b
    Example:
      sslflow dump to-label --selection
      sslflow dump some --filenames names.txt
      sslflow dump val --split val --label cat --label dog
    """
    from sslcore.data.dataset import SampleDataset
    from sslcore.data.dump import choose_samples, dump_samples, read_names

    root = Workspace.find().root if dataset is None or selection else Path()
    samples = SampleDataset(dataset if dataset is not None else root / "data/dataset")
    rows = choose_samples(
        samples,
        filenames=read_names(filenames) if filenames is not None else None,
        sample_ids=_selected(root / SELECTION) if selection else None,
        splits=splits or None,
        labels=labels or None,
    )
    report = dump_samples(samples, rows, directory)
    if json_output:
        click.echo(json.dumps({"directory": str(directory), **dataclasses.asdict(report)}))
        return
    megabytes = report.num_bytes / 1e6
    click.echo(f"{report.num_files} files ({megabytes:.1f} MB) are in {directory}/", err=True)


def _selected(path: Path) -> list[str]:
    import pyarrow.parquet as pq

    if not path.is_file():
        raise UserError(f"{path} is not there: run 'sslflow select' first")
    ids: list[str] = pq.read_table(path, columns=["sample_id"]).column("sample_id").to_pylist()
    return ids
