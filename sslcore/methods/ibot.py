"""iBOT: DINO between crops, and the same game between hidden patches and the teacher's view of them.

Zhou, Wei, Wang, Shen, Xie, Yuille, Kong: iBOT: Image BERT Pre-Training with Online Tokenizer, 2021,
https://arxiv.org/abs/2111.07832.

Shapes: V views, T of them global, B images, N patches, M hidden ones in all global views, D width, K outputs.

Different here: masks are drawn for the whole batch (`sslcore.masks.block_masks`); the centre of patches is
the mean of hidden ones only, since no other is decoded; warm-ups are at most three tenths of a short run. The
teacher is kept, as in the paper.
"""

from collections.abc import Iterable, Sequence
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from sslcore.backbones.tokens import require_tokens, token_backbone
from sslcore.config import StageConfig
from sslcore.heads.dino import DINOHead
from sslcore.losses.centring import Centring
from sslcore.losses.masked_patches import masked_patches
from sslcore.losses.self_distillation import self_distillation
from sslcore.masks import BlockMasks, block_masks, masked_counts
from sslcore.methods.distillation import SelfDistillation, SelfDistillationOptions
from sslcore.methods.momentum import momentum_copy
from sslcore.methods.multi_crop import encode_by_size
from sslcore.methods.schedules import set_drop_path
from sslcore.methods.view_count import check_views

__all__ = ["IBOT", "IBOTOptions"]

NUM_GLOBAL = 2


class IBOTOptions(SelfDistillationOptions):
    """Settings of iBOT; those that it shares with DINO, and a few more."""

    out_dim: int = Field(default=8192, ge=2)
    """Outputs of the head."""
    separate_heads: bool = False
    """Whether patches have a head of their own instead of the CLS token's."""
    mask_probability: float = Field(default=0.5, gt=0, le=1)
    """Share of the global views in which patches are hidden."""
    mask_ratio: tuple[float, float] = (0.1, 0.5)
    """Least and greatest share of patches that is hidden there."""
    patch_weight: float = Field(default=1.0, ge=0)
    """Factor on the loss of hidden patches."""


class IBOT(SelfDistillation):
    """A backbone with patch tokens, iBOT's heads, their moving averages, and both losses.

    Args:
        backbone: A `sslcore.backbones.tokens.TokenBackbone`.
        options: Settings; the defaults are the paper's.

    Raises:
        ConfigError: If the backbone gives no patch tokens.
    """

    Options: ClassVar[type[StageConfig]] = IBOTOptions
    name = "ibot"
    summary = (
        "DINO, and hidden patches match the teacher's; Zhou et al. 2021, https://arxiv.org/abs/2111.07832"
    )
    views_name = "ibot"
    needs_tokens = True
    num_local_views = 10

    def __init__(self, backbone: nn.Module, options: IBOTOptions | None = None) -> None:
        super().__init__()
        self.options: IBOTOptions = options or self.Options()  # type: ignore[assignment]
        tokens = require_tokens(backbone, f"method {self.name}")
        tokens.add_mask_token()
        tokens.pool = "token"
        self.backbone = backbone
        self.heads = self._heads(tokens.embed_dim)
        self.teacher_backbone, self.teacher_heads = momentum_copy(backbone), momentum_copy(self.heads)
        set_drop_path(self.teacher_backbone, 0.0)
        set_drop_path(backbone, self.options.drop_path)
        self.centring = nn.ModuleList(
            Centring(self.options.out_dim, momentum=self.options.centre_momentum) for _ in range(2)
        )
        self.teacher_temperature = self.options.warmup_teacher_temperature

    def _heads(self, width: int) -> nn.ModuleList:
        """Return the head of CLS tokens and, if it is another, that of patches."""
        options = self.options
        return nn.ModuleList(
            DINOHead(
                width, options.out_dim, hidden_dim=options.hidden_dim, bottleneck_dim=options.bottleneck_dim
            )
            for _ in range(2 if options.separate_heads else 1)
        )

    def forward(self, views: Sequence[Tensor]) -> Tensor:
        """Return the loss of two global views and any number of local ones, each [B, C, h, w]."""
        check_views(views, self.name, least=NUM_GLOBAL)
        global_views = torch.cat(list(views[:NUM_GLOBAL]))
        masks = self.draw_masks(global_views)
        tokens = token_backbone(self.backbone).forward_tokens(global_views, mask=masks.mask)
        cls_TBD = torch.unflatten(tokens[:, 0], 0, (NUM_GLOBAL, -1))
        cls_VBD = cls_TBD
        if len(views) > NUM_GLOBAL:
            cls_VBD = torch.cat((cls_TBD, torch.stack(encode_by_size(self.backbone, views[NUM_GLOBAL:]))))
        cls_targets, patch_targets = self.targets(global_views, masks)
        logits_VBK = self.heads[0](cls_VBD.flatten(0, 1)).unflatten(0, cls_VBD.shape[:2])
        temperature = self.options.student_temperature
        loss = self_distillation(logits_VBK, cls_targets, temperature=temperature) + self.regularizer(cls_TBD)
        patch_loss = masked_patches(
            self.heads[-1](self._hidden(tokens, masks)),
            patch_targets,
            masks.weights,
            num_images=len(global_views),
            temperature=temperature,
        )
        return loss + self.options.patch_weight * patch_loss

    def regularizer(self, cls_TBD: Tensor) -> Tensor | float:
        """Return what is added to the loss for the student's CLS tokens of global views; nothing here."""
        return 0.0

    def draw_masks(self, global_views: Tensor) -> BlockMasks:
        """Draw which patches of the global views [T * B, C, H, W] are hidden from the student."""
        patch_size = token_backbone(self.backbone).patch_size
        grid = (global_views.shape[2] // patch_size, global_views.shape[3] // patch_size)
        counts = masked_counts(
            len(global_views),
            grid[0] * grid[1],
            ratio=self.options.mask_ratio,
            probability=self.options.mask_probability,
        )
        return block_masks(counts, grid, device=global_views.device)

    def _hidden(self, tokens: Tensor, masks: BlockMasks) -> Tensor:
        """Pick the tokens [M, D] of hidden patches."""
        num_prefix = token_backbone(self.backbone).num_prefix_tokens
        return tokens[:, num_prefix:].flatten(0, 1).index_select(0, masks.indices)

    @torch.no_grad()
    def targets(self, global_views: Tensor, masks: BlockMasks) -> tuple[Tensor, Tensor]:
        """Return what the teacher, who sees all, says of images [T, B, K] and of hidden patches [M, K]."""
        tokens = token_backbone(self.teacher_backbone).forward_tokens(global_views)
        cls_logits = self.teacher_heads[0](tokens[:, 0])
        patch_logits = self.teacher_heads[-1](self._hidden(tokens, masks))
        cls_targets, patch_targets = self.sharpen(cls_logits, patch_logits)
        return torch.unflatten(cls_targets, 0, (NUM_GLOBAL, -1)), patch_targets

    def sharpen(self, cls_logits: Tensor, patch_logits: Tensor) -> tuple[Tensor, Tensor]:
        """Turn the teacher's logits into probabilities: centred and sharpened, both apart."""
        temperature = self.teacher_temperature
        return (
            self.centring[0](cls_logits, temperature=temperature),
            self.centring[1](patch_logits, temperature=temperature),
        )

    def heads_and_teachers(self) -> Iterable[tuple[nn.Module, nn.Module]]:
        """Return each head and its moving average."""
        return zip(self.heads, self.teacher_heads, strict=True)
