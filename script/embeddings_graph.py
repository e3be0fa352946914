#!/usr/bin/env python3
"""Writes all-MiniLM-L6-v2 as an ONNX graph from its weights: embeddings_graph.py model.safetensors model.onnx

Run by script/install-embeddings in an environment of its own. The graph takes ids and mask (batch, tokens) and gives one vector
of length one for each text: the mean over its tokens. Architecture: BERT (arXiv:1810.04805), as the model's config.json says.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LAYERS, HEADS, SIZE, EPSILON, OPSET = 6, 12, 384, 1e-12, 20


def weights(path: Path) -> Mapping[str, np.ndarray]:
    """The tensors of a safetensors file: eight bytes of length, JSON, then the numbers."""
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    found = {}
    for name, at in json.loads(data[8:start]).items():
        if name != "__metadata__" and at["dtype"] == "F32":
            first, last = at["data_offsets"]
            found[name] = np.frombuffer(data[start + first : start + last], "<f4").reshape(at["shape"])
    return found


class Graph:
    """Nodes and constants as they are added; every method gives the name of what it made."""

    def __init__(self, tensors: Mapping[str, np.ndarray]) -> None:
        self._tensors = tensors
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, np.ndarray] = {}

    def add(self, op: str, *inputs: str, **attributes: object) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], **attributes))
        return name

    def constant(self, value: object, kind: type = np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(value, kind)
        return name

    def weight(self, name: str, *, turned: bool = False) -> str:
        self.constants[name] = np.ascontiguousarray(self._tensors[name].T if turned else self._tensors[name])
        return name

    def linear(self, value: str, name: str) -> str:
        return self.add(
            "Add", self.add("MatMul", value, self.weight(f"{name}.weight", turned=True)), self.weight(f"{name}.bias")
        )

    def normed(self, value: str, name: str) -> str:
        return self.add(
            "LayerNormalization", value, self.weight(f"{name}.weight"), self.weight(f"{name}.bias"), epsilon=EPSILON
        )

    def heads(self, value: str, order: list[int]) -> str:
        shape = self.constant([0, 0, HEADS, SIZE // HEADS], np.int64)
        return self.add("Transpose", self.add("Reshape", value, shape), perm=order)


def embedded(graph: Graph) -> str:
    """Words, places and the first token type."""
    words = graph.add("Gather", graph.weight("embeddings.word_embeddings.weight"), "ids")
    length = graph.add("Gather", graph.add("Shape", "ids"), graph.constant(1, np.int64))
    places = graph.add("Range", graph.constant(0, np.int64), length, graph.constant(1, np.int64))
    placed = graph.add("Gather", graph.weight("embeddings.position_embeddings.weight"), places)
    kinds = graph.weight("embeddings.token_type_embeddings.weight")
    kind = graph.add("Gather", kinds, graph.constant(0, np.int64))
    return graph.normed(graph.add("Add", graph.add("Add", words, placed), kind), "embeddings.LayerNorm")


def layer(graph: Graph, value: str, hidden: str, name: str) -> str:
    """One block: every token looks at all others, then at itself; ``hidden`` is added where the mask says not to look."""
    own = f"{name}.attention.self"
    query, key, said = (graph.linear(value, f"{own}.{part}") for part in ("query", "key", "value"))
    scores = graph.add("MatMul", graph.heads(query, [0, 2, 1, 3]), graph.heads(key, [0, 2, 3, 1]))
    scores = graph.add("Mul", scores, graph.constant((SIZE // HEADS) ** -0.5))
    looks = graph.add("Softmax", graph.add("Add", scores, hidden), axis=-1)
    told = graph.add("Transpose", graph.add("MatMul", looks, graph.heads(said, [0, 2, 1, 3])), perm=[0, 2, 1, 3])
    told = graph.add("Reshape", told, graph.constant([0, 0, SIZE], np.int64))
    told = graph.linear(told, f"{name}.attention.output.dense")
    value = graph.normed(graph.add("Add", told, value), f"{name}.attention.output.LayerNorm")
    thought = graph.add("Gelu", graph.linear(value, f"{name}.intermediate.dense"))
    return graph.normed(graph.add("Add", graph.linear(thought, f"{name}.output.dense"), value), f"{name}.output.LayerNorm")


def build(tensors: Mapping[str, np.ndarray]) -> onnx.ModelProto:
    graph = Graph(tensors)
    mask = graph.add("Cast", "mask", to=TensorProto.FLOAT)
    unseen = graph.add("Sub", graph.constant(1.0), graph.add("Unsqueeze", mask, graph.constant([1, 2], np.int64)))
    hidden = graph.add("Mul", unseen, graph.constant(-10000.0))
    value = embedded(graph)
    for number in range(LAYERS):
        value = layer(graph, value, hidden, f"encoder.layer.{number}")
    counted = graph.add("Unsqueeze", mask, graph.constant([2], np.int64))
    axis = graph.constant([1], np.int64)
    total = graph.add("ReduceSum", graph.add("Mul", value, counted), axis, keepdims=0)
    mean = graph.add("Div", total, graph.add("ReduceSum", counted, axis, keepdims=0))
    graph.nodes.append(helper.make_node("LpNormalization", [mean], ["vectors"], axis=-1, p=2))
    shape = ("batch", "tokens")
    made = helper.make_graph(
        graph.nodes,
        "all-MiniLM-L6-v2",
        [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in ("ids", "mask")],
        [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ("batch", SIZE))],
        [numpy_helper.from_array(value, name) for name, value in graph.constants.items()],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)


if __name__ == "__main__":
    model = build(weights(Path(sys.argv[1])))
    onnx.checker.check_model(model)
    Path(sys.argv[2]).write_bytes(model.SerializeToString())
