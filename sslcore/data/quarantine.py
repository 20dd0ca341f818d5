"""What cannot be read: the fixed list of reasons, and how much of it is too much."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from sslcore.errors import UserError

__all__ = ["REASONS", "Problem", "Reason", "check_bad_fraction", "count_reasons"]

Reason = Literal[
    "zero_bytes",
    "truncated",
    "not_an_image",
    "too_small",
    "too_large",
    "unreadable",
    "broken_link",
    "unsupported_codec",
    "broken_video",
    "crashed",
    "timed_out",
]
REASONS: tuple[Reason, ...] = get_args(Reason)
NUM_NAMED = 10


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """A file in quarantine.

    Attributes:
        path: Its name, relative to the source.
        reason: One of `REASONS`. ``broken_video``: the frames before the break are kept.
        detail: What is wrong, in words; the same at every run.
    """

    path: str
    reason: Reason
    detail: str


def count_reasons(problems: Iterable[Problem]) -> str:
    """Return the reasons with their counts, the most frequent first: ``3 truncated, 1 zero_bytes``."""
    counts = Counter(each.reason for each in problems)
    return ", ".join(
        f"{count} {reason}" for reason, count in sorted(counts.items(), key=lambda x: (-x[1], x[0]))
    )


def check_bad_fraction(
    lost: Iterable[Problem], *, num_files: int, num_kept: int, max_bad_fraction: float, where: str
) -> None:
    """Stop when too many files cannot be read, or all of them.

    Args:
        lost: The files of which nothing is kept.
        num_files: All files that were looked at, good and bad.
        num_kept: Files of which something is kept.
        max_bad_fraction: Share of them that may be lost, 0 to 1.
        where: The source, for the message.

    Raises:
        UserError: If more are lost; names the first ten.
    """
    ordered = sorted(lost)
    if num_kept and len(ordered) <= max_bad_fraction * num_files:
        return
    named = ", ".join(f"{each.path} ({each.reason})" for each in ordered[:NUM_NAMED])
    more = f" and {len(ordered) - NUM_NAMED} more" if len(ordered) > NUM_NAMED else ""
    if not num_kept:
        raise UserError(f"none of the {num_files} files in {where} can be used: {named}{more}")
    raise UserError(
        f"{len(ordered)} of {num_files} files in {where} cannot be used ({len(ordered) / num_files:.0%}), "
        f"ingest.max_bad_fraction allows {max_bad_fraction:.0%}: {named}{more}; "
        "remove or mend them, or raise ingest.max_bad_fraction"
    )
