"""What does a network of the usual size look like to the schedule? ResNet-50 as an ONNX file, its
shapes published, its weights random.

He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, table 1 (arXiv 1512.03385);
stride in the 3 x 3 convolution, batch normalisation folded away: 53 convolutions, 49 ReLUs, 16
additions, two pools and one fully connected layer.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

STAGES = ((3, 64), (4, 128), (6, 256), (3, 512))
"""Blocks and width of each stage."""
OPERATORS = 53 + 49 + 16 + 2 + 1


class _Graph:
    """Nodes and weights of an ONNX graph that grows by one operator after another."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self.rng = np.random.default_rng(0)

    def add(self, kind: str, inputs: list[str], name: str, **attributes: Any) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def weight(self, name: str, *shape: int) -> str:
        from onnx import numpy_helper

        values = self.rng.standard_normal(shape, np.float32) / np.float32(np.prod(shape[1:]) ** 0.5)
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def conv(self, x: str, name: str, inputs: int, outputs: int, size: int, stride: int) -> str:
        w = self.weight(f"{name}.w", outputs, inputs, size, size)
        pads = [size // 2] * 4
        return self.add("Conv", [x, w], name, strides=[stride] * 2, pads=pads)

    def block(self, x: str, name: str, inputs: int, width: int, stride: int) -> str:
        """A bottleneck: 1 x 1, 3 x 3 and 1 x 1 convolution beside the shortcut."""
        y = self.add("Relu", [self.conv(x, f"{name}.a", inputs, width, 1, 1)], f"{name}.a.relu")
        y = self.add("Relu", [self.conv(y, f"{name}.b", width, width, 3, stride)], f"{name}.b.relu")
        y = self.conv(y, f"{name}.c", width, 4 * width, 1, 1)
        short = x
        if inputs != 4 * width or stride > 1:
            short = self.conv(x, f"{name}.shortcut", inputs, 4 * width, 1, stride)
        return self.add("Relu", [self.add("Add", [y, short], f"{name}.add")], f"{name}.relu")


def resnet50(path: Path, narrower: int = 1) -> Path:
    """Write ResNet-50 for images (1, 3, 224, 224) to `path`; returns it.

    narrower : by which the number of channels is divided, to try it on little memory.
    """
    from onnx import TensorProto, helper, save

    made = _Graph()
    x = made.add("Relu", [made.conv("image", "stem", 3, 64 // narrower, 7, 2)], "stem.relu")
    pool = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1] * 4}
    x, inputs = made.add("MaxPool", [x], "pool", **pool), 64 // narrower
    for stage, (blocks, wide) in enumerate(STAGES):
        width = wide // narrower
        for i in range(blocks):
            stride = 2 if stage and not i else 1
            x, inputs = made.block(x, f"s{stage}.{i}", inputs, width, stride), 4 * width
    x = made.add("GlobalAveragePool", [x], "mean")
    x = made.add("Flatten", [x], "flat")
    made.add("Gemm", [x, made.weight("fc.w", 1000, inputs)], "fc", transB=1)
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, 224, 224])
    logits = helper.make_tensor_value_info("fc", TensorProto.FLOAT, ["batch", 1000])
    graph = helper.make_graph(made.nodes, "resnet50", [image], [logits], made.weights)
    opset = [helper.make_opsetid("", 17)]
    save(helper.make_model(graph, opset_imports=opset, ir_version=9), path)
    return path
