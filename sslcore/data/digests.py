"""Digests of many files as rows of bytes, and where in a table the one that is looked for stands."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["DIGEST_BYTES", "DigestIndex", "Digests", "fixed_array", "fixed_bytes", "from_hex", "to_hex"]

Digests = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.int64]

DIGEST_BYTES = 32
_RECENT = 1 << 16
_DIGITS = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
_VALUES = np.full(256, 255, dtype=np.uint8)
_VALUES[_DIGITS] = np.arange(16, dtype=np.uint8)


def to_hex(digests: Digests) -> pa.StringArray:
    """Return digests as lower-case hex.

    Args:
        digests: uint8 [N, bytes].
    """
    digits = np.empty((len(digests), digests.shape[1], 2), dtype=np.uint8)
    digits[..., 0], digits[..., 1] = _DIGITS[digests >> 4], _DIGITS[digests & 15]
    width = 2 * digests.shape[1]
    parts = []
    for start in range(0, max(1, len(digests)), _RECENT):  # offsets have 32 bits
        part = digits[start : start + _RECENT]
        offsets = np.arange(len(part) + 1, dtype=np.int32) * np.int32(width)
        parts.append(pa.StringArray.from_buffers(len(part), pa.py_buffer(offsets), pa.py_buffer(part)))
    return pa.concat_arrays(parts)


def from_hex(texts: pa.Array, num_bytes: int = DIGEST_BYTES) -> tuple[Digests, npt.NDArray[np.bool_]]:
    """Return the digests that are written in lower-case hex, and which texts are none.

    Args:
        texts: string [N].
        num_bytes: That each must have.

    Returns:
        The digests, uint8 [N, num_bytes], zeros where a text is no such digest; and which are, bool [N].
    """
    lengths = pc.fill_null(pc.binary_length(texts), 0).to_numpy(zero_copy_only=False)
    fine = lengths == 2 * num_bytes
    digests = np.zeros((len(texts), num_bytes), dtype=np.uint8)
    if not fine.any():
        return digests, fine
    whole = texts if fine.all() else texts.filter(pa.array(fine))
    offsets = np.frombuffer(whole.buffers()[1], dtype=np.int32)[whole.offset : whole.offset + len(whole) + 1]
    text = np.frombuffer(whole.buffers()[2], dtype=np.uint8)[int(offsets[0]) : int(offsets[-1])]
    values = _VALUES[text].reshape(len(whole), num_bytes, 2)
    digests[fine] = (values[..., 0] << 4) | (values[..., 1] & 15)
    fine[fine] = (values < 16).all(axis=(1, 2))
    digests[~fine] = 0
    return digests, fine


def fixed_array(digests: Digests) -> pa.FixedSizeBinaryArray:
    """Return digests, uint8 [N, bytes], as an Arrow array of as many."""
    buffers = [None, pa.py_buffer(np.ascontiguousarray(digests))]
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(digests.shape[1]), len(digests), buffers)


def fixed_bytes(digests: pa.FixedSizeBinaryArray | pa.ChunkedArray) -> Digests:
    """Return an Arrow array of digests without nulls as uint8 [N, bytes]."""
    if isinstance(digests, pa.ChunkedArray):
        digests = digests.combine_chunks()
    size, buffer = digests.type.byte_width, digests.buffers()[1]
    flat = np.frombuffer(buffer if buffer is not None else b"", dtype=np.uint8)
    return flat[digests.offset * size : (digests.offset + len(digests)) * size].reshape(len(digests), size)


class DigestIndex:
    """The row of each digest; where one is given twice, one of its rows.

    Args:
        digests: uint8 [N, bytes], at least 8 bytes each.
        rows: What each leads to, int64 [N], not negative.
    """

    def __init__(self, digests: Digests, rows: Rows) -> None:
        keys = _keys(digests)
        order = np.argsort(keys, kind="stable")
        self._keys, self._digests, self._rows = keys[order], digests[order], rows[order]
        self._recent: dict[bytes, int] = {}

    def add(self, digest: bytes, row: int) -> None:
        """Add one."""
        self._recent[digest] = row
        if len(self._recent) >= max(_RECENT, len(self._keys) // 8):
            added = np.frombuffer(b"".join(self._recent), dtype=np.uint8)
            digests = np.concatenate([self._digests, added.reshape(len(self._recent), -1)])
            rows = np.concatenate([self._rows, np.fromiter(self._recent.values(), dtype=np.int64)])
            self.__init__(digests, rows)  # type: ignore[misc]

    def get(self, digest: bytes) -> int:
        """Return the row of a digest, or -1."""
        if digest in self._recent:
            return self._recent[digest]
        key = np.uint64(int.from_bytes(digest[:8], "big"))
        place = int(self._keys.searchsorted(key))
        while place < len(self._keys) and self._keys[place] == key:
            if self._digests[place].tobytes() == digest:
                return int(self._rows[place])
            place += 1
        return -1

    def find(self, digests: Digests) -> Rows:
        """Return the rows of many digests, int64 [N], -1 where there is none.

        Args:
            digests: uint8 [N, bytes]. Those added since the last few are looked up one by one.
        """
        found = np.full(len(digests), -1, dtype=np.int64)
        keys = _keys(digests)
        places = np.searchsorted(self._keys, keys)
        open_ = np.flatnonzero(places < len(self._keys))
        while len(open_):  # more than once only where two digests begin with the same 8 bytes
            at = places[open_]
            same = (self._digests[at] == digests[open_]).all(axis=1)
            found[open_[same]] = self._rows[at[same]]
            more = ~same & (self._keys[at] == keys[open_])
            open_ = open_[more]
            places[open_] += 1
            open_ = open_[places[open_] < len(self._keys)]
        if self._recent:
            for place in np.flatnonzero(found < 0).tolist():
                found[place] = self._recent.get(digests[place].tobytes(), -1)
        return found


def _keys(digests: Digests) -> npt.NDArray[np.uint64]:
    first = np.ascontiguousarray(digests[:, :8]).view(">u8")
    return first.reshape(len(digests)).astype(np.uint64)
