#!/usr/bin/env python3
"""The machine's own ceilings: a matrix product by PyTorch, and what fovea_ceilings measures. Run alone, it makes the product
and prints a line in the form of fovea_ceilings (probe/ceilings.cu)."""

import json
import statistics

import cases

# The most a multiprocessor of compute capability 9.0 can do in a cycle, by the first word of a ceiling's name. Bytes and
# matrix products are the data sheet's; no instruction issues faster than four warps, one for each scheduler.
_MOST = {"mma": 4096, "wgmma": 4096, "ldmatrix": 128, "cp.async": 128, "ex2": 16, "ffma": 128, "iadd": 128, "issue": 128,
         "red": 32, "tma": 128}
_CAPABILITY = "9.0"
_SLACK = 1.01  # instructions under way when the clock is read
_PRODUCT = 8192
_WARM_UPS, _RUNS, _CHECKED_ROWS = 5, 20, 16


def figures(lines, gpu):
    """What is said of the lines that a program printed: rates, limits and whether to believe them."""
    device = next((line for line in lines if "device" in line), {})
    return [_figure(line, device, gpu) for line in lines if "ceiling" in line]


def _figure(line, device, gpu):
    said = {"ceiling": line["ceiling"], "ns": line["ns"]}
    if not line["right"]:
        return said | {"status": "failed", "reason": "wrong result"}
    total = line["amount"] * line["blocks"]
    said |= {"per_second": 1e9 * total / line["ns"], "unit": line["unit"]}
    most = limit(line, device, gpu)
    if line["cycles"] is None:
        rate = said["per_second"]
    else:
        rate = said["per_cycle"] = line["amount"] / line["cycles"]
        said["cycles"] = line["cycles"]
    if most is not None:
        said |= {"limit": most, "share": rate / most}
        if not 0 < rate <= _SLACK * most:
            return said | {"status": "refused", "reason": "more than the device can do: the measurement is wrong"}
    return said | {"status": "measured"}


def limit(line, device, gpu):
    """In units a cycle of a multiprocessor, or a second where the line has no cycles; None for a latency."""
    kind = line["ceiling"].partition("/")[0]
    if line["unit"] == "load":
        return None
    if kind == "memory":  # two transfers a cycle
        return 2 * 1e6 * gpu["clocks.max.mem"] * device["bus_bits"] / 8
    if kind == "product":
        return cases.limit_flops(str(gpu["compute_cap"]), line["multiprocessors"], gpu["clocks.max.sm"], "bf16")
    if kind == "mma" and line["ceiling"].endswith("tf32"):
        return _MOST[kind] / 2
    return _MOST[kind]


def judge(gpu, code, output, errors):
    """The status and the fields of a program's run."""
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    said = figures(lines, gpu)
    capability = str(gpu["compute_cap"])
    if code not in (0, None) and not said and capability != _CAPABILITY:
        return "unsupported", {"reason": f"the ceilings are of compute capability {_CAPABILITY}, the device has {capability}"}
    wrong = [figure["status"] for figure in said if figure["status"] != "measured"]
    if "failed" in wrong or code not in (0, None) or code == 0 and not said:
        status = "failed"
    elif code is None:
        status = "unfinished"
    else:
        status = "refused" if wrong else "measured"
    return status, {"ceilings": said}


def product():
    """bf16, random normal, since zeros draw less power and so run faster."""
    import torch

    a, b = (torch.randn(_PRODUCT, _PRODUCT, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    for _ in range(_WARM_UPS):
        c = a @ b
    milliseconds = []
    for _ in range(_RUNS):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        c = a @ b
        end.record()
        end.synchronize()
        milliseconds.append(start.elapsed_time(end))
    expected = a[:_CHECKED_ROWS].double() @ b.double()
    error = torch.linalg.vector_norm(c[:_CHECKED_ROWS].double() - expected) / torch.linalg.vector_norm(expected)
    properties = torch.cuda.get_device_properties(0)
    return {"ceiling": f"product/torch bf16 {_PRODUCT}^3", "unit": "FLOP", "amount": 2 * _PRODUCT**3, "blocks": 1,
            "cycles": None, "ns": 1e6 * statistics.median(milliseconds), "right": bool(error < 1e-2),
            "multiprocessors": properties.multi_processor_count}


if __name__ == "__main__":
    print(json.dumps(product()))
