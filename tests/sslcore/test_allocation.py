"""Memory that is kept: tensors that come and go cost no new pages."""

import resource
import subprocess
import sys

import pytest

from sslcore.allocation import keep_freed_memory

COUNT = """
import resource, torch
from sslcore.allocation import keep_freed_memory
assert not {kept} or keep_freed_memory()
torch.set_num_threads(1)
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def work():
    planes = [torch.ones(3, 224, 224) for _ in range(8)]
for _ in range(3):
    work()
before = faults()
for _ in range(20):
    work()
print(faults() - before)
"""


@pytest.mark.skipif(not keep_freed_memory(), reason="the C library is not glibc")
def test_tensors_that_come_and_go_cost_no_new_pages() -> None:
    counts = [
        int(
            subprocess.run(
                [sys.executable, "-c", COUNT.format(kept=kept)], capture_output=True, check=True
            ).stdout
        )
        for kept in (False, True)
    ]
    pages = 20 * 8 * 3 * 224 * 224 * 4 // resource.getpagesize()
    assert counts[1] < pages / 50
    assert counts[0] > counts[1]
