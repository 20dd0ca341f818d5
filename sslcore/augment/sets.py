"""The ready-made sets of views: each method's own, and its variant for small images, with sources.

Where a paper and its authors' code differ, the code is followed. The small variants are for images up to 64
pixels; they leave the blur away, as the papers' own CIFAR recipes do and solo-learn's for BYOL, Barlow Twins
and their like (da Costa et al. 2022, https://arxiv.org/abs/2108.01775, asymmetric.yaml for CIFAR).
"""

from collections.abc import Mapping
from dataclasses import replace

from sslcore.augment.view_options import ViewOptions

__all__ = ["PRESETS", "VIEWS"]

CIFAR = "solo-learn's CIFAR recipe, https://arxiv.org/abs/2108.01775"

_SIMCLR = ViewOptions(blur_probability=0.5)
_MOCO_V2 = ViewOptions(min_scale=0.2, jitter=(0.4, 0.4, 0.4, 0.1), blur_probability=0.5)
_MOCO_V1 = replace(_MOCO_V2, jitter=(0.4, 0.4, 0.4, 0.4), jitter_probability=1.0, blur_probability=0.0)
_MOCO_SMALL = replace(_MOCO_V2, min_scale=0.08, blur_probability=0.0)
_BYOL = ViewOptions(jitter=(0.4, 0.4, 0.2, 0.1), blur_probability=(1.0, 0.1), solarize_probability=(0.0, 0.2))
_BYOL_SMALL = replace(_BYOL, blur_probability=0.0)
_VICREG = replace(_BYOL, blur_probability=0.5, solarize_probability=0.1)
_SWAV = ViewOptions(
    min_scale=0.14, num_local=6, local_min_scale=0.05, local_max_scale=0.14, blur_probability=0.5
)
_SWAV_SMALL = replace(
    _SWAV, num_local=4, local_min_scale=0.1, local_max_scale=0.3, jitter_strength=0.5, blur_probability=0.0
)
_SMOG = replace(
    _BYOL,
    min_scale=0.2,
    num_global=4,
    num_local=4,
    local_max_scale=0.2,
    jitter_probability=1.0,
    blur_probability=(0.5, 0.5, 0.5, 0.5, 0.1),
    solarize_probability=(0.0, 0.0, 0.0, 0.0, 0.2),
)
_SMOG_SMALL = replace(
    _SMOG,
    num_global=2,
    num_local=2,
    local_min_scale=0.1,
    local_max_scale=0.3,
    blur_probability=0.0,
    solarize_probability=(0.0, 0.0, 0.2),
)
_DINO = replace(
    _BYOL,
    min_scale=0.4,
    num_local=8,
    local_max_scale=0.4,
    interpolation="bicubic",
    blur_probability=(1.0, 0.1, 0.5),
    solarize_probability=(0.0, 0.2, 0.0),
)
_DINO_SMALL = replace(_DINO, num_local=4, local_min_scale=0.1, blur_probability=0.0)
_IBOT = replace(_DINO, min_scale=0.25, num_local=10, local_max_scale=0.25)
_DINO_V2 = replace(_DINO, min_scale=0.32, local_max_scale=0.32)
_MSN = ViewOptions(
    min_scale=0.3, num_local=10, local_max_scale=0.3, jitter_strength=0.5, blur_probability=0.5
)
_CROP_ONLY = ViewOptions(num_global=1, min_scale=0.2, jitter_probability=0.0, grey_probability=0.0)
_MAE = replace(_CROP_ONLY, interpolation="bicubic")
_I_JEPA = replace(_CROP_ONLY, min_scale=0.3, flip_probability=0.0)
_SIMMIM = replace(_CROP_ONLY, min_scale=0.67)
_LEJEPA = ViewOptions(num_global=4, blur_probability=0.5, solarize_probability=0.2)

_SETS: Mapping[str, tuple[ViewOptions, str]] = {
    "simclr": (
        _SIMCLR,
        "two views: crop 0.08-1, flip, jitter 1.0, grey 0.2, blur 0.5; Chen et al. 2020, appendix A",
    ),
    "simclr-small": (
        replace(_SIMCLR, jitter_strength=0.5, blur_probability=0.0),
        "for small images: jitter 0.5, no blur; Chen et al. 2020, appendix B.9 (CIFAR-10)",
    ),
    "mocov1": (_MOCO_V1, "two views: crop 0.2-1, always jitter, grey 0.2, no blur; He et al. 2019, code"),
    "mocov1-small": (_MOCO_SMALL, "as mocov2-small; the authors' CIFAR-10 demo knows only one MoCo"),
    "mocov2": (_MOCO_V2, "two views: crop 0.2-1, jitter (0.4, 0.4, 0.4, 0.1), blur 0.5; Chen et al. 2020b"),
    "mocov2-small": (_MOCO_SMALL, "crop 0.08-1, no blur; the MoCo authors' CIFAR-10 demo"),
    "mocov3": (_BYOL, "two views as byol; Chen et al. 2021, https://arxiv.org/abs/2104.02057"),
    "mocov3-small": (_BYOL_SMALL, f"as byol-small; {CIFAR}"),
    "densecl": (_MOCO_V2, "two views as mocov2; Wang et al. 2021, https://arxiv.org/abs/2011.09157"),
    "densecl-small": (_MOCO_SMALL, "as mocov2-small; the paper has no CIFAR recipe"),
    "byol": (
        _BYOL,
        "two views: jitter (0.4, 0.4, 0.2, 0.1), blur 1 and 0.1, solarize 0 and 0.2; Grill et al. 2020",
    ),
    "byol-small": (_BYOL_SMALL, f"byol without blur; {CIFAR}"),
    "barlowtwins": (_BYOL, "two views as byol; Zbontar et al. 2021, https://arxiv.org/abs/2103.03230"),
    "barlowtwins-small": (_BYOL_SMALL, f"as byol-small; {CIFAR}"),
    "tico": (_BYOL, "two views as byol; Zhu et al. 2022, https://arxiv.org/abs/2206.10698"),
    "tico-small": (_BYOL_SMALL, f"as byol-small; {CIFAR}"),
    "simsiam": (_MOCO_V2, "two views as mocov2; Chen and He 2020, https://arxiv.org/abs/2011.10566"),
    "simsiam-small": (
        replace(_MOCO_V2, blur_probability=0.0),
        "simsiam without blur; Chen and He 2020, appendix D (CIFAR-10)",
    ),
    "fastsiam": (
        replace(_MOCO_V2, num_global=4),
        "four views as simsiam; Pototzky et al. 2022, https://doi.org/10.1007/978-3-031-16788-1_4",
    ),
    "fastsiam-small": (
        replace(_MOCO_V2, num_global=4, blur_probability=0.0),
        "four views as simsiam-small",
    ),
    "vicreg": (
        _VICREG,
        "two views: jitter as byol, blur 0.5, solarize 0.1; Bardes et al. 2021, appendix C.1",
    ),
    "vicreg-small": (_BYOL_SMALL, f"as byol-small; {CIFAR}"),
    "vicregl": (
        replace(_BYOL, interpolation="bicubic"),
        "two views as byol, bicubic; Bardes et al. 2022, its command for ResNet-50 (num_local: 6 for more)",
    ),
    "vicregl-small": (replace(_BYOL_SMALL, interpolation="bicubic"), "vicregl without blur, as byol-small"),
    "swav": (
        _SWAV,
        "2 of 0.14-1 and 6 local of 0.05-0.14, jitter 1.0, blur 0.5; Caron et al. 2020, appendix A",
    ),
    "swav-small": (
        _SWAV_SMALL,
        "2 and 4 local of 0.1-0.3, jitter 0.5, no blur; as simclr-small, local crops ours",
    ),
    "smog": (
        _SMOG,
        "4 of 0.2-1 and 4 local of 0.05-0.2, always jitter; Pang et al. 2022, https://arxiv.org/abs/2207.06167",
    ),
    "smog-small": (_SMOG_SMALL, "2 and 2 local of 0.1-0.3, no blur; local crops ours"),
    "dino": (
        _DINO,
        "2 of 0.4-1 and 8 local of 0.05-0.4, bicubic, blur 1, 0.1, 0.5; Caron et al. 2021, code",
    ),
    "dino-small": (_DINO_SMALL, f"2 and 4 local of 0.1-0.4, no blur; jitter as {CIFAR}"),
    "ibot": (_IBOT, "2 of 0.25-1 and 10 local of 0.05-0.25, else as dino; Zhou et al. 2021, code for ViT-S"),
    "ibot-small": (replace(_DINO_SMALL, min_scale=0.25), "2 of 0.25-1 and 4 local, else as dino-small"),
    "dinov2": (
        _DINO_V2,
        "2 of 0.32-1 and 8 local of 0.05-0.32, else as dino; Oquab et al. 2023, default config",
    ),
    "dinov2-small": (replace(_DINO_SMALL, min_scale=0.32), "2 of 0.32-1 and 4 local, else as dino-small"),
    "msn": (
        _MSN,
        "2 of 0.3-1 and 10 local of 0.05-0.3, jitter 0.5, blur 0.5; Assran et al. 2022, config of ViT-S/16",
    ),
    "msn-small": (
        replace(_MSN, num_local=4, local_min_scale=0.1, blur_probability=0.0),
        "2 and 4 local of 0.1-0.3, no blur; local crops ours",
    ),
    "mae": (_MAE, "one view: crop 0.2-1, bicubic, flip; He et al. 2021, https://arxiv.org/abs/2111.06377"),
    "mae-small": (_MAE, "as mae: a crop and a flip, whatever the size"),
    "ijepa": (_I_JEPA, "one view: crop 0.3-1, nothing else; Assran et al. 2023, config of ViT-H/14"),
    "ijepa-small": (_I_JEPA, "as ijepa: a crop, whatever the size"),
    "simmim": (_SIMMIM, "one view: crop 0.67-1, flip; Xie et al. 2021, https://arxiv.org/abs/2111.09886"),
    "simmim-small": (_SIMMIM, "as simmim: a crop and a flip, whatever the size"),
    "lejepa": (
        _LEJEPA,
        "four views as simclr with solarize 0.2; Balestriero and LeCun 2025, the authors' minimal example",
    ),
    "lejepa-small": (
        replace(_LEJEPA, jitter_strength=0.5, blur_probability=0.0),
        "lejepa with jitter 0.5 and no blur, as simclr-small",
    ),
}

PRESETS: Mapping[str, ViewOptions] = {name: options for name, (options, _) in _SETS.items()}
VIEWS: Mapping[str, str] = {
    **{name: line for name, (_, line) in _SETS.items()},
    "custom": "your own: view_options.views lists views, each a crop and steps; see docs/views.md",
}
"""A line on each, with its source. ``package.module:factory`` works too."""
