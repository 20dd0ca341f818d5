"""Cross entropy between what a teacher sees in patches and what a student makes of them hidden.

Source: Zhou et al. 2021 (iBOT), https://arxiv.org/abs/2111.07832, equation 2.
"""

from torch import Tensor

from sslcore.errors import ConfigError
from sslcore.losses.precision import in_fp32

__all__ = ["masked_patches"]


@in_fp32
def masked_patches(
    student_MK: Tensor, targets_MK: Tensor, weights_M: Tensor, *, num_images: int, temperature: float = 0.1
) -> Tensor:
    """Return the mean over images of the mean cross entropy over each image's hidden patches, in fp32.

    Args:
        student_MK: Logits of the student for the hidden patches of all images, [M, K].
        targets_MK: Probabilities of the teacher for the same, [M, K], rows summing to 1; without gradient.
        weights_M: For each patch one over the number of hidden patches in its image, [M].
        num_images: Images, those without hidden patches too: they count as 0, as published.
        temperature: Divides the logits; > 0.

    Raises:
        ConfigError: If the temperature is not positive.
    """
    if temperature <= 0:
        raise ConfigError(f"temperature must be > 0, got {temperature}")
    logits = student_MK / temperature
    cross_entropies = logits.logsumexp(dim=1) - (targets_MK.detach() * logits).sum(dim=1)
    return (cross_entropies * weights_M).sum() / num_images
