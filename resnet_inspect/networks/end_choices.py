"""What a network ends in, and what it takes and tells apart."""

from __future__ import annotations

from dataclasses import dataclass

from resnet_inspect.networks.choices import Choices
from resnet_inspect.networks.spec_field import spec_field


@dataclass(frozen=True, slots=True, kw_only=True, init=False, repr=False, eq=False)
class EndChoices(Choices):
    """The fields of a residual network, those of its head and its images with them."""

    head: str = spec_field(
        "pool",
        "word",
        "KIND",
        "Head.",
        {
            "pool": "global average, linear",
            "mlp": "7x7 average, three linear, as VGG",
            "hidden": "global average, norm, a hidden layer of head_width, linear",
            "average": "global average",
            "attention": "attention over positions, linear, as CLIP",
            "embedding": "linear, normalization, as ArcFace",
            "none": "none",
        },
    )
    head_width: int = spec_field(
        0, "number", "N", "Channels of a 1x1 convolution before the head; 0 for none.", least=0
    )
    in_channels: int = spec_field(3, "number", "N", "Channels of the input.", of_block=True)
    classes: int = spec_field(1000, "number", "N", "Classes.", alias="num_classes")
    input_size: tuple[int, int] = spec_field(
        (224, 224),
        "numbers",
        "H,W",
        "Height and width that the network is published for.",
        example="224,224",
    )
