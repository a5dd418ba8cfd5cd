"""The stage bench on PyTorch's CPU backends and libfovea_cpu, with a host clock for events."""

import collections
import importlib.util
import json
import pathlib
import sys
import tempfile
import time
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import abi
import bench
import cases
import machine
from cases import Problem
from results import Results

LIBRARY = machine.ROOT / "native/build/lib/libfovea_cpu.so"
SIMULATOR = LIBRARY.with_name("libfovea_sim.so")


def measured(*rounds):
    return bench.figures([list(times) for times in rounds], tflop=1, limit=1e6)


class FiguresTest(unittest.TestCase):
    def test_the_rate_is_that_of_the_median(self):
        side = measured((1, 2), (2, 5))
        self.assertEqual((side["status"], side["ms"], side["runs"]), ("measured", 2, 4))
        self.assertEqual(side["tflops"], 500)

    def test_more_than_the_device_can_do_is_refused(self):
        side = bench.figures([[1.0]], tflop=1, limit=999)
        self.assertEqual(side["status"], "refused")
        self.assertNotIn("tflops", side)

    def test_a_ratio_compares_within_rounds(self):
        turns = {"flash": [[2], [30], [4]], "cudnn": [[1], [1], [1]], "fovea": [[1], [10], [4]]}
        said = {name: measured(*times) for name, times in turns.items()}
        self.assertEqual(bench.ratios(turns, said), {"flash": 2, "cudnn": 0.25})

    def test_without_a_figure_of_ours_there_is_no_ratio(self):
        said = {"flash": measured((1,)), "fovea": {"status": "failed"}}
        self.assertEqual(bench.ratios({"flash": [[1]]}, said), {})


class TableTest(unittest.TestCase):
    def test_it_shows_what_was_measured_and_judges_the_targets(self):
        lines = {
            "bf16/d128/s8192/full/fwd": {
                "status": "measured", "ratios": {"flash": 0.97},
                "sides": {"fovea": {"tflops": 451.2}, "flash": {"tflops": 465}, "cudnn": {"status": "unsupported"}}},
            "bf16/d64/s8192/full/fwd": {"status": "measured", "ratios": {"flash": 0.9},
                                        "sides": {"fovea": {"tflops": 360}, "flash": {"tflops": 400}}},
            "bf16/d64/s512/full/fwd": {"status": "failed", "sides": {}},
        }
        head, first, second, *verdicts = bench.table(lines).splitlines()
        self.assertEqual(len({len(head), len(first), len(second)}), 1)
        self.assertEqual(first.split(), ["bf16/d128/s8192/full/fwd", "451", "-", "-", "465", "0.97", *"------"])
        self.assertEqual(len(verdicts), 9)
        self.assertIn("target bf16/d128/s8192/full: TFLOP/s 350 or more: 451.20, met", verdicts)
        self.assertIn("target bf16/d64/s8192/full: times flash 0.95 or more: 0.90, missed", verdicts)
        self.assertIn("target bf16/d96/s8192/full: times flash 0.95 or more: not measured", verdicts)


class WatchTest(unittest.TestCase):
    def test_a_case_that_does_not_end_has_failed_and_takes_its_process_along(self):
        with tempfile.TemporaryDirectory() as folder:
            results = Results(pathlib.Path(folder) / "bench.jsonl", "abc", "none", lambda: {})
            watched = bench.Bench.__new__(bench.Bench)
            watched._results = results
            with mock.patch.object(bench.threading, "Timer") as timer, mock.patch.object(bench.os, "_exit") as leave:
                with watched._watched("one"):
                    timer.return_value.start.assert_called_once()
                    timer.return_value.cancel.assert_not_called()
                timer.return_value.cancel.assert_called_once()
                seconds, give_up = timer.call_args.args
                give_up()
            leave.assert_called_once_with(bench.RESTART)
            self.assertEqual((results.lines["one"]["status"], results.lines["one"]["reason"]),
                             ("failed", f"not over after {seconds} s"))


class HostEvent:
    def __init__(self, enable_timing):
        self.time = None

    def record(self):
        self.time = time.perf_counter()

    def elapsed_time(self, end):
        return 1e3 * (end.time - self.time)


@unittest.skipUnless(importlib.util.find_spec("torch"), "PyTorch is not installed")
@unittest.skipUnless(LIBRARY.exists(), f"{LIBRARY} is not there: run native/build.sh")
class MeasureTest(unittest.TestCase):
    def setUp(self):
        import torch

        import peers

        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name) / "bench.jsonl"
        device = collections.namedtuple("Properties", "major minor multi_processor_count")(9, 0, 132)
        for target, name, value in (
                (bench, "torch", torch), (bench, "DEVICE", "cpu"), (bench, "synchronize", lambda: None),
                (bench, "TURN_SECONDS", 0), (bench, "PAUSE_SECONDS", 0),
                (bench, "HUNG_SECONDS", 3600),  # it ends the process: a machine that others keep busy is slow, not hung
                (torch.cuda, "get_device_properties", lambda _: device), (torch.cuda, "Event", HostEvent),
                (machine, "gpu", lambda: {"clocks.max.sm": 1980.0}),
                (cases, "TOKENS", 128), (cases, "WIDTH", 64)):
            patch = mock.patch.object(target, name, value)
            patch.start()
            self.addCleanup(patch.stop)
        self.sides = peers.sides(abi.Library(LIBRARY))

    def measure(self, problem, direction="fwd"):
        results = Results(self.path, "abc", "none", lambda: {})
        with mock.patch("builtins.print"):
            bench.Bench(results, self.sides).measure(problem, direction)
        json.loads(self.path.read_text().splitlines()[-1])
        return results.lines[problem.case(direction)]

    def test_ours_and_the_peers_are_timed_and_agree(self):
        for problem in (Problem("bf16", 32, 64, True), Problem("f16", 16, 32, False, group=4),
                        Problem("f32", 32, 64, True), Problem("tf32", 16, 64, False), Problem("e4m3", 32, 64, True)):
            line = self.measure(problem)
            self.assertEqual(line["status"], "measured", line)
            right = [name for name, side in line["sides"].items() if side["status"] == "measured"]
            self.assertIn("fovea", right)
            self.assertEqual(set(line["ratios"]), set(right) - {"fovea"})
            self.assertTrue(line["ratios"], line)
            self.assertLess(line["sides"]["fovea"]["error_" + right[0]], bench.RELATIVE_ERROR[problem.dtype])
            self.assertEqual(len(line["sides"]["fovea"]["rounds_ms"]), bench.ROUNDS)

    def test_gradients_are_timed_and_agree(self):
        import peers

        for library in (LIBRARY, SIMULATOR):  # the second runs the very kernels of libfovea_cuda
            self.sides = peers.sides(abi.Library(library))
            for problem in (Problem("bf16", 32, 64, True), Problem("f16", 16, 32, False)):
                line = self.measure(problem, "bwd")
                self.assertEqual(line["status"], "measured", line)
                right = {name for name, side in line["sides"].items() if side["status"] == "measured"}
                self.assertLessEqual({"fovea", "deterministic"}, right)
                self.assertEqual(set(line["ratios"]), right - {"fovea"})
                self.assertIn("backward", line["sides"]["fovea"]["kernel"])

    def test_a_wrong_result_of_ours_is_not_timed(self):
        forward = self.sides["fovea"].forward

        def wrong(*arguments):
            run = forward(*arguments)
            return lambda: [tensor * 1.1 for tensor in run()]

        with mock.patch.object(self.sides["fovea"], "forward", wrong):
            line = self.measure(Problem("bf16", 32, 64, True))
        self.assertEqual(line["status"], "failed")
        self.assertIn("wrong result", line["sides"]["fovea"]["reason"])
        self.assertEqual(line["ratios"], {})

    def test_a_cuda_error_ends_the_process_after_its_line(self):
        for error in (RuntimeError("CUDA error: an illegal memory access was encountered"),
                      abi.Failure(abi.DEVICE_LOST, "cudaLaunchKernel: an illegal memory access was encountered")):
            with mock.patch.object(self.sides["fovea"], "forward", mock.Mock(side_effect=error)):
                with self.assertRaises(SystemExit) as caught:
                    self.measure(Problem("bf16", 32, 64, True))
            self.assertEqual(caught.exception.code, bench.RESTART)
            line = json.loads(self.path.read_text().splitlines()[-1])
            self.assertEqual((line["status"], line["ratios"]), ("failed", {}))
            self.assertIn("illegal memory access", line["sides"]["fovea"]["reason"])

    def test_what_the_library_refuses_is_unsupported(self):
        refusal = abi.Failure(abi.UNSUPPORTED, "head_dim is 96, expected 64")
        with mock.patch.object(self.sides["fovea"], "forward", mock.Mock(side_effect=refusal)):
            line = self.measure(Problem("bf16", 32, 64, True))
        self.assertEqual((line["status"], line["sides"]["fovea"]["reason"]), ("unsupported", str(refusal)))
        self.assertIn("measured", [side["status"] for side in line["sides"].values()])


if __name__ == "__main__":
    unittest.main()
