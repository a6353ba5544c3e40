"""Weights from one network or library to another: `ri.weights.convert(state, "resnet18")`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from resnet_inspect.api.networks import spec
from resnet_inspect.networks.spec import ResNetSpec

if TYPE_CHECKING:
    from resnet_inspect.pytorch.weights import Conversion


def convert(
    state: Mapping[str, Any],
    model: str | os.PathLike[str] | ResNetSpec,
    to: str = "torch",
    *,
    flip_channels: bool = False,
    **changes: Any,
) -> Conversion:
    """A state dict for another number of channels or classes, or in another library's layout.

        state = torchvision.models.resnet18(weights="DEFAULT").state_dict()
        grey = ri.weights.convert(state, "resnet18", in_channels=1, classes=10)
        ri.build("resnet18", in_channels=1, classes=10).load_state_dict(grey.state)
        print(grey)  # what was kept, changed, dropped, and what starts anew

    state: tensors or arrays by name, of torchvision or timm, Keras (layer/tensor, as in
    conv1_conv/kernel) or Caffe (layer/number of the blob, as in res2a_branch1/0); the names tell
    which. to: 'torch' (torchvision and `build`), 'timm' (its pre-activation networks),
    'torchvision-regnet', 'keras' or 'caffe'. One channel takes the sum over the stem's channels;
    more repeat them, scaled so that their sum stays. flip_channels: turn weights for BGR into
    weights for RGB. What does not fit starts as `build` initialises it. Raises InspectError where
    the state is of another network.
    """
    from resnet_inspect.pytorch import weights

    return weights.convert(state, spec(model, **changes), to, flip_channels=flip_channels)


def recognise(state: Mapping[str, Any]) -> dict[str, str]:
    """The networks of the zoo that a state dict fits, each with what it leaves open.

    Names and shapes decide, whatever the stem's channels and the classes. Nothing in them tells v1
    from v1.5 (where a bottleneck strides); the library that the weights come from may. Raises
    InspectError where no network fits.
    """
    from resnet_inspect.pytorch import weights

    return weights.recognise(state)
