"""The GPU's clocks while something runs, sampled in the background through NVML: nvidia-smi takes as long to answer as a case
takes to run. Reads only."""

import contextlib
import ctypes
import functools
import statistics
import threading

_PERIOD = 0.05  # s
_SM, _MEMORY, _OF_THE_GPU = 1, 2, 0
# By what nvidia-smi calls it: NVML's function, its argument, and the unit's share of NVML's. MHz, MHz, W, C.
_QUANTITIES = {
    "clocks.sm": ("nvmlDeviceGetClockInfo", [_SM], 1),
    "clocks.mem": ("nvmlDeviceGetClockInfo", [_MEMORY], 1),
    "power.draw": ("nvmlDeviceGetPowerUsage", [], 1000),
    "temperature.gpu": ("nvmlDeviceGetTemperature", [_OF_THE_GPU], 1),
}


@contextlib.contextmanager
def sampled():
    """Gives a dict that has, once the block is over, the least, the median and the greatest of each quantity in it; it stays
    empty where there is no NVML."""
    said, samples, over = {}, {}, threading.Event()
    read = reader()

    def sample():
        while not over.wait(_PERIOD):
            for name, value in read().items():
                samples.setdefault(name, []).append(value)

    thread = threading.Thread(target=sample, daemon=True)
    if read is not None:
        thread.start()
    try:
        yield said
    finally:
        over.set()
        if read is not None:
            thread.join()
        said |= {name: [min(values), statistics.median(values), max(values)] for name, values in samples.items()}


@functools.cache
def reader():
    """A function that returns what the first GPU says now; None where there is no NVML."""
    try:
        nvml = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return None
    device = ctypes.c_void_p()
    if nvml.nvmlInit_v2() != 0 or nvml.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(device)) != 0:
        return None

    def read():
        said, value = {}, ctypes.c_uint()
        for name, (function, arguments, share) in _QUANTITIES.items():
            if getattr(nvml, function)(device, *arguments, ctypes.byref(value)) == 0:
                said[name] = value.value / share
        return said

    return read
