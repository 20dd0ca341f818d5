"""Learning rate schedules, in steps. Epochs become steps here and nowhere else."""

import math

__all__ = ["cosine_with_warmup", "steps_of"]


def steps_of(epochs: float, steps_per_epoch: int) -> int:
    """Turn epochs into steps."""
    return round(epochs * steps_per_epoch)


def cosine_with_warmup(step: int, *, total_steps: int, warmup_steps: int) -> float:
    """Return the share of the peak learning rate at a step: a linear rise, then half a cosine down to 0.

    Source: Loshchilov and Hutter 2017, https://arxiv.org/abs/1608.03983; warm-up as in Goyal et al. 2017.

    Args:
        step: 0 .. total_steps - 1.
        total_steps: Steps of the run.
        warmup_steps: Steps of the rise; step 0 has 1 / warmup_steps of the peak.
    """
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    done = (step - warmup_steps) / max(1, total_steps - warmup_steps)
    return 0.5 * (1 + math.cos(math.pi * done))
