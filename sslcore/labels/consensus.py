"""From what several people said to one label per sample, and a report of where they do not agree."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from sslcore.labels.exchange import Annotation, Box
from sslcore.labels.names import SampleNames

__all__ = ["Conflict", "Consensus", "agree"]


@dataclass(frozen=True)
class Conflict:
    """A sample on which people do not agree.

    Attributes:
        sample_id: Its id.
        filename: Its name.
        said: How many people said what, as ``cat 2, dog 2``.
        label: What most said, or None for a tie; a tie leaves the sample without a label.
    """

    sample_id: str
    filename: str
    said: str
    label: str | None


@dataclass(frozen=True)
class Consensus:
    """What an import comes to.

    Attributes:
        labels: By sample_id, in the order of the manifest.
        boxes: By sample_id, of the person who said most recently; only samples that have any.
        conflicts: Where people do not agree, in the order of the manifest.
        num_annotations: Annotations that were read.
        num_skipped: Samples that somebody skipped and nobody labelled.
        unknown: Places of annotations that name no sample of the data set.
    """

    labels: Mapping[str, str]
    boxes: Mapping[str, tuple[Box, ...]]
    conflicts: tuple[Conflict, ...]
    num_annotations: int
    num_skipped: int
    unknown: tuple[str, ...]


def agree(annotations: Iterable[Annotation], manifest: pd.DataFrame, *, image_root: str = "") -> Consensus:
    """Join annotations to samples and let the majority decide.

    A sample is known by its id, else by its name. A person counts once for a sample: the latest annotation.

    Args:
        annotations: What was said, in any order.
        manifest: The data set's.
        image_root: What the tool has before each name, for example a folder or a server's address.
    """
    known, id_of = set(manifest["sample_id"]), SampleNames(manifest)
    votes: dict[str, dict[str, Annotation]] = defaultdict(dict)
    unknown: list[str] = []
    num_annotations = num_skipped = 0
    for each in annotations:
        num_annotations += 1
        sample_id = each.sample_id if each.sample_id in known else id_of.find(each.filename, image_root)
        if sample_id is None:
            unknown.append(each.place)
            continue
        before = votes[sample_id].get(each.annotator)
        if before is None or each.when >= before.when:
            votes[sample_id][each.annotator] = each
    labels, boxes, conflicts = dict[str, str](), dict[str, tuple[Box, ...]](), list[Conflict]()
    for sample_id, filename in zip(manifest["sample_id"], manifest["filename"], strict=True):
        said = [each for each in votes.get(sample_id, {}).values() if not each.skipped]
        num_skipped += sample_id in votes and not said
        label, conflict = _majority(sample_id, filename, said)
        if label is not None:
            labels[sample_id] = label
        if conflict is not None:
            conflicts.append(conflict)
        drawn = [each for each in said if each.boxes]
        if drawn:
            boxes[sample_id] = max(drawn, key=lambda each: each.when).boxes
    return Consensus(labels, boxes, tuple(conflicts), num_annotations, num_skipped, tuple(unknown))


def _majority(sample_id: str, filename: str, said: list[Annotation]) -> tuple[str | None, Conflict | None]:
    counts = Counter(each.label for each in said if each.label is not None)
    if len(counts) < 2:
        return next(iter(counts), None), None
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    label = ordered[0][0] if ordered[0][1] > ordered[1][1] else None
    words = ", ".join(f"{name} {count}" for name, count in ordered)
    return label, Conflict(sample_id, filename, words, label)
