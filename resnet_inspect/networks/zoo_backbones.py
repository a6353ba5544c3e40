"""Lines of the zoo: backbones as detectors and segmenters have them, without a classifier."""

from __future__ import annotations

from typing import Any

from resnet_inspect.networks.layouts import DEEP, EARLY, L50, L101, Entry

MMSEG = "open-mmlab/mmsegmentation, ResNetV1c of its r50-d8 models"
MMDET = "open-mmlab/mmdetection, style caffe of its r50-caffe models"
FPN = "torchvision, body of fasterrcnn_resnet50_fpn"

_FROZEN: dict[str, Any] = {"norm": "frozen", "head": "none", "input_size": (800, 1344)}
_D8: dict[str, Any] = {
    **DEEP,
    "strides": (1, 2, 1, 1),
    "dilations": (1, 1, 2, 4),
    "head": "none",
    "input_size": (512, 1024),
}
_DC5: dict[str, Any] = {
    "strides": (1, 2, 2, 1),
    "dilations": (1, 1, 1, 2),
    "multi_grid": (1,),  # the last stage's first block dilates as all others
}

BACKBONES: dict[str, Entry] = {
    f"resnet{depth}_{name}": Entry("backbone", source, {**layout, **fields})
    for name, source, fields in (
        ("v1c_d8", MMSEG, _D8),
        ("caffe", MMDET, {**EARLY, **_FROZEN}),
        ("caffe_dc5", MMDET, {**EARLY, **_FROZEN, **_DC5}),
        ("frozen", FPN, _FROZEN),
    )
    for depth, layout in ((50, L50), (101, L101))
}
