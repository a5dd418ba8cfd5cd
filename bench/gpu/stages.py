"""The stages: which commands they run, and what they make of the output."""

import dataclasses
import itertools
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree
from functools import partial
from typing import Callable

import bench as benchmark
import casefile
import cases
import machine
import ncu
from cases import Problem

DEVICE = "cuda"
SEEDS_PER_CASE, PROBE_CASES = 64, 16
RANDOM_CASES, RANDOM_SLICES = 250, 10  # of each operation; a slice is a seed of its own
STREAM_SEEDS = 100
# Of the suite, what computes in the host's memory, and what plans for devices that are not here.
_ELSEWHERE = ("ConcurrencyConformanceTest", "ErrorConformanceTest", "HugeConformanceTest", "PlanConformanceTest")
SLICE = 8  # of the bundle's cases: so many go through a sanitizer together
SANITIZERS = {
    "memcheck": ["--leak-check", "full"],
    "racecheck": [],
    "initcheck": [],
    "synccheck": [],
}
PROFILED = [
    (Problem("bf16", 128, 8192, False), "fwd"),
    (Problem("bf16", 128, 8192, True), "fwd"),
    (Problem("bf16", 128, 8192, False), "bwd"),
    (Problem("bf16", 64, 8192, False), "fwd"),
    (Problem("bf16", 64, 8192, False), "bwd"),
    (Problem("bf16", 96, 8192, False), "fwd"),
    (Problem("bf16", 256, 8192, False), "fwd"),
    (Problem("bf16", 256, 8192, False), "bwd"),
    (Problem("bf16", 128, 512, False), "fwd"),
    (Problem("bf16", 128, 8192, False, group=4), "fwd"),
    (Problem("f16", 128, 8192, False), "fwd"),
    (Problem("tf32", 128, 4096, False), "fwd"),
    (Problem("f32", 128, 4096, False), "fwd"),
]
# What tools say where the machine, not the code, is the reason: without hardware counters, in some containers.
_DENIED = re.compile(r"Device not supported|ERR_NVGPUCTRPERM|LibraryNotLoaded|No such file or directory: '\S*(ncu|sanitizer)")


def java(run, main, *arguments, classes=(), **properties):
    """A command that runs a class of the bundle with its runtime, on the native library in use."""
    places = [*classes, machine.BUNDLE / "classes", machine.BUNDLE / "jars/*"]
    return [str(machine.BUNDLE / "runtime/bin/java"), "--enable-native-access=ALL-UNNAMED",
            f"-Djava.library.path={machine.BUNDLE / 'native/lib'}",  # JCuda's
            f"-Dfovea.native.cuda.path={run.natives().library}", f"-Dfovea.probe.library={run.natives().probes}",
            *(f"-D{name}={value}" for name, value in properties.items()),
            "-cp", ":".join(map(str, places)), main, *map(str, arguments)]


def json_lines(output):
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


def judge_lines(code, output, errors):
    """A program that prints a line of JSON for each check."""
    return "passed" if code == 0 else "failed", {"checks": json_lines(output)}


# ---- probe

def java_probe(run, first, count):
    return java(run, "dev.fovea.probe.Probe", first, count)


def probe(run):
    results = run.results("probe")
    run.case(results, "seed 0", java_probe(run, 0, 1), judge_lines)
    for first in range(1, 1 + SEEDS_PER_CASE * PROBE_CASES, SEEDS_PER_CASE):
        run.case(results, f"seeds {first}-{first + SEEDS_PER_CASE - 1}", java_probe(run, first, SEEDS_PER_CASE),
                 judge_lines)


# ---- conform

def suite():
    """The classes of the conformance suite whose cases lie in the device's own memory, from the sources."""
    tests = machine.ROOT / "java/fovea-testkit/src/test/java"
    return [".".join(path.relative_to(tests).with_suffix("").parts)
            for path in sorted(tests.glob("**/*ConformanceTest.java")) if path.stem not in _ELSEWHERE]


def conform(run):
    results = run.results("conform")
    for name in suite():
        reports = machine.HERE / ".build/reports" / name
        command = java(run, "org.junit.platform.console.ConsoleLauncher", "execute", "--disable-banner",
                       "--details=summary", f"--select-class={name}", f"--reports-dir={reports}",
                       classes=[machine.BUNDLE / "tests"], **{"fovea.test.devices": DEVICE})
        run.case(results, name.rpartition(".")[2], command, partial(judge_junit, reports))
    run.case(results, f"streams and graphs, seeds 1-{STREAM_SEEDS}",
             java(run, "dev.fovea.probe.Streams", DEVICE, 1, STREAM_SEEDS), judge_lines)
    for seed, operation in itertools.product(range(1, 1 + RANDOM_SLICES), cases.OPERATIONS):
        run.case(results, f"random {operation} seed {seed}, {RANDOM_CASES} cases",
                 java(run, "dev.fovea.cli.Main", "check", "--backend", DEVICE, "--op", operation, "--cases", RANDOM_CASES,
                      "--seed", seed, "--json"), judge_check)


def judge_junit(reports, code, output, errors):
    """Passed if something was tested and nothing failed: without a device all tests would be skipped."""
    report = reports / "TEST-junit-jupiter.xml"
    if code is None or not report.exists():
        return "failed", {}
    tests = xml.etree.ElementTree.parse(report).getroot().iter("testcase")
    passed, others = 0, {"failures": [], "skipped": []}
    for test in tests:
        said = [(kind, child) for kind in ("failure", "error", "skipped") for child in test.findall(kind)]
        if not said:
            passed += 1
        for kind, child in said:
            words = child.get("message") or (child.text or "").strip()
            if kind == "skipped":
                others["skipped"].append(f"{test.get('name')}: {words.partition(chr(10))[0]}")
            else:
                others["failures"].append(f"{test.get('name')}: {words[:1000]}")
    right = code == 0 and passed > 0 and not others["failures"]
    return "passed" if right else "failed", {"tests": passed, **others}


def judge_check(code, output, errors):
    reports = json_lines(output)
    return "passed" if code == 0 and reports else "failed", {"check": reports[-1] if reports else None}


# ---- sanitize

def small_cases():
    """The bundle's case files in slices, by what they are called."""
    files = sorted((machine.BUNDLE / "cases").glob("*.fovcase")) or [machine.BUNDLE / "cases/*.fovcase"]
    slices = [files[first : first + SLICE] for first in range(0, len(files), SLICE)]
    return {f"{slice[0].stem} to {slice[-1].stem}": list(map(str, slice)) for slice in slices}


def sanitize(run):
    results = run.results("sanitize")
    sanitizer = machine.find("compute-sanitizer") or "compute-sanitizer"  # then its case says that it is not there
    natives = run.natives()
    programs = {"probes": [str(natives.probe)]} | {
        name: [str(natives.replay), str(natives.library), "--bare", *files] for name, files in small_cases().items()}
    for what, program in programs.items():
        for tool, options in SANITIZERS.items():
            run.case(results, f"{tool}/{what}", [sanitizer, "--tool", tool, *options, "--error-exitcode", "9", *program],
                     judge_sanitizer)


def judge_sanitizer(code, output, errors):
    if denied := _DENIED.search(output + errors):
        return "unsupported", {"reason": _line_of(denied)}
    summary = [line.strip("= ") for line in output.splitlines() if "SUMMARY" in line]
    return "passed" if code == 0 else "failed", {"summary": summary, "wrong": [
        line for line in json_lines(output) if line.get("status") == "failed"]}


def _line_of(match):
    text = match.string
    return text[text.rfind("\n", 0, match.start()) + 1 :].partition("\n")[0].strip("= ")


# ---- call

def call(run):
    run.case(run.results("call"), "call", java(run, "dev.fovea.probe.CallCost", DEVICE), judge_lines)


# ---- bench

def bench(run):
    command = [sys.executable, str(machine.HERE / "bench.py"), "--out", str(run.out),
               "--library", str(run.natives().library)]
    if run.dry_run:
        sys.stdout.flush()
        subprocess.run([*command, "--dry-run"], check=True)
        return
    before, status = -1, benchmark.RESTART
    while status == benchmark.RESTART and len(run.results("bench").lines) > before:
        before = len(run.results("bench").lines)
        process = subprocess.Popen([*command, "--seconds", str(run.budget.left())])
        try:
            status = process.wait(timeout=max(run.budget.left(), 0))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return
    if status != 0:
        print(f"  bench.py ended with status {status}")
        run.broken = True


# ---- profile

def profile(run):
    results = run.results("profile")
    natives = run.natives()
    with tempfile.TemporaryDirectory(prefix="fovea-profile-") as folder:
        file, report = pathlib.Path(folder) / "case.fovcase", pathlib.Path(folder) / "ncu.csv"
        for problem, direction in PROFILED:
            run.case(results, problem.case(direction),
                     ncu.command(report, [str(natives.replay), str(natives.library), str(file)]),
                     partial(judge_ncu, report), before=partial(casefile.write, file, problem, direction))


def judge_ncu(report, code, output, errors):
    text = report.read_text() if report.exists() else ""
    if denied := _DENIED.search(text + output + errors):
        return "unsupported", {"reason": _line_of(denied)}
    kernels = ncu.kernels(text)
    report.unlink(missing_ok=True)
    return "measured" if code == 0 and kernels else "failed", {"kernels": kernels}


@dataclasses.dataclass(frozen=True)
class Stage:
    steps: Callable  # of a Run: does what is not done yet
    count: Callable  # how many cases it has


STAGES = {
    "probe": Stage(probe, lambda: 1 + PROBE_CASES),
    "conform": Stage(conform, lambda: len(suite()) + 1 + len(cases.OPERATIONS) * RANDOM_SLICES),
    "sanitize": Stage(sanitize, lambda: len(SANITIZERS) * (1 + len(small_cases()))),
    "call": Stage(call, lambda: 1),
    "bench": Stage(bench, lambda: len(cases.cases())),
    "profile": Stage(profile, lambda: len(PROFILED)),
}
