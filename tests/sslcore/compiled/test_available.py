"""Threads share the work, and there may be no compiler."""

import importlib
from typing import Any

import pytest

from sslcore.compiled import available, compiled, over_pieces

AT_FIRST = available._module.__wrapped__


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("total", [0, 1, 9])
def test_every_piece_is_done_once(threads: int, total: int) -> None:
    done: list[int] = []
    over_pieces(lambda piece: done.extend(range(*piece.indices(total))), total=total, size=2, threads=threads)
    assert sorted(done) == list(range(total))


def test_an_error_in_a_thread_is_raised() -> None:
    def do(piece: slice) -> None:
        if piece.start == 4:
            raise ValueError("the third piece")

    with pytest.raises(ValueError, match="the third piece"):
        over_pieces(do, total=9, size=2, threads=2)


def test_without_numba_there_is_nothing_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError("No module named 'numba'")

    monkeypatch.setattr(available, "_module", AT_FIRST)
    monkeypatch.setattr(available, "import_module", missing)
    assert compiled("views") is None
    monkeypatch.setattr(available, "import_module", importlib.import_module)
    monkeypatch.setenv("SSLFLOW_COMPILED", "0")
    assert compiled("views") is None
