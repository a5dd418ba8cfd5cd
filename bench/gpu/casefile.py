"""Case files of fovea_replay: dev.fovea.testkit.CaseFile defines the format. Writes a problem as one, for profilers: random
operands of any size within a second, and no expected values, since `bench` checks the same shapes. Plans what one asks."""

import array
import math
import random
import struct

import abi
import operations

_PERIOD = 65537  # elements; a prime, so that no two rows of a tile are alike
_ABSENT = struct.pack("<i", 0)
_FORWARD, _BACKWARD = operations.AttentionSpec.forward, operations.AttentionSpec.backward
OPTIONAL = _ABSENT * (_FORWARD.index("out") - 3)  # beside query, key and value
OPTIONAL_OUTPUTS = _ABSENT * (len(_FORWARD) - 1 - _FORWARD.index("out"))
OPTIONAL_GRADIENTS = _ABSENT * (len(_BACKWARD) - 1 - _BACKWARD.index("dvalue"))
_MAGIC = b"FOVCASE2"
_FREE = 2  # the state of an output's element that is not compared
_CANARY = {abi.FLOAT32: 0x7FC00000, abi.FLOAT16: 0x7E00, abi.BFLOAT16: 0x7FC0}  # NaN


def write(path, problem, direction="fwd"):
    """`problem` is a cases.Problem."""
    dtype = abi.DTYPES[problem.dtype]
    backward = direction == "bwd"

    def strides(heads):
        row = heads * problem.head_dim
        return (problem.length * row, row, problem.head_dim)

    query, key = strides(problem.heads), strides(problem.key_heads)
    spec = abi.block(
        operations.AttentionSpec, dtype=dtype, causal=problem.causal, allow_tf32=problem.dtype == "tf32", batch=problem.batch,
        query_length=problem.length, key_length=problem.length, query_heads=problem.heads, key_heads=problem.key_heads,
        head_dim=problem.head_dim, value_head_dim=problem.head_dim, query_stride=query, key_stride=key,
        value_stride=key, out_stride=query, has_lse=backward, lse_stride=(problem.heads * problem.length, problem.length),
        dout_stride=query, dquery_stride=query, dkey_stride=key, dvalue_stride=key, **{"pass": int(backward)})
    of_query, of_key = problem.batch * query[0], problem.batch * key[0]

    def inputs(counts):
        return b"".join(_input(_operand(dtype, seed, count)) for seed, count in enumerate(counts))

    with open(path, "wb") as file:
        file.write(_MAGIC + struct.pack("<i", operations.AttentionSpec.number))
        for blob in (problem.name.encode(), bytes(spec)):
            file.write(struct.pack("<i", len(blob)) + blob)
        file.write(struct.pack("<QI", 0, 0))  # of dropout
        file.write(inputs((of_query, of_key, of_key)) + OPTIONAL)
        if backward:
            # About what the scores of normal numbers sum to, so that the weights are of their size.
            lse = array.array("f", [math.log(problem.length) + 0.5]) * (problem.batch * problem.heads * problem.length)
            file.write(inputs((of_query, of_query)) + _input(lse.tobytes()))  # dout, out
            for count in (of_query, of_key, of_key):
                file.write(_output(dtype, count))
            file.write(OPTIONAL_GRADIENTS)
        else:
            file.write(_output(dtype, of_query) + OPTIONAL_OUTPUTS)


def plan(path, library, device):
    """How the library would compute a case on that device."""
    with open(path, "rb") as file:

        def block():
            return file.read(struct.unpack("<i", file.read(4))[0])

        file.seek(len(_MAGIC))
        spec = abi.SPECS[struct.unpack("<i", file.read(4))[0]]
        block()  # the description
        return library.plan(spec.from_buffer_copy(block()), device)


def _input(data):
    return struct.pack("<iqq", 1, 0, len(data)) + data


def _output(dtype, count):
    head = struct.pack("<iiIqq", 1, dtype, _CANARY[dtype], 0, count)
    return head + _ABSENT + bytes([_FREE]) * count + struct.pack("<d", float("inf"))


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
