#!/usr/bin/env python3
"""Times Fovea beside PyTorch's attention backends: the same tensors, the same stream, the same events, in turns.

Every output is checked before it is timed: against fp64 for two heads, and against the first side in full. Prints one
JSON line per case, with all sides and Fovea's ratio to each peer, and writes it to OUT/STAGE.jsonl; cases that are there
already are skipped.
"""

import argparse
import contextlib
import json
import os
import pathlib
import statistics
import sys
import threading
import time
import warnings
import zlib
from functools import partial

import abi
import cases
import clocks
import machine
from results import Budget, Results

RESTART = 75  # exit status: a CUDA error or a hung kernel has spoilt this process, the cases that are left need another one
LOST = "CUDA error"  # what PyTorch's words begin with then
DEVICE = "cuda"
SECONDS_PER_CASE = 5  # a case is not begun with less left
HUNG_SECONDS = 30  # ten times what a case takes, the first of a process included
ROUNDS = 5  # in each, every side has its turn; whose comes first changes
TURN_SECONDS = 0.04
PAUSE_SECONDS = 0.05  # between turns, so that none pays for the heat of the one before
RELATIVE_ERROR = {"bf16": 2e-2, "f16": 5e-3, "e4m3": 6e-2, "tf32": 2e-3, "f32": 1e-5}  # Frobenius; judges no rounding

torch = None  # imported once there is something to measure: it takes seconds, and --dry-run needs none of it


class Unavailable(Exception):
    """A side that cannot be measured: its status and the reason."""


class Bench:
    def __init__(self, results, sides):
        self._results = results
        self._sides = sides
        properties = torch.cuda.get_device_properties(0)
        self._device = (f"{properties.major}.{properties.minor}", properties.multi_processor_count,
                        machine.gpu()["clocks.max.sm"])

    def measure(self, problem, direction):
        with self._watched(problem.case(direction)):
            status, fields = self._measured(problem, direction)
        print(json.dumps(self._results.add(problem.case(direction), status, **fields)), flush=True)
        if any(LOST in side.get("reason", "") for side in fields["sides"].values()):
            sys.exit(RESTART)

    @contextlib.contextmanager
    def _watched(self, case):
        """A kernel that does not end keeps its process from ever going on: its case has failed, and the process is over."""

        def give_up():
            self._results.add(case, "failed", reason=f"not over after {HUNG_SECONDS} s")
            os._exit(RESTART)

        watch = threading.Timer(HUNG_SECONDS, give_up)
        watch.daemon = True
        watch.start()
        try:
            yield
        finally:
            watch.cancel()

    def _measured(self, problem, direction):
        """The status and the fields of a case."""
        # The products of PyTorch's plain float32 attention; its fused one is exact either way.
        torch.set_float32_matmul_precision("high" if problem.dtype == "tf32" else "highest")
        inputs = Inputs(problem)
        limit = cases.limit_flops(*self._device, problem.dtype) / 1e12
        said, ready = {}, {}
        for name in problem.sides(direction):
            if name in self._sides:
                try:
                    ready[name], said[name] = inputs.checked(name, self._sides[name], direction)
                except Unavailable as unavailable:
                    said[name] = dict(zip(("status", "reason"), unavailable.args))
        try:
            with clocks.sampled() as sampled:
                turns = attempt(partial(interleaved, ready))
        except Unavailable as unavailable:  # whoever it was: nothing of this case can be trusted
            turns = {}
            said |= {name: {"status": "failed", "reason": unavailable.args[1]} for name in ready}
        for name, times in turns.items():
            said[name] |= figures(times, problem.flops(direction) / 1e12, limit)
        # Ours decides where there is one: it is what is tested.
        status = said.get(cases.OURS, {}).get("status") or ("measured" if turns else "failed")
        return status, {"sides": said, "ratios": ratios(turns, said), "limit_tflops": limit, "clocks": sampled}


class Inputs:
    """Random q, k, v and the gradient of the output of one case, laid out [batch, length, heads, head_dim]."""

    def __init__(self, problem):
        self._problem = problem
        generator = torch.Generator(DEVICE).manual_seed(zlib.crc32(problem.name.encode()))
        dtype = {"bf16": torch.bfloat16, "f16": torch.float16, "e4m3": torch.bfloat16}.get(problem.dtype, torch.float32)

        def random(heads):
            shape = (problem.batch, problem.length, heads, problem.head_dim)
            numbers = torch.randn(shape, generator=generator, device=DEVICE, dtype=dtype)
            if problem.dtype == "e4m3":
                numbers = numbers.to(torch.float8_e4m3fn).to(dtype)
            return numbers.transpose(1, 2)

        self._operands = [random(heads) for heads in (problem.heads, problem.key_heads, problem.key_heads)]
        self._gradient = random(problem.heads)
        self._references = None
        self._first = None  # the first side with right results, and those

    def checked(self, name, side, direction):
        """What is to be timed, and what is said of it; raises Unavailable where there is no such thing."""
        operands = (*self._operands, self._gradient) if direction == "bwd" else self._operands
        make = side.forward if direction == "fwd" else side.backward
        with side.chosen():
            run = attempt(partial(make, self._problem, *operands))
            tensors = attempt(run)
        errors = {"error_fp64": max(self._errors(tensors, direction))}
        if self._first is not None:
            first_name, first_tensors = self._first
            errors["error_" + first_name] = max(map(relative_error, tensors, first_tensors))
        if not all(error <= RELATIVE_ERROR[self._problem.dtype] for error in errors.values()):  # nor is NaN
            raise Unavailable("failed", f"wrong result: {errors}")
        if self._first is None:
            self._first = (name, [tensor.clone() for tensor in tensors])
        kernel = {"kernel": run.kernel} if hasattr(run, "kernel") else {}
        return (side, run), {"status": "checked", **kernel, **errors}

    def _errors(self, tensors, direction):
        """Against fp64 in the first and the last head."""
        if self._references is None:
            self._references = [
                (head, reference(*(tensor[head] for tensor in (*self._operands, self._gradient)), self._problem.causal,
                                 direction)) for head in ((0, 0), (-1, -1))]
        for head, expected in self._references:
            yield from (relative_error(tensor[head], right) for tensor, right in zip(tensors, expected))


def attempt(run):
    """What `run` returns once the device is done with it; raises Unavailable with its words if it fails."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")  # they say why a backend does not take a case
        try:
            value = run()
            synchronize()
            return value
        except abi.Failure as failure:
            reason = f"{LOST}: {failure}" if failure.lost else str(failure)
            raise Unavailable("unsupported" if failure.unsupported else "failed", reason) from failure
        except RuntimeError as error:
            reason = " | ".join(str(text).splitlines()[0] for text in (error, *(w.message for w in caught)))
            unsupported = reason.startswith(("No available kernel", "No viable backend"))
            raise Unavailable("unsupported" if unsupported else "failed", reason) from error


def synchronize():
    torch.cuda.synchronize()


def reference(q, k, v, gradient, causal, direction):
    """One head's output, or its gradients, in fp64, in the plainest form there is."""
    q, k, v = (tensor.double().requires_grad_(direction == "bwd") for tensor in (q, k, v))
    scores = q @ k.T / q.shape[-1] ** 0.5
    if causal:
        unseen = torch.ones(scores.shape, dtype=torch.bool, device=scores.device).triu(1)
        scores = scores.masked_fill(unseen, float("-inf"))
    output = torch.softmax(scores, -1) @ v
    return [output] if direction == "fwd" else torch.autograd.grad(output, (q, k, v), gradient.double())


def relative_error(actual, expected):
    expected = expected.double()
    return (torch.linalg.vector_norm(actual.double() - expected) / torch.linalg.vector_norm(expected)).item()


def interleaved(ready):
    """By side, the milliseconds of its runs, a list for each round."""
    turns, counts, names = {name: [] for name in ready}, {}, list(ready)
    for number in range(ROUNDS if ready else 0):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            side, run = ready[name]
            time.sleep(PAUSE_SECONDS)
            with side.chosen():
                for _ in range(1 if counts.get(name) else 3):
                    run()
                if name not in counts:
                    counts[name] = int(min(100, max(3, 1000 * TURN_SECONDS / elapsed([event_pair(run)])[0])))
                turns[name].append(elapsed([event_pair(run) for _ in range(counts[name])]))
    return turns


def event_pair(run):
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    run()
    end.record()
    return start, end


def elapsed(pairs):
    synchronize()
    return [start.elapsed_time(end) for start, end in pairs]


def figures(rounds, tflop, limit):
    """What is said of a side's times."""
    every = [time for times in rounds for time in times]
    median = statistics.median(every)
    rate = tflop / (median * 1e-3)
    if rate > limit:
        return {"status": "refused", "reason": f"{rate:.0f} TFLOP/s are more than the device's limit of {limit:.0f}: "
                                               "the measurement is wrong"}
    return {"status": "measured", "ms": median, "ms_min": min(every), "ms_max": max(every), "runs": len(every),
            "rounds_ms": [statistics.median(times) for times in rounds], "tflops": rate}


def ratios(turns, said):
    """How many times as fast as each other side we are: the median over the rounds, each of which has its own clocks."""
    if said.get(cases.OURS, {}).get("status") != "measured":
        return {}
    ours = said[cases.OURS]["rounds_ms"]
    return {name: statistics.median(other / own for other, own in zip(said[name]["rounds_ms"], ours))
            for name in turns if name != cases.OURS and said[name]["status"] == "measured"}


def table(lines):
    """TFLOP/s by problem and side, and ours over each other; "-" where there is no figure, without rows that have none."""
    others = ("cudnn", "flash", "efficient", "math", cases.DETERMINISTIC)
    rows = [f"{'TFLOP/s':32}{cases.OURS:>10}" + "".join(f"{name:>14}     x" for name in others)]
    for problem, direction in cases.cases():
        line = lines.get(problem.case(direction), {})
        sides, over = line.get("sides", {}), line.get("ratios", {})
        if any("tflops" in side for side in sides.values()):
            figure = [sides.get(name, {}).get("tflops") for name in (cases.OURS, *others)]
            rows.append(f"{problem.case(direction):32}{_cell(figure[0], 10, 0)}" + "".join(
                _cell(value, 14, 0) + _cell(over.get(name), 6, 2) for name, value in zip(others, figure[1:])))
    return "\n".join(rows + cases.verdicts(lines))


def _cell(figure, width, digits):
    return f"{figure:{width}.{digits}f}" if figure else f"{'-':>{width}}"


def facts(library):
    return {**machine.describe(), "torch": torch.__version__, "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(), "library": library and library.info.build.decode()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stage", choices=cases.STAGES, default="bench", help="which cases (default bench)")
    parser.add_argument("--seconds", type=float, default=540, help="begin nothing that may end later (default 540)")
    parser.add_argument("--out", type=pathlib.Path, default=machine.HERE / "out", help="folder (default bench/gpu/out)")
    parser.add_argument("--library", type=pathlib.Path, help="libfovea_cuda.so; without it the peers alone are timed")
    parser.add_argument("--dry-run", action="store_true", help="list what is left to measure")
    options = parser.parse_args()

    budget = Budget(options.seconds)
    library = abi.Library(options.library) if options.library and not options.dry_run else None
    results = Results(options.out / f"{options.stage}.jsonl", machine.commit(), machine.card(), lambda: facts(library))
    left = [(problem, direction) for problem, direction in cases.STAGES[options.stage]()
            if problem.case(direction) not in results]
    if options.dry_run:
        for problem, direction in left:
            print(f"  {problem.case(direction)}: {' '.join(problem.sides(direction))}, "
                  f"{problem.flops(direction) / 1e12:.2f} TFLOP")
        return

    global torch
    import torch

    import peers

    if not torch.cuda.is_available():
        sys.exit("PyTorch sees no CUDA device")
    # Not the default stream: Fovea takes the one it is given, and nothing else orders the two.
    with torch.cuda.stream(torch.cuda.Stream()):
        bench = Bench(results, peers.sides(library))
        for problem, direction in left:
            if budget.left() < SECONDS_PER_CASE:
                break
            bench.measure(problem, direction)


if __name__ == "__main__":
    main()
