"""The report stage: everything on one page that needs no network and no server."""

import base64
import hashlib
import html
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

SCRIPTS = (
    "dom.js",
    "thumbnails.js",
    "figures.js",
    "curves.js",
    "confusion.js",
    "camera.js",
    "map.js",
    "map_input.js",
    "selection.js",
    "page.js",
)
"""In the order in which they need each other."""


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
        backbone: Folder with model.json and, if there is one, history.csv.
        embeddings: The embeddings' folder.
        metrics: The file evaluate.json.
        plots: Folder with confusion.csv, if there are test labels.
        selection: Folder with selection.parquet.
        labels: The folder of added labels; may be missing.
        output: An empty folder.
        monitor: Told of each thumbnail.

    Raises:
        UserError: If an input is missing or cannot be used; names it and the stage that makes it.
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
    page = render(content).encode("utf-8")
    (output / "index.html").write_bytes(page)
    num_points, num_selected = len(content["map"]["points"]), len(content["selection"])
    megabytes = round(len(page) / 1e6, 2)
    return ReportReport(
        f"index.html, {megabytes:.1f} MB: {num_points} samples on the map, {num_selected} selected",
        {"num_points": float(num_points), "num_selected": float(num_selected), "megabytes": megabytes},
    )


def render(content: dict[str, Any]) -> str:
    """Put content, style and scripts into the page.

    Text from outside (file names, labels, reasons, the title) is data only: the JSON holds no character
    that could end its element, the scripts only ever make text nodes of it, and the page's own policy lets
    the browser run and style with nothing but the two blocks written here, and fetch nothing.
    """
    data = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        data = data.replace(character, f"\\u{ord(character):04x}")
    style, scripts = "\n" + _asset("style.css"), "\n" + "\n".join(_asset(name) for name in SCRIPTS)
    return Template(_asset("template.html")).substitute(
        title=html.escape(content["title"]),
        style=style,
        style_hash=_hash(style),
        scripts=scripts,
        scripts_hash=_hash(scripts),
        data=data,
    )


def _asset(name: str) -> str:
    return files("sslcore.report").joinpath("page", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """Return a source of the Content Security Policy (https://www.w3.org/TR/CSP3/#grammardef-hash-source)."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
