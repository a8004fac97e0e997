"""safetensors files written here by the format's rules are read back; damage is refused by tensor."""

import json

import ml_dtypes
import numpy as np
import pytest

from pimlab.workload.importers.safetensors_file import read
from pimlab.workload.model import ModelError

NAMES = {
    "float32": "F32", "float16": "F16", "bfloat16": "BF16", "float64": "F64", "int32": "I32",
    "int8": "I8", "uint8": "U8", "bool": "BOOL", "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2",
}  # fmt: skip


def write(path, tensors, **changed):
    """Header length, header, bytes: tensors by name."""
    header, content = {"__metadata__": {"format": "pt"}}, b""
    for name, array in tensors.items():
        data = np.ascontiguousarray(array).tobytes()
        header[name] = {
            "dtype": NAMES[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": [len(content), len(content) + len(data)],
        }
        content += data
    for name, entry in changed.items():
        header[name] = entry
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content)
    return path


@pytest.mark.parametrize("kind", NAMES)
def test_every_type_is_read(tmp_path, kind):
    dtype = getattr(ml_dtypes, kind, None) or np.dtype(kind)
    values = np.random.default_rng(0).standard_normal((3, 5)) * 4
    array = values.astype(dtype)
    found = read(write(tmp_path / "a.safetensors", {"pad": np.ones(1, np.uint8), "a": array}))["a"]
    floats = array.dtype.name not in ("int32", "int8", "uint8", "bool")
    np.testing.assert_array_equal(found, array.astype(np.float32) if floats else array)
    assert found.dtype == (np.float32 if floats else array.dtype)


@pytest.mark.parametrize(("entry", "words"), [
    ({"dtype": "F4", "shape": [1], "data_offsets": [0, 1]}, r"'b' has type 'F4'; allowed: F64, F32"),
    ({"dtype": "F32", "shape": [9], "data_offsets": [0, 36]}, r"'b' lies at bytes 0 to 36 of 8"),
    ({"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}, r"'b' of shape \[3\].*has 8 bytes"),
    ({"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]}, r"tensor 'b'"),
    ({"dtype": "F32"}, r"the entry of tensor 'b' is damaged"),
])  # fmt: skip
def test_entries_that_do_not_fit_are_refused(tmp_path, entry, words):
    path = write(tmp_path / "a.safetensors", {"a": np.ones(2, np.float32)}, b=entry)
    with pytest.raises(ModelError, match=rf"a.safetensors: .*{words}"):
        read(path)


@pytest.mark.parametrize("cut", [0, 5, 8, 30, -1])
def test_truncated_files_are_refused(tmp_path, cut):
    path = write(tmp_path / "a.safetensors", {"a": np.ones(20, np.float32)})
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ModelError, match=r"a.safetensors: (damaged or truncated|tensor 'a' lies)"):
        read(path)


def test_a_header_that_is_no_json_is_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes((4).to_bytes(8, "little") + b"{{{{" + b"\0" * 8)
    with pytest.raises(ModelError, match=r"a.safetensors: its header is damaged"):
        read(path)
