#!/usr/bin/env python3
"""Times PyTorch's fused attention backends, the peers that the kernels here are compared with.

Every output is checked before it is timed: against fp64 for two heads, and against the first backend in full. Prints one
JSON line per case and writes it to OUT/bench.jsonl; cases that are there already are skipped.
"""

import argparse
import json
import pathlib
import statistics
import sys
import time
import warnings
import zlib
from functools import partial

import cases
import machine
from results import Budget, Results

RESTART = 75  # exit status: a CUDA error has spoilt this process, the cases that are left need another one
DEVICE = "cuda"
SECONDS_PER_PROBLEM = 15  # a problem is not begun with less left
PAUSE_SECONDS = 0.3  # between cases, so that none pays for the heat of the one before
RELATIVE_ERROR = {"bf16": 2e-2, "f16": 5e-3}  # Frobenius; catches wrong results, and judges no rounding

torch = None  # imported once there is something to measure: it takes seconds, and --dry-run needs none of it


class Unavailable(Exception):
    """A case that cannot be measured: its status and the reason."""


class Peers:
    def __init__(self, results):
        self._results = results
        properties = torch.cuda.get_device_properties(0)
        self._limit_flops = cases.limit_flops(
            f"{properties.major}.{properties.minor}", properties.multi_processor_count,
            machine.gpu()["clocks.max.sm"])

    def measure(self, problem):
        inputs = Inputs(problem)
        for backend in cases.BACKENDS:
            for direction in cases.DIRECTIONS:
                case = problem.case(backend, direction)
                if case in self._results:
                    continue
                try:
                    run, errors = inputs.checked(backend, direction)
                    self._add(case, "measured", **self._time(run, problem.flops(direction)), **errors)
                except Unavailable as unavailable:
                    status, reason = unavailable.args
                    self._add(case, status, reason=reason)
                    if "CUDA error" in reason:
                        sys.exit(RESTART)

    def _time(self, run, flops):
        time.sleep(PAUSE_SECONDS)
        before = machine.clocks()
        milliseconds, after = attempt(partial(time_runs, run))
        median = statistics.median(milliseconds)
        rate = flops / (median * 1e-3)
        if rate > self._limit_flops:
            raise Unavailable("refused", f"{rate / 1e12:.0f} TFLOP/s are more than the device's limit of "
                                         f"{self._limit_flops / 1e12:.0f}: the measurement is wrong")
        return {"ms": median, "ms_min": min(milliseconds), "ms_max": max(milliseconds), "runs": len(milliseconds),
                "tflops": rate / 1e12, "limit_tflops": self._limit_flops / 1e12, "before": before, "after": after}

    def _add(self, case, status, **fields):
        print(json.dumps(self._results.add(case, status, **fields)), flush=True)


class Inputs:
    """Random q, k, v and the gradient of the output of one problem, laid out [batch, length, heads, head_dim]."""

    def __init__(self, problem):
        self._problem = problem
        generator = torch.Generator(DEVICE).manual_seed(zlib.crc32(problem.name.encode()))
        dtype = {"bf16": torch.bfloat16, "f16": torch.float16}[problem.dtype]
        shape = (problem.batch, problem.length, problem.heads, problem.head_dim)
        *self._operands, self._gradient = (
            torch.randn(shape, generator=generator, device=DEVICE, dtype=dtype).transpose(1, 2) for _ in range(4))
        self._leaves = [operand.detach().requires_grad_() for operand in self._operands]
        self._heads = [(0, 0), (-1, -1)]  # (batch, head): the first and the last
        self._references = [
            reference(*(tensor[head] for tensor in (*self._operands, self._gradient)), problem.causal)
            for head in self._heads]
        self._first = {}  # direction: the first backend with right results, and those

    def checked(self, backend, direction):
        """What is to be timed and the errors of its results; raises Unavailable where there is no such thing."""
        if direction == "fwd":
            run = partial(self._forward, backend, self._operands)
            tensors = [attempt(run)]
        else:
            output = attempt(partial(self._forward, backend, self._leaves))
            run = partial(torch.autograd.grad, output, self._leaves, self._gradient, retain_graph=True)
            tensors = attempt(run)

        errors = {"error_fp64": max(
            relative_error(tensor[head], expected)
            for head, references in zip(self._heads, self._references)
            for tensor, expected in zip(tensors, references[direction]))}
        if direction in self._first:
            first_backend, first_tensors = self._first[direction]
            errors["error_" + first_backend] = max(map(relative_error, tensors, first_tensors))
        if not all(error <= RELATIVE_ERROR[self._problem.dtype] for error in errors.values()):  # nor is NaN
            raise Unavailable("failed", f"wrong result: {errors}")
        self._first.setdefault(direction, (backend, tensors))
        return run, errors

    def _forward(self, backend, operands):
        from torch.nn.attention import SDPBackend, sdpa_kernel

        kernel = {"cudnn": SDPBackend.CUDNN_ATTENTION, "flash": SDPBackend.FLASH_ATTENTION,
                  "efficient": SDPBackend.EFFICIENT_ATTENTION}[backend]
        with sdpa_kernel(kernel):
            return torch.nn.functional.scaled_dot_product_attention(*operands, is_causal=self._problem.causal)


def attempt(run):
    """What `run` returns once the device is done with it; raises Unavailable with PyTorch's words if it fails."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")  # they say why a backend does not take a case
        try:
            value = run()
            torch.cuda.synchronize()
            return value
        except RuntimeError as error:
            reason = " | ".join(str(text).splitlines()[0] for text in (error, *(w.message for w in caught)))
            unsupported = reason.startswith(("No available kernel", "No viable backend"))
            raise Unavailable("unsupported" if unsupported else "failed", reason) from error


def reference(q, k, v, gradient, causal):
    """One head's output and gradients in fp64, in the plainest form there is."""
    q, k, v = (tensor.double().requires_grad_() for tensor in (q, k, v))
    scores = q @ k.T / q.shape[-1] ** 0.5
    if causal:
        unseen = torch.ones(scores.shape, dtype=torch.bool, device=scores.device).triu(1)
        scores = scores.masked_fill(unseen, float("-inf"))
    output = torch.softmax(scores, -1) @ v
    return {"fwd": [output.detach()], "bwd": torch.autograd.grad(output, (q, k, v), gradient.double())}


def relative_error(actual, expected):
    expected = expected.double()
    return (torch.linalg.vector_norm(actual.double() - expected) / torch.linalg.vector_norm(expected)).item()


def time_runs(run, seconds=0.3, fewest=10, most=200):
    """The milliseconds of each of many runs, and the clocks while the last of them were under way."""
    for _ in range(3):
        run()
    once = elapsed([event_pair(run)])[0]
    pairs = [event_pair(run) for _ in range(int(min(most, max(fewest, 1000 * seconds / once))))]
    clocks = machine.clocks()  # before waiting: the device still has work in its queue
    return elapsed(pairs), clocks


def event_pair(run):
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    run()
    end.record()
    return start, end


def elapsed(pairs):
    torch.cuda.synchronize()
    return [start.elapsed_time(end) for start, end in pairs]


def table(lines):
    """TFLOP/s by problem and case, "-" where there is no figure; problems without any are left out."""
    columns = [(backend, direction) for backend in cases.BACKENDS for direction in cases.DIRECTIONS]
    rows = [f"{'TFLOP/s':24}" + "".join(f"{backend:>10} {direction}" for backend, direction in columns)]
    for problem in cases.problems():
        figures = [lines.get(problem.case(*column), {}).get("tflops") for column in columns]
        if any(figures):
            rows.append(f"{problem.name:24}" + "".join(f"{figure:14.0f}" if figure else f"{'-':>14}" for figure in figures))
    return "\n".join(rows)


def facts():
    return {**machine.describe(), "torch": torch.__version__, "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=540, help="begin nothing that may end later (default 540)")
    parser.add_argument("--out", type=pathlib.Path, default=machine.HERE / "out", help="folder (default bench/gpu/out)")
    parser.add_argument("--dry-run", action="store_true", help="list what is left to measure")
    options = parser.parse_args()

    budget = Budget(options.seconds)
    results = Results(options.out / "bench.jsonl", machine.commit(), facts)
    left = [problem for problem in cases.problems() if any(case not in results for case in problem.cases())]
    if options.dry_run:
        for problem in left:
            print(f"{problem.name}: {' '.join(cases.BACKENDS)}, forward of {problem.flops('fwd') / 1e12:.2f} TFLOP")
        return

    global torch
    import torch

    if not torch.cuda.is_available():
        sys.exit("PyTorch sees no CUDA device")
    peers = Peers(results)
    for problem in left:
        if budget.left() < SECONDS_PER_PROBLEM:
            break
        peers.measure(problem)


if __name__ == "__main__":
    main()
