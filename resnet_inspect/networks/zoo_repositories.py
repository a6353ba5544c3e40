"""Lines of the zoo: networks that well-known repositories have, and torchvision and timm do not."""

from __future__ import annotations

from resnet_inspect.networks.layouts import KUANGLIU, Entry, Fields, of

MMSEG = "open-mmlab/mmsegmentation, ResNetV1c of its r50-d8 models"
MMDET = "open-mmlab/mmdetection, style caffe of its r50-caffe models"
FPN = "torchvision, body of fasterrcnn_resnet50_fpn"
WEIAICUNZAI = "weiaicunzai/pytorch-cifar100"
ARCFACE = "Deng et al. 2018, arXiv 1801.07698; deepinsight/insightface, arcface_torch"
BAGNET = "Brendel & Bethge 2019, arXiv 1904.00760; wielandbrendel/bag-of-local-features-models"
EDSR = "Lim et al. 2017, arXiv 1707.02921; sanghyun-son/EDSR-PyTorch, head and blocks of its body"

_FROZEN: Fields = {"norm": "frozen", "head": "none", "input_size": (800, 1344)}
_CAFFE = of("early", _FROZEN)
_D8 = of("c", strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4), head="none", input_size=(512, 1024))
_DC5: Fields = {
    "strides": (1, 2, 2, 1),
    "dilations": (1, 1, 1, 2),
    "multi_grid": (1,),  # the last stage's first block dilates as all others
}

BACKBONES: dict[str, Entry] = {
    f"resnet{depth}_{name}": Entry("backbone", source, of(depth, fields))
    for name, source, fields in (
        ("v1c_d8", MMSEG, _D8),
        ("caffe", MMDET, _CAFFE),
        ("caffe_dc5", MMDET, of(_CAFFE, _DC5)),
        ("frozen", FPN, _FROZEN),
    )
    for depth in (50, 101)
}
"""As detectors and segmenters have them, without a classifier."""

_DEPTHS = (18, 34, 50, 101, 152)
_PREACT = of("cifar10", "pre", outer_norm="none")
_SE = of("cifar10", "se", se_multiple=1)
_SE_100 = of(_SE, "biased", attention_at="activated", classes=100)
_FACE: Fields = {
    "stem": "3x3",
    "strides": (2, 2, 2, 2),
    "order": "inner",
    "activation": "prelu",
    "head": "embedding",
    "classes": 512,
    "input_size": (112, 112),
}
_BAG = of(50, stem="patch", stem_pool=False, strides=(2, 2, 2, 1))
_EDSR = of(
    "biased", stem="3x3", widths=(64,), order="inner", norm="none", head="none", input_size=(48, 48)
)

REPOSITORIES: dict[str, Entry] = {
    **{f"preact_resnet{n}_cifar10": Entry("cifar", KUANGLIU, of(n, _PREACT)) for n in _DEPTHS},
    "senet18_cifar10": Entry("cifar", KUANGLIU, of(18, _SE, "pre", outer_norm="stem")),
    **{f"seresnet{n}_cifar100": Entry("cifar", WEIAICUNZAI, of(n, _SE_100)) for n in _DEPTHS},
    **{
        f"iresnet{depth}": Entry("face", ARCFACE, of(_FACE, blocks=blocks))
        for depth, blocks in {
            18: (2, 2, 2, 2),
            34: (3, 4, 6, 3),
            50: (3, 4, 14, 3),
            100: (3, 13, 30, 3),
            200: (6, 26, 60, 6),
        }.items()
    },
    "bagnet9": Entry("bagnet", BAGNET, of(_BAG, unpadded=(1, 1, 0, 0))),
    "bagnet17": Entry("bagnet", BAGNET, of(_BAG, unpadded=(1, 1, 1, 0))),
    "bagnet33": Entry("bagnet", BAGNET, of(_BAG, unpadded=(1, 1, 1, 1))),
    "edsr_baseline_trunk": Entry("resolution", EDSR, of(_EDSR, blocks=(16,))),
}
