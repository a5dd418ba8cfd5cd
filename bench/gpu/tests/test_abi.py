"""The C ABI as Python sees it: against the compiler's own layout, and against the CPU library. Needs native/build."""

import ctypes
import pathlib
import random
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import abi
import machine
import operations

BUILD = machine.ROOT / "native/build"
LAYOUT = BUILD / "layout.properties"
LIBRARY = BUILD / "lib/libfovea_cpu.so"


def _name(struct):
    return getattr(struct, "_name_", struct.__name__)


@unittest.skipUnless(LAYOUT.exists(), f"{LAYOUT} is not there: run native/build.sh")
class LayoutTest(unittest.TestCase):
    def test_every_field_is_where_the_compiler_puts_it(self):
        ours = {}
        for struct in abi.STRUCTS:
            for name, _ in struct._fields_:
                ours[f"{_name(struct)}.{name}.offset"] = getattr(struct, name).offset
            ours[f"{_name(struct)}.size"] = ctypes.sizeof(struct)
        compilers = dict(line.split("=") for line in LAYOUT.read_text().split())
        self.assertEqual(ours, {name: int(value) for name, value in compilers.items()})


@unittest.skipUnless(LIBRARY.exists(), f"{LIBRARY} is not there: run native/build.sh")
class LibraryTest(unittest.TestCase):
    HEAD_DIM = 16

    def setUp(self):
        self.library = abi.Library(LIBRARY)
        self.device = self.library.device()

    def spec(self, **values):
        strides = (self.HEAD_DIM,) * 3
        sizes = dict.fromkeys(("batch", "query_length", "key_length", "query_heads", "key_heads"), 1)
        every = {"dtype": abi.FLOAT32, **sizes, "head_dim": self.HEAD_DIM, "value_head_dim": self.HEAD_DIM,
                 **dict.fromkeys(("query_stride", "key_stride", "value_stride", "out_stride"), strides), **values}
        return abi.block(operations.AttentionSpec, **every)

    def test_attention_to_one_key_gives_its_value(self):
        plan = self.library.plan(self.spec(), self.device)
        self.library.prepare(plan)
        floats = ctypes.c_float * self.HEAD_DIM
        query, key, value = (floats(*(random.Random(seed).gauss(0, 1) for _ in range(self.HEAD_DIM)))
                             for seed in range(3))
        out, (_scratch, aligned) = floats(), _aligned(plan.scratch_bytes)
        operands = {"query": query, "key": key, "value": value, "out": out}
        self.library.runner(plan, _addresses(operands), scratch=aligned)()
        self.assertEqual(list(out), list(value))

    def test_with_one_key_the_gradient_of_its_value_is_that_of_out(self):
        floats = ctypes.c_float * self.HEAD_DIM
        rows = [floats(*(random.Random(seed).gauss(0, 1) for _ in range(self.HEAD_DIM))) for seed in range(4)]
        gradients = [floats(*(float("nan"),) * self.HEAD_DIM) for _ in range(3)]
        dout, query, key, value = rows
        lse = ctypes.c_float(sum(a * b for a, b in zip(query, key)) / self.HEAD_DIM**0.5)
        strides = dict.fromkeys(("dout_stride", "dquery_stride", "dkey_stride", "dvalue_stride"), (self.HEAD_DIM,) * 3)
        plan = self.library.plan(self.spec(**{"pass": abi.BACKWARD}, has_lse=1, lse_stride=(1, 1), **strides), self.device)
        self.library.prepare(plan)
        memory = {name: _aligned(size) for name, size in (("workspace", plan.workspace_bytes),
                                                           ("scratch", plan.scratch_bytes))}
        operands = {"dout": dout, "query": query, "key": key, "value": value, "out": value, "lse": lse,
                    **dict(zip(("dquery", "dkey", "dvalue"), gradients))}
        self.library.runner(plan, _addresses(operands), **{name: at for name, (_, at) in memory.items()})()
        dquery, dkey, dvalue = map(list, gradients)
        for got, right in zip(dvalue, dout):
            self.assertAlmostEqual(got, right, delta=1e-5 * abs(right))
        for got in dquery + dkey:  # ds = p (dout value - dout out), of equal terms
            self.assertAlmostEqual(got, 0, delta=1e-4)

    def test_a_refusal_has_the_librarys_words(self):
        with self.assertRaisesRegex(abi.Failure, "head_dim") as caught:
            self.library.plan(self.spec(head_dim=0), self.device)
        self.assertFalse(caught.exception.unsupported)


def _addresses(operands):
    return {name: ctypes.addressof(operand) for name, operand in operands.items()}


def _aligned(size):
    """Memory, and an address in it that suits a library; 0 for no bytes."""
    memory = ctypes.create_string_buffer(size + 64)
    return memory, ctypes.addressof(memory) + -ctypes.addressof(memory) % 64 if size else 0


if __name__ == "__main__":
    unittest.main()
