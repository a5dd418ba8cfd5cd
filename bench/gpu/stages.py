"""The stages: which commands they run, and what they make of the output."""

import dataclasses
import itertools
import json
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile
import xml.etree.ElementTree
from functools import partial
from typing import Callable

import abi
import bench as benchmark
import casefile
import cases
import ceil as ceilings
import machine
import ncu
import operations
from cases import Problem

DEVICE = "cuda"
SEEDS_PER_CASE, PROBE_CASES = 64, 16
RANDOM_CASES, RANDOM_SLICES = 250, 10  # of each pass; a slice is a seed of its own
STREAM_SEEDS = 100
# Operations that CUDA has kernels of.
OPERATIONS = [spec for spec in operations.ALL if (machine.ROOT / "native/cuda" / spec.operation).is_dir()]
CHECKED = [(spec, which) for spec in OPERATIONS for which in abi.PASSES if hasattr(spec, which)]
# Of the suite, what computes in the host's memory, and what plans for devices that are not here.
_ELSEWHERE = ("ConcurrencyConformanceTest", "ErrorConformanceTest", "HugeConformanceTest", "PlanConformanceTest")
SMOKE = "a case of each kernel"
SLICE = 8  # of those cases: so many go through a sanitizer together
SANITIZERS = {
    "memcheck": ["--leak-check", "full"],
    "racecheck": [],
}
PROFILED = [(Problem("bf16", head_dim, 8192, False), direction) for head_dim, direction in
            itertools.product((128, 64), cases.DIRECTIONS)]

# Longer, and a case has hung, or its tool is too slow. Several times what it should take, in seconds.
SMOKE_SECONDS = 30
PROBE_SECONDS = 30
CONFORM_SECONDS = 120
CALL_SECONDS = 30
VARIANTS_SECONDS = 120
CEIL_SECONDS = 40
SANITIZER_SECONDS = 120
NCU_SECONDS, PAGES_SECONDS = 60, 30

# What tools say where the machine, not the code, is the reason: without hardware counters, in some containers.
_DENIED = re.compile(r"Device not supported|ERR_NVGPUCTRPERM|LibraryNotLoaded|No such file or directory: '\S*(ncu|sanitizer)")


def java(run, main, *arguments, classes=(), **properties):
    """A command that runs a class of the bundle with its runtime, on the native library in use."""
    places = [*classes, machine.BUNDLE / "classes", machine.BUNDLE / "jars/*"]
    program = machine.RUNTIME / "bin/java" if run.dry_run else machine.java()
    return [str(program), "--enable-native-access=ALL-UNNAMED",
            f"-Djava.library.path={machine.BUNDLE / 'native/lib'}",  # JCuda's
            f"-Dfovea.native.cuda.path={run.natives().library}", f"-Dfovea.probe.library={run.natives().probes}",
            *(f"-D{name}={value}" for name, value in properties.items()),
            "-cp", ":".join(map(str, places)), main, *map(str, arguments)]


def json_lines(output):
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


def judge_lines(code, output, errors):
    """A program that prints a line of JSON for each check."""
    return "passed" if code == 0 else "failed", {"checks": json_lines(output)}


# ---- smoke

def case_files():
    """The bundle's case files, one for each kernel."""
    return sorted((machine.BUNDLE / "cases").glob("*.fovcase")) or [machine.BUNDLE / "cases/*.fovcase"]


def smoke(run):
    """Returns why nothing else should be run, if so."""
    results, natives, files = run.results("smoke"), run.natives(), case_files()

    def replayed(name, files):
        command = ["env", "FOVEA_REQUIRE_OCCUPANCY=1", str(natives.replay), str(natives.library), *map(str, files)]
        return name, command, partial(judge_smoke, files), SMOKE_SECONDS

    run.case(results, *replayed(SMOKE, files))
    if run.dry_run or SMOKE in results and results.lines[SMOKE]["status"] == "passed":
        return None
    # A fault ends its process: what is wrong beside it is seen in processes of their own.
    run.together(results, [replayed(file.name, [file]) for file in files])
    return results.lines.get(SMOKE, {}).get("reason", "it was not over in time")


def judge_smoke(files, code, output, errors):
    checks = [line for line in json_lines(output) if "case" in line]
    wrong = [line for line in checks if line["status"] == "failed"]
    fields = {"kernels": {line["kernel"]: line["status"] for line in checks if "kernel" in line}, "wrong": wrong}
    if code == 0 and len(checks) == len(files):
        return "passed", fields
    if wrong:
        reason = f"kernel {wrong[0].get('kernel')} is wrong: {wrong[0]['reason']}"
    else:
        at = files[len(checks)].name if len(checks) < len(files) else "the end"
        reason = f"replay hung at {at}" if code is None else f"replay ended with status {code} at {at}: {errors.strip()[-500:]}"
    return "failed", fields | {"reason": reason}


# ---- ceil

def ceil(run):
    results = run.results("ceil")
    for case, command in (("machine", [str(run.natives().ceilings)]),
                          ("product", [sys.executable, str(machine.HERE / "ceil.py")])):
        run.case(results, case, command, partial(ceilings.judge, machine.gpu()), CEIL_SECONDS)


# ---- probe

def java_probe(run, first, count):
    return java(run, "dev.fovea.probe.Probe", first, count)


def probe(run):
    results = run.results("probe")
    run.case(results, "seed 0", java_probe(run, 0, 1), judge_lines, PROBE_SECONDS)
    for first in range(1, 1 + SEEDS_PER_CASE * PROBE_CASES, SEEDS_PER_CASE):
        run.case(results, f"seeds {first}-{first + SEEDS_PER_CASE - 1}", java_probe(run, first, SEEDS_PER_CASE),
                 judge_lines, PROBE_SECONDS)


# ---- conform

def suite():
    """The classes of the conformance suite whose cases lie in the device's own memory, from the sources."""
    tests = machine.ROOT / "java/fovea-testkit/src/test/java"
    return [".".join(path.relative_to(tests).with_suffix("").parts)
            for spec in OPERATIONS
            for path in sorted(tests.glob(f"**/{spec.operation}/*ConformanceTest.java")) if path.stem not in _ELSEWHERE]


def conform(run):
    results, commands = run.results("conform"), []
    for name in suite():
        reports = machine.BUILD / "reports" / name
        command = java(run, "org.junit.platform.console.ConsoleLauncher", "execute", "--disable-banner",
                       "--details=summary", f"--select-class={name}", f"--reports-dir={reports}",
                       classes=[machine.BUNDLE / "tests"], **{"fovea.test.devices": DEVICE})
        commands.append((name.removeprefix("dev.fovea.testkit."), command, partial(judge_junit, reports)))
    commands.append((f"streams and graphs, seeds 1-{STREAM_SEEDS}",
                     java(run, "dev.fovea.probe.Streams", DEVICE, 1, STREAM_SEEDS), judge_lines))
    for seed, (spec, which) in itertools.product(range(1, 1 + RANDOM_SLICES), CHECKED):
        commands.append((f"random {spec.operation} {which} seed {seed}, {RANDOM_CASES} cases",
                         java(run, "dev.fovea.cli.Main", "check", "--backend", DEVICE, "--op", spec.operation, "--pass",
                              which, "--cases", RANDOM_CASES, "--seed", seed, "--json"), judge_check))
    run.together(results, [(*each, CONFORM_SECONDS) for each in commands])


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


# ---- variants

def variants(run):
    """Lines of the bundle's program about its cubins go into the results as they are; it decides what they say."""
    results, folder = run.results("variants"), machine.BUNDLE / "variants"
    if not run.dry_run and not folder.exists():
        print("  the bundle has none")
        results.add("variants", "unsupported", reason="the bundle has no variants")
        return
    run.case(results, "variants", [str(run.natives().variants), str(folder)],
             partial(judge_variants, results), VARIANTS_SECONDS)


def judge_variants(results, code, output, errors):
    lines = [line for line in json_lines(output) if "case" in line and "status" in line]
    for line in lines:
        results.add(**line)
    if code is None or any(line["status"] == "unfinished" for line in lines):
        return "unfinished", {"count": len(lines)}
    return "measured" if code == 0 and lines else "failed", {"count": len(lines)}


# ---- sanitize

def slices():
    """The bundle's case files in slices, by what they are called."""
    files = case_files()
    parts = [files[first : first + SLICE] for first in range(0, len(files), SLICE)]
    return {f"{part[0].stem} to {part[-1].stem}": list(map(str, part)) for part in parts}


def sanitize(run):
    results = run.results("sanitize")
    sanitizer = machine.find("compute-sanitizer") or "compute-sanitizer"  # then its case says that it is not there
    natives = run.natives()
    programs = {"probes": [str(natives.probe)]} | {
        name: [str(natives.replay), str(natives.library), "--bare", *files] for name, files in slices().items()}
    run.together(results, [
        (f"{tool}/{what}", [sanitizer, "--tool", tool, *options, "--error-exitcode", "9", *program], judge_sanitizer,
         SANITIZER_SECONDS)
        for tool, options in SANITIZERS.items() for what, program in programs.items()])


def judge_sanitizer(code, output, errors):
    if denied := _DENIED.search(output + errors):
        return "unsupported", {"reason": _line_of(denied)}
    summary = [line.strip("= ") for line in output.splitlines() if "SUMMARY" in line]
    status = "unfinished" if code is None else "passed" if code == 0 else "failed"
    return status, {"summary": summary, "wrong": [
        line for line in json_lines(output) if line.get("status") == "failed"]}


def _line_of(match):
    text = match.string
    return text[text.rfind("\n", 0, match.start()) + 1 :].partition("\n")[0].strip("= ")


# ---- call

def call(run):
    run.case(run.results("call"), "call", java(run, "dev.fovea.probe.CallCost", DEVICE), judge_lines, CALL_SECONDS)


# ---- headline and bench

def bench(stage, run):
    command = [sys.executable, str(machine.HERE / "bench.py"), "--stage", stage, "--out", str(run.out),
               "--library", str(run.natives().library)]
    if run.dry_run:
        sys.stdout.flush()
        subprocess.run([*command, "--dry-run"], check=True)
        return
    before, status = -1, benchmark.RESTART
    while status == benchmark.RESTART and len(run.results(stage).lines) > before:
        before = len(run.results(stage).lines)
        process = subprocess.Popen([*command, "--seconds", str(run.budget.left())])
        try:
            status = process.wait(timeout=max(run.budget.left(), 0))
        except subprocess.TimeoutExpired:
            process.kill()
            return
    if status != 0:
        print(f"  bench.py ended with status {status}")
        run.broken = True


# ---- profile

def profile(run):
    """Reports, and the CSV of their instructions, lie in one archive: a result has a line, not a file."""
    results, natives, archive = run.results("profile"), run.natives(), run.out / "profile.tar.gz"
    with tempfile.TemporaryDirectory(prefix="fovea-profile-") as scratch:
        file, folder = pathlib.Path(scratch) / "case.fovcase", pathlib.Path(scratch) / "profile"
        folder.mkdir()
        if archive.exists():  # of a run that goes on
            with tarfile.open(archive) as earlier:
                earlier.extractall(scratch, filter="data")
        for problem, direction in PROFILED:
            report = folder / f"{problem.case(direction).replace('/', '-')}.ncu-rep"
            run.case(results, problem.case(direction),
                     ncu.command(report, [str(natives.replay), str(natives.library), str(file)]),
                     partial(judge_ncu, report), NCU_SECONDS, before=partial(casefile.write, file, problem, direction))
            if report.exists():
                with tarfile.open(archive, "w:gz") as packed:
                    packed.add(folder, "profile")


def judge_ncu(report, code, output, errors):
    if denied := _DENIED.search(output + errors):
        return "unsupported", {"reason": _line_of(denied)}
    if code is None:
        return "unfinished", {}
    counters, instructions = ncu.pages(report, PAGES_SECONDS) if report.exists() else ("", "")
    if instructions:
        report.with_suffix(".csv").write_text(instructions)
    kernels = ncu.kernels(counters)
    return "measured" if code == 0 and kernels else "failed", {"kernels": kernels}


@dataclasses.dataclass(frozen=True)
class Stage:
    steps: Callable  # of a Run: does what is not done yet; returns why all that follows must not be done, or nothing
    count: Callable  # how many cases it has


STAGES = {
    "smoke": Stage(smoke, lambda: 1),
    "headline": Stage(partial(bench, "headline"), lambda: len(cases.headline())),
    "ceil": Stage(ceil, lambda: 2),
    "profile": Stage(profile, lambda: len(PROFILED)),
    "probe": Stage(probe, lambda: 1 + PROBE_CASES),
    "variants": Stage(variants, lambda: 1),
    "call": Stage(call, lambda: 1),
    "conform": Stage(conform, lambda: len(suite()) + 1 + len(CHECKED) * RANDOM_SLICES),
    "bench": Stage(partial(bench, "bench"), lambda: len(cases.rest())),
    "sanitize": Stage(sanitize, lambda: len(SANITIZERS) * (1 + len(slices()))),
}


@dataclasses.dataclass(frozen=True)
class Call:
    stages: tuple  # (name, seconds), None for all that is left
    seconds: int  # for all together


# What a machine is asked in one go. Each begins with what tells whether the rest is worth its time; then come short stages
# with much to tell, each within seconds of its own, and last the one that can use whatever is left. The first has room for
# building the native programs.
CALLS = {
    "call-1": Call((("smoke", 40), ("headline", 90), ("ceil", 60), ("profile", 100)), 540),
    "call-2": Call((("smoke", 40), ("probe", 40), ("variants", 110), ("call", 35), ("conform", None)), 570),
    "call-3": Call((("smoke", 40), ("bench", 420), ("sanitize", None)), 570),
}
