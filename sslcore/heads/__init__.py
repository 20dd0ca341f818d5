"""Projection and prediction heads."""

from sslcore.heads.projection import ProjectionHead

__all__ = ["ProjectionHead"]
