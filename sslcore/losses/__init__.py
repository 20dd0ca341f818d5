"""Losses, each usable alone."""

from sslcore.losses.nt_xent import nt_xent

__all__ = ["nt_xent"]
