"""What the GPU run plans, counts and remembers. Needs neither a GPU nor PyTorch."""

import json
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import cases
from cases import Problem
from results import Budget, Results


class CasesTest(unittest.TestCase):
    def test_flops_count_the_pairs_that_are_seen(self):
        for causal in (False, True):
            problem = Problem("bf16", 64, 512, causal)
            pairs = sum(1 for i in range(512) for j in range(512) if j <= i or not causal)
            self.assertEqual(problem.flops("fwd"), 2 * 32 * 32 * (64 + 64) * pairs)
            self.assertEqual(problem.flops("bwd"), 2.5 * problem.flops("fwd"))

    def test_every_problem_has_the_same_tokens_and_about_the_same_width(self):
        for problem, _ in cases.cases():
            self.assertEqual(problem.batch * problem.length, 16384)
            self.assertTrue(2016 <= problem.heads * problem.head_dim <= 2048)
            self.assertEqual(problem.heads, problem.key_heads * problem.group)

    def test_the_sweep_is_complete_and_its_cases_are_distinct(self):
        names = [problem.case(direction) for problem, direction in cases.cases()]
        self.assertEqual(len(names), 2 * 4 * 6 * 2 + 3 * 2 * 2 + 2 * 2 * 2 + 2 * (2 * 2 * 2) + 2 * 3 * 6 * 2)
        self.assertEqual(len(set(names)), len(names))
        self.assertEqual(names[0], "bf16/d128/s8192/full/fwd")

    def test_the_headline_is_both_directions_of_six_problems(self):
        self.assertEqual(len(cases.headline()), 12)
        self.assertEqual({(problem.dtype, problem.length) for problem, _ in cases.headline()}, {("bf16", 8192)})
        for direction in cases.DIRECTIONS:
            self.assertEqual({(problem.head_dim, problem.causal) for problem, own in cases.headline() if own == direction},
                             {(head_dim, causal) for head_dim in (64, 128, 256) for causal in (False, True)})

    def test_the_targets_come_first(self):
        wanted = {(problem, "fwd") for problem in (cases.TARGET_TFLOPS[0], *cases.TARGET_RATIO[2])}
        first = set(cases.headline()) & wanted
        self.assertEqual(set(cases.rest()[: len(wanted) - len(first)]), wanted - first)

    def test_the_limit_is_that_of_the_data_sheet_at_its_clock(self):
        self.assertAlmostEqual(cases.limit_flops("9.0", 132, 1830, "bf16") / 1e12, 989.4, places=1)
        self.assertAlmostEqual(cases.limit_flops("9.0", 132, 1830, "tf32") / 1e12, 494.7, places=1)
        with self.assertRaises(SystemExit):
            cases.limit_flops("1.0", 132, 1830, "bf16")


class ResultsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name) / "deep" / "stage.jsonl"

    def open(self, commit="abc", card="H100"):
        return Results(self.path, commit, card, lambda: {"cpus": 4})

    def test_a_case_is_remembered(self):
        self.open().add("one", "passed", ms=1.5)
        again = self.open()
        self.assertIn("one", again)
        self.assertNotIn("two", again)
        self.assertEqual(again.lines["one"]["ms"], 1.5)

    def test_a_run_is_described_once_and_only_if_it_has_cases(self):
        self.open()
        self.assertFalse(self.path.exists())
        results = self.open()
        results.add("one", "passed")
        results.add("two", "failed")
        run, one, two = map(json.loads, self.path.read_text().splitlines())
        self.assertEqual((run["commit"], run["card"], run["cpus"]), ("abc", "H100", 4))
        self.assertEqual((one["of"], two["of"], one["card"]), (run["run"], run["run"], "H100"))

    def test_half_a_line_is_forgotten(self):
        self.open().add("one", "passed")
        with open(self.path, "a") as file:
            file.write('{"case": "two", "sta')
        results = self.open()
        self.assertEqual(list(results.lines), ["one"])
        results.add("two", "passed")
        self.assertEqual(list(self.open().lines), ["one", "two"])

    def test_what_was_not_finished_is_tried_again(self):
        self.open().add("one", "unfinished")
        again = self.open()
        self.assertNotIn("one", again)
        again.add("one", "passed")
        self.assertEqual(self.open().lines["one"]["status"], "passed")

    def test_results_of_another_commit_or_card_are_refused(self):
        self.open("abc").add("one", "passed")
        with self.assertRaisesRegex(SystemExit, "commit abc, not of def"):
            self.open("def")
        with self.assertRaisesRegex(SystemExit, "card H100, not of H200"):
            self.open("abc", "H200")


class BudgetTest(unittest.TestCase):
    def test_it_runs_down(self):
        budget = Budget(100)
        first = budget.left()
        self.assertTrue(99 < first <= 100)
        self.assertLessEqual(budget.left(), first)
        self.assertLess(Budget(-1).left(), 0)


if __name__ == "__main__":
    unittest.main()
