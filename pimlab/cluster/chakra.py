"""How does another tool replay a plan? As an execution trace in the Chakra format, a file a chip.

A trace is a graph: nodes that compute, collectives, sends and receives, each with the nodes it
waits for. A file is a sequence of messages, each behind its length as a varint: first the metadata,
then the nodes. We write the fields of the public schema (package ChakraProtoMsg) that readers of
traces use: `duration_micros`, and the attributes is_cpu_op, num_ops, tensor_size, comm_type,
comm_size, comm_src, comm_dst, comm_tag, pg_name. Durations are whole microseconds, rounded so that
their sum along a chip is right to one; the attribute `seconds` has them as computed. The groups of
chips that `pg_name` numbers are written beside the traces.

1. S. Sridharan et al., Chakra: advancing performance benchmarking and co-design using standardized
   execution traces, arXiv 2305.14516 (2023). Field numbers: schema/protobuf/et_def.proto of
   mlcommons/chakra at commit 6dc63e1; lengths: its protolib; attributes: its et_feeder_node.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from pimlab.arguments import typed

VERSION = "0.0.4"
COMPUTE, SEND, RECEIVE, COLLECTIVE = 4, 5, 6, 7
"""Numbers of the types of a node."""
KINDS = {"all-reduce": 0, "all-gather": 2, "all-to-all": 6, "reduce-scatter": 7}
"""Numbers of the collectives."""
_SCALARS = {"double": 1, "int64": 3, "uint64": 4, "int32": 5, "bool": 8, "string": 9}
_ATTRIBUTE = {
    "double_val": ("double", 3),
    "int32_val": ("int32", 7),
    "int64_val": ("int64", 9),
    "uint64_val": ("uint64", 13),
    "bool_val": ("bool", 27),
    "string_val": ("string", 29),
}
_MEMBERS = {
    "comm_src": "int32_val",
    "comm_dst": "int32_val",
    "comm_tag": "int32_val",
    "tensor_size": "uint64_val",
}


class Task(NamedTuple):
    """One node of a trace: what it is, how long it takes, and the numbers of those it waits for."""

    name: str
    kind: int
    seconds: float
    after: tuple[int, ...] = ()
    attributes: tuple[tuple[str, Any], ...] = ()


@lru_cache(maxsize=1)
def messages() -> dict[str, Any]:
    """Classes of the messages AttributeProto, GlobalMetadata and Node."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    schema = descriptor_pb2.FileDescriptorProto(
        name="pimlab_chakra.proto", package="ChakraProtoMsg", syntax="proto3"
    )
    one = schema.message_type.add(name="AttributeProto")
    one.oneof_decl.add(name="value")
    _field(one, "name", "string", 1)
    for name, (kind, number) in _ATTRIBUTE.items():
        _field(one, name, kind, number).oneof_index = 0
    data = schema.message_type.add(name="GlobalMetadata")
    _field(data, "version", "string", 1)
    _field(data, "attr", "AttributeProto", 2, many=True)
    node = schema.message_type.add(name="Node")
    kinds = {"id": "uint64", "name": "string", "type": "int32"}
    for number, (name, kind) in enumerate(kinds.items(), 1):
        _field(node, name, kind, number)
    for number, name in ((4, "ctrl_deps"), (5, "data_deps")):
        _field(node, name, "uint64", number, many=True)
    for number, name in ((6, "start_time_micros"), (7, "duration_micros")):
        _field(node, name, "uint64", number)
    _field(node, "attr", "AttributeProto", 10, many=True)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(schema)
    names = ("AttributeProto", "GlobalMetadata", "Node")
    found = {name: pool.FindMessageTypeByName(f"ChakraProtoMsg.{name}") for name in names}
    return {name: message_factory.GetMessageClass(one) for name, one in found.items()}


def _field(message: Any, name: str, kind: str, number: int, many: bool = False) -> Any:
    field = message.field.add(name=name, number=number, label=3 if many else 1)
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
    else:
        field.type, field.type_name = 11, f".ChakraProtoMsg.{kind}"
    return field


def write(path: Path, tasks: Iterable[Task]) -> None:
    """One chip's trace: its tasks in order, numbered from 0."""
    kinds, clock, written = messages(), 0.0, 0
    with path.open("wb") as file:
        file.write(_framed(kinds["GlobalMetadata"](version=VERSION)))
        for number, task in enumerate(tasks):
            clock += task.seconds
            whole = max(0, round(clock * 1e6) - written)
            written += whole
            node = kinds["Node"](
                id=number,
                name=task.name,
                type=task.kind,
                data_deps=task.after,
                duration_micros=whole,
            )
            for name, value in (
                ("is_cpu_op", False),
                ("seconds", task.seconds),
                *task.attributes,
            ):
                node.attr.add(name=name, **{_member(name, value): value})
            file.write(_framed(node))


def _member(name: str, value: Any) -> str:
    """Which member of the attribute's value readers look at."""
    kinds = {bool: "bool_val", float: "double_val", str: "string_val", int: "int64_val"}
    return _MEMBERS.get(name, kinds[type(value)])


def _framed(message: Any) -> bytes:
    """A message behind its length: seven bits a byte, the lowest first, the top bit set where more
    follow.
    """
    data = message.SerializeToString()
    size, length = bytearray(), len(data)
    while length >= 128:
        size.append(length % 128 + 128)
        length //= 128
    return bytes([*size, length]) + data


@typed
def read(path: Path | str) -> tuple[Any, list[Any]]:
    """(metadata, nodes) of a chip's trace.

    Raises ValueError for a file that ends within a message.
    """
    kinds, data = messages(), Path(path).read_bytes()
    parts = list(_parts(data, path))
    if not parts:
        raise ValueError(f"{path} holds no message; a Chakra trace begins with its metadata")
    return kinds["GlobalMetadata"].FromString(parts[0]), [
        kinds["Node"].FromString(part) for part in parts[1:]
    ]


def _parts(data: bytes, path: Path | str) -> Iterator[bytes]:
    place = 0
    while place < len(data):
        size = shift = 0
        while True:
            if place == len(data):
                raise ValueError(f"{path} ends within the length of a message")
            byte = data[place]
            size, shift, place = size + ((byte & 127) << shift), shift + 7, place + 1
            if byte < 128:
                break
        if place + size > len(data):
            raise ValueError(f"{path} ends within a message of {size} bytes")
        yield data[place : place + size]
        place += size


def write_groups(path: Path, groups: dict[str, list[int]]) -> None:
    """Number of a group of chips -> its chips, as JSON."""
    path.write_text(json.dumps(groups, indent=1) + "\n")
