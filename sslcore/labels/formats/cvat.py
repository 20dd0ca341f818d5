"""CVAT: "CVAT for images 1.1", a label of a whole image as a tag, an object as a box.

Format: https://docs.cvat.ai/docs/manual/advanced/xml_format/. CVAT knows images by name alone, so the names
are what labels are joined on when they come back.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from sslcore.errors import UserError
from sslcore.labels.exchange import Annotation, Box, HandOver

__all__ = ["read", "write"]


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
    """Yield an annotation per image that has any.

    Raises:
        UserError: If it is no such file, or an image has two tags.
    """
    for image in _root(path).iter("image"):
        name = image.get("name", "")
        place = f"{path}, image '{name}'"
        tags = sorted({str(tag.get("label")) for tag in image.iter("tag")})
        if len(tags) > 1:
            raise UserError(f"{place}: tagged {', '.join(tags)}; a sample has one label")
        boxes = tuple(_box(each, place) for each in image.iter("box"))
        if tags or boxes:
            yield Annotation(place=place, filename=name, label=tags[0] if tags else None, boxes=boxes)


def _root(path: Path) -> Element:
    try:
        text = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:  # a few bytes of entities can become gigabytes
        raise UserError(f"{path}: it defines entities, which no export of CVAT does")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise UserError(f"{path} is no XML: {error}") from None
    if root.tag != "annotations":
        raise UserError(f"{path} is no 'CVAT for images 1.1' file: its root is '{root.tag}'")
    return root


def _box(box: Element, place: str) -> Box:
    try:
        left, top, right, bottom = (float(box.attrib[key]) for key in ("xtl", "ytl", "xbr", "ybr"))
        label = box.attrib["label"]
    except (KeyError, ValueError):
        raise UserError(f"{place}: a box without label, xtl, ytl, xbr or ybr") from None
    return Box(label, left, top, right - left, bottom - top)
