"""Commands beside the stages: what there is, what is registered, the two user interfaces, a check-up."""

import importlib
import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from flows.dump_command import dump
from flows.label_command import label
from flows.search_command import search
from flows.views_command import views
from sslcore.choices import check_choice
from sslcore.errors import SslflowError, UserError
from tasks.telemetry import OFF
from tasks.workspace import Workspace

__all__ = ["add_commands"]

LISTS = {
    "methods": ("sslcore.methods", "METHODS"),
    "backbones": ("sslcore.backbones", "BACKBONES"),
    "views": ("sslcore.augment", "VIEWS"),
    "strategies": ("sslcore.selection", "STRATEGIES"),
    "formats": ("sslcore.labels", "FORMATS"),
    "scorers": ("sslcore.selection.scorers", "SCORERS"),
}

as_json = click.option(
    "--json", "json_output", is_flag=True, help="Print the result as JSON on standard output."
)


def add_commands(group: click.Group) -> None:
    """Add them to the command line."""
    for command in (list_names, models, label, search, ui, doctor, dump, views):
        group.add_command(command)


@click.command("list")
@click.argument("what")
@as_json
def list_names(what: str, json_output: bool) -> None:
    r"""List methods, backbones, views, strategies, scorers or label formats, with a line on each.

    \b
    Example:
      sslflow list methods
    """
    module, attribute = LISTS[check_choice(what, LISTS, name="sslflow list")]
    names: dict[str, str] = dict(getattr(importlib.import_module(module), attribute))
    if json_output:
        click.echo(json.dumps(names, indent=2))
        return
    width = max(map(len, names))
    for name, line in names.items():
        click.echo(f"{name:{width}}  {line}")


@click.group()
def models() -> None:
    r"""What is in the model registry: list, promote, export.

    \b
    Example:
      sslflow models list
    """


@models.command("list")
@as_json
def models_list(json_output: bool) -> None:
    r"""List the registered backbones, newest first.

    \b
    Example:
      sslflow models list
    """
    from tasks.registry import list_versions

    found = list_versions(_client(Workspace.find()))
    if json_output:
        click.echo(json.dumps([vars(each) for each in found], indent=2))
        return
    for each in found:
        line = (
            f"{each.version:>4}  {each.model_id}  {each.tags.get('method', ''):12} {', '.join(each.aliases)}"
        )
        click.echo(line.rstrip())
    if not found:
        click.echo("nothing is registered yet: 'sslflow run' trains and registers a backbone", err=True)


@models.command("promote")
@click.argument("number")
def models_promote(number: str) -> None:
    r"""Make a version the champion by hand; the one before becomes previous-champion.

    \b
    Example:
      sslflow models promote 3
    """
    from tasks.registry import BACKBONE, promote

    promote(_client(Workspace.find()), number)
    click.echo(f"{BACKBONE} version {number} is champion", err=True)


@models.command("export")
@click.argument("number")
@click.argument("directory", type=click.Path(path_type=Path))
def models_export(number: str, directory: Path) -> None:
    r"""Write a version's backbone.safetensors, model.json and backbone.pt2 into a new folder.

    \b
    Example:
      sslflow models export 3 backbone-3
    """
    from sslcore.backbones import load_backbone
    from sslcore.backbones.export import export_graph
    from tasks.outputs import replacing
    from tasks.registry import fetch_version

    if directory.exists():
        raise UserError(f"{directory} exists already; name a new folder")
    workspace = Workspace.find()
    folder = fetch_version(_client(workspace), workspace, number)
    module, info = load_backbone(folder)
    with replacing({".": directory}) as output:
        for file in sorted(folder.iterdir()):
            shutil.copyfile(file, output / file.name)
        export_graph(module, image_size=info.image_size, path=output / "backbone.pt2")
    click.echo(f"written to {directory}/", err=True)


@click.command()
@click.option("--prefect-port", default=4200, show_default=True)
@click.option("--mlflow-port", default=5000, show_default=True)
def ui(prefect_port: int, mlflow_port: int) -> None:
    r"""Serve Prefect's and MLflow's own pages on this machine until Ctrl-C.

    \b
    Example:
      sslflow ui
    """
    from tasks.tracking import connect, tracking_uri

    workspace = Workspace.find()
    connect(workspace)  # makes the database, so that the server finds one
    tools = Path(sys.executable).parent
    commands = [
        [str(tools / "prefect"), "server", "start", "--host", "127.0.0.1", "--port", str(prefect_port)],
        [str(tools / "mlflow"), "server", "--host", "127.0.0.1", "--port", str(mlflow_port)]
        + ["--backend-store-uri", tracking_uri(workspace)],
    ]
    click.echo(f"Prefect: http://127.0.0.1:{prefect_port}   MLflow: http://127.0.0.1:{mlflow_port}", err=True)
    servers = [subprocess.Popen(command, env={**OFF, **os.environ}) for command in commands]
    try:
        for server in servers:
            server.wait()
    finally:
        for server in servers:
            server.terminate()
        for server in servers:
            server.wait()


@click.command()
@as_json
def doctor(json_output: bool) -> None:
    r"""Say what is here, what is missing, and what to type.

    \b
    Example:
      sslflow doctor
    """
    findings = [*_packages(), _device(), *_workspace_findings()]
    if json_output:
        click.echo(
            json.dumps([dict(zip(("ok", "what", "todo"), each, strict=True)) for each in findings], indent=2)
        )
        return
    for fine, what, todo in findings:
        click.echo(f"{'ok' if fine else '--'}  {what}{'' if fine else ': ' + todo}")


Finding = tuple[bool, str, str]


def _packages() -> list[Finding]:
    names = ("torch", "torchvision", "prefect", "mlflow", "dvc", "av")
    found: list[Finding] = [(True, f"{name} {version(name)}", "") for name in names]
    found.append((shutil.which("git") is not None, "git", "install it; 'dvc exp' and lineage need it"))
    return found


def _device() -> Finding:
    import torch

    if torch.cuda.is_available():
        return (True, f"GPU: {torch.cuda.get_device_name()}", "")
    return (False, "no GPU", "training runs on the CPU: use a small backbone and image size")


def _workspace_findings() -> list[Finding]:
    from tasks.versioning import is_path

    try:
        workspace = Workspace.find()
        params = workspace.params()
    except UserError as error:
        return [(False, "workspace", str(error))]
    found: list[Finding] = [(True, f"workspace {workspace.root}", "")]
    source = params.ingest.source
    there = not is_path(source) or (workspace.root / Path(source).expanduser()).exists()
    found.append((there, f"source {source}", "not there; set ingest.source in params.yaml"))
    whole = (workspace.root / "reports" / "index.html").is_file()
    found.append((whole, "report reports/index.html", "not made yet: 'sslflow run' or 'dvc repro'"))
    unsent = len(list((workspace.state / "unsent").glob("*/record.json")))
    found.append((unsent == 0, "MLflow records all sent", f"{unsent} wait for the next stage to send them"))
    return found


def _client(workspace: Workspace) -> Any:
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    from tasks.tracking import connect, tracking_uri

    try:
        return connect(workspace)
    except (MlflowException, SQLAlchemyError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise SslflowError(f"MLflow at {tracking_uri(workspace)} does not answer ({reason})") from None
