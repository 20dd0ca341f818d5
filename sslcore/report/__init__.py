"""The page that shows what a pipeline run came to: one self-contained HTML file."""

from sslcore.report.atlas import Atlas, make_atlas

__all__ = ["Atlas", "make_atlas"]
