"""Cross entropy between what a teacher and a student say about different views of an image.

Source: Caron et al. 2021 (DINO), https://arxiv.org/abs/2104.14294, equation 3.
"""

import torch
from torch import Tensor

from sslcore.errors import ConfigError
from sslcore.losses.precision import in_fp32

__all__ = ["self_distillation"]


@in_fp32
def self_distillation(student_VBK: Tensor, targets_TBK: Tensor, *, temperature: float = 0.1) -> Tensor:
    """Return the mean cross entropy over all pairs of a target and another view, in fp32.

    Args:
        student_VBK: Logits of the student for V views of B images, [V, B, K]; the first T views are those of
            the targets.
        targets_TBK: Probabilities of the teacher, [T, B, K], rows summing to 1; no gradient flows into them.
        temperature: Divides the logits; > 0.

    Returns:
        A scalar.

    Raises:
        ConfigError: If the temperature is not positive, or there is no pair of different views.
    """
    if temperature <= 0:
        raise ConfigError(f"temperature must be > 0, got {temperature}")
    num_views, num_targets = len(student_VBK), len(targets_TBK)
    if num_views < max(2, num_targets):
        raise ConfigError(f"self-distillation needs a view beside each target, got {num_views}")
    logits = student_VBK / temperature
    # Rows of targets sum to 1, so -sum(q log p) is logsumexp(logits) - q . logits.
    agreement = torch.einsum("tbk,vbk->tv", targets_TBK.detach(), logits) / logits.shape[1]
    cross_entropies = logits.logsumexp(dim=2).mean(dim=1) - agreement
    other = ~torch.eye(num_targets, num_views, dtype=torch.bool, device=logits.device)
    return (cross_entropies * other).sum() / (num_targets * (num_views - 1))
