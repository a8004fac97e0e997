"""Headers that promise more than their file holds are refused by the tensor that is cut."""

import mmap

import gguf
import numpy as np
import pytest

from pimlab.workload.importers.gguf_header import check
from pimlab.workload.model import ModelError

ALLOWED = ("F32", "Q4_K")


def _write(path, rows=2, values=512):
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tensor("a", np.zeros((rows, values), np.float32))
    data = np.zeros((rows, values // 256 * 144), np.uint8)
    writer.add_tensor("b", data, raw_dtype=gguf.GGMLQuantizationType.Q4_K)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _check(path, content, allowed=ALLOWED):
    path.write_bytes(content)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as held:
        check(held, "x.gguf", allowed)


def test_a_whole_file_passes_and_one_cut_within_a_block_does_not(tmp_path):
    content = _write(tmp_path / "a.gguf").read_bytes()
    _check(tmp_path / "b.gguf", content)
    end = content.rindex(b"\0" * 32)
    for cut in (1, 100, 2 * 144):
        with pytest.raises(IndexError, match=r"tensor 'b' ends at byte"):
            _check(tmp_path / "b.gguf", content[: end - cut])


def test_types_are_named_with_those_allowed(tmp_path):
    content = _write(tmp_path / "a.gguf").read_bytes()
    with pytest.raises(ModelError, match=r"x.gguf: tensor 'b' has type Q4_K.*; allowed: F32"):
        _check(tmp_path / "b.gguf", content, ("F32",))
    at = content.index(b"\x01" + b"\0" * 7 + b"b") + 9 + 4 + 16
    unknown = content[:at] + (250).to_bytes(4, "little") + content[at + 4 :]
    with pytest.raises(ModelError, match=r"tensor 'b' has type number 250; allowed: F32, Q4_K"):
        _check(tmp_path / "b.gguf", unknown)
    rows = content[: at - 16] + (500).to_bytes(8, "little") + content[at - 8 :]
    with pytest.raises(ModelError, match=r"rows of 500 values.*allowed: multiples of 256"):
        _check(tmp_path / "b.gguf", rows)
