"""The stem and the head of a network."""

from __future__ import annotations

from resnet_inspect.networks import ops
from resnet_inspect.networks.design import Builder, Part, Tensor, conv, normalized

_GLOBAL, _FLATTEN = ops.GlobalAvgPool2d(), ops.Flatten()


def stem(net: Builder[Tensor], part: Part, tensor: Tensor) -> Tensor:
    """What stands before the first stage."""
    spec, width = part.design, part.leaving
    bias = "stem" in spec.bias
    if spec.stem in ("deep", "tiered"):
        first = 3 * (width // 8) if spec.stem == "tiered" else width // 2
        channels = (part.entering, first, width // 2, width)
        for i in range(3):
            op = conv(channels[i], channels[i + 1], 3, 2 if i == 0 else 1, bias=bias)
            tensor = net.add(op, tensor, name=f"conv1.{3 * i}")
            if i < 2:
                tensor = normalized(net, spec, channels[i + 1], tensor, f"conv1.{3 * i + 1}")
                tensor = net.add(spec.act, tensor, name=f"conv1.{3 * i + 2}")
    else:
        kernel, stride = (7, 2) if spec.stem == "7x7" else (3, 1)
        tensor = net.add(conv(part.entering, width, kernel, stride, 1, bias), tensor, name="conv1")
    if spec.order == "post":  # a pre-activation block brings its own
        tensor = normalized(net, spec, width, tensor, "bn1")
        tensor = net.add(spec.act, tensor, name=spec.act_path)
    if spec.stem_pool:
        tensor = net.add(ops.MaxPool2d((3, 3), (2, 2), (1, 1)), tensor, name="maxpool")
    return tensor


def head(net: Builder[Tensor], part: Part, path: str, tensor: Tensor) -> Tensor:
    """What stands behind the last stage; path: where a chain of convolutions goes on."""
    spec = part.design
    if spec.head == "mlp":
        return _mlp(net, part, path, tensor)
    if spec.order == "pre":
        tensor = normalized(net, spec, part.entering, tensor, "norm")
        tensor = net.add(spec.act, tensor, name=spec.act_path)
    tensor = net.add(_GLOBAL, tensor, name="avgpool")
    tensor = net.add(_FLATTEN, tensor, name="flatten")
    return net.add(ops.Linear(part.entering, part.leaving), tensor, name="fc")


def _mlp(net: Builder[Tensor], part: Part, path: str, tensor: Tensor) -> Tensor:
    """Two hidden layers on 7x7 averages (Simonyan & Zisserman 2014, Table 1)."""
    from resnet_inspect.networks.torch_ops import AdaptivePool, Dropout

    tensor = net.add(ops.MaxPool2d((2, 2), (2, 2)), tensor, name=path)
    tensor = net.add(AdaptivePool("AdaptiveAvgPool2d", (7, 7)), tensor, name="avgpool")
    tensor = net.add(_FLATTEN, tensor, name="flatten")
    features = (49 * part.entering, 4096, 4096, part.leaving)
    for i in range(3):
        if i:
            tensor = net.add(part.design.act, tensor, name=f"classifier.{3 * i - 2}")
            tensor = net.add(Dropout(), tensor, name=f"classifier.{3 * i - 1}")
        linear = ops.Linear(features[i], features[i + 1])
        tensor = net.add(linear, tensor, name=f"classifier.{3 * i}")
    return tensor
