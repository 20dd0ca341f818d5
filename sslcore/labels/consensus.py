"""From what several people said to one label per sample, and a report of where they do not agree."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pandas as pd

from sslcore.errors import UserError
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
        num_skipped: Samples that somebody skipped and nobody labelled.
        withdrawn: Their ids, and of samples with a tie: what was known of them before holds no longer.
        boxless: Ids of samples on which somebody said something, but nobody drew a box.
        unknown: Places of annotations that name no sample of the data set.
    """

    labels: Mapping[str, str]
    boxes: Mapping[str, tuple[Box, ...]]
    conflicts: tuple[Conflict, ...]
    num_skipped: int
    withdrawn: frozenset[str]
    boxless: frozenset[str]
    unknown: tuple[str, ...]


def agree(annotations: Iterable[Annotation], manifest: pd.DataFrame, *, image_root: str = "") -> Consensus:
    """Join annotations to samples and let the majority decide.

    A sample is known by its id, else by its name. A person counts once for a sample: the latest annotation.
    Annotations with neither a person nor a time count one by one. Boxes are scaled to the sample's size.

    Args:
        annotations: What was said, in any order.
        manifest: The data set's.
        image_root: What the tool has before each name, for example a folder or a server's address.

    Raises:
        UserError: If a class has no name; names the place.
    """
    known, id_of = set(manifest["sample_id"]), SampleNames(manifest)
    votes: dict[str, dict[tuple[str, int], Annotation]] = defaultdict(dict)
    unknown: list[str] = []
    for number, each in enumerate(annotations, 1):
        sample_id = each.sample_id if each.sample_id in known else id_of.find(each.filename, image_root)
        if sample_id is None:
            unknown.append(each.place)
            continue
        person = each.annotator, 0 if each.annotator or each.when else number
        before = votes[sample_id].get(person)
        if before is None or _moment(each) >= _moment(before):
            votes[sample_id][person] = _checked(each)
    labels, boxes, conflicts = dict[str, str](), dict[str, tuple[Box, ...]](), list[Conflict]()
    skipped, boxless = set[str](), set[str]()
    for row in manifest[manifest["sample_id"].isin(list(votes))].to_dict("records"):
        sample_id = row["sample_id"]
        said = [each for each in votes[sample_id].values() if not each.skipped]
        label, conflict = _majority(sample_id, row["filename"], said)
        if label is not None:
            labels[sample_id] = label
        if conflict is not None:
            conflicts.append(conflict)
        drawn = [each for each in said if each.boxes]
        if drawn:
            boxes[sample_id] = _scaled(max(drawn, key=_moment), row["width"], row["height"])
        elif any(each.label is not None for each in said):
            boxless.add(sample_id)
        if not said:
            skipped.add(sample_id)
    ties = {each.sample_id for each in conflicts if each.label is None}
    return Consensus(
        labels=labels,
        boxes=boxes,
        conflicts=tuple(conflicts),
        num_skipped=len(skipped),
        withdrawn=frozenset(skipped | ties),
        boxless=frozenset(boxless),
        unknown=tuple(unknown),
    )


def _moment(annotation: Annotation) -> float:
    """Return when it was said, in seconds; what is no time is before all times, without a zone it is UTC."""
    try:
        found = datetime.fromisoformat(annotation.when)
    except ValueError:
        return -math.inf
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _checked(annotation: Annotation) -> Annotation:
    """Return it with classes without blanks around their names."""
    label = None if annotation.label is None else annotation.label.strip()
    boxes = tuple(replace(box, label=box.label.strip()) for box in annotation.boxes)
    if label == "" or any(not box.label for box in boxes):
        raise UserError(f"{annotation.place}: a class without a name; name it in the tool, or take it out")
    return replace(annotation, label=label, boxes=boxes)


def _scaled(annotation: Annotation, width: int, height: int) -> tuple[Box, ...]:
    """Return the boxes in pixels of the sample, which may have been shown smaller."""
    if annotation.size is None or annotation.size == (width, height):
        return annotation.boxes
    x, y = width / annotation.size[0], height / annotation.size[1]
    return tuple(box.scaled(x, y) for box in annotation.boxes)


def _majority(sample_id: str, filename: str, said: list[Annotation]) -> tuple[str | None, Conflict | None]:
    counts = Counter(each.label for each in said if each.label is not None)
    if len(counts) < 2:
        return next(iter(counts), None), None
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    label = ordered[0][0] if ordered[0][1] > ordered[1][1] else None
    words = ", ".join(f"{name} {count}" for name, count in ordered)
    return label, Conflict(sample_id, filename, words, label)
