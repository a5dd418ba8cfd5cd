"""Which variants of which kernels are tried: the one place to add a kernel or a tile. A tile's fields are those of its C++
struct, in its order, so that what is best can be written into the tile table as it is called here."""

import dataclasses
import itertools
from operator import itemgetter
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
# Of a warp, rows of out on their way to memory: kStagedBytes.
STAGED_BYTES = 4096


@dataclasses.dataclass(frozen=True)
class Kernel:
    fields: tuple  # of its tile, as in its C++ struct
    tiles: dict  # by head dim: those that are tried
    warps: Callable  # of a tile: those of a block that multiply
    blocks: Callable  # of a tile: those that are to share a multiprocessor
    registers: Callable  # of a tile: what a thread that multiplies may have
    sums: Callable  # of a tile and a head dim: the registers of a thread that hold sums and scores
    tile_flops: Callable  # of a tile and a head dim: what a block does in a round of its main loop
    misfit: Callable  # of a tile and its bytes of shared memory: why else it need not be compiled, or None
    main: str  # the kernel's function in the cubin, whose instructions are counted
    macro: str  # of variants.cuh: defines the functions


def _product(*choices):
    """All tiles of these values of each field."""
    return tuple(itertools.product(*choices))


def _shared_out_registers(tile):
    return min(MOST_REGISTERS, REGISTERS // (tile["warps"] * 32 * tile["blocks"]) // REGISTER_UNIT * REGISTER_UNIT)


def _forward_sums(tile, head_dim):
    return tile["warp_rows"] // 16 * 4 * (head_dim // 8 // tile["shares"] + tile["keys"] // 8)


def _forward_flops(tile, head_dim):
    return 4 * tile["warps"] // tile["shares"] * tile["warp_rows"] * tile["keys"] * head_dim


def _keys_sums(tile, head_dim):
    return tile["warp_keys"] // 16 * 4 * 2 * (head_dim // 8 // tile["shares"] + tile["rows"] // 8)


def _keys_flops(tile, head_dim):
    return 10 * tile["warps"] // tile["shares"] * tile["warp_keys"] * tile["rows"] * head_dim


# Of a thread of the producer's warpgroup and of one of the consumers', by the number of those.
WARPGROUP_REGISTERS = {2: (24, 240), 3: (32, 160)}


def _warpgroup_tiles(keys, held, out_over_queries=(0, 1)):
    return tuple((consumers, *sizes, *registers, *places) for consumers, registers in WARPGROUP_REGISTERS.items()
                 for *sizes, places in _product(keys, (2, 3), _product(held, out_over_queries)))


def _warpgroup_warps(tile):
    return 4 * tile["consumers"]


def _warpgroup_sums(tile, head_dim):
    return head_dim // 2 + 4 * tile["held"] + tile["keys"] // 2 + tile["keys"] // 4


def _warpgroup_flops(tile, head_dim):
    return 4 * 64 * tile["consumers"] * tile["keys"] * head_dim


def _warpgroup_misfit(tile, shared_bytes):
    if 128 * (tile["producer_registers"] + tile["consumers"] * tile["consumer_registers"]) > REGISTERS:
        return "more registers than a multiprocessor has"
    if tile["out_over_queries"] and shared_bytes + _warpgroup_warps(tile) * STAGED_BYTES <= BLOCK_SHARED:
        return "room for rows of out of their own"
    return None


_MMA = dict(warps=itemgetter("warps"), blocks=itemgetter("blocks"), registers=_shared_out_registers,
            misfit=lambda tile, shared_bytes: None, main="variant")

KERNELS = {
    "forward": Kernel(
        fields=("warps", "warp_rows", "keys", "slots", "shares", "blocks"),
        # Warps that share rows compute scores twice: no such tile came to four fifths of the baseline in the model.
        tiles={
            64: _product((4, 8), (16, 32, 48), (32, 64, 96, 128), (2, 3, 4), (1,), (1, 2, 3)),
            128: _product((4, 8), (16, 32), (32, 64, 96, 128), (2, 3, 4), (1,), (1, 2)),
            256: _product((4, 8), (16,), (32, 64, 96), (2, 3, 4), (1,), (1, 2)),
        },
        sums=_forward_sums, tile_flops=_forward_flops, macro="FOVEA_FORWARD_VARIANT", **_MMA),
    "backward_keys": Kernel(
        fields=("warps", "warp_keys", "rows", "stages", "shares", "blocks"),
        tiles={
            64: _product((4, 8), (16, 32), (16, 32, 64), (1, 2, 3), (1,), (1, 2, 3)),
            128: _product((4, 8), (16, 32), (16, 32, 64), (1, 2, 3), (1, 2), (1, 2)),
            256: _product((8, 16), (16,), (16, 32, 64), (1, 2), (1, 2, 4), (1, 2)),
        },
        sums=_keys_sums, tile_flops=_keys_flops, macro="FOVEA_BACKWARD_KEYS_VARIANT", **_MMA),
    "warpgroup_forward": Kernel(
        fields=("consumers", "keys", "stages", "producer_registers", "consumer_registers", "held", "out_over_queries"),
        tiles={
            64: _warpgroup_tiles(range(64, 257, 16), (0, 4), (0,)),  # rows of out are more than queries
            128: _warpgroup_tiles(range(64, 193, 16), (0, 4, 8)),
            256: _warpgroup_tiles(range(32, 97, 16), (0, 4, 6)),
        },
        warps=_warpgroup_warps, blocks=lambda tile: 1, registers=itemgetter("consumer_registers"),
        sums=_warpgroup_sums, tile_flops=_warpgroup_flops, misfit=_warpgroup_misfit, main="variant",
        macro="FOVEA_WARPGROUP_VARIANT"),
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
    def warps(self):
        return self.kernel.warps(self.tile)

    @property
    def blocks(self):
        return self.kernel.blocks(self.tile)

    @property
    def tile_flops(self):
        return self.kernel.tile_flops(self.tile, self.head_dim)

    @property
    def source(self):
        """A C++ source that has it as `variant`, for nvcc and the simulator alike."""
        return f'#include "variants.cuh"\n{self.kernel.macro}(variant, {self.head_dim}, {", ".join(map(str, self.values))})\n'


def enumerated():
    return [Variant(kind, head_dim, values) for kind, kernel in KERNELS.items()
            for head_dim in HEAD_DIMS for values in kernel.tiles[head_dim]]


def misfit(variant, shared_bytes):
    """Why a variant need not be compiled; None if it must."""
    kernel, tile = variant.kernel, variant.tile
    if shared_bytes > BLOCK_SHARED:
        return "more shared memory than a block may have"
    if resident_by_shared(shared_bytes) < variant.blocks:
        return "shared memory for fewer blocks"
    if variant.warps * variant.blocks < LEAST_WARPS:
        return f"fewer than {LEAST_WARPS} warps"
    if kernel.sums(tile, variant.head_dim) + LEAST_FREE_REGISTERS > kernel.registers(tile):
        return "too few registers for the sums"
    return kernel.misfit(tile, shared_bytes)


def resident_by_shared(shared_bytes):
    return SHARED // (shared_bytes + RESERVED)


def resident(threads, registers, shared_bytes):
    """Blocks that share a multiprocessor."""
    rounded = -(-registers // REGISTER_UNIT) * REGISTER_UNIT
    return min(REGISTERS // (threads * rounded), resident_by_shared(shared_bytes))
