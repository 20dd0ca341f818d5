"""What has to be in order before a pipeline starts: a mistake is told in a second and in one line."""

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tasks.launch import holding
from tasks.versioning import (
    LISTING,
    check_source_dep,
    hide_unreadable,
    refresh_listing,
    require_dvc,
    set_source,
)
from tasks.workspace import Workspace

__all__ = ["prepared"]

log = logging.getLogger(__name__)


@contextmanager
def prepared(
    workspace: Path, *, source: str | None = None, overrides: Sequence[str] = (), base: Path | None = None
) -> Iterator[Workspace]:
    """Hold a workspace in which a pipeline can start.

    Args:
        workspace: The workspace, or a folder in it.
        source: A new source, written to params.yaml and said.
        overrides: ``section.key=value`` words; only checked here.
        base: What a relative ``source`` is relative to; the workspace by default.

    Raises:
        UserError: If there is no workspace or no DVC in it, another run holds it, or a setting is wrong.
    """
    place = Workspace.find(workspace)
    require_dvc(place.root)
    with holding(place):
        place.params(overrides if source is None else [f"ingest.source={json.dumps(source)}", *overrides])
        if source is not None:
            log.info(
                "params.yaml: ingest.source is %s", set_source(place.root, source, base=base or place.root)
            )
        params = place.params()
        check_source_dep(place.root, params)
        if refresh_listing(place.root, params):
            log.info("%s has changed: %s", params.ingest.source, LISTING)
        for name in hide_unreadable(place.root, params.ingest.source):
            log.warning("%s cannot be read; DVC is told to ignore it (.dvcignore)", name)
        yield place
