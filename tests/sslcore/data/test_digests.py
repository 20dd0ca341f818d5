"""Digests in columns: written and read as hex, and found."""

import hashlib

import numpy as np
import pyarrow as pa
import pytest

from sslcore.data import digests as digests_module
from sslcore.data.digests import DigestIndex, Digests, fixed_array, fixed_bytes, from_hex, to_hex


def some(numbers: range) -> list[bytes]:
    return [hashlib.sha256(str(number).encode()).digest() for number in numbers]


def rows(found: list[bytes]) -> Digests:
    return np.frombuffer(b"".join(found), np.uint8).reshape(len(found), -1)


def test_hex_is_that_of_python() -> None:
    expected = [each.hex() for each in some(range(50))]
    assert to_hex(rows(some(range(50)))).to_pylist() == expected
    found, fine = from_hex(pa.array(["x", *expected, None], pa.string())[1:-1])
    assert fine.all()
    assert [each.tobytes() for each in found] == some(range(50))
    assert fixed_bytes(fixed_array(found)[3:]).tobytes() == b"".join(some(range(3, 50)))


def test_what_is_no_digest_is_said() -> None:
    good = some(range(1))[0].hex()
    texts = [good, "", None, good[:-1], good[:-1] + "g", good.upper() + "é", "é" * 32]
    found, fine = from_hex(pa.array(texts, pa.string()))
    assert fine.tolist() == [True, *[False] * 6]
    assert found.any(axis=1).tolist() == fine.tolist()
    assert to_hex(np.empty((0, 32), np.uint8)).to_pylist() == []


@pytest.mark.parametrize("recent", [1, 7, 1000])
def test_each_digest_leads_to_its_row(recent: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests_module, "_RECENT", recent)
    index = DigestIndex(rows(some(range(20))), np.arange(20))
    for number in range(20, 60):
        index.add(some(range(number, number + 1))[0], number)
    assert index.find(rows(some(range(70)))).tolist() == [*range(60), *[-1] * 10]
    assert [index.get(each) for each in some(range(58, 62))] == [58, 59, -1, -1]
    empty = DigestIndex(np.empty((0, 32), np.uint8), np.empty(0, np.int64))
    assert empty.get(some(range(1))[0]) == -1
    assert empty.find(rows(some(range(2)))).tolist() == [-1, -1]


def test_digests_that_begin_alike_are_told_apart() -> None:
    alike = [bytes(31) + bytes([number]) for number in range(5)]
    index = DigestIndex(rows(alike), np.arange(5) + 10)
    assert index.find(rows([alike[3], alike[0], bytes(31) + b"\x09"])).tolist() == [13, 10, -1]
