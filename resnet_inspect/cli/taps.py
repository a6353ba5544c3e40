"""resnet-inspect taps"""

from __future__ import annotations

import resnet_inspect as ri
from resnet_inspect.cli.network_options import Network, network_options
from resnet_inspect.cli.output import shows
from resnet_inspect.cli.parameters import command


@command("taps")
@network_options
@shows
def taps(network: Network) -> ri.Table:
    """List where features are taken: C1 to C5.

    What detectors and segmenters read off a backbone: names for torchvision, timm and mmseg,
    shapes, fields, and what is computed up to there.

    \b
    resnet-inspect taps resnet50
    resnet-inspect taps resnet50 --input 800,1333
    resnet-inspect taps torchvision.models:mobilenet_v2
    """
    return ri.taps(network.graph)
