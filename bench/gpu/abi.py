"""The C ABI of native/include/fovea.h through ctypes: attention planned, prepared and run from Python."""

import ctypes
from ctypes import c_char, c_double, c_float, c_int32, c_int64, c_uint32, c_uint64, c_void_p

OK, UNSUPPORTED, DEVICE_LOST = 0, 2, 4
FLOAT32, FLOAT16, BFLOAT16 = 1, 2, 3
CPU = 1  # fovea_device_info.kind

_ERROR = c_char * 512
_THREE, _TWO = c_int64 * 3, c_int64 * 2
_OPTIONAL = (0,) * 7  # bias to key_lengths, none of which is there


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

AttentionSpec = _struct(
    "fovea_attention_spec",
    *_all(c_int32, "dtype", "out_dtype", "bias_dtype", "packed", "causal", "alignment", "has_window_left",
          "has_window_right", "has_scale", "has_alibi", "has_sinks", "has_query_lengths", "has_key_lengths", "has_lse",
          "has_weights"),
    *_all(c_float, "scale", "softcap", "dropout"), ("allow_tf32", c_int32),
    *_all(c_int64, "window_left", "window_right", "batch", "query_length", "key_length", "query_total", "key_total",
          "query_heads", "key_heads", "head_dim", "value_head_dim"),
    *_all(_THREE, "query_stride", "key_stride", "value_stride", "out_stride"), ("lse_stride", _TWO),
    *_all(_THREE, "bias_stride", "weights_stride"), ("alibi_stride", _TWO))

AttentionGradients = _struct(
    "fovea_attention_gradients",
    *_all(c_int32, "dtype", "deterministic", "accumulate", "has_dbias", "has_dalibi", "has_dsinks", "reserved0"),
    *_all(_THREE, "dout_stride", "dquery_stride", "dkey_stride", "dvalue_stride", "dbias_stride"),
    ("dalibi_stride", _TWO))

AttentionPlan = _struct(
    "fovea_attention_plan",
    *_all(c_int32, "abi_version", "device_kind", "isa", "tile_queries", "tile_keys", "phases", "variant"),
    ("items", c_int64 * 6), *_all(c_int64, "workspace_bytes", "scratch_bytes", "section"), ("flops", c_double),
    ("kernel", c_char * 64), ("spec", AttentionSpec), ("gradients", AttentionGradients), ("error", _ERROR),
    ("seal", c_uint64))

AttentionCall = _struct(
    "fovea_attention_call", ("phase", c_int32), *_all(c_int64, "begin", "end"), ("dropout_seed", c_uint64),
    ("dropout_offset", c_uint32), ("reserved0", c_int32), ("error", _ERROR))

STRUCTS = (LibraryInfo, DeviceInfo, AttentionSpec, AttentionGradients, AttentionPlan, AttentionCall)


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
        for name in ("library_query", "device_query", "plan_attention", "plan_attention_backward", "prepare_attention",
                     "run_attention", "run_attention_backward"):
            getattr(self._functions, f"fovea_{name}").restype = c_int32
        self._functions.fovea_run_attention.argtypes = [c_void_p] * 18
        self._functions.fovea_run_attention_backward.argtypes = [c_void_p] * 24
        self.info = block(LibraryInfo)
        _check(self._functions.fovea_library_query(ctypes.byref(self.info)), self.info)

    def device(self, index=0):
        device = block(DeviceInfo)
        _check(self._functions.fovea_device_query(index, ctypes.byref(device)), device)
        return device

    def plan(self, spec, device):
        return self._plan(self._functions.fovea_plan_attention, spec, device)

    def plan_backward(self, spec, gradients, device):
        return self._plan(self._functions.fovea_plan_attention_backward, spec, gradients, device)

    def _plan(self, function, *blocks):
        plan = block(AttentionPlan)
        _check(function(*map(ctypes.byref, (*blocks, plan))), plan)
        return plan

    def prepare(self, plan):
        _check(self._functions.fovea_prepare_attention(ctypes.byref(plan)), plan)

    def runner(self, plan, query, key, value, out, lse=0, **memory):
        """A function that runs all phases; what the addresses point to must outlive it. `memory` is what _runner takes."""
        operands = (query, key, value, *_OPTIONAL, out, lse, 0)
        return self._runner(self._functions.fovea_run_attention, plan, operands, **memory)

    def backward_runner(self, plan, dout, query, key, value, out, lse, dquery, dkey, dvalue, **memory):
        """The same of a backward pass."""
        operands = (dout, query, key, value, out, lse, *_OPTIONAL, dquery, dkey, dvalue, 0, 0, 0)
        return self._runner(self._functions.fovea_run_attention_backward, plan, operands, **memory)

    def _runner(self, function, plan, operands, workspace=0, scratch=0, stream=0):
        calls = [block(AttentionCall, phase=phase, end=plan.items[phase]) for phase in range(plan.phases)]
        arguments = [(call, (ctypes.addressof(plan), ctypes.addressof(call), *operands, workspace, scratch, stream))
                     for call in calls if call.end > 0]

        def run(_keep=plan):
            for call, values in arguments:
                if status := function(*values):
                    raise Failure(status, call.error.decode())

        return run


def _check(status, said):
    if status != OK:
        raise Failure(status, said.error.decode())
