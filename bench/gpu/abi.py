"""The C ABI of native/include/fovea.h through ctypes: operations planned, prepared and run from Python."""

import ctypes
from ctypes import c_char, c_double, c_int32, c_int64, c_uint32, c_uint64, c_void_p

import operations

OK, UNSUPPORTED, DEVICE_LOST = 0, 2, 4
FLOAT32, FLOAT16, BFLOAT16, FLOAT8_E4M3 = 1, 2, 3, 6
# Of operands, by what problems are called; their products may round those of tf32.
DTYPES = {"f32": FLOAT32, "tf32": FLOAT32, "f16": FLOAT16, "bf16": BFLOAT16, "e4m3": FLOAT8_E4M3}
FORWARD, BACKWARD = 0, 1
PASSES = ("forward", "backward")  # a spec has the operands of each that its operation has
CPU = 1  # fovea_device_info.kind

_ERROR = c_char * 512


def _struct(name, *fields):
    return type(name, (ctypes.Structure,), {"_fields_": [("size", c_uint32), *fields]})


def _all(kind, *names):
    return [(name, kind) for name in names]


LibraryInfo = _struct(
    "fovea_library_info", ("abi_version", c_int32), ("backend", c_char * 16), ("version", c_char * 32),
    ("build", c_char * 160), ("error", _ERROR))

DeviceInfo = _struct(
    "fovea_device_info",
    *_all(c_int32, "kind", "index", "isa", "isa_available", "compute_capability", "multiprocessors", "reserved0"),
    *_all(c_int64, "shared_memory", "cache_bytes", "memory_bytes"), ("name", c_char * 128), ("error", _ERROR))

Plan = _struct(
    "fovea_plan",
    *_all(c_int32, "abi_version", "operation", "pass", "device_kind", "isa", "variant", "phases", "tile_queries",
          "tile_keys"),
    *_all(c_uint64, "needed", "allowed"), ("items", c_int64 * 6), *_all(c_int64, "workspace_bytes", "scratch_bytes", "section"),
    ("flops", c_double), ("kernel", c_char * 120), ("spec", c_int64 * 192), ("seal", c_uint64), ("error", _ERROR))

Call = _struct(
    "fovea_call", ("phase", c_int32), *_all(c_int64, "begin", "end"), ("dropout_seed", c_uint64),
    ("dropout_offset", c_uint32), ("reserved0", c_int32), ("error", _ERROR))

STRUCTS = (LibraryInfo, DeviceInfo, Plan, Call, *operations.ALL)
SPECS = {spec.number: spec for spec in operations.ALL}  # by fovea_plan.operation


class Failure(Exception):
    """A status other than FOVEA_OK, with the library's words."""

    def __init__(self, status, words):
        super().__init__(words)
        self.unsupported = status == UNSUPPORTED
        self.lost = status == DEVICE_LOST


def block(struct, **values):
    return struct(size=ctypes.sizeof(struct), **values)


class Library:
    """A backend library. Addresses are numbers; 0 is an operand that is not there."""

    def __init__(self, path):
        self._functions = ctypes.CDLL(str(path))
        for spec in operations.ALL:
            for which, name in enumerate(PASSES):
                if hasattr(spec, name):
                    self._run(spec, which).argtypes = [c_void_p] * (len(getattr(spec, name)) + 5)
        self.info = block(LibraryInfo)
        _check(self._functions.fovea_library_query(ctypes.byref(self.info)), self.info)

    def device(self, index=0):
        device = block(DeviceInfo)
        _check(self._functions.fovea_device_query(index, ctypes.byref(device)), device)
        return device

    def plan(self, spec, device):
        plan = block(Plan)
        function = getattr(self._functions, f"fovea_plan_{spec.operation}")
        _check(function(*map(ctypes.byref, (spec, device, plan))), plan)
        return plan

    def _run(self, spec, which):
        return getattr(self._functions, f"fovea_run_{spec.operation}{'_backward' if which == BACKWARD else ''}")

    def prepare(self, plan):
        _check(self._functions.fovea_prepare(ctypes.byref(plan)), plan)

    def runner(self, plan, operands, workspace=0, scratch=0, stream=0):
        """A function that runs all phases; what the addresses point to, by names of operands, must outlive it."""
        spec, which = SPECS[plan.operation], getattr(plan, "pass")
        function = self._run(spec, which)
        names = getattr(spec, PASSES[which])
        assert operands.keys() <= set(names), operands.keys() - set(names)
        addresses = [operands.get(name, 0) for name in names]
        calls = [block(Call, phase=phase, end=plan.items[phase]) for phase in range(plan.phases)]
        arguments = [(call, (ctypes.addressof(plan), ctypes.addressof(call), *addresses, workspace, scratch, stream))
                     for call in calls if call.end > 0]

        def run(_keep=plan):
            for call, values in arguments:
                if status := function(*values):
                    raise Failure(status, call.error.decode())

        return run


def _check(status, said):
    if status != OK:
        raise Failure(status, said.error.decode())
