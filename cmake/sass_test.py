"""Tests of sass-count on small pieces of machine code, as nvdisasm prints it."""
import contextlib
import importlib.machinery
import importlib.util
import io
import os
import tempfile
import unittest
import unittest.mock

import sass
import sass_kernels
import sass_path

HERE = os.path.dirname(os.path.abspath(__file__))


def listing(source):
    """What nvdisasm -c prints of a kernel: an instruction a line, `name:` for a label."""
    lines, at = ["\t.target\tsm_90a", '\t.section\t.text.kernel,"ax",@progbits', ".text.kernel:"], 0
    for line in filter(None, map(str.strip, source.splitlines())):
        if line.endswith(":"):
            lines.append("." + line)
        else:
            lines.append(f"        /*{at:04x}*/      {line} ;")
            at += 16
    return "\n".join(lines)


def plain_round(source):
    (code,) = sass.parse(listing(source)).values()
    return sass_path.plain_round(sass.Graph(code))


def executed(source):
    """The opcodes of the plain round with how often each is executed."""
    return [(times, it.op) for times, it in plain_round(source).way()]


# One round of a loop: `middle` stands between its product and its end.
def loop(middle, before=""):
    return f"""
        {before}
        MOV R9, R2
        round:
        HMMA.16816.F32.BF16 R4, R8, R12, R4
        {middle}
        LDGSTS.E.BYPASS.128 [R2], desc[UR8][R18.64]
        @P6 BRA `(.round)
        EXIT"""


ROUND = ["HMMA.16816.F32.BF16", "LDGSTS.E.BYPASS.128", "BRA"]


class Rounds(unittest.TestCase):
    def test_blocks_that_do_no_work_are_left_out(self):
        masked = loop("""
            @P0 BRA `(.whole)
            FSEL R4, R4, -INF, P1
            whole:""")
        self.assertEqual([op for _, op in executed(masked)], [ROUND[0], "BRA", *ROUND[1:]])

    def test_work_is_done_though_a_branch_may_skip_it(self):
        summed = loop("""
            @P0 BRA `(.kept)
            RED.E.ADD.F32.FTZ.RN.STRONG.GPU desc[UR4][R2.64], R6
            kept:""")
        self.assertIn((1, "RED.E.ADD.F32.FTZ.RN.STRONG.GPU"), executed(summed))

    def test_four_sums_at_once_are_the_work_of_four(self):
        one = "REDG.E.ADD.F32.FTZ.RN.STRONG.GPU desc[UR4][R2.64], R6\n"
        either = loop(f"""
            @P0 BRA `(.once)
            {one * 4}
            BRA `(.added)
            once:
            REDG.E.ADD.F32x4.FTZ.RN.STRONG.GPU desc[UR4][R2.64], R8
            added:""")
        self.assertIn((1, "REDG.E.ADD.F32x4.FTZ.RN.STRONG.GPU"), executed(either))

    def test_features_are_left_out_with_what_they_store(self):
        slopes = loop("""
            @P0 BRA `(.none)
            LDG.E R4, desc[UR4][R2.64]
            STS [R3], R4
            none:
            @P1 BRA `(.kept)
            STS [R3], R5
            kept:""")
        self.assertEqual([op for _, op in executed(slopes)], [ROUND[0], "BRA", "BRA", "STS", *ROUND[1:]])

    def test_what_any_thread_asks_for_is_rare(self):
        """Whatever it does, and wherever the branch has put it."""
        aside = loop("""
            VOTE.ANY P0, P1
            @!P0 BRA `(.kept)
            STS [R3], R5
            kept:""")
        beside = loop("""
            VOTE.ANY P0, P1
            @P0 BRA `(.rare)
            FADD R4, R4, R4
            BRA `(.kept)
            rare:
            STS [R3], R5
            kept:""")
        for source, middle in (aside, ["VOTE.ANY", "BRA"]), (beside, ["VOTE.ANY", "BRA", "FADD", "BRA"]):
            self.assertEqual([op for _, op in executed(source)], [ROUND[0], *middle, *ROUND[1:]])

    def test_a_copied_row_exists(self):
        """The way around the computation of its address is shorter, and copies zeros."""
        for select in ("SEL R7, R8, RZ, !P1", "SEL R7, RZ, R8, P1"):
            with self.subTest(select):
                row = loop(f"""
                    ISETP.GE.AND P0, PT, R3, R5, PT
                    @P0 BRA `(.absent)
                    IMAD.WIDE.U32 R18, R3, UR4, R18
                    absent:
                    ISETP.GE.AND P1, PT, R3, R5, PT
                    {select}""")
                self.assertIn((1, "IMAD.WIDE.U32"), executed(row))

    def test_another_condition_is_not_that_of_a_row(self):
        row = loop("""
            ISETP.GE.AND P0, PT, R3, R5, PT
            @P0 BRA `(.other)
            IMAD.WIDE.U32 R18, R3, UR4, R18
            other:
            ISETP.LT.AND P1, PT, R3, R5, PT
            SEL R7, R8, RZ, !P1""")
        self.assertNotIn((1, "IMAD.WIDE.U32"), executed(row))

    def test_loop_with_most_products_is_the_main_one(self):
        first = "small:\nHMMA.1688.F32.TF32 R4, R8, R12, R4\nLDGSTS.E [R2], R4\n@P0 BRA `(.small)\n"
        more = loop("HMMA.16816.F32.BF16 R4, R8, R12, R4", before=first)
        self.assertEqual(sum(op.startswith("HMMA.16816") for _, op in executed(more)), 2)

    def test_no_loop_is_an_error(self):
        with self.assertRaisesRegex(sass.Unreadable, "no loop"):
            plain_round("HMMA.16816.F32.BF16 R4, R8, R12, R4\nEXIT")


class InnerLoops(unittest.TestCase):
    STEP = """
        UMOV UR4, {start}
        IMAD.MOV.U32 R30, RZ, RZ, {start}
        step:
        {update}
        HMMA.1688.F32.TF32 R4, R8, R12, R4
        {compare}
        {branch}
        {after}"""

    def trips(self, **parts):
        names = {"start": "0x0", "after": "", "branch": "@P0 BRA `(.step)", **parts}
        steps = [times for times, op in executed(loop(self.STEP.format(**names))) if "1688" in op]
        self.assertEqual(len(steps), 1)
        return steps[0]

    def test_counters(self):
        self.assertEqual(self.trips(update="IADD3 R30, R30, 0x1, RZ",
                                    compare="ISETP.NE.AND P0, PT, R30, 0x8, PT"), 8)
        self.assertEqual(self.trips(update="VIADD R30, R30, 0x20", start="0x40",
                                    compare="ISETP.GE.U32.AND P0, PT, R30, 0x100, PT",
                                    branch="@!P0 BRA `(.step)"), 6)
        self.assertEqual(self.trips(update="UIADD3 UR4, UR4, 0x1, URZ\nUISETP.NE.AND UP0, UPT, UR4, 0x20, UPT",
                                    compare="PLOP3.LUT P0, PT, PT, PT, UP0, 0x80, 0x0"), 32)
        self.assertEqual(self.trips(update="UIADD3 UR4, UPT, UPT, UR4, 0x1, URZ",
                                    compare="UISETP.NE.AND UP0, UPT, UR4, 0x8, UPT",
                                    branch="BRA.U UP0, `(.step)"), 8)

    def test_all_rounds_are_work(self):
        """A way with two products is less than a loop of eight with one."""
        product = "HMMA.1688.F32.TF32 R4, R8, R12, R4\n"
        step = self.STEP.format(start="0x0", update="IADD3 R30, R30, 0x1, RZ", branch="@P0 BRA `(.step)",
                                compare="ISETP.NE.AND P0, PT, R30, 0x8, PT", after="")
        either = loop(f"@P1 BRA `(.two)\n{step}\nBRA `(.done)\ntwo:\n{product * 2}\ndone:")
        self.assertIn((8, "HMMA.1688.F32.TF32"), executed(either))

    def test_compared_before_the_step(self):
        self.assertEqual(self.trips(update="ISETP.NE.AND P0, PT, R30, 0x3, PT",
                                    compare="IADD3 R30, R30, 0x1, RZ"), 4)

    def test_left_by_a_call_that_never_returns(self):
        self.assertEqual(self.trips(update="IADD3 R30, R30, 0x1, RZ",
                                    compare="ISETP.NE.AND P0, PT, R30, 0x4, PT",
                                    branch="@!P0 CALL.REL.NOINC `(.out)\nBRA `(.step)", after="out:"), 4)

    def test_unknown_trips_are_an_error(self):
        for update in ("IADD3 R30, R30, R2, RZ", "@P1 IADD3 R30, R30, 0x1, RZ", "LDS R30, [R2]"):
            with self.subTest(update), self.assertRaisesRegex(sass.Unreadable, "no constant says"):
                self.trips(update=update, compare="ISETP.NE.AND P0, PT, R30, 0x8, PT")


class Control(unittest.TestCase):
    def test_subroutines_count(self):
        called = loop("CALL.REL.NOINC `(.divide)") + """
            divide:
            MUFU.RCP R3, R3
            RET.REL.NODEC R2 `(kernel)"""
        self.assertEqual([op for _, op in executed(called)],
                         [ROUND[0], "CALL.REL.NOINC", "MUFU.RCP", "RET.REL.NODEC", *ROUND[1:]])

    def test_switches(self):
        switched = loop("""
            BRX R4 -0x20 (*"BRANCH_TARGETS .one,.none"*)
            one:
            FADD R4, R4, 1
            FADD R4, R4, 1
            none:""")
        self.assertEqual([op for _, op in executed(switched)], [ROUND[0], "BRX", *ROUND[1:]])

    def test_branches_with_two_predicates(self):
        both = loop("""
            BRA P1, `(.less)
            HMMA.16816.F32.BF16 R4, R8, R12, R4
            less:""")
        self.assertEqual(len(executed(both)), 5)

    def test_reconvergence_elsewhere_is_an_error(self):
        self.assertEqual(len(executed(loop("BSSY B0, `(.met)\nBSYNC B0\nmet:"))), 5)
        with self.assertRaisesRegex(sass.Unreadable, "does not go on"):
            executed(loop("BSSY B0, `(.met)\nBSYNC B0\nNOP\nmet:"))


class Kernels(unittest.TestCase):
    def test_a_round_is_at_least_a_tile(self):
        (code,) = sass.parse(listing(loop(""))).values()
        for flops, readable in ((4 * 4096, 1), (4 * 4096 + 1, 0)):
            kernel = sass_kernels.Kernel("k", "k<0>", flops, 4)
            with unittest.mock.patch("sass.disassemble", return_value={("k<0>", "sm_80"): code}):
                counts, unreadable = sass_kernels.count("", ["object"], [kernel])
            self.assertEqual((len(counts), len(unreadable)), (readable, 1 - readable))


def program(name):
    """A program beside this file, as a module."""
    loader = importlib.machinery.SourceFileLoader(name.replace("-", "_"), os.path.join(HERE, name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


class Model(unittest.TestCase):
    def test_cycles_of_a_warp(self):
        way = plain_round(loop("""
            LDSM.16.MT88.4 R4, [R2]
            LDSM.16.M88.2 R4, [R2]
            @!PT LDS RZ, [RZ]
            LDS.64 R4, [R2]
            STS [R2], R4
            MUFU.EX2 R4, R4""")).way()
        kernel = sass_kernels.Kernel("k", "k<0>", 4096, 1)
        busy = program("kernel-model").cycles(sass_kernels.Count(kernel, "sm_90a", way))
        self.assertEqual(busy, {"tensor": 6.45, "issue": 9, "shared": 4 * (4 + 2 + 2 + 1 + 4), "mufu": 8})

    def test_calibration(self):
        model = program("kernel-model")
        for (flops, busy, published), tolerance in ((model.PEER_D128, 0.01), (model.PEER_D64, 0.09)):
            self.assertLess(abs(model.tflops(flops, busy) / published - 1), tolerance)


class Gate(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cli = program("sass-count")

    def gate(self, *rows, version="nvcc 13.0.88"):
        header = "kernel\tarch\tinstructions\thmma\tper_hmma"
        with tempfile.TemporaryDirectory() as work:
            paths = [os.path.join(work, name) for name in ("committed", "new")]
            for path, first, lines in zip(paths, ("nvcc 13.0.88", version), (["k\tsm_80\t1000\t256\t3.91"], rows)):
                with open(path, "w", encoding="utf-8") as file:
                    print(f"# {first}; renewed", header, *lines, sep="\n", file=file)
            output = io.StringIO()
            with contextlib.redirect_stdout(output):
                errors = self.cli.gate(*paths)
            return "\n".join(errors), output.getvalue()

    def test_growth_is_an_error(self):
        self.assertEqual(self.gate("k\tsm_80\t1010\t256\t3.95")[0], "")
        self.assertIn("executes 1011 instructions", self.gate("k\tsm_80\t1011\t256\t3.95")[0])

    def test_less_is_to_be_renewed(self):
        errors, said = self.gate("k\tsm_80\t980\t256\t3.83")
        self.assertEqual(errors, "")
        self.assertIn("renew", said)

    def test_another_tile_or_a_missing_kernel(self):
        self.assertIn("another tile", self.gate("k\tsm_80\t1000\t128\t7.81")[0])
        self.assertIn("k for sm_80 is not in the new table", self.gate("l\tsm_80\t1000\t256\t3.91")[0])
        self.assertIn("nothing was counted", self.gate()[0])

    def test_architectures_that_were_not_committed(self):
        self.assertEqual(self.gate("k\tsm_80\t1000\t256\t3.91", "k\tsm_100\t9999\t256\t9")[0], "")

    def test_another_compiler_is_not_compared(self):
        errors, said = self.gate("k\tsm_80\t2000\t256\t7.81", version="nvcc 12.9.41")
        self.assertEqual(errors, "")
        self.assertIn("skipped", said)


if __name__ == "__main__":
    unittest.main()
