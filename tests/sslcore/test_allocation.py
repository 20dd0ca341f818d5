"""Memory that is kept: tensors that come and go cost no new pages."""

import subprocess
import sys

import pytest

from sslcore.allocation import keep_freed_memory

# Above 32 MiB glibc asks the system each time, whatever the process has freed.
COUNT = """
import resource, torch
from sslcore.allocation import keep_freed_memory
assert not {kept} or keep_freed_memory()
torch.set_num_threads(1)
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    torch.ones(48 * 2**18)
before = faults()
for _ in range(10):
    torch.ones(48 * 2**18)
print(faults() - before)
"""


@pytest.mark.skipif(not keep_freed_memory(), reason="the C library is not glibc")
def test_tensors_that_come_and_go_cost_no_new_pages() -> None:
    new, kept = (
        int(
            subprocess.run(
                [sys.executable, "-c", COUNT.format(kept=kept)], capture_output=True, check=True
            ).stdout
        )
        for kept in (False, True)
    )
    assert kept < new / 4
