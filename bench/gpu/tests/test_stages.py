"""What the stages plan, and what they make of the output of their programs."""

import ctypes
import itertools
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import abi
import casefile
import cases
import machine
import native
import ncu
import operations
import stages
from cases import Problem
from process import execute

REPLAY = native.Natives(machine.ROOT / "native/build").replay
CPU_LIBRARY = REPLAY.parents[1] / "lib/libfovea_cpu.so"


def dry_run(*arguments):
    return subprocess.run([machine.HERE / "run", *arguments, "--dry-run"], capture_output=True, text=True)


class DryRunTest(unittest.TestCase):
    def test_every_stage_lists_as_many_steps_as_it_counts(self):
        for name, stage in stages.STAGES.items():
            with tempfile.TemporaryDirectory() as out:
                done = dry_run(name, "--out", out)
            head, *steps = done.stdout.splitlines()
            self.assertEqual((done.returncode, head, done.stderr), (0, f"{name}, what is left of 540 s:", ""))
            self.assertEqual(len(steps), stage.count(), name)
            self.assertEqual(len({step.partition(": ")[0] for step in steps}), len(steps), name)

    def test_conform_has_the_suite_and_two_thousand_random_cases_of_each_pass(self):
        self.assertIn("dev.fovea.testkit.attention.GridConformanceTest", stages.suite())
        self.assertIn("dev.fovea.testkit.attention.BackwardConformanceTest", stages.suite())
        self.assertNotIn("dev.fovea.testkit.image.ImageConformanceTest", stages.suite())  # computes on the CPU alone
        self.assertGreaterEqual(stages.RANDOM_CASES * stages.RANDOM_SLICES, 2000)
        for operation, which in itertools.product(("attention", "additive"), ("forward", "backward")):
            self.assertIn(f"check --backend cuda --op {operation} --pass {which} --cases {stages.RANDOM_CASES} --seed 1 --json",
                          dry_run("conform").stdout)

    def test_budgets_are_checked(self):
        self.assertEqual(dry_run("probe:20", "sanitize:30.5").returncode, 0)
        self.assertIn("no number of seconds", dry_run("probe:soon").stderr)
        self.assertIn("'prob' is none of", dry_run("prob").stderr)

    def test_without_a_driver_a_run_says_so(self):
        if machine.gpu() is not None:
            self.skipTest("there is a driver here")
        done = subprocess.run([machine.HERE / "run", "probe"], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("no NVIDIA driver", done.stderr)


class JudgeTest(unittest.TestCase):
    def junit(self, *tests, code=0):
        with tempfile.TemporaryDirectory() as folder:
            report = pathlib.Path(folder) / "TEST-junit-jupiter.xml"
            report.write_text(f"<testsuite>{''.join(tests)}</testsuite>")
            return stages.judge_junit(pathlib.Path(folder), code, "", "")

    GOOD = '<testcase name="grid()[1]"/>'
    SKIPPED = '<testcase name="huge()[1]"><skipped>org.Aborted: no device\n\tat Here.java:1</skipped></testcase>'
    BAD = '<testcase name="causal()[1]"><failure message="3 of 9 cases wrong"/></testcase>'

    def test_a_suite_passes_where_tests_ran_and_none_failed(self):
        self.assertEqual(self.junit(self.GOOD, self.SKIPPED), (
            "passed", {"tests": 1, "failures": [], "skipped": ["huge()[1]: org.Aborted: no device"]}))
        status, fields = self.junit(self.GOOD, self.BAD, code=1)
        self.assertEqual((status, fields["failures"]), ("failed", ["causal()[1]: 3 of 9 cases wrong"]))

    def test_a_suite_that_was_skipped_or_never_ended_fails(self):
        self.assertEqual(self.junit(self.SKIPPED)[0], "failed")
        self.assertEqual(self.junit(self.GOOD, code=None)[0], "failed")
        self.assertEqual(stages.judge_junit(pathlib.Path("/nowhere"), 0, "", "")[0], "failed")

    def test_a_check_needs_its_report(self):
        self.assertEqual(stages.judge_check(0, '{"passed": 3}\n', ""), ("passed", {"check": {"passed": 3}}))
        self.assertEqual(stages.judge_check(1, '{"passed": 3}\n', "")[0], "failed")
        self.assertEqual(stages.judge_check(0, "", "")[0], "failed")

    def test_a_sanitizer_that_takes_too_long_found_nothing(self):
        status, fields = stages.judge_sanitizer(None, '{"case": "a", "status": "passed"}\n', "")
        self.assertEqual((status, fields["wrong"]), ("unfinished", []))

    def test_a_sanitizer_that_may_not_run_is_told_from_one_that_found_something(self):
        found = '{"case": "a", "status": "passed"}\n========= ERROR SUMMARY: 2 errors\n'
        self.assertEqual(stages.judge_sanitizer(9, found, ""), (
            "failed", {"summary": ["ERROR SUMMARY: 2 errors"], "wrong": []}))
        self.assertEqual(stages.judge_sanitizer(0, "========= ERROR SUMMARY: 0 errors\n", "")[0], "passed")
        self.assertEqual(stages.judge_sanitizer(1, "x\n========= Error: Device not supported. See docs\n", ""), (
            "unsupported", {"reason": "Error: Device not supported. See docs"}))
        code, output, errors = execute(["/nowhere/compute-sanitizer"], 5)
        self.assertEqual(stages.judge_sanitizer(code, output, errors)[0], "unsupported")


class ProcessTest(unittest.TestCase):
    def test_a_command_is_over_in_time_with_its_children(self):
        self.assertEqual(execute(["bash", "-c", "echo out; echo err >&2; exit 3"], 10), (3, "out\n", "err\n"))
        code, output, _ = execute(["bash", "-c", "echo begun; sleep 60 & wait"], 0.5)
        self.assertEqual((code, output), (None, "begun\n"))


class NcuTest(unittest.TestCase):
    TEXT = """==PROF== Connected to process 7
==PROF== Profiling "flash": 0%....100% - 9 passes
"ID","Host Name","Kernel Name","Block Size","Grid Size","launch__registers_per_thread","sm__throughput.avg.pct"
"","","","","","register/thread","%"
"0","host","flash","(384, 1, 1)","(132, 1, 1)","168","71.5"
==PROF== Disconnected
"""

    def test_the_counters_are_read(self):
        (kernel,) = ncu.kernels(self.TEXT)
        self.assertEqual((kernel["kernel"], kernel["grid"], kernel["block"]), ("flash", "(132, 1, 1)", "(384, 1, 1)"))
        self.assertEqual(kernel["metrics"], {"launch__registers_per_thread": 168, "sm__throughput.avg.pct": 71.5})
        self.assertEqual(kernel["units"]["sm__throughput.avg.pct"], "%")
        self.assertEqual(ncu.kernels("==ERROR== nothing\n"), [])

    def judge(self, code, counters="", errors=""):
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(ncu, "pages", lambda *_: (counters, "pc,stall\n")):
            report = pathlib.Path(folder) / "bf16.ncu-rep"
            report.write_text("")
            status, _ = stages.judge_ncu(report, code, "", errors)
            return status, report.with_suffix(".csv").exists()

    def test_a_report_is_kept_with_its_instructions(self):
        self.assertEqual(self.judge(0, self.TEXT), ("measured", True))
        self.assertEqual(self.judge(0)[0], "failed")
        self.assertEqual(stages.judge_ncu(pathlib.Path("/nowhere"), 0, "", "")[0], "failed")

    def test_counters_that_may_not_be_read_or_take_too_long_are_no_failure(self):
        denied = "==ERROR== ERR_NVGPUCTRPERM - The user does not have permission\n"
        self.assertEqual(self.judge(1, errors=denied)[0], "unsupported")
        self.assertEqual(self.judge(None)[0], "unfinished")


class CaseFileTest(unittest.TestCase):
    PROBLEM = Problem("bf16", 256, 64, True, group=2)

    def test_a_file_holds_the_operands(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "case"
            casefile.write(path, self.PROBLEM)
            data = path.read_bytes()
        name = self.PROBLEM.name.encode()
        self.assertEqual(data[:8], b"FOVCASE2")
        (length,) = struct.unpack_from("<i", data, 12)
        self.assertEqual(data[16 : 16 + length], name)
        elements = 16384 * 2048
        # operands of 2 bytes an element, keys and values of half the heads; a state and no value for each of out
        self.assertEqual(len(data), 8 + 4 + 8 + len(name) + ctypes.sizeof(operations.AttentionSpec) + 12 + 3 * 20 + len(casefile.OPTIONAL)
                         + 32 + 8 + len(casefile.OPTIONAL_OUTPUTS) + elements * 2 + 2 * elements + elements)

    @unittest.skipUnless(REPLAY.exists(), f"{REPLAY} is not there: run native/build.sh")
    def test_replay_reads_it(self):
        small = {"batch": 1, "heads": 2, "key_heads": 1}
        with tempfile.TemporaryDirectory() as folder:
            for dtype, direction in itertools.product(("bf16", "f16", "f32", "tf32"), cases.DIRECTIONS):
                problem = type("Small", (), {**small, "dtype": dtype, "head_dim": 16, "length": 40, "causal": True,
                                             "name": dtype})
                path = pathlib.Path(folder) / f"{dtype}.{direction}.fovcase"
                casefile.write(path, problem, direction)
                done = subprocess.run([REPLAY, CPU_LIBRARY, path], capture_output=True, text=True)
                case, end = stages.json_lines(done.stdout)
                self.assertEqual((done.returncode, case["status"], end["passed"]), (0, "passed", 1), done)
                library = abi.Library(CPU_LIBRARY)
                self.assertEqual(casefile.plan(path, library, library.device()).kernel.decode(), case["kernel"])

    def test_operands_are_normal_numbers(self):
        for dtype, code in ((abi.FLOAT32, "f"), (abi.FLOAT16, "e")):
            data = casefile._operand(dtype, 1, 1000)
            values = struct.unpack(f"<1000{code}", data)
            self.assertLess(abs(sum(values) / 1000), 0.2)
            self.assertLess(abs(sum(value**2 for value in values) / 1000 - 1), 0.2)
        wide = b"".join(b"\0\0" + half for half in (casefile._operand(abi.BFLOAT16, 1, 1000)[i : i + 2]
                                                    for i in range(0, 2000, 2)))
        for rounded, exact in zip(struct.unpack("<1000f", wide), struct.unpack("<1000f", casefile._operand(abi.FLOAT32, 1, 1000))):
            self.assertLessEqual(abs(rounded - exact), abs(exact) / 128)


if __name__ == "__main__":
    unittest.main()
