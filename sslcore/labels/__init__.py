"""Labels that people add after ingest: to labelling tools and back, and merged with the data set's own."""

from sslcore.labels.exchange import Annotation, Box, HandOver, Suggestion
from sslcore.labels.formats import FORMATS
from sslcore.labels.hand_over import HandOverReport, hand_over
from sslcore.labels.merge import MergedLabels, merge_labels, read_labels
from sslcore.labels.table import LabelRow, read_label_table
from sslcore.labels.take_back import TakeBackReport, take_back

__all__ = [
    "FORMATS",
    "Annotation",
    "Box",
    "HandOver",
    "HandOverReport",
    "LabelRow",
    "MergedLabels",
    "Suggestion",
    "TakeBackReport",
    "hand_over",
    "merge_labels",
    "read_label_table",
    "read_labels",
    "take_back",
]
