"""Headers that promise more than their file holds are refused by the tensor that is cut."""

import mmap

import gguf
import numpy as np
import pytest

from pimlab.workload.importers.gguf_header import File, Header, check
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


def _every_kind(path):
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_string("a.text", "grün")
    writer.add_array("a.words", ["", "zwei", "Ġdrei"])
    writer.add_array("a.scores", [0.5, -1.5])
    writer.add_array("a.kinds", [1, 2, 3])
    writer.add_bool("a.yes", True)
    writer.add_float64("a.double", 1e-300)
    writer.add_int8("a.small", -3)
    writer.add_uint64("a.large", 2**63)
    writer.add_tensor("floats", np.arange(6, dtype=np.float32).reshape(2, 3))
    writer.add_tensor("halves", np.arange(4, dtype=np.float16))
    blocks = np.random.default_rng(0).integers(0, 256, (3, 2 * 34), dtype=np.uint8)
    writer.add_tensor("blocks", blocks, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_every_key_and_tensor_is_as_the_package_reads_it(tmp_path):
    path = _every_kind(tmp_path / "a.gguf")
    theirs, ours = gguf.GGUFReader(path), File(path, ("F32", "F16", "Q8_0"))
    header = Header(path.name, ours)
    keys = [key for key in theirs.fields if not key.startswith("GGUF.")]
    assert list(ours.values) == keys
    assert [header.get(key) for key in keys] == [theirs.get_field(key).contents() for key in keys]
    assert len(ours.tensors) == len(theirs.tensors) == 3
    for one, other in zip(ours.tensors, theirs.tensors, strict=True):
        assert (one.name, one.kind) == (other.name, other.tensor_type.name)
        assert one.shape == tuple(other.shape)
        np.testing.assert_array_equal(one.data, other.data)


def test_what_is_no_gguf_file_or_says_a_thing_twice_is_refused(tmp_path):
    content = _every_kind(tmp_path / "a.gguf").read_bytes()
    damaged = {
        "starts with b'GGUX'": content.replace(b"GGUF", b"GGUX", 1),
        "and version 9": content[:4] + b"\x09" + content[5:],
        "'a.large' stands twice": content.replace(b"a.small", b"a.large"),
        "same name": content.replace(b"halves", b"blocks"),
    }
    for words, changed in damaged.items():
        path = tmp_path / "b.gguf"
        path.write_bytes(changed)
        with pytest.raises((ValueError, KeyError), match=words):
            File(path, ("F32", "F16", "Q8_0"))
