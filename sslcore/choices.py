"""Check a name against the names there are, and suggest the one that was meant."""

from collections.abc import Iterable
from difflib import get_close_matches

from sslcore.errors import ConfigError

__all__ = ["check_choice", "suggestion"]


def suggestion(value: str, choices: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the closest choice, or an empty string."""
    close = get_close_matches(value, list(choices), n=1, cutoff=0.6)
    return f"; did you mean '{close[0]}'?" if close else ""


def check_choice(value: str, choices: Iterable[str], *, name: str) -> str:
    """Return ``value`` if it is one of ``choices``.

    Args:
        value: What came.
        choices: The names there are.
        name: What is being chosen, for the message (``pretrain.method``).

    Raises:
        ConfigError: If it is not one of them; lists them and suggests the closest.
    """
    known = sorted(choices)
    if value in known:
        return value
    raise ConfigError(f"{name} must be one of {', '.join(known)}, got '{value}'{suggestion(value, known)}")
