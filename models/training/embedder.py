"""What turns a face, or its frozen embedding, into a better one: perhaps a backbone, and a projection."""

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from models.training.arcface import ArcFace
from models.training.drawing import IR, OPSET
from models.training.graph import Graph

OUTPUT = "output"


class Embedder(nn.Module):
    """Loss of a batch; `pull` holds the projection near to doing nothing, which is what it begins with."""

    def __init__(self, backbone: Graph | None, projection: Graph, head: ArcFace, pull: float) -> None:
        super().__init__()
        self.backbone, self.projection, self.head = backbone, projection, head
        self._pull = pull
        self.register_buffer("_nothing", torch.eye(head.centres.shape[1]), persistent=False)

    def forward(self, values: Tensor, people: Tensor) -> Tensor:
        moved = self.projection.weight("projection.weight") - self._nothing
        return self.head(self.embed(values), people) + self._pull * moved.square().sum()

    def embed(self, values: Tensor) -> Tensor:
        """(N, D) float32, not normalised, of vectors or of pictures as the backbone takes them."""
        return self.projection(values if self.backbone is None else self.backbone(values)).float()


def projection(length: int) -> onnx.ModelProto:
    """A graph from "vectors" (batch, D) to "output" (batch, D) that changes nothing yet."""
    weights = [
        numpy_helper.from_array(np.eye(length, dtype=np.float32), "projection.weight"),
        numpy_helper.from_array(np.zeros(length, np.float32), "projection.bias"),
    ]
    node = helper.make_node("Gemm", ["vectors", "projection.weight", "projection.bias"], [OUTPUT], transB=1)
    shape: list[str | int | None] = ["batch", length]
    vectors = helper.make_tensor_value_info("vectors", TensorProto.FLOAT, shape)
    output = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, shape)
    graph = helper.make_graph([node], "projection", [vectors], [output], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)


def joined(backbone: onnx.ModelProto, after: onnx.ModelProto) -> onnx.ModelProto:
    """One graph of both, with the backbone's input and its output's name."""
    model = onnx.ModelProto()
    model.CopyFrom(backbone)
    graph, name = model.graph, backbone.graph.output[0].name
    for node in graph.node:
        node.output[:] = [f"{one}.before" if one == name else one for one in node.output]
        node.input[:] = [f"{one}.before" if one == name else one for one in node.input]
    node = helper.make_node("Gemm", [f"{name}.before", *after.graph.node[0].input[1:]], [name], transB=1)
    graph.node.append(node)
    graph.initializer.extend(after.graph.initializer)
    onnx.checker.check_model(model)
    return model
