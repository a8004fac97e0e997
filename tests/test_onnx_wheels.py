"""Files inside wheels: read as ONNX Runtime does, refused, or not run by it at all."""

import zipfile

import numpy as np
from onnx_graphs import node, write

from benchmarks import onnx_wheels


def wheel(tmp_path, *paths):
    place = tmp_path / "some_package-1.0-py3-none-any.whl"
    with zipfile.ZipFile(place, "w") as archive:
        for path in paths:
            archive.write(path, f"some_package/models/{path.name}")
        archive.writestr("some_package/__init__.py", "")
    return str(place)


def test_each_file_is_judged_and_counted(tmp_path, capsys):
    w = np.random.default_rng(0).random((6, 4)).astype(np.float32)
    good = write(tmp_path / "good.onnx", [node("MatMul", ["x", "w"], name="product")],
                 {"x": ("batch", 6)}, {"w": w})  # fmt: skip
    bent = write(tmp_path / "odd.onnx", [node("RandomNormalLike", ["x"])], {"x": ("batch", 6)}, {})
    broken = tmp_path / "zero.onnx"
    broken.write_bytes(b"no model")
    code = onnx_wheels.main([wheel(tmp_path, good, bent, broken)])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines[:3]] == [
        "equal      some_package", "refused    some_package", "unrunnable some_package",
    ]  # fmt: skip
    assert "1 do not run in ONNX Runtime with these inputs" in lines
    assert code == 0


def test_open_axes_are_tried_alone_and_together():
    guesses = list(onnx_wheels.guesses())
    assert guesses[0] == (64, False, None)
    assert onnx_wheels._size(1, "n", ["b", "n", 3], guesses[0]) == 64
    alone = guesses[0]._replace(last=True)
    assert [onnx_wheels._size(i, d, ["b", "n", "t"], alone) for i, d in enumerate("bnt")] == [
        1,
        1,
        64,
    ]
