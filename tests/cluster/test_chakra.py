"""Do traces say what was written, in the bytes that other readers of the format expect?"""

import pytest

from pimlab.cluster import chakra
from pimlab.cluster.chakra import COLLECTIVE, COMPUTE, Task


def test_bytes_by_hand(tmp_path):
    """Metadata of 7 bytes; a node: name (field 2), type (3), duration (7), attributes (10)."""
    path = tmp_path / "one.0.et"
    chakra.write(path, [Task("a", COMPUTE, 3e-6)])
    data = path.read_bytes()
    assert data[:8] == b"\x07\x0a\x050.0.4"
    assert data[9:15] == b"\x12\x01a\x18\x04\x38"
    assert data[15] == 3
    assert b"\x0a\x09is_cpu_op\xd8\x01\x00" in data


def test_what_is_read_is_what_was_written(tmp_path):
    path = tmp_path / "two.0.et"
    numbers = (("comm_type", 0), ("comm_size", 1 << 40), ("pg_name", "1"), ("comm_src", 3))
    tasks = [Task("x" * 300, COMPUTE, 1e-6), Task("sum", COLLECTIVE, 2e-6, (0,), numbers)]
    chakra.write(path, tasks)
    data, nodes = chakra.read(path)
    assert data.version == chakra.VERSION
    assert [node.name for node in nodes] == ["x" * 300, "sum"]
    assert [node.type for node in nodes] == [4, 7]
    assert list(nodes[1].data_deps) == [0]
    found = {one.name: one for one in nodes[1].attr}
    assert found["comm_size"].int64_val == 1 << 40
    assert found["comm_src"].int32_val == 3
    assert found["pg_name"].string_val == "1"
    assert found["seconds"].double_val == 2e-6


def test_whole_microseconds_add_up(tmp_path):
    path = tmp_path / "many.0.et"
    chakra.write(path, [Task("a", COMPUTE, 0.4e-6)] * 100)
    assert sum(node.duration_micros for node in chakra.read(path)[1]) == 40


def test_files_that_end_early_are_refused(tmp_path):
    path = tmp_path / "cut.0.et"
    chakra.write(path, [Task("a", COMPUTE, 1e-6)])
    whole = path.read_bytes()
    for cut, text in ((whole[:-1], "ends within a message"), (b"\xff", "within the length")):
        path.write_bytes(cut)
        with pytest.raises(ValueError, match=text):
            chakra.read(path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="begins with its metadata"):
        chakra.read(path)
