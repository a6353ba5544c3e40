"""An assembled model's calls, one after another, whatever containers they stand in."""

from __future__ import annotations

from typing import Any

from torch import Tensor, fx, nn


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return not isinstance(m, (fx.GraphModule, nn.Sequential))


class _Recorder(fx.Interpreter):
    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if n.op.startswith("call"):
            self.results.append(result)
        return result


def flattened(model: nn.Module) -> fx.GraphModule:
    """The model as a single graph over its own layers, in running order."""
    return fx.GraphModule(model, _Tracer().trace(model))


def calls(flat: fx.GraphModule) -> list[fx.Node]:
    """The nodes of a flattened model that compute something: one for each layer."""
    return [node for node in flat.graph.nodes if node.op.startswith("call")]


def outputs(flat: fx.GraphModule, x: Tensor) -> list[Tensor]:
    """What each call gives for x, in running order."""
    recorder = _Recorder(flat)
    recorder.results = []
    recorder.run(x)
    return recorder.results
