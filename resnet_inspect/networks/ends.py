"""The stem and the head of a network."""

from __future__ import annotations

from resnet_inspect.networks import ops
from resnet_inspect.networks.channel_rules import stem_channels
from resnet_inspect.networks.design import (
    Builder,
    Part,
    Tensor,
    activated,
    conv,
    convolved,
    dropped,
    normalized,
    pooled,
    same_padding,
)
from resnet_inspect.networks.parallel import PARALLEL, parallel
from resnet_inspect.networks.shapes import Shape

_GLOBAL, _FLATTEN = ops.GlobalAvgPool2d(), ops.Flatten()

_POOL = ops.MaxPool2d((3, 3), (2, 2), (1, 1))
_POOLS: dict[str, ops.Op] = {
    "max": _POOL,
    "ceil": ops.MaxPool2d((3, 3), (2, 2), ceil=True),
    "average": ops.AvgPool2d((2, 2), (2, 2)),
}


def stem(net: Builder[Tensor], part: Part, tensor: Tensor) -> Tensor:
    """What stands before the first stage."""
    spec, width = part.design, part.leaving
    strides, bias = spec.stem_strides, "stem" in spec.bias
    if spec.stem in PARALLEL:
        return parallel(net, part._replace(inner=width, stride=strides[0]), "stem", tensor)
    if spec.stem == "patch":
        tensor = net.add(conv(part.entering, width, 1, strides[0], 1, bias), tensor, name="conv1")
        op = conv(width, width, 3, strides[1], 1, bias).replace(padding=(0, 0))
        tensor = net.add(op, tensor, name="conv2")
    elif len(strides) > 1:
        channels = (part.entering, *stem_channels(spec.stem, width))
        for i, stride in enumerate(strides):
            op = conv(channels[i], channels[i + 1], 3, stride, 1, bias)
            tensor = convolved(net, spec, op, tensor, f"conv1.{3 * i}")
            linear = spec.stem == "quad2" and i < 2
            if i + 1 < len(strides) and not linear:
                tensor = normalized(net, spec, channels[i + 1], tensor, f"conv1.{3 * i + 1}")
                tensor = activated(net, spec, tensor, f"conv1.{3 * i + 2}")
    else:
        side = 7 if spec.stem == "7x7" else 3
        op = conv(part.entering, width, side, strides[0], 1, bias)
        tensor = convolved(net, spec, op, tensor, "conv1")
    if spec.order in ("post", "inner") or spec.outer_norm == "stem":  # else a block brings its own
        tensor = normalized(net, spec, width, tensor, "bn1")
        if (spec.order, spec.norm) != ("inner", "none"):
            tensor = activated(net, spec, tensor, spec.act_path)
    return _pool(net, part, tensor) if spec.stem_pool else tensor


def _pool(net: Builder[Tensor], part: Part, tensor: Tensor) -> Tensor:
    spec, width = part.design, part.leaving
    if spec.pool == "conv":
        op = conv(width, width, 3, 2, 1, "stem" in spec.bias)
        tensor = convolved(net, spec, op, tensor, "maxpool.0")
        tensor = normalized(net, spec, width, tensor, "maxpool.1")
        return activated(net, spec, tensor, "maxpool.2")
    if spec.pool == "padded":
        from resnet_inspect.networks.torch_ops import Pad

        tensor = net.add(Pad((1, 1, 1, 1)), tensor, name="maxpool.0")
        return net.add(ops.MaxPool2d((3, 3), (2, 2)), tensor, name="maxpool.1")
    if spec.pool == "max" and spec.antialias == "average":
        return pooled(net, "average", 2, width, tensor, "maxpool")
    if spec.pool == "max" and spec.antialias == "blur":
        tensor = net.add(ops.MaxPool2d((3, 3), (1, 1), (1, 1)), tensor, name="maxpool.0")
        return pooled(net, "blur", 2, width, tensor, "maxpool.1")
    pool = _POOLS[spec.pool]
    if spec.padding == "same" and spec.pool == "max":
        pool = _same_pool(net.shape(tensor))
    return net.add(pool, tensor, name="maxpool")


def _same_pool(shape: Shape) -> ops.MaxPool2d:
    """A 3x3 max pool that TensorFlow pads: by one on both sides, or after only (rounded up)."""
    (top, _), (left, _) = same_padding(_POOL, shape)
    return _POOL.replace(padding=(top, left), ceil=True)


def head(net: Builder[Tensor], part: Part, path: str, tensor: Tensor) -> Tensor:
    """What stands behind the last stage; path: where a chain of convolutions goes on."""
    spec, width = part.design, part.entering
    if spec.head == "mlp":
        return _mlp(net, part, path, tensor)
    if spec.head == "hidden":
        return _hidden(net, part, tensor)
    if spec.head == "embedding":
        return _embedding(net, part, tensor)
    if spec.head_width:
        op = conv(width, spec.head_width, 1, bias="head" in spec.bias)
        tensor = convolved(net, spec, op, tensor, "final_conv.conv")
        tensor = normalized(net, spec, spec.head_width, tensor, "final_conv.bn")
        tensor = activated(net, spec, tensor, "final_conv.act")
        width = spec.head_width
    elif spec.order == "pre" and spec.outer_norm == "head":
        tensor = normalized(net, spec, width, tensor, "norm")
        tensor = activated(net, spec, tensor, spec.act_path)
    elif spec.order == "ahead" or spec.linear_out:
        tensor = net.add(spec.act, tensor, name="final_conv")
    if spec.head == "attention":
        from resnet_inspect.networks.attention_pool import attention_pool

        return attention_pool(net, part, "head", tensor)
    tensor = net.add(_GLOBAL, tensor, name="avgpool")
    tensor = net.add(_FLATTEN, tensor, name="flatten")
    if spec.head == "average":
        return tensor
    tensor = dropped(net, spec.drop_rate, tensor, "dropout")
    return net.add(ops.Linear(width, part.leaving), tensor, name="fc")


def _hidden(net: Builder[Tensor], part: Part, tensor: Tensor) -> Tensor:
    """A hidden layer on the normalized average."""
    spec, width = part.design, part.entering
    tensor = net.add(_GLOBAL, tensor, name="avgpool")
    tensor = normalized(net, spec, width, tensor, "norm")
    tensor = net.add(_FLATTEN, tensor, name="flatten")
    tensor = net.add(ops.Linear(width, spec.head_width), tensor, name="pre_logits.fc")
    tensor = net.add(spec.act, tensor, name="pre_logits.act")
    return net.add(ops.Linear(spec.head_width, part.leaving), tensor, name="fc")


def _embedding(net: Builder[Tensor], part: Part, tensor: Tensor) -> Tensor:
    """A vector of all positions (Deng et al. 2018, arXiv 1801.07698)."""
    from resnet_inspect.networks.torch_ops import BatchNorm

    spec, features = part.design, part.leaving
    tensor = normalized(net, spec, part.entering, tensor, "bn2")
    tensor = net.add(_FLATTEN, tensor, name="flatten")
    linear = ops.Linear(net.shape(tensor)[0], features)
    tensor = net.add(linear, tensor, name="fc")
    norm = BatchNorm("BatchNorm1d", features, 2 * features, 2 * features + 1)
    return net.add(norm, tensor, name="features")


def _mlp(net: Builder[Tensor], part: Part, path: str, tensor: Tensor) -> Tensor:
    """Two hidden layers on 7x7 averages (Simonyan & Zisserman 2014, Table 1)."""
    from resnet_inspect.networks.torch_ops import AdaptivePool

    tensor = net.add(ops.MaxPool2d((2, 2), (2, 2)), tensor, name=path)
    tensor = net.add(AdaptivePool("AdaptiveAvgPool2d", (7, 7)), tensor, name="avgpool")
    tensor = net.add(_FLATTEN, tensor, name="flatten")
    features = (49 * part.entering, 4096, 4096, part.leaving)
    for i in range(3):
        if i:
            tensor = net.add(part.design.act, tensor, name=f"classifier.{3 * i - 2}")
            tensor = dropped(net, part.design.drop_rate, tensor, f"classifier.{3 * i - 1}")
        linear = ops.Linear(features[i], features[i + 1])
        tensor = net.add(linear, tensor, name=f"classifier.{3 * i}")
    return tensor
