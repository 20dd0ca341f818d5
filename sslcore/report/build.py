"""The report stage: everything on one page that needs no network and no server."""

import json
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from sslcore.config import ReportConfig
from sslcore.monitor import SILENT, Monitor
from sslcore.report.content import gather

__all__ = ["ReportReport", "report"]

SCRIPTS = ("dom.js", "charts.js", "map.js", "page.js")


@dataclass(frozen=True)
class ReportReport:
    """What was written."""

    summary: str
    """One line for a person."""
    figures: dict[str, float] = field(default_factory=dict)
    """num_points, num_selected, megabytes."""


def report(
    config: ReportConfig,
    *,
    dataset: Path,
    backbone: Path,
    embeddings: Path,
    metrics: Path,
    plots: Path,
    selection: Path,
    labels: Path,
    output: Path,
    monitor: Monitor = SILENT,
) -> ReportReport:
    """Write ``output/index.html``.

    Args:
        config: What the page shows.
        dataset: The data set's folder.
        backbone: Folder with model.json and history.csv.
        embeddings: The embeddings' folder.
        metrics: The file evaluate.json.
        plots: Folder with confusion.csv.
        selection: Folder with selection.parquet.
        labels: The folder of added labels; may be missing.
        output: An empty folder.
        monitor: Told of each thumbnail.

    Raises:
        UserError: If an input is missing or does not belong to the others.
    """
    content = gather(
        config,
        dataset=dataset,
        backbone=backbone,
        embeddings=embeddings,
        metrics=metrics,
        plots=plots,
        selection=selection,
        labels=labels,
        monitor=monitor,
    )
    page = render(content)
    (output / "index.html").write_text(page, encoding="utf-8")
    figures = {
        "num_points": float(len(content["map"]["points"])),
        "num_selected": float(len(content["selection"])),
        "megabytes": round(len(page.encode()) / 1e6, 2),
    }
    summary = f"index.html, {figures['megabytes']:.1f} MB: {len(content['map']['points'])} samples on the map"
    return ReportReport(f"{summary}, {len(content['selection'])} selected", figures)


def render(content: dict[str, Any]) -> str:
    """Put content, style and scripts into the page; text from outside cannot become markup."""
    page = files("sslcore.report").joinpath("page")
    data = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":  # so that no text can end the script tag
        data = data.replace(character, f"\\u{ord(character):04x}")
    scripts = "\n".join(page.joinpath(name).read_text(encoding="utf-8") for name in SCRIPTS)
    template = Template(page.joinpath("template.html").read_text(encoding="utf-8"))
    style = page.joinpath("style.css").read_text(encoding="utf-8")
    return template.substitute(style=style, data=data, scripts=scripts)
