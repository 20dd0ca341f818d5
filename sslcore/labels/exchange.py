"""What goes to a labelling tool and what comes back, in no tool's terms."""

from dataclasses import dataclass, field, replace

__all__ = ["Annotation", "Box", "HandOver", "Suggestion"]


@dataclass(frozen=True)
class Box:
    """An object in an image.

    Attributes:
        label: Its class, by name.
        left: Of the box, in pixels from the left edge of the image.
        top: In pixels from the upper edge.
        width: In pixels.
        height: In pixels.
        score: How sure who drew it is, 0 to 1; None for a person.
    """

    label: str
    left: float
    top: float
    width: float
    height: float
    score: float | None = None

    def scaled(self, x: float, y: float) -> "Box":
        """Return it in an image that is so many times as wide and as high."""
        return replace(
            self, left=x * self.left, top=y * self.top, width=x * self.width, height=y * self.height
        )


@dataclass(frozen=True)
class Suggestion:
    """What a model thinks of a sample: shown to people, who may correct it.

    Attributes:
        label: Its class, by name; None if only boxes are suggested.
        score: How sure it is, 0 to 1; None if it does not say.
        boxes: Objects.
        model: Name or version of the model.
    """

    label: str | None = None
    score: float | None = None
    boxes: tuple[Box, ...] = ()
    model: str = ""


@dataclass(frozen=True)
class HandOver:
    """A sample that people are to label.

    Attributes:
        sample_id: Its id, which comes back with the label.
        filename: Its name relative to the source, with ``/``.
        width: In pixels.
        height: In pixels.
        rank: 1 for the one most worth labelling.
        round: Of the selection.
        reason: Why it was picked.
        suggestion: What a model thinks of it.
    """

    sample_id: str
    filename: str
    width: int
    height: int
    rank: int
    round: int = 1
    reason: str = ""
    suggestion: Suggestion | None = None


@dataclass(frozen=True)
class Annotation:
    """What one person said of one sample.

    Attributes:
        place: Where in the tool's file it stands, for messages.
        sample_id: Empty if the tool did not carry it.
        filename: The sample's name as the tool has it; may be empty if the id is there.
        label: Its class, by name; None if the person skipped it or drew boxes only.
        annotator: Who; may be empty.
        when: ISO 8601 time of the last change; may be empty.
        boxes: Objects.
        skipped: Whether the person left it open on purpose.
        size: Width and height of the image that boxes were drawn on, in pixels; None for the sample's own.
    """

    place: str
    sample_id: str = ""
    filename: str = ""
    label: str | None = None
    annotator: str = ""
    when: str = ""
    boxes: tuple[Box, ...] = field(default=())
    skipped: bool = False
    size: tuple[float, float] | None = None
