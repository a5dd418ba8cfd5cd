"""The packer of variants on canned data, and fovea_variants on kernels that run in the simulator."""

import importlib.machinery
import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import machine
import native

sys.path.insert(0, str(machine.HERE / "variants"))

import build
import space
from build import Built, Candidate
from space import Variant

PROGRAM = native.Natives(machine.ROOT / "native/build").variants
SIMULATED = machine.ROOT / "native/build/variants-sim"  # the folder of a driver that runs kernels in the simulator


def load_pack():
    loader = importlib.machinery.SourceFileLoader("variants_pack", str(machine.HERE / "variants/pack"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("variants_pack", loader))
    loader.exec_module(module)
    return module


pack = load_pack()


WARPGROUPS = dict(kind="warpgroup_forward")


def variant(*values, kind="forward", head_dim=64):
    return Variant(kind, head_dim, values)


def built(it, tflops=300.0, origin="space", refusal=None):
    count = tflops and {"instructions": 800, "hmma": 128, "per_hmma": 6.25, "limit": "issue", "tflops": tflops}
    return Built(Candidate(it, origin, it.warps * 32, 40 << 10), refusal, refusal, 200, count)


class SpaceTest(unittest.TestCase):
    def test_every_tile_is_there_once(self):
        names = [it.name for it in space.enumerated()]
        self.assertEqual(len(set(names)), len(names))
        for kind, kernel in space.KERNELS.items():
            self.assertEqual(set(kernel.tiles), set(space.HEAD_DIMS))
            for tiles in kernel.tiles.values():
                self.assertEqual({len(values) for values in tiles}, {len(kernel.fields)}, kind)

    def test_what_cannot_run_is_not_compiled(self):
        fitting = variant(4, 32, 64, 3, 1, 2)
        self.assertIsNone(space.misfit(fitting, 41024))
        self.assertEqual(space.misfit(fitting, (227 << 10) + 1), "more shared memory than a block may have")
        self.assertIsNone(space.misfit(fitting, 113 << 10))
        self.assertEqual(space.misfit(fitting, (113 << 10) + 1), "shared memory for fewer blocks")
        self.assertEqual(space.misfit(variant(4, 32, 64, 3, 1, 1), 41024), "fewer than 8 warps")
        self.assertEqual(space.misfit(variant(4, 32, 128, 3, 1, 3), 41024), "too few registers for the sums")
        keys = variant(4, 32, 64, 2, 1, 2, kind="backward_keys", head_dim=128)
        self.assertEqual(space.misfit(keys, 41024), "too few registers for the sums")

    def test_warpgroups_share_out_the_registers(self):
        for values, shared_bytes, reason in (
                ((2, 160, 2, 24, 240, 0, 0), 230480, None),
                ((2, 160, 2, 24, 240, 0, 0), (227 << 10) + 1, "more shared memory than a block may have"),
                ((3, 96, 2, 32, 160, 0, 0), 199888, None),
                ((3, 112, 2, 32, 160, 0, 0), 216272, "too few registers for the sums"),
                ((3, 96, 2, 24, 240, 0, 0), 199888, "more registers than a multiprocessor has"),
                ((2, 176, 2, 24, 240, 0, 1), (227 << 10) - (32 << 10) + 1, None),
                ((2, 160, 2, 24, 240, 0, 1), (227 << 10) - (32 << 10), "room for rows of out of their own")):
            self.assertEqual(space.misfit(variant(*values, head_dim=128, **WARPGROUPS), shared_bytes), reason, values)

    @unittest.skipUnless(shutil.which("g++"), "there is no g++")
    def test_the_headers_agree_on_warpgroups(self):
        over, own = (variant(2, 112, 2, 24, 240, 0, over, head_dim=128, **WARPGROUPS) for over in (1, 0))
        with tempfile.TemporaryDirectory() as folder:
            found = {it.variant: it for it in pack.facts(pathlib.Path(folder), [over, own])}
        self.assertEqual({it.origin for it in found.values() if it.variant.kind == over.kind}, {"baseline", "space"})
        self.assertEqual(found[own].shared_bytes, found[over].shared_bytes + over.warps * space.STAGED_BYTES)
        for it in found.values():
            if it.variant.kind == over.kind:
                self.assertEqual(it.threads, it.variant.warps * 32 + 128)

    def test_warpgroups_have_variants_of_every_head_dim(self):
        for head_dim in space.HEAD_DIMS:
            tiles = [it.tile for it in space.enumerated() if (it.kind, it.head_dim) == ("warpgroup_forward", head_dim)]
            self.assertEqual({(it["consumers"], it["producer_registers"], it["consumer_registers"]) for it in tiles},
                             {(2, 24, 240), (3, 32, 160)})
            self.assertEqual({it["keys"] % 16 for it in tiles}, {0})

    def test_blocks_share_registers_and_shared_memory(self):
        self.assertEqual(space.resident(128, 255, 81984), 2)  # either would do for two, neither for three
        self.assertEqual(space.resident(128, 168, 41 << 10), 3)
        self.assertEqual(space.resident(128, 169, 41 << 10), 2)  # registers are given in eights
        self.assertEqual(space.resident(256, 128, 150 << 10), 1)


class PackTest(unittest.TestCase):
    BASELINE, BEST, WORST = variant(4, 32, 64, 3, 1, 2), variant(8, 32, 64, 3, 1, 1), variant(8, 16, 32, 3, 1, 1)

    def test_the_first_tile_of_a_table_is_the_baseline(self):
        lines = ["table\tforward\t64\t4 32 64 3 1 2\t128\t41024", "table\tforward\t64\t4 16 64 3 1 2\t128\t32832",
                 "table\tforward\t128\t4 32 64 3 1 2\t128\t81984", "space\tforward\t64\t4 32 64 3 1 2\t128\t41024",
                 "space\tforward\t64\t8 32 64 3 1 1\t256\t57408"]
        self.assertEqual([(it.variant.name, it.origin) for it in pack.read_facts(lines)], [
            ("forward_d64_4_32_64_3_1_2", "baseline"), ("forward_d64_4_16_64_3_1_2", "table"),
            ("forward_d128_4_32_64_3_1_2", "baseline"), ("forward_d64_8_32_64_3_1_1", "space")])

    def test_tiles_of_the_table_are_always_compiled(self):
        small = Candidate(variant(4, 32, 64, 3, 1, 1), "baseline", 128, 41024)
        fitting, refused = pack.without_misfits([small, Candidate(small.variant, "space", 128, 41024)])
        self.assertEqual((fitting, dict(refused)), ([small], {"fewer than 8 warps": 1}))

    def test_what_spills_or_is_far_below_the_baseline_is_left_out(self):
        baseline, best = built(self.BASELINE, 300, "baseline"), built(self.BEST, 320)
        slow, spills = built(self.WORST, 224), built(variant(8, 16, 64, 3, 1, 1), refusal="spills")
        left, refused = pack.filtered([baseline, best, slow, spills])
        self.assertEqual(left, [baseline, best])
        self.assertEqual(dict(refused), {"below 75% of the baseline in the model": 1, "spills": 1})
        self.assertEqual(pack.filtered([baseline, built(self.WORST, 225)])[0][1].tflops, 225)

    def test_a_tile_of_the_table_that_spills_is_an_error(self):
        with self.assertRaisesRegex(SystemExit, "forward_d64_4_32_64_3_1_2, a tile of the table, spills"):
            pack.filtered([built(self.BASELINE, refusal="spills", origin="baseline")])

    def test_without_a_disassembler_nothing_is_ranked_or_slow(self):
        all_built = [built(self.BASELINE, None, "baseline"), built(self.WORST, None), built(self.BEST, None)]
        self.assertEqual(pack.chosen(pack.filtered(all_built)[0]), all_built)
        self.assertIn("| 8, 16, 32, 3, 1, 1 | 200 | 40 | - | - | - |", pack.ranking(all_built))

    def test_the_best_of_each_group_come_before_the_second(self):
        others = [built(variant(8, 16, keys, 3, 1, 1), 280 + keys) for keys in (32, 64, 96)]
        wide = [built(variant(*it.candidate.variant.values, head_dim=128), it.tflops) for it in others[:1]]
        baselines = [built(self.BASELINE, 300, "baseline"),
                     built(variant(*self.BASELINE.values, head_dim=128), 300, "baseline")]
        with mock.patch.object(pack, "MOST", 3):
            taken = pack.chosen([*others, *wide, *baselines])
        self.assertEqual(taken, [baselines[0], others[2], others[1], baselines[1], wide[0]])

    def test_the_ranking_marks_the_table(self):
        lines = pack.ranking([built(self.BASELINE, 300.5, "baseline"), built(self.BEST, 320.5)])
        self.assertEqual(lines[3:5], ["| 8, 32, 64, 3, 1, 1 | 200 | 40 | 6.25 | issue | 320.5 |",
                                      "| 4, 32, 64, 3, 1, 2 (baseline) | 200 | 40 | 6.25 | issue | 300.5 |"])

    def test_the_ranking_shows_the_table_however_low_it_is(self):
        with mock.patch.object(pack, "SHOWN", 1):
            lines = pack.ranking([built(self.BASELINE, 300, "baseline"), built(self.BEST, 320), built(self.WORST, 310)])
        self.assertEqual([line.split(" |")[0] for line in lines[3:-1]],
                         ["| 8, 32, 64, 3, 1, 1", "| 4, 32, 64, 3, 1, 2 (baseline)"])


class BuildTest(unittest.TestCase):
    def refusal(self, code, errors):
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(build.subprocess, "run") as run:
            run.return_value = subprocess.CompletedProcess([], code, "", errors)
            it = build.build(Candidate(PackTest.BASELINE, "space", 128, 41024), pathlib.Path(folder), None)
            self.assertIn("-DNDEBUG", run.call_args.args[0])
            return it.refusal

    def test_a_refusal_is_told_from_others(self):
        for refusal, errors in (
                ("spills", "error: ptxas: spills registers: variant for sm_90a: 0 bytes stack frame, 4 bytes spill stores"),
                ("stack frame", "error: ptxas: an array in local memory: variant for sm_90a: 16 bytes stack frame"),
                ("wgmma serialised or repaired", "error: ptxas: (C7510) Potential Performance Loss: wgmma"),
                ("does not compile", "forward.cuh(30): error: static assertion failed")):
            self.assertEqual(self.refusal(1, errors), refusal)

    @unittest.skipUnless(shutil.which("nvcc"), "there is no nvcc")
    def test_cubins_are_built_and_counted(self):
        impossible = Candidate(variant(4, 16, 32, 2, 1, 2), "space", 128, 16448)  # no room for rows on their way out
        small = Candidate(variant(4, 16, 64, 2, 1, 2), "space", 128, 24640)
        tools = build.sass.find_disassembler()
        with tempfile.TemporaryDirectory() as folder:
            refused, it = (build.build(candidate, pathlib.Path(folder), tools) for candidate in (impossible, small))
            self.assertTrue(build.cubin_of(small, pathlib.Path(folder)).exists())
        self.assertEqual((refused.refusal, it.refusal), ("does not compile", None))
        self.assertTrue(64 < it.registers < 256, it)
        if tools is not None:
            self.assertEqual(it.count["hmma"], 64)  # of 16 x 64 scores twice, at 64 columns
            self.assertGreater(it.tflops, 100)

    @unittest.skipUnless(shutil.which("nvcc"), "there is no nvcc")
    def test_products_of_warpgroups_are_counted(self):
        small = Candidate(variant(2, 64, 2, 24, 240, 0, 0, **WARPGROUPS), "space", 384, 83024)
        tools = build.sass.find_disassembler()
        with tempfile.TemporaryDirectory() as folder:
            it = build.build(small, pathlib.Path(folder), tools)
        self.assertEqual((it.refusal, it.registers), (None, 168))  # as 384 threads share them out at launch
        if tools is not None:
            self.assertEqual(it.count["hmma"], 8)  # of 64 columns, and of 64 keys, 16 at a time
            self.assertGreater(it.tflops, 300)


@unittest.skipUnless(PROGRAM.exists() and SIMULATED.exists(), f"{PROGRAM} is not there: run native/build.sh")
class ProgramTest(unittest.TestCase):
    FORWARD, SMALL = variant(4, 32, 64, 3, 1, 2), variant(4, 16, 64, 2, 1, 2)
    KEYS, WIDE = (variant(*values, kind="backward_keys") for values in ((4, 32, 32, 2, 1, 2), (8, 16, 64, 1, 1, 1)))

    GROUPS, NARROW = variant(2, 128, 2, 24, 240, 4, 0, **WARPGROUPS), variant(2, 64, 3, 24, 240, 0, 0, **WARPGROUPS)

    @staticmethod
    def twins(it, count):
        """The same kernel, of which more blocks are expected, or its producer to have more registers: variants of names
        of their own, launched alike."""
        at = ProgramTest.free_field(it)
        return [Variant(it.kind, it.head_dim, (*it.values[:at], it.values[at] + n, *it.values[at + 1:]))
                for n in range(1, 1 + count)]

    @staticmethod
    def free_field(it):
        return it.kernel.fields.index("producer_registers" if it.kind == "warpgroup_forward" else "blocks")

    @staticmethod
    def launched(it):
        """What a launch depends on."""
        at = ProgramTest.free_field(it)
        return it.kind, it.values[:at], it.values[at + 1:]

    def lines(self, baseline, *others, faults={}, **options):
        """What the program prints of these variants; `faults` says which go wrong, and how (sim_cuda.cpp)."""
        kernels = {self.launched(it): it.name
                   for it in (self.FORWARD, self.SMALL, self.KEYS, self.WIDE, self.GROUPS, self.NARROW)}
        settings = {"tokens": 64, "width": 64, "milliseconds": 1, "seconds": 500, "step_seconds": 60} | options
        with tempfile.TemporaryDirectory() as folder:
            index = pathlib.Path(folder) / pack.INDEX
            with open(index, "w") as file:
                for it in (baseline, *others):
                    line = pack.line(built(it, 330.0 if it in others else 300.0, "space" if it in others else "baseline"))
                    file.write(json.dumps(line | {"file": it.name}) + "\n")
                    (index.parent / it.name).write_text(f"{kernels[self.launched(it)]} {faults.get(it, '')}")
            done = subprocess.run(
                [PROGRAM, folder, *(f"--{name.replace('_', '-')}={value}" for name, value in settings.items())],
                capture_output=True, text=True, env=os.environ | {"LD_LIBRARY_PATH": str(SIMULATED)} | self.environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        return {line["case"]: line for line in map(json.loads, done.stdout.splitlines())}

    environment = {}

    def statuses(self, *variants, **more):
        return {name: line["status"] for name, line in self.lines(*variants, **more).items()}

    def test_right_kernels_are_timed_beside_their_baseline(self):
        for baseline, other in ((self.FORWARD, self.SMALL), (self.GROUPS, self.NARROW), (self.KEYS, self.WIDE)):
            lines = self.lines(baseline, other)
            self.assertEqual({line["status"] for line in lines.values()}, {"measured"}, lines)
            line = lines[other.name]
            self.assertEqual((line["model"], line["model_ratio"], line["ratio"], line["resident"]), (330, 1.1, 1, 2))
            self.assertEqual(list(line["shapes"]), ["s4/causal", "s16/causal", "s32/full"])
            for shape in line["shapes"].values():
                self.assertEqual((len(shape["rounds"]), shape["ratios"]), (3, [1, 1, 1]))
        # The simulated clock says 2 ms of any launch: two sequences of 32 rows, five products where the forward has two.
        self.assertAlmostEqual(line["shapes"]["s32/full"]["tflops"], 2.5 * 2 * 4 * 32 * 32 * 64 / 2e-3 * 1e-12, 7)

    def test_a_wrong_block_of_parameters_or_launch_is_seen(self):
        faults = ("stride", "tiles", "scale", "mask", "key", "blocks")
        for baseline, right in ((self.FORWARD, self.SMALL), (self.GROUPS, self.NARROW), (self.KEYS, self.WIDE)):
            wrong = dict(zip(self.twins(right, len(faults)), faults))
            lines = self.lines(baseline, right, *wrong, faults=wrong)
            self.assertEqual([lines[it.name]["status"] for it in (baseline, right)], ["measured"] * 2)
            for it, fault in wrong.items():
                self.assertEqual(lines[it.name]["status"], "failed", fault)
                self.assertRegex(lines[it.name]["reason"], r"^(small|masked): .*expected", fault)

    def test_a_kernel_that_crashes_or_hangs_takes_no_other_with_it(self):
        launch, hang = self.twins(self.SMALL, 2)
        lines = self.lines(self.FORWARD, launch, hang, self.SMALL, step_seconds=5,
                           faults={self.FORWARD: "crash", launch: "launch", hang: "hang"})
        for it, reason in ((self.FORWARD, "its process ended with signal 6"), (hang, "it hung"),
                           (launch, "cuLaunchKernel: CUDA_ERROR_LAUNCH_FAILED")):
            self.assertEqual((lines[it.name]["status"], lines[it.name]["reason"]), ("failed", reason))
        self.assertEqual((lines[self.SMALL.name]["status"], lines[self.SMALL.name]["ratio"]), ("measured", None))

    def test_what_there_is_no_time_for_is_unfinished(self):
        self.assertEqual(set(self.statuses(self.FORWARD, self.SMALL, seconds=0).values()), {"unfinished"})

    def test_a_figure_that_no_device_reaches_is_refused(self):
        with mock.patch.object(self, "environment", {"FOVEA_SIM_MILLISECONDS": "1e-12"}):
            self.assertEqual(self.statuses(self.FORWARD, milliseconds=0), {self.FORWARD.name: "refused"})

    def test_another_architecture_is_unsupported(self):
        with mock.patch.object(self, "environment", {"FOVEA_SIM_MAJOR": "8"}):
            line = self.lines(self.FORWARD)[self.FORWARD.name]
        self.assertEqual((line["status"], line["reason"]), (
            "unsupported", "the device has compute capability 80, the variants are for 90"))

    def test_the_baseline_is_measured_again_beside_every_eight(self):
        others = self.twins(self.SMALL, 9)
        self.assertEqual(list(self.statuses(self.FORWARD, *others, seconds=0)), [
            self.FORWARD.name, *(it.name for it in others[:8]), f"{self.FORWARD.name} again 1", others[8].name])

    def test_an_index_without_a_baseline_is_an_error(self):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([PROGRAM, folder], capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn("index.jsonl cannot be read", done.stderr)
            line = pack.line(built(self.SMALL)) | {"file": "x"}
            (pathlib.Path(folder) / pack.INDEX).write_text(json.dumps(line) + "\n")
            done = subprocess.run([PROGRAM, folder], capture_output=True, text=True)
            self.assertIn("has no baseline", done.stderr)


if __name__ == "__main__":
    unittest.main()
