"""How much memory a selection may take, and the refusal of what would not fit."""

import os
import re

from sslcore.errors import ConfigError, UserError

__all__ = ["available_bytes", "parse_memory", "require_memory"]

UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
BINARY = {"KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40}
UNLIMITED = 2**62


def available_bytes() -> int:
    """Return the memory that is free for a new program now, in bytes; `UNLIMITED` where nothing says so."""
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            for line in lines:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError, AttributeError):
        return UNLIMITED


def parse_memory(memory: int | str | None) -> int:
    """Return a limit in bytes.

    Args:
        memory: Bytes, or a figure with a unit (``"500MB"``, ``"2GB"``, ``"1.5GiB"``); None is what is free.

    Raises:
        ConfigError: If it is not such a figure, or not above 0.
    """
    if memory is None:
        return available_bytes()
    match = re.fullmatch(r"\s*([0-9.]+)\s*([KMGT]I?|)B?\s*", str(memory).upper())
    try:
        limit = int(float(match[1]) * (UNITS | BINARY)[match[2]]) if match else 0
    except ValueError:
        limit = 0
    if limit <= 0:
        raise ConfigError(f"memory must be bytes, or a figure like '2GB', above 0, got {memory!r}")
    return limit


def require_memory(needed: int, limit: int, *, what: str, instead: str) -> None:
    """Refuse work that would not fit, before it starts.

    Args:
        needed: Estimate in bytes.
        limit: What is allowed, in bytes.
        what: What would need it, for the message.
        instead: What to do about it.

    Raises:
        UserError: If ``needed`` is above ``limit``.
    """
    if needed > limit:
        raise UserError(
            f"{what} needs about {_figure(needed)}, but memory allows {_figure(limit)}; {instead}"
        )


def _figure(amount: int) -> str:
    return f"{amount / 1e9:.2f} GB" if amount >= 1e8 else f"{amount / 1e6:.3g} MB"
