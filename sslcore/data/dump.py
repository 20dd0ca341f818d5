"""Write samples of the store back as image files, the right bytes under the right name."""

import os
import posixpath
import re
import shutil
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd

from sslcore.data.dataset import SampleDataset
from sslcore.data.manifest import read_dataset_info
from sslcore.errors import UserError
from sslcore.monitor import SILENT, Monitor

__all__ = ["DumpReport", "choose_samples", "dump_samples", "read_names", "safe_name"]

NUM_NAMED = 10
AT_ONCE = 256
_EXTENSIONS: dict[str, tuple[str, ...]] = {"original": (), "jpeg": (".jpg", ".jpeg"), "uint8": (".png",)}


@dataclass(frozen=True)
class DumpReport:
    """What was written.

    Attributes:
        num_files: Files.
        num_bytes: Their size.
    """

    num_files: int
    num_bytes: int


def choose_samples(
    samples: SampleDataset,
    *,
    filenames: Iterable[str] | None = None,
    sample_ids: Iterable[str] | None = None,
    splits: Sequence[str] | None = None,
    labels: Sequence[str] | None = None,
) -> list[int]:
    """Return the rows of the manifest that fit all that is asked, in the manifest's order.

    Args:
        samples: The dataset.
        filenames: Names, also those of duplicates; in any order.
        sample_ids: As in selection.parquet.
        splits: Of these splits only.
        labels: With these labels only.

    Raises:
        UserError: If a name, an id, a split or a label is not there, or nothing fits.
    """
    manifest = samples.manifest
    chosen = pd.Series(True, index=manifest.index)
    if filenames is not None:
        chosen &= _named(manifest, {_normal(name) for name in filenames})
    for column, wanted in (("sample_id", sample_ids), ("split", splits), ("label", labels)):
        if wanted is not None:
            values = {str(each) for each in wanted}
            _require(values, set(manifest[column].dropna()), f"{column} of the dataset")
            chosen &= manifest[column].isin(values)
    rows = [int(row) for row in manifest.index[chosen]]
    if not rows:
        raise UserError(f"no sample of {samples.path} fits all that is asked")
    return rows


def _named(manifest: pd.DataFrame, wanted: set[str]) -> "pd.Series[bool]":
    found = manifest["filename"].isin(wanted)
    missing = wanted - set(manifest["filename"][found])
    if missing:  # a duplicate's name stands for the sample
        duplicates = manifest["duplicates"].explode().dropna()
        found |= manifest.index.isin(duplicates.index[duplicates.isin(missing)])
        missing -= set(duplicates)
    _require(missing, set(), "sample of the dataset")
    return found


def _require(wanted: set[str], known: set[str], what: str) -> None:
    astray = sorted(wanted - known)
    if astray:
        more = f" and {len(astray) - NUM_NAMED} more" if len(astray) > NUM_NAMED else ""
        raise UserError(f"there is no {what} named {', '.join(astray[:NUM_NAMED])}{more}")


def _normal(name: str) -> str:
    return posixpath.normpath(name.replace(os.sep, "/"))


def read_names(path: Path) -> list[str]:
    """Read a text file of names, one in a line; empty lines are left out.

    Raises:
        UserError: If it cannot be read or names nothing.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is no text file of names: {error}") from error
    names = [line.strip() for line in lines if line.strip()]
    if not names:
        raise UserError(f"{path} names no sample")
    return names


def dump_samples(
    samples: SampleDataset,
    rows: Iterable[int],
    output: Path,
    *,
    num_threads: int = 4,
    monitor: Monitor = SILENT,
) -> DumpReport:
    """Write samples as image files below a folder, each under its own name. All are written, or none.

    From a store of original bytes, a file is what was ingested, byte for byte, and a frame a PNG. From a
    store of smaller images come those: JPEG or PNG, with ``.jpg`` or ``.png`` after another ending.

    Args:
        samples: The dataset.
        rows: Rows of ``samples.manifest``; their order is of no matter.
        output: A folder that is not there yet, or is empty.
        num_threads: Threads that read and write.
        monitor: Told of the files that are done.

    Raises:
        UserError: If two samples would get one name, the folder is not empty, or a file cannot be written.
    """
    chosen = sorted(set(rows))
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise UserError(f"{output} is there and not empty: name a new folder")
    targets = _targets(samples, chosen)
    partial = output.with_name(f".{output.name}.partial-{os.getpid()}")

    def write(row: int) -> int:
        path = partial / targets[row]
        path.parent.mkdir(parents=True, exist_ok=True)
        data = samples.encoded(row)
        path.write_bytes(data)
        return len(data)

    num_bytes = 0
    try:
        partial.mkdir(parents=True)
        with ThreadPoolExecutor(num_threads) as threads:
            for start in range(0, len(chosen), AT_ONCE):
                num_bytes += sum(threads.map(write, chosen[start : start + AT_ONCE]))
                monitor.progress(min(start + AT_ONCE, len(chosen)), len(chosen), "files")
        partial.rename(output)
    except OSError as error:
        raise UserError(f"{error.filename or output} cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return DumpReport(len(chosen), num_bytes)


def _targets(samples: SampleDataset, rows: list[int]) -> dict[int, str]:
    """Return the file of each row, none of them twice, none inside another."""
    names = samples.manifest["filename"].iloc[rows].tolist()
    extensions = _EXTENSIONS[read_dataset_info(samples.path).store["format"]]
    targets: dict[int, str] = {}
    owners: dict[str, str] = {}
    for row, name in zip(rows, names, strict=True):
        target = safe_name(name)
        if extensions and not target.lower().endswith(extensions):
            target += extensions[0]
        if target in owners:
            raise UserError(f"'{owners[target]}' and '{name}' would both be written to '{target}': dump one")
        owners[target], targets[row] = name, target
    for target, name in owners.items():
        folder = next((str(each) for each in PurePosixPath(target).parents if str(each) in owners), None)
        if folder is not None:
            raise UserError(f"'{name}' would lie inside the file '{folder}': dump one of the two")
    return targets


def safe_name(name: str) -> str:
    """Return a name as a path below a folder: ``..`` becomes ``__``, roots and control characters go."""
    name = re.sub(r"[\0-\x1f\x7f]", "_", name.replace("\\", "/") if os.sep == "\\" else name)
    parts = [part for part in name.split("/") if part not in ("", ".")]
    parts = ["__" if part == ".." else part for part in parts]
    if os.name == "nt" and parts:
        parts = [part.replace(":", "_") for part in parts]
    return "/".join(parts) or "_"
