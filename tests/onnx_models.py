"""ONNX files as tests write them: nodes as text, weights by shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Dims = Sequence[int | str | None]


def node(kind: str, inputs: str, outputs: str, domain: str = "", **attributes: Any) -> Any:
    """A node; `inputs` and `outputs` are names in one text, - for one that is left out."""
    names = [["" if name == "-" else name for name in text.split()] for text in (inputs, outputs)]
    called = attributes.pop("called", "")
    return helper.make_node(kind, *names, name=called, domain=domain, **attributes)


def model(
    nodes: Sequence[Any],
    inputs: Mapping[str, Dims],
    outputs: str,
    weights: Mapping[str, Any] | None = None,
    *,
    opset: int = 18,
    kinds: Mapping[str, int] | None = None,
    **more: Any,
) -> onnx.ModelProto:
    """A model. weights: arrays, or shapes of float tensors; kinds: types of inputs."""
    made = [
        numpy_helper.from_array(
            np.asarray(value)
            if isinstance(value, (np.ndarray, np.generic))
            else np.ones(value, np.float32),
            name,
        )
        for name, value in (weights or {}).items()
    ]
    entering = [
        helper.make_tensor_value_info(name, (kinds or {}).get(name, TensorProto.FLOAT), dims)
        for name, dims in inputs.items()
    ]
    leaving = [helper.make_tensor_value_info(name, 0, None) for name in outputs.split()]
    graph = helper.make_graph(list(nodes), "graph", entering, leaving, made)
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.example", 1)]
    return helper.make_model(graph, opset_imports=opsets, **more)


def saved(model: onnx.ModelProto, folder: Path, name: str = "model.onnx") -> str:
    """The path of the file that a model is written to."""
    path = folder / name
    path.write_bytes(model.SerializeToString())
    return str(path)
