"""The samples most similar to an image."""

import json

import click

from tasks.workspace import OUTPUTS, Workspace

__all__ = ["search"]


@click.command()
@click.argument("query", metavar="IMAGE|FILENAME")
@click.option("-k", "num_hits", default=10, show_default=True, type=click.IntRange(min=1), help="How many.")
@click.option("--json", "json_output", is_flag=True, help="Print the result as JSON on standard output.")
def search(query: str, num_hits: int, json_output: bool) -> None:
    r"""Show the samples most similar to an image file, or to a sample by its name.

    \b
    Example:
      sslflow search camera-1/img-00042.jpg
      sslflow search ~/strange.jpg -k 20
    """
    from sslcore.embedding.search import search as find

    root = Workspace.find().root
    hits = find(
        query,
        embeddings=root / OUTPUTS["embed"]["."],
        backbone=root / OUTPUTS["pretrain"]["."],
        k=num_hits,
    )
    if json_output:
        click.echo(json.dumps([vars(each) for each in hits], indent=2))
        return
    for each in hits:
        click.echo(f"{each.similarity:7.4f}  {each.filename}{f'  ({each.label})' if each.label else ''}")
