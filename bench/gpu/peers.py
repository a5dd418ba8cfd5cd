"""The sides of a comparison: PyTorch's attention backends, and Fovea through its C ABI, all on the same tensors."""

import contextlib

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

import abi
import cases
import operations

KERNELS = {"cudnn": SDPBackend.CUDNN_ATTENTION, "flash": SDPBackend.FLASH_ATTENTION,
           "efficient": SDPBackend.EFFICIENT_ATTENTION, "math": SDPBackend.MATH}


class Peer:
    """A backend of PyTorch's scaled dot-product attention."""

    def __init__(self, kernel):
        self.chosen = lambda: sdpa_kernel(kernel)

    def forward(self, problem, query, key, value):
        """A function that returns [out]; runs within `chosen`."""
        return lambda: [torch.nn.functional.scaled_dot_product_attention(
            query, key, value, is_causal=problem.causal, enable_gqa=problem.group > 1)]

    def backward(self, problem, query, key, value, gradient):
        """A function that returns [dq, dk, dv]."""
        leaves = [operand.detach().requires_grad_() for operand in (query, key, value)]
        (out,) = self.forward(problem, *leaves)()
        return lambda: torch.autograd.grad(out, leaves, gradient, retain_graph=True)


class Ours:
    """libfovea_cuda on PyTorch's memory and current stream."""

    chosen = contextlib.nullcontext

    def __init__(self, library, deterministic=False):
        self._library = library
        self._device = library.device()
        self._deterministic = deterministic

    def forward(self, problem, query, key, value):
        out = _unwritten(query)
        if problem.dtype == "e4m3":  # of which these numbers are
            query, key, value = (operand.to(torch.float8_e4m3fn) for operand in (query, key, value))
        plan = self._library.plan(spec(problem, query, key, value, out), self._device)
        return self._run(plan, {"query": query, "key": key, "value": value}, {"out": out})

    def backward(self, problem, query, key, value, gradient):
        """From our own out and log-sum-exp, made here."""
        out = _unwritten(query)
        lse = torch.full(query.shape[:3], float("nan"), dtype=torch.float32, device=query.device)
        asked = spec(problem, query, key, value, out)
        asked.has_lse, asked.lse_stride = True, lse.stride()[:2]
        forward = self._library.plan(asked, self._device)
        inputs = {"query": query, "key": key, "value": value}
        self._run(forward, inputs, {"out": out, "lse": lse})()
        inputs |= {"dout": gradient, "out": out, "lse": lse}
        results = {name: _unwritten(of) for name, of in (("dquery", query), ("dkey", key), ("dvalue", value))}
        for name, view in (("dout", gradient), *results.items()):
            setattr(asked, f"{name}_stride", _strides(view))
        setattr(asked, "pass", abi.BACKWARD)
        asked.deterministic = self._deterministic
        return self._run(self._library.plan(asked, self._device), inputs, results)

    def _run(self, plan, inputs, results):
        """A function that runs the plan and returns the results; operands are by name."""
        self._library.prepare(plan)
        written = tuple(results.values())
        device = written[0].device
        workspace, scratch = (torch.empty(max(bytes, 1), dtype=torch.uint8, device=device)
                              for bytes in (plan.workspace_bytes, plan.scratch_bytes))
        launch = self._library.runner(
            plan, {name: tensor.data_ptr() for name, tensor in (inputs | results).items()},
            workspace=workspace.data_ptr() if plan.workspace_bytes else 0,
            scratch=scratch.data_ptr() if plan.scratch_bytes else 0,
            stream=torch.cuda.current_stream().cuda_stream if written[0].is_cuda else 0)

        def run():
            launch()
            return written

        run.keep = (inputs, workspace, scratch)
        run.kernel = plan.kernel.decode()
        return run


def sides(library):
    """By name; a `library` that is None is left out."""
    all_peers = {name: Peer(kernel) for name, kernel in KERNELS.items()}
    ours = {cases.OURS: Ours(library), cases.DETERMINISTIC: Ours(library, deterministic=True)} if library else {}
    return all_peers | ours


def spec(problem, query, key, value, out):
    """What fovea_plan_attention is asked; operands are views [batch, heads, length, head_dim]."""
    return abi.block(
        operations.AttentionSpec, dtype=abi.DTYPES[problem.dtype], out_dtype=abi.BFLOAT16 if problem.dtype == "e4m3" else 0,
        causal=problem.causal, allow_tf32=problem.dtype == "tf32", batch=problem.batch, query_length=problem.length,
        key_length=problem.length, query_heads=problem.heads, key_heads=problem.key_heads, head_dim=problem.head_dim,
        value_head_dim=problem.head_dim, query_stride=_strides(query), key_stride=_strides(key),
        value_stride=_strides(value), out_stride=_strides(out))


def _strides(view):
    """Of batch, position and head."""
    batch, head, position, _ = view.stride()
    return (batch, position, head)


def _unwritten(like):
    """NaN in the same strides: what a kernel leaves out is seen."""
    return torch.full_like(like, float("nan"))
