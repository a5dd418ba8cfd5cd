"""PyTorch of a Python environment as a side of `bench/run attention` and `backward`.

Reads requests from standard input, a line of JSON each, and answers each with one on standard output:

  {"pass": "forward", "causal": true, "dtype": "bfloat16", "tensors": {"query": {"file": ..., "shape": [B, H, S, D],
   "strides": [...]}, "key": ..., "value": ..., "dout": ...}}
                          a problem: chooses the faster kernel, answers {"kernel": "flash" or "plain"}
  {"run": 12}             so many times
  {"results": FILE}       writes them there, float32, each dense as [B, S, H, D], one behind the other
"""

import json
import sys
import time

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

KERNELS = {"flash": SDPBackend.FLASH_ATTENTION, "plain": SDPBackend.MATH}
TRIALS = 3  # of each kernel, of which the fastest says which is used: the first is slow


class Problem:
    """Operands in memory of PyTorch's own allocator, with the strides that they have in their files."""

    def __init__(self, request):
        self.causal = request["causal"]
        self.backward = request["pass"] == "backward"
        tensors = {name: load(it, request["dtype"]) for name, it in request["tensors"].items()}
        self.inputs = [tensors[name] for name in ("query", "key", "value")]
        self.dout = tensors.get("dout")
        for it in self.inputs:
            it.requires_grad_(self.backward)
        times = {kernel: self.seconds(kernel) for kernel in KERNELS}
        self.kernel = min(times, key=times.get)
        self.use(self.kernel)

    def seconds(self, kernel):
        self.use(kernel)
        best = float("inf")
        for _ in range(TRIALS):
            start = time.perf_counter()
            self.run()
            best = min(best, time.perf_counter() - start)
        return best

    def use(self, kernel):
        self.chosen = KERNELS[kernel]
        if self.backward:
            self.out = None  # not two graphs at once
            self.out = self.forward()

    def forward(self):
        with sdpa_kernel(self.chosen):
            return torch.nn.functional.scaled_dot_product_attention(*self.inputs, is_causal=self.causal)

    def run(self):
        """Of the backward pass, autograd alone, through a graph that is kept."""
        if self.backward:
            return torch.autograd.grad(self.out, self.inputs, self.dout, retain_graph=True)
        with torch.inference_mode():
            return (self.forward(),)

    def write(self, file):
        with open(file, "wb") as to:
            for result in self.run():
                to.write(result.detach().transpose(1, 2).float().contiguous().numpy().tobytes())


def load(tensor, dtype):
    """A copy: pages of a file are small ones."""
    elements = 1 + sum((n - 1) * stride for n, stride in zip(tensor["shape"], tensor["strides"]))
    flat = torch.from_file(tensor["file"], size=elements, dtype=getattr(torch, dtype))
    return flat.as_strided(tensor["shape"], tensor["strides"]).clone()


def main():
    torch.set_num_threads(int(sys.argv[1]))
    problem = None
    print(json.dumps({"version": torch.__version__, "capability": torch.backends.cpu.get_cpu_capability()}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        answer = {}
        if "run" in request:
            for _ in range(request["run"]):
                problem.run()
        elif "results" in request:
            problem.write(request["results"])
        else:
            problem = None
            problem = Problem(request)
            answer["kernel"] = problem.kernel
        print(json.dumps(answer), flush=True)


main()
