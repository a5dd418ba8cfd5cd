"""Builds one variant as a cubin of its own and counts what it executes: the part of the packer that two cores share."""

import dataclasses
import importlib.machinery
import importlib.util
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path.insert(0, str(ROOT / "cmake"))

import sass
import sass_kernels
import sass_path
import space


def _kernel_model():
    loader = importlib.machinery.SourceFileLoader("kernel_model", str(ROOT / "cmake/kernel-model"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("kernel_model", loader))
    loader.exec_module(module)
    return module


kernel_model = _kernel_model()

INCLUDES = [f"-I{folder}" for folder in (HERE, ROOT / "native", ROOT / "native/include", ROOT / "native/cuda")]
# As the library is built: without NDEBUG waits for a barrier are other code.
FLAGS = ["-std=c++20", "-DNDEBUG"]
# What nvcc-strict says, and the filter it stands for.
REFUSALS = (("(C75", "wgmma serialised or repaired"), ("spills registers", "spills"),
            ("an array in local memory", "stack frame"), ("", "does not compile"))


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A variant, what the headers say of it, and where it comes from: `baseline`, the tile of the table that runs today,
    `table`, another one of it, or `space`."""

    variant: space.Variant
    origin: str
    threads: int
    shared_bytes: int


@dataclasses.dataclass
class Built:
    candidate: Candidate
    refusal: str = None  # the filter that it did not pass
    reason: str = None  # in the tools' words
    registers: int = None
    count: dict = None  # what it executes and should reach, where that can be counted

    @property
    def tflops(self):
        return self.count["tflops"] if self.count else None


def build(candidate, folder, tools):
    """`tools` is the folder of the disassembler, or None."""
    variant, cubin = candidate.variant, cubin_of(candidate, folder)
    source = cubin.with_suffix(".cu")
    source.write_text(variant.source)
    done = subprocess.run(
        [ROOT / "cmake/nvcc-strict", "nvcc", "-cubin", f"-arch=sm_{space.ARCHITECTURE}", *FLAGS, *INCLUDES,
         "-o", cubin, source], capture_output=True, text=True)
    if done.returncode != 0:
        refusal = next(refusal for said, refusal in REFUSALS if said in done.stderr)
        return Built(candidate, refusal, done.stderr)
    registers = registers_of(variant.kernel.main, (folder / f"{cubin.name}.kernels.tsv").read_text())
    if space.resident(candidate.threads, registers, candidate.shared_bytes) < variant.blocks:
        return Built(candidate, "fewer blocks than its tile counts on", registers=registers)
    built = Built(candidate, registers=registers)
    if tools is not None:
        try:
            built.count = counted(variant, cubin, tools)
        except sass.Unreadable as why:
            built.reason = str(why)
    return built


def cubin_of(candidate, folder):
    return folder / f"{candidate.variant.name}.cubin"


def registers_of(function, table):
    """From the lines that nvcc-strict writes beside an object."""
    return next(int(line.split("\t")[2]) for line in table.splitlines() if line.split("\t")[0] == function)


def counted(variant, cubin, tools):
    """Of one round of the main loop of a warp, and what the model makes of it."""
    kernels = sass.disassemble(tools, str(cubin), rf"^{variant.kernel.main}$")
    (code,) = kernels.values()
    warps = variant.warps
    count = sass_kernels.Count(sass_kernels.Kernel(variant.name, variant.kernel.main, variant.tile_flops, warps),
                               f"sm_{space.ARCHITECTURE}", sass_path.plain_round(sass.Graph(code)).way())
    done = sum(times * sass_kernels.hmma_flops(it.op) for times, it in count.way if re.match(sass.PRODUCT, it.op))
    if done * warps < variant.tile_flops:
        raise sass.Unreadable(f"a round of {count.hmma} matrix instructions is less than a tile")
    busy = kernel_model.cycles(count)
    return {"instructions": count.instructions, "hmma": count.hmma, "per_hmma": round(count.per_hmma, 2),
            "limit": max(busy, key=busy.get),
            "tflops": round(kernel_model.tflops(variant.tile_flops / warps, busy), 1)}
