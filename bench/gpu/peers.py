"""The sides of a comparison: PyTorch's attention backends, and Fovea through its C ABI, all on the same tensors."""

import contextlib

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

import abi
import cases

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

    def __init__(self, library):
        self._library = library
        self._device = library.device()

    def forward(self, problem, query, key, value):
        out = torch.full_like(query, float("nan"))  # the same strides
        plan = self._library.plan(spec(problem, query, key, value, out), self._device)
        self._library.prepare(plan)
        workspace, scratch = (torch.empty(max(bytes, 1), dtype=torch.uint8, device=query.device)
                              for bytes in (plan.workspace_bytes, plan.scratch_bytes))
        stream = torch.cuda.current_stream().cuda_stream if query.is_cuda else 0
        launch = self._library.runner(
            plan, *(tensor.data_ptr() for tensor in (query, key, value, out)),
            workspace.data_ptr() if plan.workspace_bytes else 0, scratch.data_ptr() if plan.scratch_bytes else 0, stream)
        keep = (query, key, value, workspace, scratch)

        def run():
            launch()
            return [out]

        run.keep = keep
        run.kernel = plan.kernel.decode()
        return run


def sides(library):
    """By name; a `library` that is None is left out."""
    all_peers = {name: Peer(kernel) for name, kernel in KERNELS.items()}
    return all_peers if library is None else all_peers | {cases.OURS: Ours(library)}


def spec(problem, query, key, value, out):
    """What fovea_plan_attention is asked; operands are views [batch, heads, length, head_dim]."""

    def strides(view):
        batch, head, position, _ = view.stride()
        return (batch, position, head)

    return abi.block(
        abi.AttentionSpec, dtype={"bf16": abi.BFLOAT16, "f16": abi.FLOAT16}.get(problem.dtype, abi.FLOAT32),
        causal=problem.causal, allow_tf32=problem.dtype == "tf32", batch=problem.batch, query_length=problem.length,
        key_length=problem.length, query_heads=problem.heads, key_heads=problem.key_heads, head_dim=problem.head_dim,
        value_head_dim=problem.head_dim, query_stride=strides(query), key_stride=strides(key),
        value_stride=strides(value), out_stride=strides(out))
