"""Which attention problems are measured, in which order, and what each is worth in floating-point operations."""

import dataclasses
import itertools

TOKENS = 16384  # of a batch, whatever its sequences' length
WIDTH = 2048  # heads * head_dim
BACKENDS = ("cudnn", "flash", "efficient")
DIRECTIONS = ("fwd", "bwd")

# Dense 16-bit operations of the tensor cores per cycle and multiprocessor, with float32 sums, by compute capability.
_OPERATIONS_PER_CYCLE = {"8.0": 2048, "8.6": 1024, "8.9": 1024, "9.0": 4096, "10.0": 8192, "10.3": 8192, "12.0": 1024}


@dataclasses.dataclass(frozen=True)
class Problem:
    dtype: str
    head_dim: int
    length: int
    causal: bool

    @property
    def heads(self):
        return WIDTH // self.head_dim

    @property
    def batch(self):
        return TOKENS // self.length

    @property
    def name(self):
        return f"{self.dtype}/d{self.head_dim}/s{self.length}/{'causal' if self.causal else 'full'}"

    def case(self, backend, direction):
        return f"{self.name}/{backend}/{direction}"

    def cases(self):
        return [self.case(backend, direction) for backend in BACKENDS for direction in DIRECTIONS]

    def flops(self, direction):
        """Two products of every query with the keys it sees; the backward pass has five where the forward has two."""
        pairs = self.length * (self.length + 1) // 2 if self.causal else self.length**2
        forward = 2 * self.batch * self.heads * (self.head_dim + self.head_dim) * pairs
        return forward if direction == "fwd" else 2.5 * forward


def problems():
    """Those that tell most come first, for a run that ends early."""
    return [
        Problem(dtype, head_dim, length, causal)
        for dtype, head_dim, length, causal in itertools.product(
            ("bf16", "f16"), (128, 64, 256), (8192, 16384, 4096, 2048, 1024, 512), (False, True))
    ]


def limit_flops(compute_capability, multiprocessors, max_mhz):
    """What the device can do in a second at its highest clock; a figure above it is a mistake in the measurement."""
    if compute_capability not in _OPERATIONS_PER_CYCLE:
        raise SystemExit(f"no limit is known for compute capability {compute_capability}: add it to cases.py")
    return _OPERATIONS_PER_CYCLE[compute_capability] * multiprocessors * max_mhz * 1e6
