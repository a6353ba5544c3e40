"""The stem and the head of a network."""

from __future__ import annotations

from resnet_inspect.networks import ops
from resnet_inspect.networks.channel_rules import stem_channels
from resnet_inspect.networks.design import Module, Part, Tensor, conv, same_padding
from resnet_inspect.networks.parallel import PARALLEL, parallel
from resnet_inspect.networks.shapes import Shape

_GLOBAL, _FLATTEN = ops.GlobalAvgPool2d(), ops.Flatten()

_POOL = ops.MaxPool2d((3, 3), (2, 2), (1, 1))
_POOLS: dict[str, ops.Op] = {
    "max": _POOL,
    "ceil": ops.MaxPool2d((3, 3), (2, 2), ceil=True),
    "average": ops.AvgPool2d((2, 2), (2, 2)),
}


def stem(net: Module[Tensor], part: Part, tensor: Tensor) -> Tensor:
    """What stands before the first stage."""
    spec, width = part.design, part.leaving
    strides, bias = spec.stem_strides, "stem" in spec.bias
    if spec.stem in PARALLEL:
        block = part._replace(inner=width, stride=strides[0])
        return parallel(net.within("stem"), block, tensor)
    if spec.stem == "patch":
        valid = conv(width, width, 3, strides[1], 1, bias).replace(padding=(0, 0))
        first = conv(part.entering, width, 1, strides[0], 1, bias)
        tensor = net.run(tensor, conv1=first, conv2=valid)
    elif len(strides) > 1:
        channels = (part.entering, *stem_channels(spec.stem, width))
        deep = net.within("conv1")
        for i, stride in enumerate(strides):
            op = conv(channels[i], channels[i + 1], 3, stride, 1, bias)
            tensor = deep.convolved(op, tensor, f"{3 * i}")
            linear = spec.stem == "quad2" and i < 2
            if i + 1 < len(strides) and not linear:
                tensor = deep.normalized(tensor, f"{3 * i + 1}")
                tensor = deep.activated(tensor, f"{3 * i + 2}")
    else:
        side = 7 if spec.stem == "7x7" else 3
        op = conv(part.entering, width, side, strides[0], 1, bias)
        tensor = net.convolved(op, tensor, "conv1")
    if spec.order in ("post", "inner") or spec.outer_norm == "stem":  # else a block brings its own
        tensor = net.normalized(tensor, "bn1")
        if (spec.order, spec.norm) != ("inner", "none"):
            tensor = net.activated(tensor, spec.act_path)
    return _pool(net, part, tensor) if spec.stem_pool else tensor


def _pool(net: Module[Tensor], part: Part, tensor: Tensor) -> Tensor:
    spec, width, several = part.design, part.leaving, net.within("maxpool")
    if spec.pool == "conv":
        op = conv(width, width, 3, 2, 1, "stem" in spec.bias)
        tensor = several.normalized(several.convolved(op, tensor, "0"), "1")
        return several.activated(tensor, "2")
    if spec.pool == "padded":
        from resnet_inspect.networks.torch_ops import Pad

        tensor = several.add(Pad((1, 1, 1, 1)), tensor, name="0")
        return several.add(ops.MaxPool2d((3, 3), (2, 2)), tensor, name="1")
    if spec.pool == "max" and spec.antialias == "average":
        return net.pooled("average", 2, tensor, "maxpool")
    if spec.pool == "max" and spec.antialias == "blur":
        tensor = several.add(ops.MaxPool2d((3, 3), (1, 1), (1, 1)), tensor, name="0")
        return several.pooled("blur", 2, tensor, "1")
    pool = _POOLS[spec.pool]
    if spec.padding == "same" and spec.pool == "max":
        pool = _same_pool(net.shape(tensor))
    return net.add(pool, tensor, name="maxpool")


def _same_pool(shape: Shape) -> ops.MaxPool2d:
    """A 3x3 max pool that TensorFlow pads: by one on both sides, or after only (rounded up)."""
    (top, _), (left, _) = same_padding(_POOL, shape)
    return _POOL.replace(padding=(top, left), ceil=True)


def head(net: Module[Tensor], part: Part, path: str, tensor: Tensor) -> Tensor:
    """What stands behind the last stage; path: where a chain of convolutions goes on."""
    spec, width = part.design, part.entering
    if spec.head == "mlp":
        return _mlp(net, part, path, tensor)
    if spec.head == "hidden":
        return _hidden(net, part, tensor)
    if spec.head == "embedding":
        return _embedding(net, part, tensor)
    if spec.head_width:
        width, final = spec.head_width, net.within("final_conv")
        op = conv(part.entering, width, 1, bias="head" in spec.bias)
        tensor = final.normalized(final.convolved(op, tensor, "conv"), "bn")
        tensor = final.activated(tensor, "act")
    elif spec.order == "pre" and spec.outer_norm == "head":
        tensor = net.activated(net.normalized(tensor, "norm"), spec.act_path)
    elif spec.order == "ahead" or spec.linear_out:
        tensor = net.add(spec.act, tensor, name="final_conv")
    if spec.head == "attention":
        from resnet_inspect.networks.self_attention import attention_pool

        return attention_pool(net.within("head"), part, tensor)
    tensor = net.run(tensor, avgpool=_GLOBAL, flatten=_FLATTEN)
    if spec.head == "average":
        return tensor
    tensor = net.dropped(spec.drop_rate, tensor, "dropout")
    return net.add(ops.Linear(width, part.leaving), tensor, name="fc")


def _hidden(net: Module[Tensor], part: Part, tensor: Tensor) -> Tensor:
    """A hidden layer on the normalized average."""
    spec = part.design
    tensor = net.normalized(net.add(_GLOBAL, tensor, name="avgpool"), "norm")
    tensor = net.add(_FLATTEN, tensor, name="flatten")
    layer = ops.Linear(part.entering, spec.head_width)
    tensor = net.within("pre_logits").run(tensor, fc=layer, act=spec.act)
    return net.add(ops.Linear(spec.head_width, part.leaving), tensor, name="fc")


def _embedding(net: Module[Tensor], part: Part, tensor: Tensor) -> Tensor:
    """A vector of all positions (Deng et al. 2018, arXiv 1801.07698)."""
    from resnet_inspect.networks.torch_ops import BatchNorm

    features = part.leaving
    tensor = net.add(_FLATTEN, net.normalized(tensor, "bn2"), name="flatten")
    linear = ops.Linear(net.shape(tensor)[0], features)
    norm = BatchNorm("BatchNorm1d", features, 2 * features, 2 * features + 1)
    return net.run(tensor, fc=linear, features=norm)


def _mlp(net: Module[Tensor], part: Part, path: str, tensor: Tensor) -> Tensor:
    """Two hidden layers on 7x7 averages (Simonyan & Zisserman 2014, Table 1)."""
    from resnet_inspect.networks.torch_ops import AdaptivePool

    averages = AdaptivePool("AdaptiveAvgPool2d", (7, 7))
    tensor = net.add(ops.MaxPool2d((2, 2), (2, 2)), tensor, name=path)
    tensor = net.run(tensor, avgpool=averages, flatten=_FLATTEN)
    features, layers = (49 * part.entering, 4096, 4096, part.leaving), net.within("classifier")
    for i in range(3):
        if i:
            tensor = layers.add(part.design.act, tensor, name=f"{3 * i - 2}")
            tensor = layers.dropped(part.design.drop_rate, tensor, f"{3 * i - 1}")
        tensor = layers.add(ops.Linear(features[i], features[i + 1]), tensor, name=f"{3 * i}")
    return tensor
