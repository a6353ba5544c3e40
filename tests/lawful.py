"""The law of tracing, held over every module that any test traces.

The module runs once more, every part entered and no rule asked, under torch's own FlopCounterMode:
the graph has as many multiply-accumulates, or says what belongs to no layer or is uncounted (or a
user's rule counts an operator that torch's counter does not know); and every parameter once, by
identity.
"""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from resnet_inspect.counting.costs import graph_cost
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.pytorch.trace import module_run
from resnet_inspect.pytorch.trace.calls import Recorded
from resnet_inspect.pytorch.trace.lower import lower
from resnet_inspect.pytorch.trace.meta_copy import Copies


class Lawful(module_run.ModuleRun):
    """A run that knows how often torch's counter multiplies in the same pass."""

    last: tuple[nn.Module, int] | None = None

    def run(self, *args: Any, **kwargs: Any) -> Recorded:
        recorded = super().run(*args, **kwargs)
        if self.leaves:
            return recorded  # of what runs elsewhere nobody knows
        # Without gradients: torch's counter fails on a view of a parameter that has any.
        copies = Copies()
        copied = copies.of(self.model).requires_grad_(False)
        again = module_run.ModuleRun(copied, self.model, copies)
        rules, module_run.layer_rule = module_run.layer_rule, lambda module: None
        try:
            with FlopCounterMode(display=False) as counter:
                again.run(*args, **kwargs)
        except RecursionError:
            return recorded  # torch's counter finds no end of a module that holds itself
        finally:
            module_run.layer_rule = rules
        Lawful.last = self.model, counter.get_total_flops() // 2
        return recorded


def lawfully(recorded: Recorded, *args: Any, **kwargs: Any) -> LayerGraph:
    """The graph of what was recorded, if it keeps the law."""
    ran, Lawful.last = Lawful.last, None
    graph = lower(recorded, *args, **kwargs)
    run = graph.run
    assert run is not None
    learned = {name: tensor.entries for name, tensor in run.tensors.items() if tensor.learned}
    used = {name for names in run.uses.values() for name in names}
    assert used <= run.tensors.keys()
    cost = graph_cost(graph)
    unused = sum(tensor.entries for tensor in run.unused.values())
    assert cost.params + unused == sum(learned.values())
    if ran is not None:
        module, macs = ran
        assert sum(learned.values()) == sum(tensor.numel() for tensor in module.parameters())
        unknown = any(node.meta.get("macs", 0) is None for node in recorded.graph.nodes)
        assert cost.macs == macs or cost.uncounted or run.gaps or unknown
    return graph
