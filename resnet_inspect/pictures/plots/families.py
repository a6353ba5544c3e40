"""What legends call the families of the zoo."""

from __future__ import annotations

TITLES = {
    "resnet": "ResNet",
    "resnet-v1": "ResNet v1",
    "cifar": "residual",
    "notes": "of lecture notes",
    "tweaks": "stems and shortcuts",
    "resnext": "ResNeXt",
    "se": "squeeze-and-excitation",
    "preact": "pre-activation",
    "group-norm": "group norm",
    "bit": "BiT",
    "sk": "selective kernels",
    "resnest": "ResNeSt",
    "regnetv": "RegNetV",
    "regnetz": "RegNetZ",
    "evonorm": "EvoNorm",
    "frn": "filter response norm",
    "nf": "NF-ResNet",
    "nf-regnet": "NF-RegNet",
    "nfnet": "NFNet-F of timm",
    "nfnet-dm": "NFNet-F of DeepMind",
    "nfnet-l": "NFNet-L",
    "botnet": "BoTNet",
    "lambda": "LambdaResNet",
    "halonet": "HaloNet",
    "repvgg": "RepVGG",
    "mobileone": "MobileOne",
    "resolution": "super-resolution",
}
"""Families that are called otherwise where they share a panel with others."""
