"""Whole runs on a machine that is only described, with scripts in place of the native programs."""

import contextlib
import importlib.machinery
import importlib.util
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import bench
import clocks
import machine
import native
import stages

H100 = {"name": "NVIDIA H100 80GB HBM3", "compute_cap": 9.0, "clocks.max.sm": 1980.0, "clocks.max.mem": 2619.0}
GOOD = '{"case": "x.fovcase", "status": "passed", "kernel": "narrow"}'
WRONG = '{"case": "y.fovcase", "status": "failed", "kernel": "wide", "reason": "out[7] = 3, expected 2"}'
CEILING = '{"ceiling": "ffma", "unit": "instruction", "amount": 120, "blocks": 132, "cycles": 1, "ns": 1, "right": true}'
PRODUCT = ('{"ceiling": "product/torch", "unit": "FLOP", "amount": 8e14, "blocks": 1, "cycles": null, "ns": 1e9, '
           '"right": true, "multiprocessors": 132}')
FILES_BACK = 8  # that some machines return of a run


def load_run():
    loader = importlib.machinery.SourceFileLoader("gpu_run", str(machine.HERE / "run"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("gpu_run", loader))
    loader.exec_module(module)
    return module


run = load_run()


def write_script(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


class RunTest(unittest.TestCase):
    def setUp(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.bundle, self.out = folder / "bundle", folder / "out"
        (self.bundle / "cases").mkdir(parents=True)
        for name in ("x", "y"):
            (self.bundle / f"cases/{name}.fovcase").write_text("")
        self.script("fovea_replay", f"echo '{GOOD}'; echo '{GOOD}'")
        self.script("fovea_ceilings", f"echo '{CEILING}'")
        for target, name, value in ((machine, "BUNDLE", self.bundle), (machine, "gpu", lambda: H100),
                                    (machine, "commit", lambda: "abc"), (machine, "describe", dict),
                                    (native.Natives, "load_failure", lambda _: None), (stages, "SMOKE_SECONDS", 5)):
            self.enterContext(mock.patch.object(target, name, value))

    def script(self, name, text):
        write_script(self.bundle / "native/bin" / name, text)

    def perform(self, *names):
        """What the run says and exits with."""
        arguments = ["run", *names, "--out", str(self.out)]
        said = io.StringIO()
        with mock.patch.object(sys, "argv", arguments), contextlib.redirect_stdout(said):
            try:
                run.main()
                code = 0
            except SystemExit as end:
                code = end.code
        return said.getvalue(), code

    def lines(self, stage):
        path = self.out / f"{stage}.jsonl"
        return {line["case"]: line for line in map(json.loads, path.read_text().splitlines()) if "case" in line}

    def assert_stopped(self, reason):
        _, code = self.perform("smoke", "ceil")
        self.assertRegex(code, f"^smoke failed, and nothing after it was run: .*{reason}")
        self.assertFalse((self.out / "ceil.jsonl").exists())

    def test_what_follows_a_good_smoke_is_run(self):
        write_script(self.bundle / "python", f"echo '{PRODUCT}'")
        with mock.patch.object(sys, "executable", str(self.bundle / "python")):
            said, code = self.perform("smoke", "ceil")
        self.assertEqual(code, 0, said)
        self.assertEqual(self.lines("smoke")[stages.SMOKE]["card"], H100["name"])
        self.assertEqual({case: line["status"] for case, line in self.lines("ceil").items()},
                         {"machine": "measured", "product": "measured"})

    def test_a_wrong_result_stops_everything(self):
        self.script("fovea_replay", f"echo '{GOOD}'; echo '{WRONG}'; exit 1")
        self.assert_stopped("kernel wide is wrong: out\\[7\\] = 3")
        self.assertEqual(self.lines("smoke")[stages.SMOKE]["status"], "failed")
        self.assert_stopped("kernel wide is wrong")  # nor does a run that goes on get past it

    def test_a_crash_stops_everything(self):
        self.script("fovea_replay", f"echo '{GOOD}'; echo 'an illegal memory access' >&2; kill -SEGV $$")
        self.assert_stopped("replay ended with status -11 at y.fovcase: an illegal memory access")

    def test_after_a_crash_every_case_is_replayed_alone(self):
        self.script("fovea_replay", f"""test $# = 3 && kill -SEGV $$
            case "$2" in *x.fovcase) echo '{GOOD}';; *) echo '{WRONG}'; exit 1;; esac""")
        self.perform("smoke")
        self.assertEqual({case: line["status"] for case, line in self.lines("smoke").items()},
                         {stages.SMOKE: "failed", "x.fovcase": "passed", "y.fovcase": "failed"})

    def test_a_kernel_that_hangs_stops_everything_within_seconds(self):
        self.script("fovea_replay", f"echo '{GOOD}'; sleep 60")
        with mock.patch.object(stages, "SMOKE_SECONDS", 0.5):
            self.assert_stopped("replay hung at y.fovcase")

    def test_a_smoke_that_tested_too_little_stops_everything(self):
        self.script("fovea_replay", f"echo '{GOOD}'")
        self.assert_stopped("status 0 at y.fovcase")

    def test_a_smoke_that_had_no_time_stops_everything(self):
        self.script("fovea_replay", "sleep 60")
        _, code = self.perform("smoke:0.3", "ceil")
        self.assertIn("it was not over in time", code)

    def test_smoke_requires_the_occupancy_of_the_tiles(self):
        self.script("fovea_replay", f'test "$FOVEA_REQUIRE_OCCUPANCY" = 1 || exit 1; echo \'{GOOD}\'; echo \'{GOOD}\'')
        said, code = self.perform("smoke")
        self.assertEqual(code, 0, said)

    def test_a_sanitizer_without_time_is_unfinished_and_tried_again_but_a_finding_has_failed(self):
        self.script("fovea_probe", "")
        sanitizer = self.bundle / "compute-sanitizer"
        with mock.patch.object(machine, "find", lambda _: str(sanitizer)), \
                mock.patch.object(stages, "SANITIZER_SECONDS", 0.3):
            write_script(sanitizer, 'case "$*" in *racecheck*) echo "== ERROR SUMMARY: 0 errors";; *) sleep 60;; esac')
            said, code = self.perform("sanitize")
            self.assertEqual(code, 0, said)
            self.assertEqual({case: line["status"] for case, line in self.lines("sanitize").items()},
                             {"memcheck/probes": "unfinished", "memcheck/x to y": "unfinished",
                              "racecheck/probes": "passed", "racecheck/x to y": "passed"})
            write_script(sanitizer, 'echo "== ERROR SUMMARY: 1 error"; exit 9')
            self.assertEqual(self.perform("sanitize")[1], 1)
            self.assertEqual(self.lines("sanitize")["memcheck/probes"]["status"], "failed")

    def test_a_bundle_without_variants_says_so(self):
        said, code = self.perform("variants")
        self.assertEqual(code, 0)
        self.assertIn("the bundle has none", said)
        self.assertEqual(self.lines("variants")["variants"]["status"], "unsupported")

    def test_lines_of_variants_are_kept_even_of_a_program_that_did_not_end(self):
        (self.bundle / "variants").mkdir()
        self.script("fovea_variants", f"""test -d "$1" && echo '{{"case": "d128 64x128", "status": "measured", "ratio": 1.1}}'
                    sleep 60""")
        with mock.patch.object(stages, "VARIANTS_SECONDS", 0.5):
            self.assertEqual(self.perform("variants")[1], 0)
        lines = self.lines("variants")
        self.assertEqual((lines["d128 64x128"]["ratio"], lines["d128 64x128"]["card"]), (1.1, H100["name"]))
        self.assertEqual(lines["variants"]["status"], "unfinished")

    def test_variants_that_had_no_time_are_tried_again(self):
        (self.bundle / "variants").mkdir()
        for status, expected in (("unfinished", "unfinished"), ("failed", "measured")):
            self.script("fovea_variants", f"""echo '{{"case": "d128 64x128", "status": "{status}"}}'""")
            self.perform("variants")
            self.assertEqual(self.lines("variants")["variants"]["status"], expected)

    def test_the_headline_goes_on_in_another_process_after_a_case_that_hung(self):
        first, second = (json.dumps({"case": name, "status": status, "card": H100["name"]}) for name, status in (
            ("bf16/d128/s8192/full/fwd", "failed"), ("bf16/d64/s8192/full/fwd", "measured")))
        head = json.dumps({"run": "now", "commit": "abc", "card": H100["name"]})
        results = self.out / "headline.jsonl"
        write_script(self.bundle / "python", f"""
            test "$3" = headline || exit 1
            if test -e {results}; then echo '{second}' >>{results}; exit 0; fi
            mkdir -p {self.out}; echo '{head}' >{results}; echo '{first}' >>{results}; exit {bench.RESTART}""")
        with mock.patch.object(sys, "executable", str(self.bundle / "python")):
            said, code = self.perform("headline")
        self.assertEqual(code, 1)  # of the case that hung
        self.assertIn("headline: 1 failed, 1 measured, 10 left", said)

    def test_programs_that_lost_their_mode_are_run(self):
        program = self.bundle / "native/bin/fovea_replay"
        program.chmod(0o644)
        self.assertEqual(self.perform("smoke")[1], 0)
        self.assertTrue(os.access(program, os.X_OK))


class CallsTest(unittest.TestCase):
    def test_a_dry_run_tells_what_a_call_does_and_for_how_long(self):
        for name, call in stages.CALLS.items():
            done = subprocess.run([machine.HERE / "run", name, "--dry-run"], capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            heads = [line for line in done.stdout.splitlines() if not line.startswith("  ")]
            self.assertEqual(heads, [
                f"{stage}, up to {seconds} s:" if seconds else f"{stage}, what is left of {call.seconds} s:"
                for stage, seconds in call.stages])
            self.assertEqual(len(done.stdout.splitlines()) - len(heads),
                             sum(stages.STAGES[stage].count() for stage, _ in call.stages))

    def test_calls_begin_with_smoke_and_together_do_every_stage_once(self):
        rest = []
        for call in stages.CALLS.values():
            (first, _), *others = call.stages
            self.assertEqual(first, "smoke")
            rest += [stage for stage, _ in others]
        self.assertEqual(sorted(rest), sorted(set(stages.STAGES) - {"smoke"}))

    def test_a_call_fits_ten_minutes_and_the_files_it_may_leave(self):
        for call in stages.CALLS.values():
            own = [seconds for _, seconds in call.stages if seconds is not None]
            self.assertLess(call.seconds, 600)
            self.assertLess(sum(own), call.seconds)
            archives = sum(stage == "profile" for stage, _ in call.stages)
            self.assertLessEqual(len(call.stages) + archives, FILES_BACK)

    def test_calls_and_stages_are_told_apart(self):
        first = stages.CALLS["call-1"]
        named = [run.name(text) for text in ("ceil", "call-1", "bench:30")]
        self.assertEqual(run.calls(named), [first, stages.Call((("ceil", None), ("bench", 30.0)), run.SECONDS)])


class MachineTest(unittest.TestCase):
    def test_the_java_runtime_is_unpacked_once_with_its_modes(self):
        with tempfile.TemporaryDirectory() as folder:
            here = pathlib.Path(folder)
            write_script(here / "build/runtime/bin/java", "echo 25")
            with mock.patch.multiple(machine, RUNTIME=here / "build/runtime", PACKED_RUNTIME=here / "runtime.tar.xz"):
                with tarfile.open(machine.PACKED_RUNTIME, "w:xz") as packed:
                    packed.add(machine.RUNTIME, "runtime")
                shutil.rmtree(machine.RUNTIME.parent)
                self.assertEqual(subprocess.run([machine.java()], capture_output=True, text=True).stdout, "25\n")
                self.assertEqual([path.name for path in machine.RUNTIME.parent.iterdir()], ["runtime"])
                machine.PACKED_RUNTIME.write_text("not read again")
                self.assertTrue(machine.java().exists())

    def test_the_newest_ncu_is_found_where_none_is_on_the_path(self):
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(machine, "NSIGHT", pathlib.Path(folder) / "nsight"), \
                mock.patch.object(machine, "TOOLKIT", pathlib.Path(folder) / "cuda"), \
                mock.patch.dict(os.environ, {"PATH": f"{folder}/bin"}):
            self.assertIsNone(machine.find("ncu"))
            for version in ("2024.3.2", "2025.10.0", "2025.3.1"):
                write_script(machine.NSIGHT / version / "ncu", "")
            (machine.NSIGHT / "2026.1.0").mkdir()  # has lost its program
            self.assertEqual(machine.find("ncu"), str(machine.NSIGHT / "2025.10.0/ncu"))
            for place in (machine.TOOLKIT / "bin/ncu", pathlib.Path(folder) / "bin/ncu"):
                write_script(place, "")
                self.assertEqual(machine.find("ncu"), str(place))

    def build(self, *codes):
        commands, codes = [], list(codes)

        def execute(command, seconds):
            self.assertLessEqual(seconds, native.BUILD_SECONDS)
            commands.append(" ".join(command))
            return codes.pop(0), "", "no such flag"

        with mock.patch.object(native, "execute", execute), mock.patch.object(machine, "find", lambda tool: tool), \
                mock.patch.object(machine, "gpu", lambda: H100):
            native.build(pathlib.Path("/nowhere"))
        return commands

    def test_a_build_on_the_machine_takes_what_its_compilers_make_within_its_time(self):
        configured, built = self.build(0, 0)
        self.assertIn("-DFOVEA_STRICT=OFF -DFOVEA_CUDA_ARCHS=90a-real", configured)
        self.assertIn("fovea_ceilings", built)
        with self.assertRaisesRegex(SystemExit, "no such flag"):
            self.build(1)
        with self.assertRaisesRegex(SystemExit, f"not over after {native.BUILD_SECONDS} s"):
            self.build(0, None)

    def test_clocks_are_sampled_while_something_runs(self):
        seen = iter(range(1000, 10**6, 100))
        with mock.patch.object(clocks, "_PERIOD", 0.001), \
                mock.patch.object(clocks, "reader", lambda: lambda: {"clocks.sm": next(seen)}):
            with clocks.sampled() as said:
                while next(seen) < 2000:
                    pass
                subprocess.run(["sleep", "0.05"])
        least, median, most = said["clocks.sm"]
        self.assertTrue(1000 <= least < median < most, said)
        with mock.patch.object(clocks, "reader", lambda: None), clocks.sampled() as said:
            pass
        self.assertEqual(said, {})


if __name__ == "__main__":
    unittest.main()
