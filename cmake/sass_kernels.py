"""The main kernels and what a plain round of each executes."""
import collections
import csv
import glob
import os
import re

import sass
import sass_path

# Counts where no table of main kernels is given.
ANY_KERNEL = r"\b(attention_forward|backward_keys|backward_queries)<[^>]*>"

Kernel = collections.namedtuple("Kernel", "name function tile_flops warps")


class Count:
    """A kernel on an architecture: `way` is [(times, Instruction)], one round of one warp."""

    def __init__(self, kernel, arch, way):
        self.kernel, self.arch, self.way = kernel, arch, way
        self.instructions = sum(times for times, _ in way)
        self.hmma = self.of(r"HMMA")
        self.per_hmma = self.instructions / self.hmma

    def of(self, opcode):
        return sum(times for times, it in self.way if re.match(opcode, it.op))

    def classes(self):
        counts = collections.Counter()
        for times, it in self.way:
            counts[it.kind()] += times
        return [counts[name] for name in sass.CLASS_NAMES]


def read_table(path):
    """Rows of a table with tabs and a header, as dictionaries; lines that begin with # are remarks."""
    with open(path, encoding="utf-8") as file:
        return list(csv.DictReader((line for line in file if not line.startswith("#")), delimiter="\t"))


def read_kernels(path):
    """The table that main_kernels printed."""
    kernels = [Kernel(row["kernel"], row["function"], int(row["tile_flops"]), int(row["warps"]))
               for row in read_table(path)]
    names = collections.Counter(kernel.name for kernel in kernels)
    if twice := [name for name, count in names.items() if count > 1]:
        raise sass.Unreadable(f"several kernels are called {', '.join(twice)}")
    return kernels


def count(tools, objects, kernels=None):
    """Counts of the kernels in these objects or cubins, sorted; all that look like one where none are given."""
    named = {kernel.function: kernel for kernel in kernels or ()}
    wanted = r"\b(" + "|".join(map(re.escape, named)) + r")(?=\()" if named else ANY_KERNEL
    counts = []
    for path in objects:
        for (function, arch), code in sass.disassemble(tools, path, wanted).items():
            kernel = named.get(function) or Kernel(function, function, 0, 0)
            try:
                counts.append(Count(kernel, arch, sass_path.plain_round(sass.Graph(code)).way()))
            except sass.Unreadable as why:
                raise sass.Unreadable(f"{kernel.name} for {arch}: {why}") from why
    order = {kernel.name: i for i, kernel in enumerate(kernels or ())}
    counts.sort(key=lambda it: (order.get(it.kernel.name, 0), it.kernel.name, it.arch))
    found = {it.kernel.name for it in counts}
    if missing := [kernel.name for kernel in kernels or () if kernel.name not in found]:
        raise sass.Unreadable(f"no object has {', '.join(missing)}")
    return counts


def built_objects(build):
    """Those of the native build's CUDA library."""
    return sorted(glob.glob(os.path.join(build, "CMakeFiles/fovea_cuda.dir/cuda/*.cu.o")))
