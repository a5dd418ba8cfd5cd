"""The native programs: those of the bundle, or fresh ones where this machine cannot load those."""

import ctypes
import os

import machine
from process import execute
from results import Budget

TARGETS = ("fovea_cuda", "fovea_cuda_probe", "fovea_replay", "fovea_probe", "fovea_ceilings", "fovea_variants")
BUILD_SECONDS = 240


class Natives:
    """A folder as CMake lays it out: libraries in lib/, programs in bin/."""

    def __init__(self, folder):
        self.folder = folder
        self.libraries = folder / "lib"
        self.library = self.libraries / "libfovea_cuda.so"
        self.probes = self.libraries / "libfovea_cuda_probe.so"
        self.replay = folder / "bin/fovea_replay"
        self.probe = folder / "bin/fovea_probe"
        self.ceilings = folder / "bin/fovea_ceilings"
        self.variants = folder / "bin/fovea_variants"

    def files(self):
        """All that every run needs."""
        return [self.library, self.probes, self.replay, self.probe, self.ceilings, self.variants]

    def load_failure(self):
        """Why this machine cannot use them; None if it can."""
        for library in (self.library, self.probes):
            try:
                ctypes.CDLL(str(library))
            except OSError as error:
                return str(error)
        for program in (self.replay, self.probe, self.ceilings, self.variants):
            code, output, errors = execute(["ldd", str(program)], 10)
            if code != 0 or "not found" in output + errors:
                return f"{program}: {(output + errors).strip()}"
        return None


def build(folder):
    """Builds them with this machine's compilers for its GPU, and takes what they make of the sources: warnings and spills
    are no reason to end without a library."""
    if machine.find("nvcc") is None:
        raise SystemExit("nvcc is neither on the PATH nor in /usr/local/cuda/bin: the native programs cannot be built")
    capability = (machine.gpu() or {}).get("compute_cap", 9.0)
    architecture = "90a-real" if capability == 9.0 else f"{capability * 10:.0f}-real"
    budget = Budget(BUILD_SECONDS)
    for command in (["cmake", "-S", str(machine.ROOT / "native"), "-B", str(folder), "-DCMAKE_BUILD_TYPE=Release",
                     "-DFOVEA_STRICT=OFF", f"-DFOVEA_CUDA_ARCHS={architecture}"],
                    ["cmake", "--build", str(folder), "--parallel", str(os.cpu_count()), "--target", *TARGETS]):
        code, output, errors = execute(command, budget.left())
        if code != 0:
            how = f"not over after {BUILD_SECONDS} s" if code is None else output + errors
            raise SystemExit(f"{' '.join(command)}\n{how}")
    return Natives(folder)


def let_run(bundle):
    """Marks a bundle's native programs as such: a copy may have lost that. The archive of the Java runtime keeps modes."""
    for program in bundle.glob("native/bin/*"):
        program.chmod(program.stat().st_mode | 0o111)
