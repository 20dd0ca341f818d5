"""Projection and prediction heads, and prototypes."""

from sslcore.heads.projection import ProjectionHead
from sslcore.heads.prototypes import Prototypes

__all__ = ["ProjectionHead", "Prototypes"]
