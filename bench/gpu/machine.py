"""What a result must say of the machine and the code it was measured with."""

import functools
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import tarfile
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUNDLE = HERE / ".bundle"
BUILD = HERE / ".build"  # what a machine makes for itself; never carried
RUNTIME = BUILD / "runtime"  # of Java
PACKED_RUNTIME = BUNDLE / "runtime.tar.xz"

TOOLKIT = pathlib.Path("/usr/local/cuda")
NSIGHT = pathlib.Path("/opt/nvidia/nsight-compute")  # a folder for each version
_FACTS = ["name", "driver_version", "compute_cap", "memory.total", "clocks.max.sm", "clocks.max.mem", "power.limit"]


def find(tool):
    """The path of a tool of the CUDA toolkit, which is often not on the PATH; None if it is not installed."""
    newest_first = sorted(NSIGHT.glob("*"), key=lambda folder: list(map(int, re.findall(r"\d+", folder.name))), reverse=True)
    places = [os.environ.get("PATH", os.defpath), TOOLKIT / "bin", TOOLKIT / "compute-sanitizer", *newest_first]
    return shutil.which(tool, path=os.pathsep.join(map(str, places)))


@functools.cache
def gpu():
    """The first GPU as nvidia-smi describes it, clocks in MHz; None where there is no driver. Reads only."""
    values = _output("nvidia-smi", "-i", "0", "--query-gpu=" + ",".join(_FACTS), "--format=csv,noheader,nounits")
    return dict(zip(_FACTS, map(_number, values.split(", ")))) if values else None


def card():
    """Its name; None where there is no driver."""
    return gpu() and gpu()["name"]


def bundle():
    """What the bundle says of itself; nothing if there is none."""
    description = BUNDLE / "bundle.json"
    return json.loads(description.read_text()) if description.exists() else {}


def java():
    """The bundle's, unpacked when it is first asked for."""
    if not RUNTIME.exists() and PACKED_RUNTIME.exists():
        RUNTIME.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=RUNTIME.parent) as folder, tarfile.open(PACKED_RUNTIME) as packed:
            packed.extractall(folder, filter="tar")
            (pathlib.Path(folder) / RUNTIME.name).rename(RUNTIME)  # whole, or not there
    return RUNTIME / "bin/java"


def commit():
    """The commit that was bundled, else that of the work tree: a copy of it may have come without its history."""
    return bundle().get("commit") or work_tree_commit()


def work_tree_commit():
    if not (revision := _output("git", "-C", str(ROOT), "rev-parse", "--verify", "HEAD")):
        return "none"
    return revision + ("-dirty" if _output("git", "-C", str(ROOT), "status", "--porcelain") else "")


def describe():
    return {"gpu": gpu(), "cpus": os.cpu_count(), "kernel": platform.release(), "python": platform.python_version(),
            "nvcc": nvcc_version(), "bundle": bundle()}


@functools.cache
def nvcc_version():
    release = re.search(r"release (\S+),", _output(find("nvcc") or "nvcc", "--version"))
    return release.group(1) if release else None


def _number(text):
    return float(text) if re.fullmatch(r"\d+(\.\d+)?", text) else text


def _output(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
