"""Which attention problems are measured, in which order, what each is worth in floating-point operations, and the speeds
to reach."""

import dataclasses
import itertools

TOKENS = 16384  # of a batch, whatever its sequences' length
WIDTH = 2048  # heads * head_dim, or a little less where the head does not divide it
DIRECTIONS = ("fwd", "bwd")
OURS = "fovea"
DETERMINISTIC = "deterministic"  # ours too: a backward pass with the same bits on every run

# Dense 16-bit operations of the tensor cores per cycle and multiprocessor, with float32 sums, by compute capability.
_OPERATIONS_PER_CYCLE = {"8.0": 2048, "8.6": 1024, "8.9": 1024, "9.0": 4096, "10.0": 8192, "10.3": 8192, "12.0": 1024}


@dataclasses.dataclass(frozen=True)
class Problem:
    """Self-attention; f32 is exact float32, tf32 may round the factors of its products to TF32. The numbers of e4m3 have
    8 bits; its out has 16, as the peers' operands do, who are given the same numbers."""

    dtype: str
    head_dim: int
    length: int
    causal: bool
    group: int = 1  # query heads to a key head

    @property
    def heads(self):
        return WIDTH // self.head_dim

    @property
    def key_heads(self):
        return self.heads // self.group

    @property
    def batch(self):
        return TOKENS // self.length

    @property
    def name(self):
        group = f"/group{self.group}" if self.group > 1 else ""
        return f"{self.dtype}/d{self.head_dim}/s{self.length}/{'causal' if self.causal else 'full'}{group}"

    def case(self, direction):
        return f"{self.name}/{direction}"

    def sides(self, direction):
        """Who is timed: the peers first, so that we are compared with one that was found right."""
        if self.dtype in ("f32", "tf32"):
            peers = ("efficient", "math")
        elif self.dtype == "e4m3":
            peers = ("cudnn", "flash")
        else:
            peers = ("cudnn", "flash", "efficient")
        return (*peers, OURS) if direction == "fwd" else (*peers, DETERMINISTIC, OURS)

    def flops(self, direction):
        """Two products of every query with the keys it sees; the backward pass has five where the forward has two."""
        pairs = self.length * (self.length + 1) // 2 if self.causal else self.length**2
        forward = 2 * self.batch * self.heads * (self.head_dim + self.head_dim) * pairs
        return forward if direction == "fwd" else 2.5 * forward


def headline():
    """(problem, direction): the twelve that a reader asks for first."""
    return [(Problem("bf16", head_dim, 8192, causal), direction)
            for direction, head_dim, causal in itertools.product(DIRECTIONS, (128, 64, 256), (False, True))]


def rest():
    """All others; those that tell most come first, for a run that ends early."""
    masks = (False, True)
    lengths = (8192, 16384, 4096, 2048, 1024, 512)

    def grid(dtype, lengths, head_dims, group=1):
        return [Problem(dtype, head_dim, length, causal, group)
                for length, head_dim, causal in itertools.product(lengths, head_dims, masks)]

    every, common = (128, 64, 96, 256), (128, 64, 256)

    def directed(direction, *grids):
        return [(problem, direction) for problem in itertools.chain(*grids)]

    told = headline()
    return [case for case in (
        *directed("fwd", grid("bf16", lengths, every), grid("e4m3", (8192, 16384, 2048), (128, 64))),
        *directed("bwd", grid("bf16", lengths, common)),
        *directed("fwd", grid("bf16", (8192, 2048), (128, 64), group=4), grid("f32", (4096, 1024), (128, 64)),
                  grid("tf32", (4096, 1024), (128, 64)), grid("f16", lengths, every)),
        *directed("bwd", grid("f16", lengths, common)),
    ) if case not in told]


STAGES = {"headline": headline, "bench": rest}


def cases():
    return headline() + rest()


def limit_flops(compute_capability, multiprocessors, max_mhz, dtype):
    """What the device can do in a second at its highest clock; a figure above it is a mistake in the measurement."""
    if compute_capability not in _OPERATIONS_PER_CYCLE:
        raise SystemExit(f"no limit is known for compute capability {compute_capability}: add it to cases.py")
    # TF32 runs at half the rate. It also bounds exact float32, which can be made of several TF32 products.
    share = {"bf16": 1, "f16": 1, "e4m3": 2}.get(dtype, 0.5)
    return share * _OPERATIONS_PER_CYCLE[compute_capability] * multiprocessors * max_mhz * 1e6


TARGET_TFLOPS = (Problem("bf16", 128, 8192, False), 350)  # on H200
TARGET_RATIO = ("flash", 0.95, [Problem("bf16", head_dim, 8192, causal)
                                for head_dim in (64, 96, 128, 256) for causal in (False, True)])


def verdicts(lines):
    """A sentence for each target: what was asked, what was measured; `lines` are the results by case."""

    def sentence(problem, what, figure, least):
        verdict = "not measured" if figure is None else f"{figure:.2f}, {'met' if figure >= least else 'missed'}"
        return f"target {problem.name}: {what} {least:g} or more: {verdict}"

    def ours(problem):
        return lines.get(problem.case("fwd"), {})

    problem, least = TARGET_TFLOPS
    told = [sentence(problem, "TFLOP/s", ours(problem).get("sides", {}).get(OURS, {}).get("tflops"), least)]
    peer, least, problems = TARGET_RATIO
    return told + [sentence(problem, f"times {peer}", ours(problem).get("ratios", {}).get(peer), least)
                   for problem in problems]
