"""Which sample a name means: as it stands, as another system writes it, or without its extension."""

from collections.abc import Iterator
from pathlib import PurePosixPath

import pandas as pd

__all__ = ["SampleNames"]


class SampleNames:
    """Samples by name.

    Also by the name of a file with the same bytes, where the manifest has ``duplicates``. A sample's own name
    wins over such a name, and a name as it stands over a mended one.

    Args:
        manifest: The data set's.
    """

    def __init__(self, manifest: pd.DataFrame) -> None:
        self._id_of = dict(_names(manifest))
        self._id_of_stem: dict[str, str | None] = {}
        for name, sample_id in self._id_of.items():
            stem = str(PurePosixPath(name).with_suffix(""))
            known = self._id_of_stem.setdefault(stem, sample_id)
            if known != sample_id:
                self._id_of_stem[stem] = None  # two images differ in the extension only

    def find(self, name: str, root: str = "") -> str | None:
        """Return the sample_id, or None if there is no such sample.

        Args:
            name: As a person or a tool wrote it: backslashes between folders and a leading ``./`` are mended,
                and a missing extension if that is clear.
            root: What stands before the name, if anything.
        """
        for given in (name, name.removeprefix(root)):
            mended = given.replace("\\", "/").removeprefix("./")
            for form in (given, mended):
                if form in self._id_of:
                    return self._id_of[form]
            if stem := self._id_of_stem.get(mended):
                return stem
        return None


def _names(manifest: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Yield every name of every sample; a sample's own name comes last, so that it wins in a dict."""
    if "duplicates" in manifest:
        for sample_id, others in zip(manifest["sample_id"], manifest["duplicates"], strict=True):
            # A missing list reads back from Parquet as None.
            for name in others if others is not None else ():
                yield name, sample_id
    yield from zip(manifest["filename"], manifest["sample_id"], strict=True)
