"""Near-duplicates of an ingestion that follows another: only what has changed is compared.

The marks follow from the hashes and the order of the names alone (`sslcore.data.near_duplicates`). So a
sample that was there under the same name keeps its mark unless another comes, goes, moves or changes its own
mark among those that look like it. `marks_after` follows these changes, in the order of the manifest, and
compares each sample that is in doubt with all others; what comes out is what marking all anew gives.
"""

import heapq
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sslcore.data.near_duplicates import MAX_BITS, Hashes, Places, first_alike

__all__ = ["IN_DOUBT", "OldMarks", "marks_after"]

IN_DOUBT = -2
MOST_IN_DOUBT = 2000  # with more, marking all anew is quicker


@dataclass(frozen=True, eq=False)
class OldMarks:
    """Which samples of a manifest looked like which.

    Attributes:
        filenames: In the order of the manifest, string [N].
        leaders: The row of the first that each looks like, int64 [N]: -1 if it looks like none before it,
            `IN_DOUBT` where the manifest does not say.
    """

    filenames: pa.StringArray
    leaders: Places

    @classmethod
    def none(cls) -> "OldMarks":
        """Return those of no sample."""
        return cls(pa.array([], pa.string()), np.empty(0, dtype=np.int64))

    @classmethod
    def of(cls, manifest: pa.Table) -> "OldMarks":
        """Return those of a manifest; none if an older version, which did not mark, wrote a part of it."""
        if manifest.column("phash").null_count:
            return cls.none()
        named, ids = (manifest.column(name).combine_chunks() for name in ("near_duplicate_of", "sample_id"))
        found = pc.index_in(named, value_set=ids, skip_nulls=True)
        leaders = pc.fill_null(found, IN_DOUBT).to_numpy(zero_copy_only=False).astype(np.int64)
        leaders[pc.is_null(named).to_numpy(zero_copy_only=False)] = -1
        return cls(manifest.column("filename").combine_chunks(), leaders)

    def carried(self, rows: npt.NDArray[np.int64], filenames: pa.StringArray) -> Places:
        """Return what is left of the marks in another manifest.

        Args:
            rows: Of its samples, in its order, in the manifest before; others have any higher number: [M].
            filenames: Theirs: string [M].

        Returns:
            The place in the new manifest of the first that each looks like, -1 for none, `IN_DOUBT` where
            that is not known: int64 [M].
        """
        places = np.flatnonzero(rows < len(self.leaders))
        before = self.filenames.take(pa.array(rows[places]))
        now = filenames if len(places) == len(rows) else filenames.take(pa.array(places))
        places = places[pc.equal(before, now).to_numpy(zero_copy_only=False)]
        place_of = np.full(len(self.leaders), IN_DOUBT, dtype=np.int64)
        place_of[rows[places]] = places
        carried = np.full(len(rows), IN_DOUBT, dtype=np.int64)
        leaders = self.leaders[rows[places]]
        carried[places] = np.where(leaders >= 0, place_of[leaders], leaders)
        return carried


def marks_after(hashes: Hashes, carried: Places, max_bits: int = MAX_BITS) -> Places:
    """Return what `first_alike` does, from what is left of the marks before.

    Args:
        hashes: In the order of the manifest, uint64 [N].
        carried: Of `OldMarks.carried`; the order of those not in doubt is what it was before.
        max_bits: With which the marks before were made too.
    """
    doubts = np.flatnonzero(carried == IN_DOUBT).tolist()
    leader = carried.copy()
    budget = MOST_IN_DOUBT
    while doubts:
        place = heapq.heappop(doubts)
        budget -= 1
        if budget < 0 or len(doubts) > budget:
            return first_alike(hashes, max_bits)
        near = np.flatnonzero(np.bitwise_count(hashes ^ hashes[place]) <= max_bits)
        before, after = near[near < place], near[near > place]
        first = before[leader[before] == -1][:1]  # those before it are settled
        leader[place] = first[0] if len(first) else -1
        if len(first):
            continue
        state = leader[after]
        leader[after[(state == -1) | (state > place)]] = place
        for other in after[state == -1].tolist():  # marks no more
            for each in np.flatnonzero(leader == other).tolist():
                leader[each] = IN_DOUBT
                heapq.heappush(doubts, each)
    return leader
