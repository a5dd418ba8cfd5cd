"""The native programs: those of the bundle, or fresh ones where this machine cannot load those."""

import ctypes
import os
import subprocess

import machine

TARGETS = ("fovea_cuda", "fovea_cuda_probe", "fovea_replay", "fovea_probe")


class Natives:
    """A folder as CMake lays it out: libraries in lib/, programs in bin/."""

    def __init__(self, folder):
        self.folder = folder
        self.libraries = folder / "lib"
        self.library = self.libraries / "libfovea_cuda.so"
        self.probes = self.libraries / "libfovea_cuda_probe.so"
        self.replay = folder / "bin/fovea_replay"
        self.probe = folder / "bin/fovea_probe"

    def files(self):
        return [self.library, self.probes, self.replay, self.probe]

    def load_failure(self):
        """Why this machine cannot use them; None if it can."""
        for library in (self.library, self.probes):
            try:
                ctypes.CDLL(str(library))
            except OSError as error:
                return str(error)
        for program in (self.replay, self.probe):
            done = _run("ldd", str(program))
            if done.returncode != 0 or "not found" in done.stdout + done.stderr:
                return f"{program}: {(done.stdout + done.stderr).strip()}"
        return None


def build(folder):
    """Builds them with this machine's nvcc."""
    if machine.find("nvcc") is None:
        raise SystemExit("nvcc is neither on the PATH nor in /usr/local/cuda/bin: the native programs cannot be built")
    for command in (["cmake", "-S", str(machine.ROOT / "native"), "-B", str(folder), "-DCMAKE_BUILD_TYPE=Release"],
                    ["cmake", "--build", str(folder), "--parallel", str(os.cpu_count()), "--target", *TARGETS]):
        done = _run(*command)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return Natives(folder)


def _run(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        return subprocess.CompletedProcess(command, 127, "", str(error))
