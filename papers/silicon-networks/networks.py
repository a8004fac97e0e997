"""Which operators do MLPerf's networks have? Shapes of ResNet-50, SSD-MobileNet, SSD-ResNet34 and
BERT-large.

Activations that follow a product directly (ReLU, ReLU6) are part of it; additions, pooling, norms
and softmax are operators of their own.
"""

from __future__ import annotations

from pimlab.machine.protocol import MacOp, VectorOp

Op = MacOp | VectorOp


def _conv(
    name: str, size: int, inputs: int, outputs: int, kernel: int, stride: int = 1, pad: bool = True
) -> tuple[MacOp, int]:
    """A convolution of size x size images, and the size of its results."""
    out = -(-size // stride) if pad else (size - kernel) // stride + 1
    op = MacOp(
        name=name,
        m=out * out,
        k=kernel * kernel * inputs,
        n=outputs,
        distinct=min(size * size * inputs, out * out * kernel * kernel * inputs),
    )
    return op, out


def resnet50() -> tuple[Op, ...]:
    """ResNet-50 v1.5 at 224 x 224 (He et al. 2016, Table 1; stride in the 3 x 3 convolution)."""
    first, _ = _conv("conv1", 224, 3, 64, 7, 2)
    ops: list[Op] = [first, VectorOp(name="pool", kind="maxpool", elements=56 * 56 * 64)]
    inputs, size = 64, 56
    for stage, (blocks, width) in enumerate(((3, 64), (4, 128), (6, 256), (3, 512))):
        for block in range(blocks):
            stride, name = (2 if stage and block == 0 else 1), f"stage{stage + 2}.{block + 1}"
            a, _ = _conv(f"{name}.a", size, inputs, width, 1)
            b, out = _conv(f"{name}.b", size, width, width, 3, stride)
            c, _ = _conv(f"{name}.c", out, width, 4 * width, 1)
            ops += [a, b, c]
            if block == 0:
                ops.append(_conv(f"{name}.shortcut", size, inputs, 4 * width, 1, stride)[0])
            ops.append(VectorOp(name=f"{name}.add", kind="add", elements=out * out * 4 * width))
            inputs, size = 4 * width, out
    mean = VectorOp(name="mean", kind="globalaveragepool", elements=2048)
    return (*ops, mean, MacOp(name="fc", m=1, k=2048, n=1000))


def ssd_mobilenet() -> tuple[Op, ...]:
    """SSD with MobileNet v1 at 300 x 300, 91 classes (MLPerf's reference model)."""
    first, size = _conv("conv0", 300, 3, 32, 3, 2)
    ops: list[Op] = [first]
    inputs, features = 32, []
    widths = (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
    for i, (width, stride) in enumerate(
        zip(widths, (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1), strict=True), start=1
    ):
        out = -(-size // stride)
        deep = MacOp(
            name=f"conv{i}.depthwise", m=out * out, k=9, n=1, groups=inputs,
            distinct=min(size * size, 9 * out * out) * inputs,
        )  # fmt: skip
        ops += [deep, _conv(f"conv{i}.pointwise", out, inputs, width, 1)[0]]
        inputs, size = width, out
        if i in (11, 13):
            features.append((size, width))
    for i, (middle, width) in enumerate(((256, 512), (128, 256), (128, 256), (64, 128)), start=14):
        ops.append(_conv(f"conv{i}.1", size, inputs, middle, 1)[0])
        last, size = _conv(f"conv{i}.2", size, middle, width, 3, 2)
        ops.append(last)
        inputs = width
        features.append((size, width))
    for i, ((side, width), boxes) in enumerate(zip(features, (3, 6, 6, 6, 6, 6), strict=True)):
        ops += [_conv(f"classes{i}", side, width, 91 * boxes, 1)[0],
                _conv(f"boxes{i}", side, width, 4 * boxes, 1)[0]]  # fmt: skip
    return tuple(ops)


def ssd_resnet34() -> tuple[Op, ...]:
    """SSD with ResNet-34 at 1200 x 1200, 81 classes (MLPerf's reference model)."""
    first, _ = _conv("conv1", 1200, 3, 64, 7, 2)
    ops: list[Op] = [first, VectorOp(name="pool", kind="maxpool", elements=300 * 300 * 64)]
    inputs, size = 64, 300
    for stage, (blocks, width, stride) in enumerate(((3, 64, 1), (4, 128, 2), (6, 256, 1))):
        for block in range(blocks):
            step, name = (stride if block == 0 else 1), f"stage{stage + 2}.{block + 1}"
            a, out = _conv(f"{name}.a", size, inputs, width, 3, step)
            b, _ = _conv(f"{name}.b", out, width, width, 3)
            ops += [a, b]
            if block == 0 and stage:
                ops.append(_conv(f"{name}.shortcut", size, inputs, width, 1, step)[0])
            ops.append(VectorOp(name=f"{name}.add", kind="add", elements=out * out * width))
            inputs, size = width, out
    features = [(size, inputs)]
    extra = ((256, 512, 2, True), (256, 512, 2, True), (128, 256, 2, True), (128, 256, 2, False),
             (128, 256, 1, False))  # fmt: skip
    for i, (middle, width, stride, pad) in enumerate(extra, start=7):
        ops.append(_conv(f"conv{i}.1", size, inputs, middle, 1)[0])
        last, size = _conv(f"conv{i}.2", size, middle, width, 3, stride, pad)
        ops.append(last)
        inputs = width
        features.append((size, width))
    for i, ((side, width), boxes) in enumerate(zip(features, (4, 6, 6, 6, 4, 4), strict=True)):
        ops += [_conv(f"classes{i}", side, width, 81 * boxes, 3, 3)[0],
                _conv(f"boxes{i}", side, width, 4 * boxes, 3, 3)[0]]  # fmt: skip
    return tuple(ops)


def bert_large(tokens: int = 384) -> tuple[Op, ...]:
    """BERT-large on one sequence, with the head of SQuAD (Devlin et al. 2019: 24 layers, width
    1024, 16 heads).
    """
    width, heads, inner = 1024, 16, 4096
    ops: list[Op] = [VectorOp(name="embedding", kind="gather", elements=tokens * width)]
    attention = {"m": tokens, "groups": heads, "kind": "activations"}
    for i in range(24):
        ops += [
            *(MacOp(name=f"layer{i}.{name}", m=tokens, k=width, n=width) for name in "qkv"),
            MacOp(name=f"layer{i}.scores", k=64, n=tokens, **attention),
            VectorOp(name=f"layer{i}.softmax", kind="softmax", elements=heads * tokens**2),
            MacOp(name=f"layer{i}.values", k=tokens, n=64, **attention),
            MacOp(name=f"layer{i}.out", m=tokens, k=width, n=width),
            VectorOp(name=f"layer{i}.add1", kind="add", elements=tokens * width),
            VectorOp(name=f"layer{i}.norm1", kind="layernormalization", elements=tokens * width),
            MacOp(name=f"layer{i}.up", m=tokens, k=width, n=inner),
            VectorOp(name=f"layer{i}.gelu", kind="gelu", elements=tokens * inner),
            MacOp(name=f"layer{i}.down", m=tokens, k=inner, n=width),
            VectorOp(name=f"layer{i}.add2", kind="add", elements=tokens * width),
            VectorOp(name=f"layer{i}.norm2", kind="layernormalization", elements=tokens * width),
        ]
    return (*ops, MacOp(name="head", m=tokens, k=width, n=2))


NETWORKS = {
    "resnet50": resnet50,
    "ssd-mobilenet": ssd_mobilenet,
    "ssd-resnet34": ssd_resnet34,
    "bert": bert_large,
}
