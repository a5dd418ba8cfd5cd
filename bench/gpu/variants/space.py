"""Which variants of which kernels are tried: the one place to add a kernel or a tile. A tile's fields are those of its C++
struct, in its order, so that what is best can be written into the tile table as it is called here."""

import dataclasses
import itertools
from typing import Callable

HEAD_DIMS = (64, 128, 256)

# What an architecture's multiprocessor has: registers, bytes of shared memory, of which a block may have so many and takes
# some for itself, and warps.
REGISTERS, REGISTER_UNIT, MOST_REGISTERS = 65536, 8, 255
SHARED, BLOCK_SHARED, RESERVED = 228 << 10, 227 << 10, 1024
ARCHITECTURE = "90a"
# Fewer warps than two to each of four sub-partitions, and nothing runs while one waits.
LEAST_WARPS = 8
# Of a thread, beside its sums: addresses, operands, what a row remembers. With less the compiler has always spilled.
LEAST_FREE_REGISTERS = 24


@dataclasses.dataclass(frozen=True)
class Kernel:
    fields: tuple  # of its tile, as in its C++ struct
    tiles: dict  # by head dim: the values of each field
    sums: Callable  # of a tile and a head dim: the registers of a thread that hold sums and scores
    tile_flops: Callable  # of a tile and a head dim: what a block does in a round of its main loop
    main: str  # the kernel's function in the cubin, whose instructions are counted
    macro: str  # of variants.cuh: defines the functions


def _forward_sums(tile, head_dim):
    return tile["warp_rows"] // 16 * 4 * (head_dim // 8 // tile["shares"] + tile["keys"] // 8)


def _forward_flops(tile, head_dim):
    return 4 * tile["warps"] // tile["shares"] * tile["warp_rows"] * tile["keys"] * head_dim


def _keys_sums(tile, head_dim):
    return tile["warp_keys"] // 16 * 4 * 2 * (head_dim // 8 // tile["shares"] + tile["rows"] // 8)


def _keys_flops(tile, head_dim):
    return 10 * tile["warps"] // tile["shares"] * tile["warp_keys"] * tile["rows"] * head_dim


KERNELS = {
    "forward": Kernel(
        fields=("warps", "warp_rows", "keys", "slots", "shares", "blocks"),
        # Warps that share rows compute scores twice: no such tile came to four fifths of the baseline in the model.
        tiles={
            64: ((4, 8), (16, 32, 48), (32, 64, 96, 128), (2, 3, 4), (1,), (1, 2, 3)),
            128: ((4, 8), (16, 32), (32, 64, 96, 128), (2, 3, 4), (1,), (1, 2)),
            256: ((4, 8), (16,), (32, 64, 96), (2, 3, 4), (1,), (1, 2)),
        },
        sums=_forward_sums, tile_flops=_forward_flops, main="variant", macro="FOVEA_FORWARD_VARIANT"),
    "backward_keys": Kernel(
        fields=("warps", "warp_keys", "rows", "stages", "shares", "blocks"),
        tiles={
            64: ((4, 8), (16, 32), (16, 32, 64), (1, 2, 3), (1,), (1, 2, 3)),
            128: ((4, 8), (16, 32), (16, 32, 64), (1, 2, 3), (1, 2), (1, 2)),
            256: ((8, 16), (16,), (16, 32, 64), (1, 2), (1, 2, 4), (1, 2)),
        },
        sums=_keys_sums, tile_flops=_keys_flops, main="variant", macro="FOVEA_BACKWARD_KEYS_VARIANT"),
}


@dataclasses.dataclass(frozen=True)
class Variant:
    kind: str  # of KERNELS
    head_dim: int
    values: tuple  # of the kernel's fields

    @property
    def kernel(self):
        return KERNELS[self.kind]

    @property
    def tile(self):
        return dict(zip(self.kernel.fields, self.values))

    @property
    def name(self):
        return f"{self.kind}_d{self.head_dim}_" + "_".join(map(str, self.values))

    @property
    def tile_flops(self):
        return self.kernel.tile_flops(self.tile, self.head_dim)

    @property
    def source(self):
        """A C++ source that has it as `variant`, for nvcc and the simulator alike."""
        return f'#include "variants.cuh"\n{self.kernel.macro}(variant, {self.head_dim}, {", ".join(map(str, self.values))})\n'


def enumerated():
    return [Variant(kind, head_dim, values) for kind, kernel in KERNELS.items()
            for head_dim in HEAD_DIMS for values in itertools.product(*kernel.tiles[head_dim])]


def misfit(variant, shared_bytes):
    """Why a variant need not be compiled; None if it must."""
    tile = variant.tile
    threads, blocks = tile["warps"] * 32, tile["blocks"]
    if shared_bytes > BLOCK_SHARED:
        return "more shared memory than a block may have"
    if resident_by_shared(shared_bytes) < blocks:
        return "shared memory for fewer blocks"
    if tile["warps"] * blocks < LEAST_WARPS:
        return f"fewer than {LEAST_WARPS} warps"
    registers = min(MOST_REGISTERS, REGISTERS // (threads * blocks) // REGISTER_UNIT * REGISTER_UNIT)
    if variant.kernel.sums(tile, variant.head_dim) + LEAST_FREE_REGISTERS > registers:
        return "too few registers for the sums"
    return None


def resident_by_shared(shared_bytes):
    return SHARED // (shared_bytes + RESERVED)


def resident(threads, registers, shared_bytes):
    """Blocks that share a multiprocessor."""
    rounded = -(-registers // REGISTER_UNIT) * REGISTER_UNIT
    return min(REGISTERS // (threads * rounded), resident_by_shared(shared_bytes))
