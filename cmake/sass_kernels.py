"""The main kernels and what a plain round of each executes."""
import collections
import concurrent.futures
import csv
import functools
import glob
import os
import re

import sass
import sass_path

# Counts where no table of main kernels is given.
ANY_KERNEL = r"\b(attention_forward|warpgroup_forward|warpgroup_backward_keys|backward_keys|backward_queries)<[^>]*>"

Kernel = collections.namedtuple("Kernel", "name function tile_flops warps")


class Count:
    """A kernel on an architecture: `way` is [(times, Instruction)], one round of one warp."""

    def __init__(self, kernel, arch, way):
        self.kernel, self.arch, self.way = kernel, arch, way
        self.instructions = sum(times for times, _ in way)
        self.hmma = self.of(sass.PRODUCT)
        self.per_hmma = self.instructions / self.hmma

    def of(self, opcode):
        return sum(times for times, it in self.way if re.match(opcode, it.op))

    def classes(self):
        counts = collections.Counter()
        for times, it in self.way:
            counts[it.kind()] += times
        return [counts[name] for name in sass.CLASS_NAMES]


def rows(lines):
    """Those of a table with tabs and a header, as dictionaries; lines that begin with # are remarks."""
    return list(csv.DictReader((line for line in lines if not line.startswith("#")), delimiter="\t"))


def read_kernels(path):
    """The table that main_kernels printed."""
    with open(path, encoding="utf-8") as file:
        kernels = [Kernel(row["kernel"], row["function"], int(row["tile_flops"]), int(row["warps"]))
                   for row in rows(file)]
    names = collections.Counter(kernel.name for kernel in kernels)
    if twice := [name for name, count in names.items() if count > 1]:
        raise sass.Unreadable(f"several kernels are called {', '.join(twice)}")
    return kernels


def hmma_flops(opcode):
    """Of one matrix instruction, a warp's share: the name ends with M, N and K, M being 16 and N 8 in all of a warp's."""
    if shape := re.match(sass.GROUP_PRODUCT + r"\.64x(\d+)x(\d+)", opcode):
        return 2 * 16 * int(shape[1]) * int(shape[2])
    shape = re.match(r"HMMA\.168(\d+)", opcode)
    if shape is None:
        raise sass.Unreadable(f"a matrix instruction of another shape: {opcode}")
    return 2 * 16 * 8 * int(shape[1])


def count(tools, objects, kernels=None):
    """(Counts of the kernels in these objects or cubins in the order of `kernels`, [Unreadable] of the others);
    of all that look like a kernel where none are given."""
    named = {kernel.function: kernel for kernel in kernels or ()}
    one = functools.partial(_count_object, tools, named)
    if len(objects) > 1:
        with concurrent.futures.ProcessPoolExecutor() as processes:
            found = list(processes.map(one, objects))
    else:
        found = list(map(one, objects))
    counts = [it for some, _ in found for it in some]
    order = {kernel.name: i for i, kernel in enumerate(kernels or ())}
    counts.sort(key=lambda it: (order.get(it.kernel.name, 0), it.kernel.name, it.arch))
    return counts, [why for _, some in found for why in some]


def _count_object(tools, named, path):
    wanted = r"\b(" + "|".join(map(re.escape, named)) + r")(?=\()" if named else ANY_KERNEL
    counts, unreadable = [], []
    for (function, arch), code in sass.disassemble(tools, path, wanted).items():
        if not any(re.match(sass.PRODUCT, it.op) for it in code.values()):
            continue  # no device of this architecture takes it
        kernel = named.get(function) or Kernel(function, function, 0, 0)
        try:
            it = Count(kernel, arch, sass_path.plain_round(sass.Graph(code)).way())
            done = sum(times * hmma_flops(step.op) for times, step in it.way if re.match(sass.PRODUCT, step.op))
            if done * kernel.warps < kernel.tile_flops:
                raise sass.Unreadable(f"a round of {it.hmma} matrix instructions is less than a tile")
            counts.append(it)
        except sass.Unreadable as why:
            unreadable.append(sass.Unreadable(f"{kernel.name} for {arch}: {why}"))
    return counts, unreadable


def built_objects(build):
    """Those of the native build's CUDA library."""
    return sorted(glob.glob(os.path.join(build, "CMakeFiles/fovea_cuda.dir/kernels/**/*.cu.o"), recursive=True))
