"""Processor time of this process and its workers: what a rate is worth when other work shares the machine."""

import psutil

__all__ = ["processor_seconds"]


def processor_seconds() -> float:
    """Return the seconds of processor time that this process and its living children have used."""
    this = psutil.Process()
    used = 0.0
    for each in (this, *this.children(recursive=True)):
        times = each.cpu_times()
        used += times.user + times.system
    return used
