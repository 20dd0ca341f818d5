"""CVAT: "CVAT for images 1.1", a label of a whole image as a tag, an object as a box.

Format: https://docs.cvat.ai/docs/manual/advanced/xml_format/. CVAT knows images by name alone, so the names
are what labels are joined on when they come back.

What nobody changed is passed over on the way back. The export gives suggestions the source ``auto``; CVAT
keeps it, or in newer versions makes it ``file``, as of all that is uploaded. What a person draws or sets is
``manual``; moving or turning a box makes it ``manual`` or ``semi-auto``. Another class alone changes nothing
(https://github.com/cvat-ai/cvat/issues/9172): move the box too, or delete it and draw it again.
"""

import logging
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement, TreeBuilder, XMLParser

from sslcore.errors import UserError
from sslcore.labels.exchange import Annotation, Box, HandOver
from sslcore.labels.formats.documents import class_name, make_box

__all__ = ["read", "read_reviewed", "write"]

UNCHANGED = ("auto", "file")

logger = logging.getLogger(__name__)


def write(tasks: Sequence[HandOver], folder: Path, *, classes: Sequence[str], image_root: str) -> None:
    """Write annotations.xml, with suggestions as tags and boxes of source ``auto``."""
    root = Element("annotations")
    SubElement(root, "version").text = "1.1"
    labels = SubElement(SubElement(SubElement(root, "meta"), "task"), "labels")
    for name in classes:
        SubElement(SubElement(labels, "label"), "name").text = name
    for number, task in enumerate(tasks):
        image = SubElement(
            root,
            "image",
            id=str(number),
            name=image_root + task.filename,
            width=str(task.width),
            height=str(task.height),
        )
        if task.suggestion is None:
            continue
        if task.suggestion.label is not None:
            SubElement(image, "tag", label=task.suggestion.label, source="auto")
        for box in task.suggestion.boxes:
            SubElement(
                image,
                "box",
                label=box.label,
                source="auto",
                occluded="0",
                xtl=f"{box.left:.2f}",
                ytl=f"{box.top:.2f}",
                xbr=f"{box.left + box.width:.2f}",
                ybr=f"{box.top + box.height:.2f}",
                z_order="0",
            )
    ElementTree.indent(root)
    ElementTree.ElementTree(root).write(
        folder / "annotations.xml", encoding="utf-8", xml_declaration=True, short_empty_elements=False
    )


def read(path: Path) -> Iterator[Annotation]:
    """Yield an annotation per image that has any, those that nobody changed included.

    Raises:
        UserError: If it is no such file, or an image has two tags.
    """
    return _read(path, passed_over=())


def read_reviewed(path: Path) -> Iterator[Annotation]:
    """Yield what people made or changed, as `read` does.

    Raises:
        UserError: If it is no such file, or an image has two tags.
    """
    return _read(path, passed_over=UNCHANGED)


def _read(path: Path, *, passed_over: Sequence[str]) -> Iterator[Annotation]:
    num_guesses = 0
    for image in _root(path).iter("image"):
        name = image.get("name", "")
        place = f"{path}, image {name!r}"
        marks = [*image.iter("tag"), *image.iter("box")]
        made = [each for each in marks if each.get("source") not in passed_over]
        num_guesses += len(marks) - len(made)
        tags = sorted({class_name(each.get("label"), place) for each in made if each.tag == "tag"})
        if len(tags) > 1:
            raise UserError(f"{place}: tagged {', '.join(tags)}; a sample has one label")
        boxes = tuple(_box(each, place) for each in made if each.tag == "box")
        if tags or boxes:
            label = tags[0] if tags else None
            yield Annotation(place=place, filename=name, label=label, boxes=boxes, size=_size(image))
    if num_guesses:
        message = "%d tags and boxes in %s are as they were uploaded; passed over unless --confirmed"
        logger.info(message, num_guesses, path)


def _size(image: Element) -> tuple[float, float] | None:
    try:
        width, height = float(image.attrib["width"]), float(image.attrib["height"])
    except (KeyError, ValueError):
        return None
    return (width, height) if 0 < width < math.inf and 0 < height < math.inf else None


class _Builder(TreeBuilder):
    """Builds a tree of a document without entities: a few bytes of them can become gigabytes."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        """Stop; the parser calls this before it comes to an entity, whatever the file's encoding."""
        raise UserError("it defines entities, which no export of CVAT does")


def _root(path: Path) -> Element:
    try:
        text = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    try:
        root = ElementTree.fromstring(text, parser=XMLParser(target=_Builder()))
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except (ElementTree.ParseError, ValueError, LookupError) as error:  # the latter two: an unknown encoding
        raise UserError(f"{path} is no XML: {error}") from None
    if root.tag != "annotations":
        raise UserError(f"{path} is no 'CVAT for images 1.1' file: its root is '{root.tag}'")
    if root.find("track") is not None and root.find("image") is None:
        raise UserError(f"{path} is a 'CVAT for video 1.1' file; export the task as 'CVAT for images 1.1'")
    return root


def _box(box: Element, place: str) -> Box:
    """Return a box; of a turned one the upright rectangle around it."""
    try:
        left, top, right, bottom = (float(box.attrib[key]) for key in ("xtl", "ytl", "xbr", "ybr"))
        turned = math.radians(float(box.get("rotation", "0")))  # clockwise about the centre, in degrees
        cosine, sine = abs(math.cos(turned)), abs(math.sin(turned))
    except (KeyError, ValueError):
        raise UserError(
            f"{place}: a box needs xtl, ytl, xbr and ybr, which are numbers as a rotation is"
        ) from None
    made = make_box(class_name(box.get("label"), place), [left, top, right - left, bottom - top], None, place)
    if not turned:
        return made
    width = made.width * cosine + made.height * sine
    height = made.width * sine + made.height * cosine
    x, y = (left + right - width) / 2, (top + bottom - height) / 2
    return make_box(made.label, [x, y, width, height], None, place)
