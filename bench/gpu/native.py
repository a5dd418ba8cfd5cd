"""Compiles the probes and the program that runs them without a JVM."""

import re
import subprocess

import machine

LIBRARY = "libfovea_cuda.so"
DRIVER = "driver"

_INCLUDES = ["-I", str(machine.ROOT / "native/include"), "-I", str(machine.ROOT / "native/cuda"),
             "-I", str(machine.ROOT / "native")]
_COMMON = ["-std=c++20", "-O3", "-lineinfo", "-cudart", "static", *_INCLUDES]
_ARCHITECTURES = [
    "-gencode", "arch=compute_80,code=[compute_80,sm_80]",
    "-gencode", "arch=compute_90a,code=sm_90a",
]


def compile_probes(folder):
    nvcc = machine.find("nvcc")
    if nvcc is None:
        raise SystemExit("nvcc is not on the PATH: the probes cannot be compiled")
    folder.mkdir(parents=True, exist_ok=True)
    report = _run(nvcc, *_COMMON, *_ARCHITECTURES, "-shared", "-Xcompiler",
                  "-fPIC,-fvisibility=hidden,-fvisibility-inlines-hidden", "-Xptxas", "-v",
                  "-o", str(folder / LIBRARY), str(machine.ROOT / "native/cuda/probe.cu"))
    if complaint := complaint_of(report):
        raise SystemExit(f"ptxas: {complaint}")
    _run(nvcc, *_COMMON, "-o", str(folder / DRIVER), str(machine.HERE / "probe/driver.cpp"),
         "-L", str(folder), "-lfovea_cuda", "-Xlinker", "-rpath,$ORIGIN")


def complaint_of(report):
    """The line of a ptxas report that tells of a spill or of a wgmma it had to repair; None if there is none."""
    for line in report.splitlines():
        numbers = re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", line)
        if re.search(r"\bC75\d\d\b", line) or numbers and any(map(int, numbers.groups())):
            return line.strip()
    return None


def _run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr
