"""Labels that people add after ingest: read from CSV files and merged with the data set's own."""

from sslcore.labels.merge import MergedLabels, merge_labels, read_labels
from sslcore.labels.table import LabelRow, read_label_table

__all__ = ["LabelRow", "MergedLabels", "merge_labels", "read_label_table", "read_labels"]
