"""Rules for the ops that few networks have load when such an op is met, and count it in full."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys
import resnet_inspect as ri
from resnet_inspect.counting.costs import graph_cost
from resnet_inspect.counting.memory import memory
from resnet_inspect.counting.receptive_field import receptive_fields
late = "resnet_inspect.counting.torch_op_rules"
graph_cost(ri.graph("resnet18"))
assert late not in sys.modules
graph = ri.graph("vgg11")
{first}(graph)
assert late in sys.modules
print(graph_cost(graph).uncounted, None in receptive_fields(graph).values())
"""


def test_a_network_with_ops_of_torch_is_counted_in_full_whatever_is_asked_first() -> None:
    for first in ("graph_cost", "memory", "receptive_fields"):
        script = [sys.executable, "-c", SCRIPT.format(first=first)]
        assert subprocess.check_output(script, text=True) == "0 False\n"
