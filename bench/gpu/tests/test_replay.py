"""fovea_replay: guards, comparison and timing in a GPU's memory, which host_cuda.cpp stands in for; and its verdicts."""

import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import abi
import casefile
import machine
import native
import operations
import stages

NATIVE = machine.ROOT / "native"
BUILT = native.Natives(NATIVE / "build")
CPU_LIBRARY = BUILT.libraries / "libfovea_cpu.so"
SANITIZED = NATIVE / "build/CMakeFiles/fovea_fuzz.dir"  # objects of the tables and entries
CUDA_HEADERS = pathlib.Path("/usr/local/cuda/include")


class Problem:
    """One query and one key: the output is the value."""

    name, dtype, causal = "one key", "f32", False
    batch = length = heads = key_heads = 1
    head_dim = 16


def case(path, error=0.0, state=1):
    """A case of that problem with expected values, the first of them off by `error`."""
    casefile.write(path, Problem)
    data = path.read_bytes()
    tail = struct.pack("<B", 2) * 16 + struct.pack("<d", float("inf")) + casefile.OPTIONAL_OUTPUTS
    assert data.endswith(tail)
    value = struct.unpack("<16f", casefile._operand(abi.FLOAT32, 2, 16))
    expected = b"".join(struct.pack("<dd", number + (error if i == 0 else 0), 1e-6) for i, number in enumerate(value))
    path.write_bytes(data[: -len(tail)] + bytes([state]) * 16 + (expected if state == 1 else b"") + tail[16:])


def backward_case(path):
    """The backward pass of that problem, added to ones: the gradient of the value is that of the output, the others are 0."""
    dim = Problem.head_dim
    query, key, value, dout = (casefile._operand(abi.FLOAT32, seed, dim) for seed in range(4))
    score = sum(a * b for a, b in zip(struct.unpack("<16f", query), struct.unpack("<16f", key))) / dim**0.5
    spec = bytes(abi.block(
        operations.AttentionSpec, dtype=abi.FLOAT32, has_lse=1, batch=1, query_length=1, key_length=1, query_heads=1, key_heads=1,
        head_dim=dim, value_head_dim=dim, accumulate=1, **{"pass": abi.BACKWARD}))
    data = b"FOVCASE2" + struct.pack("<i", 1)
    for blob in (b"one key, backward", spec):
        data += struct.pack("<i", len(blob)) + blob
    data += struct.pack("<QI", 0, 0)
    for operands in ((query, key, value), (dout, value, struct.pack("<f", score))):
        for operand in operands:
            data += struct.pack("<iqq", 1, 0, len(operand)) + operand
        data += casefile.OPTIONAL if operands[0] is query else b""
    ones = struct.pack("<16f", *[1] * dim)
    for gradient, before in ((bytes(4 * dim), None), (ones, ones), (None, ones)):
        after = struct.unpack("<16f", gradient) if gradient else [1 + x for x in struct.unpack("<16f", dout)]
        data += struct.pack("<iiIqq", 1, abi.FLOAT32, 0x7FC00001, 0, dim)
        data += struct.pack("<i", before is not None) + (before or b"") + bytes([1]) * dim
        data += b"".join(struct.pack("<dd", number, 1e-5) for number in after) + struct.pack("<d", float("inf"))
    path.write_bytes(data + casefile.OPTIONAL_GRADIENTS)


@unittest.skipUnless(CPU_LIBRARY.exists(), f"{CPU_LIBRARY} is not there: run native/build.sh")
class ReplayTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.case = cls.folder / "one.fovcase"
        case(cls.case)
        cls.backward = cls.folder / "backward.fovcase"
        backward_case(cls.backward)

    def run_on(self, program, *arguments, **environment):
        done = subprocess.run([*program, *arguments], capture_output=True, text=True,
                              env=os.environ | {"FOVEA_CPU": str(CPU_LIBRARY)} | environment)
        return done.returncode, stages.json_lines(done.stdout), done.stderr

    def verdicts(self, program):
        """What holds wherever the buffers lie."""
        self.assertEqual(self.run_on(program, self.case)[1][-1], {"passed": 1, "failed": 0, "unsupported": 0})
        # Three runs, and each adds to what was there before the first.
        code, lines, _ = self.run_on(program, "--repeat", "3", self.backward)
        self.assertEqual((code, lines[-1]), (0, {"passed": 1, "failed": 0, "unsupported": 0}), lines)
        for name, how, reason in (("off", {"error": 1e-3}, "out[0] = "), ("untouched", {"state": 0}, "out[0] = ")):
            bad = self.folder / name
            case(bad, **how)
            code, (wrong, right, end), _ = self.run_on(program, bad, self.case)
            self.assertEqual((code, wrong["status"], right["status"]), (1, "failed", "passed"))
            self.assertIn(reason, wrong["reason"])
            self.assertEqual(wrong["description"], "one key")
            self.assertEqual(end, {"passed": 1, "failed": 1, "unsupported": 0})
        (self.folder / "cut").write_bytes(self.case.read_bytes()[:-20])
        code, lines, errors = self.run_on(program, self.folder / "cut")
        self.assertEqual((code, lines), (2, []))
        self.assertIn("file ends inside a case", errors)

    def test_in_host_memory(self):
        program = [BUILT.replay, CPU_LIBRARY]
        self.verdicts(program)
        self.assertIn("--time is for libfovea_cuda", self.run_on(program, "--time", self.case)[2])
        self.assertIn("no such option", self.run_on(program, "--tim", self.case)[2])

    @unittest.skipUnless(shutil.which("g++") and CUDA_HEADERS.exists(), f"no g++, or no {CUDA_HEADERS}")
    def test_in_the_memory_of_a_gpu(self):
        library, replay = self.folder / "libhost.so", self.folder / "replay"
        options = ["-std=c++20", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-Wall", "-Wextra",
                   "-Werror", f"-I{NATIVE}", f"-I{NATIVE}/include", f"-I{CUDA_HEADERS}"]
        tables = [SANITIZED / "core/operation.cpp.o", *SANITIZED.glob("ops/*/resolve.cpp.o")]
        subprocess.run(["g++", *options, "-shared", "-fPIC", machine.HERE / "tests/host_cuda.cpp", *tables,
                        *SANITIZED.glob("ops/*/entry.cpp.o"), "-ldl", "-o", library], check=True)
        subprocess.run(["g++", *options, "-DFOVEA_REPLAY_CUDA", NATIVE / "tools/replay.cpp", NATIVE / "tools/replay_cuda.cpp",
                        *tables, library, "-ldl", "-o", replay], check=True)
        program = [replay, library]
        self.verdicts(program)
        for touch, reason in (("before", "byte 3 before query was written"), ("after", "byte 1 after query was written"),
                              ("input", "query, an input, was written")):
            code, (line, _), _ = self.run_on(program, self.case, TOUCH=touch, BYTES="64")
            self.assertEqual((code, line["reason"]), (1, reason))
        code, (line, end), _ = self.run_on(program, "--bare", "--time", "--repeat", "3", self.case)
        self.assertEqual((code, line["runs"], line["us"], end["passed"]), (0, 3, 2000, 1))


if __name__ == "__main__":
    unittest.main()
