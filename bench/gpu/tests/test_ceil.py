"""What is made of the lines that measure the machine's ceilings."""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import ceil
import machine

CUDA_HEADERS = pathlib.Path("/usr/local/cuda/include")
OBJECTS = sorted((machine.ROOT / "native/build/CMakeFiles/fovea_ceilings.dir").glob("**/ceilings.cu.o"))
H200 = {"name": "NVIDIA H200", "compute_cap": 9.0, "clocks.max.sm": 1980.0, "clocks.max.mem": 3201.0}
DEVICE = {"device": "NVIDIA H200", "capability": "9.0", "multiprocessors": 132, "bus_bits": 6144}


def line(ceiling, unit="FLOP", amount=4000.0, cycles=1, ns=1.0, right=True, **more):
    return {"ceiling": ceiling, "unit": unit, "amount": amount, "blocks": 132, "cycles": cycles, "ns": ns, "right": right,
            **more}


def judged(*lines, code=0, gpu=H200, errors=""):
    return ceil.judge(gpu, code, "\n".join(map(json.dumps, (DEVICE, *lines))) + "\n", errors)


class CeilTest(unittest.TestCase):
    def one(self, measured):
        status, fields = judged(measured)
        (figure,) = fields["ceilings"]
        self.assertEqual(figure["status"], status)
        return figure

    def test_a_rate_is_what_a_block_does_in_its_own_cycles(self):
        figure = self.one(line("wgmma/m64n128k16/bf16, a in registers", amount=8e6, cycles=2000, ns=1000.0))
        self.assertEqual((figure["status"], figure["per_cycle"], figure["limit"]), ("measured", 4000, 4096))
        self.assertEqual(figure["per_second"], 8e6 * 132 / 1e-6)

    def test_more_than_the_chip_can_do_is_refused(self):
        for name, most in (("wgmma/m64n64k16/bf16", 4096), ("mma/m16n8k8/tf32", 2048), ("ldmatrix/x4", 128), ("ex2", 16),
                           ("ffma", 128), ("red/v4.f32", 32), ("tma/16 KiB boxes in L2", 128)):
            self.assertEqual(self.one(line(name, amount=most))["status"], "measured", name)
            figure = self.one(line(name, amount=1.02 * most))
            self.assertEqual(figure["status"], "refused", name)
            self.assertIn("more than the device can do", figure["reason"])

    def test_memory_and_the_product_are_limited_by_the_second(self):
        copy = line("memory/copy", unit="B", amount=4.8e3 / 132, cycles=None)  # 4.8 TB/s of 4.917
        self.assertEqual(self.one(copy)["status"], "measured")
        self.assertEqual(self.one(copy | {"amount": 5.0e3 / 132})["status"], "refused")
        product = line("product/torch", amount=1e6 / 132, cycles=None, multiprocessors=132)  # 1000 TFLOP/s of 1070
        self.assertEqual(self.one(product)["status"], "measured")
        self.assertEqual(self.one(product | {"amount": 1.1e6 / 132})["status"], "refused")

    def test_a_latency_has_no_limit(self):
        figure = self.one(line("tma/latency of 1 KiB in L2", unit="load", amount=1000, cycles=700_000))
        self.assertEqual((figure["status"], figure["per_cycle"]), ("measured", 1 / 700))
        self.assertNotIn("limit", figure)

    def test_a_wrong_result_has_no_rate(self):
        status, fields = judged(line("ffma", amount=100), line("ex2", amount=10, right=False))
        self.assertEqual(status, "failed")
        self.assertEqual([figure["status"] for figure in fields["ceilings"]], ["measured", "failed"])
        self.assertNotIn("per_cycle", fields["ceilings"][1])

    def test_what_was_measured_before_an_error_or_the_time_limit_is_kept(self):
        for code, status in ((2, "failed"), (None, "unfinished")):
            said, fields = judged(line("ffma", amount=100), code=code)
            self.assertEqual((said, len(fields["ceilings"])), (status, 1))
        self.assertEqual(judged()[0], "failed")

    def test_another_architecture_is_unsupported(self):
        status, fields = judged(code=2, gpu=H200 | {"compute_cap": 12.0}, errors="no kernel image")
        self.assertEqual(status, "unsupported")
        self.assertIn("the device has 12.0", fields["reason"])


@unittest.skipUnless(OBJECTS and shutil.which("g++") and CUDA_HEADERS.exists(), "fovea_ceilings is not built: native/build.sh")
class ProgramTest(unittest.TestCase):
    """fovea_ceilings on a runtime that launches nothing."""

    @classmethod
    def setUpClass(cls):
        program = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory())) / "ceilings"
        subprocess.run(["g++", "-std=c++20", "-Wall", "-Wextra", "-Werror", f"-I{CUDA_HEADERS}",
                        machine.HERE / "tests/idle_cuda.cpp", *OBJECTS, "-o", program], check=True)
        done = subprocess.run([program], capture_output=True, text=True, check=True)
        cls.device, *cls.lines = map(json.loads, done.stdout.splitlines())

    def test_nothing_that_was_not_computed_is_right(self):
        self.assertEqual({line["right"] for line in self.lines}, {False})
        status, fields = judged(*self.lines)
        self.assertEqual((status, len(fields["ceilings"])), ("failed", len(self.lines)))

    def test_every_rate_has_a_limit(self):
        self.assertEqual(self.device, DEVICE)
        for line in self.lines:
            most = ceil.limit(line, self.device, H200)
            self.assertEqual(most is None, line["unit"] == "load", line)

    def test_every_width_of_wgmma_is_measured(self):
        names = [line["ceiling"] for line in self.lines]
        self.assertEqual(len(set(names)), len(names))
        for n in range(32, 257, 32):
            for place in ("shared memory", "registers"):
                self.assertIn(f"wgmma/m64n{n}k16/bf16, a in {place}", names)


if __name__ == "__main__":
    unittest.main()
