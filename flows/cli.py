"""The command line. It imports neither prefect nor dvc, and torch only in the process that needs it."""

import errno
import json
import logging
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from sslcore.errors import SslflowError, TrainingInterrupted, UserError
from tasks.telemetry import switch_off
from tasks.workspace import STAGES, Workspace

__all__ = ["cli", "main"]

HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 110}

as_json = click.option(
    "--json", "json_output", is_flag=True, help="Print the result as JSON on standard output."
)
settings = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="SECTION.KEY=VALUE",
    help="Override a setting for this run only.",
)
from_source = click.option("--source", metavar="S", help="Where images come from; written to params.yaml.")
# What a full disk, a used-up quota and a disk that takes nothing say.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; exit codes: 0 done, 2 the user's mistake, 75 start it again to go on, 1 our failure."""
    switch_off()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    for noisy in ("alembic", "mlflow", "httpx", "git"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        cli.main(
            list(arguments) if arguments is not None else None, prog_name="sslflow", standalone_mode=False
        )
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.ClickException as error:
        error.show()
        return 2
    except UserError as error:
        click.echo(f"error: {error}", err=True)
        return 2
    except TrainingInterrupted as error:
        click.echo(f"interrupted: {error}", err=True)
        return os.EX_TEMPFAIL
    except SslflowError as error:
        click.echo(f"failed: {error}", err=True)
        return 1
    except (KeyboardInterrupt, click.Abort):
        click.echo("stopped", err=True)
        return 130
    except Exception as error:
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            place = f"{error.filename}: " if error.filename else ""
            click.echo(f"failed: {place}{error.strerror}; make room and run it again", err=True)
        else:
            traceback.print_exc()
        return 1
    return 0


@click.group(context_settings=HELP)
@click.version_option(package_name="sslflow")
def cli() -> None:
    r"""From a pile of images and video to a backbone, embeddings, and the few samples worth labelling next.

    \b
    Try it:
      sslflow sample data/sample
      sslflow run --source data/sample
    """


def _stage_command(stage: str, help_text: str) -> Callable[..., None]:
    """Make the command of one stage."""

    def command(overrides: tuple[str, ...], json_output: bool, source: str | None = None) -> None:
        from tasks.stage import run_stage

        workspace = Workspace.find()
        if source is not None:
            _set_source(workspace, source)
        outcome = run_stage(stage, workspace=workspace, overrides=overrides)
        if json_output:
            _print_json(vars(outcome))
        elif outcome.status == "unchanged":
            click.echo(f"{stage}: unchanged ({outcome.summary}) in {outcome.output}", err=True)
        elif outcome.output != ".":
            click.echo(f"written to {outcome.output}/", err=True)

    command.__doc__ = help_text
    for option in (as_json, settings, *([from_source] if stage == "ingest" else [])):
        command = option(command)
    return cli.command(stage)(command)


_STAGE_HELP = {
    "ingest": "Read the source into data/dataset/.\n\n\b\nExample:\n  sslflow ingest --source ~/footage",
    "pretrain": "Learn a backbone without labels, into models/backbone/ and the registry.\n\n\b\n"
    "Example:\n  sslflow pretrain --set pretrain.epochs=20",
    "embed": "Turn every sample into a vector, into data/embeddings/.\n\n\b\nExample:\n  sslflow embed",
    "evaluate": "Judge the backbone on what labels there are, into metrics/ and plots/.\n\n\b\n"
    "Example:\n  sslflow evaluate --set evaluate.knn_k=5",
    "select": "Say which samples to label next, into data/selection/.\n\n\b\n"
    "Example:\n  sslflow select --set select.strategy=kcenter --set select.budget=50",
    "report": "Put it all on one page, reports/index.html.\n\n\b\nExample:\n  sslflow report",
}
for _name in STAGES:
    _stage_command(_name, _STAGE_HELP[_name])


@cli.command()
@from_source
@settings
@as_json
def run(source: str | None, overrides: tuple[str, ...], json_output: bool) -> None:
    r"""Run all six stages as a Prefect flow; what is up to date is skipped.

    \b
    Example:
      sslflow run --source ~/footage
      sslflow run --set pretrain.epochs=200
    """
    from flows.run import run_pipeline

    outcomes = run_pipeline(Workspace.find().root, source=source, overrides=overrides)
    if json_output:
        _print_json([vars(outcome) for outcome in outcomes])
        return
    for outcome in outcomes:
        click.echo(
            f"{outcome.stage:9} {outcome.status:9} {outcome.seconds:6.1f} s  {outcome.summary}", err=True
        )
    click.echo(f"report: {Path(outcomes[-1].output) / 'reports' / 'index.html'}", err=True)


@cli.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--source", metavar="S", help="Where images come from; you can set it later in params.yaml.")
@as_json
def init(directory: Path, source: str | None, json_output: bool) -> None:
    r"""Make a new workspace.

    \b
    Example:
      sslflow init ~/potholes --source ~/footage
    """
    from tasks.versioning import create_workspace

    lines = create_workspace(directory, source)
    if json_output:
        _print_json({"workspace": str(directory), "done": lines})
    else:
        click.echo("\n".join(lines), err=True)


@cli.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--seed", default=0, show_default=True, help="The same seed draws the same bytes.")
@click.option("--images", "num_images", default=3000, show_default=True, help="How many images to draw.")
@as_json
def sample(directory: Path, seed: int, num_images: int, json_output: bool) -> None:
    r"""Draw sample data: image folders, a short video, a few broken files, labels for a part.

    \b
    Example:
      sslflow sample data/sample
    """
    from sslcore.data.sample import write_sample

    drawn = write_sample(directory, seed=seed, num_images=num_images)
    if json_output:
        _print_json(vars(drawn))
    else:
        click.echo(drawn.summary, err=True)


def _set_source(workspace: Workspace, source: str) -> None:
    from tasks.versioning import set_source

    with workspace.lock():
        workspace.params([f"ingest.source={json.dumps(source)}"])
        place = set_source(workspace.root, source)
    click.echo(f"params.yaml: ingest.source is {place}", err=True)


def _print_json(content: Any) -> None:
    click.echo(json.dumps(content, indent=2, sort_keys=True, default=str))


def _add_other_commands() -> None:
    from flows.commands import add_commands

    add_commands(cli)
    _keep_line_breaks(cli)


def _keep_line_breaks(command: click.Command) -> None:
    """Turn the two characters that raw docstrings have into the one by which click leaves examples alone."""
    command.help = (command.help or "").replace("\\b\n", "\b\n")
    for each in command.commands.values() if isinstance(command, click.Group) else ():
        _keep_line_breaks(each)


_add_other_commands()

if __name__ == "__main__":
    sys.exit(main())
