"""Prepared kernels must fit a multiprocessor as often as their tiles count on, where that is asked for."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import machine

NATIVE = machine.ROOT / "native"
CUDA_HEADERS = pathlib.Path("/usr/local/cuda/include")
DEVICE_ERROR = 3
HOPPER, SMALL = 228 << 10, 100 << 10  # bytes of shared memory of a multiprocessor


@unittest.skipUnless(shutil.which("g++") and CUDA_HEADERS.exists(), f"no g++, or no {CUDA_HEADERS}")
class OccupancyTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.program = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory())) / "occupancy"
        subprocess.run(
            ["g++", "-std=c++20", "-Wall", "-Wextra", "-Werror", '-DFOVEA_NVCC_VERSION="0"', '-DFOVEA_CUDA_TARGETS="none"',
             f"-I{NATIVE}", f"-I{NATIVE}/include", f"-I{NATIVE}/cuda", f"-I{CUDA_HEADERS}",
             machine.HERE / "tests/occupancy.cpp", NATIVE / "cuda/device.cpp", "-o", cls.program], check=True)

    def prepare(self, blocks, shared, **environment):
        done = subprocess.run([self.program], capture_output=True, text=True,
                              env=os.environ | {"BLOCKS": str(blocks), "SHARED": str(shared)} | environment)
        return done.returncode, done.stdout.strip()

    def test_fewer_blocks_than_the_tile_counts_on_are_an_error_where_that_is_asked_for(self):
        self.assertEqual(self.prepare(1, HOPPER), (0, ""))
        self.assertEqual(self.prepare(1, HOPPER, FOVEA_REQUIRE_OCCUPANCY="1"),
                         (DEVICE_ERROR, "kernel wide: 1 blocks share a multiprocessor, expected 2"))
        for blocks in (2, 3):
            self.assertEqual(self.prepare(blocks, HOPPER, FOVEA_REQUIRE_OCCUPANCY="1"), (0, ""))

    def test_nobody_expects_blocks_that_shared_memory_does_not_hold(self):
        self.assertEqual(self.prepare(1, SMALL, FOVEA_REQUIRE_OCCUPANCY="1"), (0, ""))
        self.assertEqual(self.prepare(0, SMALL, FOVEA_REQUIRE_OCCUPANCY="1")[0], DEVICE_ERROR)


if __name__ == "__main__":
    unittest.main()
