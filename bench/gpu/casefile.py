"""Writes a problem as a case file for fovea_replay: dev.fovea.testkit.CaseFile defines the format. For profilers: random
operands of any size within a second, and no expected values, since `bench` checks the same shapes."""

import array
import random
import struct

import abi

_PERIOD = 65537  # elements; a prime, so that no two rows of a tile are alike
_ABSENT = struct.pack("<i", 0)
_FREE = 2  # the state of an output's element that is not compared
_CANARY = {abi.FLOAT32: 0x7FC00000, abi.FLOAT16: 0x7E00, abi.BFLOAT16: 0x7FC0}  # NaN


def write(path, problem):
    """`problem` is a cases.Problem."""
    dtype = {"bf16": abi.BFLOAT16, "f16": abi.FLOAT16}.get(problem.dtype, abi.FLOAT32)
    dims = (problem.batch, problem.length, problem.head_dim)

    def strides(heads):
        _, length, head_dim = dims
        return (length * heads * head_dim, heads * head_dim, head_dim)

    query, key = strides(problem.heads), strides(problem.key_heads)
    spec = abi.block(
        abi.AttentionSpec, dtype=dtype, causal=problem.causal, allow_tf32=problem.dtype == "tf32", batch=problem.batch,
        query_length=problem.length, key_length=problem.length, query_heads=problem.heads, key_heads=problem.key_heads,
        head_dim=problem.head_dim, value_head_dim=problem.head_dim, query_stride=query, key_stride=key,
        value_stride=key, out_stride=query)
    elements = problem.batch * query[0]
    with open(path, "wb") as file:
        file.write(b"FOVCASE1")
        for blob in (problem.name.encode(), bytes(spec)):
            file.write(struct.pack("<i", len(blob)) + blob)
        file.write(struct.pack("<QI", 0, 0))  # of dropout
        for seed, count in enumerate((elements, problem.batch * key[0], problem.batch * key[0])):
            operand = _operand(dtype, seed, count)
            file.write(struct.pack("<iqq", 1, 0, len(operand)) + operand)
        file.write(_ABSENT * 7)
        file.write(struct.pack("<iiIqq", 1, dtype, _CANARY[dtype], 0, elements) + bytes([_FREE]) * elements)
        file.write(struct.pack("<d", float("inf")) + _ABSENT * 2)


def _operand(dtype, seed, count):
    """`count` normal numbers in this dtype, repeated after a period."""
    generator = random.Random(seed)
    values = array.array("f", (generator.gauss(0, 1) for _ in range(min(count, _PERIOD))))
    if dtype == abi.FLOAT32:
        period = values.tobytes()
    elif dtype == abi.FLOAT16:
        period = struct.pack(f"<{len(values)}e", *values)
    else:  # the upper halves of float32
        period = array.array("H", values.tobytes())[1::2].tobytes()
    size = count * len(period) // len(values)
    return (period * (size // len(period) + 1))[:size]
