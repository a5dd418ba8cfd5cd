"""Machine code of CUDA kernels, read as it executes: the instructions of one round of a main loop.

The round is the plain one, whose tile is whole, unmasked and aligned: of all ways through the loop that
do the most work, the one with the fewest instructions. Work is what a round is for (WORK); so blocks that
mask or copy in smaller pieces are left out, and copies, products and reductions are in. What the warp does
because any of its threads must is rare: rescaling, rows that see no key. A
predicated instruction counts: it takes its turn of the issue whether or not it writes.
"""
import collections
import os
import re
import subprocess
import sys
import tempfile

# What a round does, by opcode: products, copies into shared memory and stores to it, additions to global
# memory. By bytes, so that one of four sums is as much work as four of one. A load that is no copy is of a
# feature (a bias, a slope) which the plain round has none of, whatever is stored because of it.
WORK = [
    (r"(HG?|I)MMA\.", lambda op: 16),
    (r"LDGSTS|STS(\.64|\.128)?$", lambda op: 16 if ".128" in op else 8 if ".64" in op else 4),
    (r"REDG?\.", lambda op: 4 * int((re.search(r"x([24])\b", op) or "01")[1])),
    (r"LDG\.", lambda op: -16),
]
# What a reader can do about an instruction.
CLASSES = [
    ("product", r"(HG?|I)MMA|WARPGROUP"), ("ldmatrix", r"LDSM"), ("shared", r"LDS|STS|ATOMS"),
    ("copy", r"LDGSTS|LDGDEPBAR|DEPBAR"), ("global", r"LDG|STG|LD|ST|LDC|ULDC"), ("reduce", r"REDG?|ATOMG?"),
    ("mufu", r"MUFU"), ("float", r"FFMA|FMUL|FADD|HADD2|HMUL2|HFMA2|HMNMX2|FFMA32I"), ("max", r"FMNMX\d?|FSETP|FSEL"),
    ("convert", r"F2FP|F2F|F2I|I2F|I2FP|PRMT|UPRMT"), ("move", r"MOV|UMOV|CS2R|S2R|S2UR|R2UR|P2R|R2P"),
    ("integer", r"IMAD|IADD3|VIADD|LOP3|SHF|LEA|UIADD3|ULOP3|USHF|ULEA|UIMAD|IABS|IMNMX|VIMNMX|VIADDMNMX|POPC|FLO"),
    ("predicate", r"ISETP|SEL|PLOP3|UISETP|USEL|UPLOP3"), ("shuffle", r"SHFL|VOTE\w*|REDUX"),
    ("control", r"BRA|BSSY|BSYNC|BREAK|EXIT|CALL|RET|BRX|WARPSYNC|NOP|YIELD"), ("barrier", r"BAR|SYNCS"),
]
CLASSES = [(name, re.compile(rf"(?:{pattern})(?:\.|$)")) for name, pattern in CLASSES]
CLASS_NAMES = [name for name, _ in CLASSES] + ["other"]


class Unreadable(Exception):
    """The code has a shape that is not understood; nothing was counted."""


def find_disassembler():
    """The folder of cuobjdump and nvdisasm: of a CUDA toolkit or of the pip package triton. None without."""
    folders = os.environ.get("PATH", "").split(os.pathsep)
    folders += [os.path.join(os.environ.get("CUDA_HOME", "/usr/local/cuda"), "bin")]
    folders += [os.path.join(path, "triton/backends/nvidia/bin") for path in sys.path]
    for folder in folders:
        if all(os.access(os.path.join(folder, name), os.X_OK) for name in ("cuobjdump", "nvdisasm")):
            return folder
    return None


def _output(*command, cwd=None):
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=cwd).stdout


def disassemble(tools, path, wanted):
    """{(function, architecture): {address: Instruction}} of those kernels of an object or a cubin whose
    demangled name holds a match of the pattern `wanted`; `function` is that match."""
    with tempfile.TemporaryDirectory() as work:
        cubins = [os.path.abspath(path)]
        if not path.endswith(".cubin"):
            _output(os.path.join(tools, "cuobjdump"), "-xelf", "all", os.path.abspath(path), cwd=work)
            cubins = sorted(os.path.join(work, name) for name in os.listdir(work))
        kernels = {}
        for cubin in cubins:
            symbols = re.findall(r"^ *(\d+): .* FUNC +\w+ +\w+ .* (\S+)$", _output("readelf", "-sW", cubin), re.M)
            names = _output("c++filt", *(name for _, name in symbols)).splitlines() if symbols else []
            found = {}
            for (index, mangled), name in zip(symbols, names):
                if match := re.search(wanted, name):
                    found[mangled] = index, match[0]
            if found:
                text = _output(os.path.join(tools, "nvdisasm"), "-c", "-fun",
                               ",".join(index for index, _ in found.values()), cubin)
                for (mangled, arch), code in parse(text).items():
                    kernels[found[mangled][1], arch] = code
        return kernels


_NO_RESULT = re.compile(r"ST|RED|BAR|BRA|BRX|BSSY|BSYNC|LDGSTS|EXIT|DEPBAR|LDGDEPBAR|NOP|WARPSYNC|RET|CALL|BREAK|MEMBAR")
_ONLY_PREDICATES = re.compile(r"\w*SETP|U?PLOP3|FCHK")
PRODUCT = r"[HQ]G?MMA"  # of matrices, of 16 bits and TF32 or of 8
GROUP_PRODUCT = r"[HQ]GMMA"  # of a warpgroup

_WIDTHS = [(r"HMMA|LDSM\S*\.4|\S+\.128", 4), (r"CS2R(?!\.32)|U?IMAD\.WIDE|\S+\.64|LDSM\S*\.2", 2)]  # in registers


class Instruction:
    """One line of a disassembly: `guard` is its predicate ("" or "!P0"), `op` its opcode with modifiers,
    `targets` where a branch may go."""

    __slots__ = ("at", "text", "guard", "op", "operands", "targets")

    def __init__(self, at, text, labels):
        self.at, self.text = at, " ".join(text.split())
        self.guard, self.op, operands = re.fullmatch(r"(?:@(!?U?P\w+) )?(\S+) ?(.*)", self.text).groups("")
        self.operands = [x.strip().replace(".reuse", "") for x in operands.split(",")] if operands else []
        if self.op == "BRA.U" and not self.guard and len(self.operands) == 2:  # guarded, in other words
            self.guard = self.operands.pop(0)
        names = re.findall(r"`\(([^)]+)\)", operands)
        if table := re.search(r'BRANCH_TARGETS ([^"]*)"', operands):
            names = table[1].split(",")
        self.targets = [labels[name] for name in names if name in labels]

    def work(self):
        return next((of(self.op) for pattern, of in WORK if re.match(pattern, self.op)), 0)

    def results(self):
        """Registers and predicates that it may write."""
        if _NO_RESULT.match(self.op):
            return set()
        if self.op.startswith("R2P"):
            return {f"P{i}" for i in range(7)}
        found, rest = set(), list(self.operands)
        while rest and len(found) < 2 and re.fullmatch(r"U?P\w", rest[0]):
            found.add(rest.pop(0))
        register = re.match(r"(U?R)(\d+)", rest[0]) if rest and not _ONLY_PREDICATES.match(self.op) else None
        if register:
            width = next((width for pattern, width in _WIDTHS if re.match(pattern, self.op)), 1)
            found |= {f"{register[1]}{int(register[2]) + i}" for i in range(width)}
            if len(rest) > 1 and re.fullmatch(r"U?P\d", rest[1]):  # a carry
                found.add(rest[1])
        return found

    def kind(self):
        return next((name for name, pattern in CLASSES if pattern.match(self.op)), "other")


def parse(text):
    """What `nvdisasm -c` printed: {(mangled name, architecture): {address: Instruction}}."""
    arch, sections, labels, waiting = None, {}, {}, []
    for line in text.splitlines():
        if found := re.match(r"\s+/\*([0-9a-f]{4,})\*/\s+(.*?)\s*;\s*$", line):
            at = int(found[1], 16)
            for label in waiting:
                labels[label] = at
            waiting = []
            lines.append((at, found[2]))
        elif found := re.match(r"([.$\w]+):$", line):
            waiting.append(found[1])
        elif found := re.match(r"\s+\.target\s+(\w+)", line):
            arch = found[1]
        elif found := re.match(r"\s+\.section\s+\.text\.([^,]+),", line):
            lines = sections.setdefault((found[1], arch), [])
    return {key: {at: Instruction(at, it, labels) for at, it in lines} for key, lines in sections.items()}


class Graph:
    """Where control goes from each instruction of a kernel, calls taken as one step."""

    def __init__(self, code):
        self.code = code
        # Of warpgroups work is products and exponentials: what clears a tile, which is rare, would else be some.
        self.only_products = any(re.match(GROUP_PRODUCT, it.op) for it in code.values())
        self.reconvergence = {to for it in code.values() if it.op.startswith("BSSY") for to in it.targets}
        self.calls = {}  # the cheapest way through a subroutine, by its first address
        self.next = {}
        for at in sorted(code):
            if at not in self.next:
                self._follow(at)
        self.before = collections.defaultdict(list)
        for at, following in self.next.items():
            for to in following:
                self.before[to].append(at)

    def _follow(self, start):
        pending = [start]
        while pending:
            at = pending.pop()
            if at not in self.next and at in self.code:
                self.next[at] = self._successors(self.code[at])
                pending += self.next[at]

    def _successors(self, it):
        after = it.at + 16
        base = it.op.split(".")[0]
        guarded = it.guard not in ("", "PT", "UPT")
        if base in ("EXIT", "RET", "KILL"):
            return [after] if guarded else []
        if base in ("BRA", "JMP", "BRX", "JMX") or base == "CALL" and not self._is_subroutine(it.targets):
            if not it.targets:
                raise Unreadable(f"a branch to nowhere: {it.text}")
            conditional = guarded or len(it.operands) > 1 and base not in ("BRX", "JMX")
            return ([after] if conditional else []) + it.targets
        if base == "BSYNC" and after not in self.reconvergence:
            raise Unreadable(f"control does not go on after {it.at:x}: {it.text}")
        return [after] if after in self.code else []

    def _is_subroutine(self, targets):
        """ptxas also jumps out of loops by a call that never returns."""
        if len(targets) != 1:
            raise Unreadable("a call to where a register points")
        start = targets[0]
        if start not in self.calls:
            self.calls[start] = None  # of a recursion: a jump
            previous, pending, end = {start: None}, collections.deque([start]), None
            while pending:  # breadth first, so that the first way to a return is the shortest
                at = pending.popleft()
                if self.code[at].op.startswith("RET") and end is None:
                    end = at
                for to in self._successors(self.code[at]):
                    if to not in previous:
                        previous[to] = at
                        pending.append(to)
            way = []
            while end is not None:
                way.insert(0, self.code[end])
                end = previous[end]
            self.calls[start] = way or None
        return self.calls[start] is not None

    def work(self, step):
        if not self.only_products:
            return step.work()
        return 16 if re.match(GROUP_PRODUCT, step.op) else 4 if step.op.startswith("MUFU.EX2") else 0

    def close(self, at, to):
        """Takes an edge away."""
        self.next[at] = [other for other in self.next[at] if other != to]
        self.before[to].remove(at)

    def steps(self, at):
        """The instructions executed by a step: one, or those of a subroutine as well."""
        it = self.code[at]
        if it.op.startswith("CALL") and self.calls.get(it.targets[0]):
            return [it, *self.calls[it.targets[0]]]
        return [it]

    def writers(self, ends, name, outside=frozenset()):
        """Addresses of what may have written a register or predicate last, on the ways to `ends` that do not
        go through `outside`."""
        pending, seen, found = list(ends), set(outside), set()
        while pending:
            at = pending.pop()
            if at not in seen:
                seen.add(at)
                if any(name in step.results() for step in self.steps(at)):
                    found.add(at)
                else:
                    pending += self.before[at]
        return found


Loop = collections.namedtuple("Loop", "header body latches")


def find_loops(graph, entry=0):
    """Natural loops, inner ones before those that hold them."""
    state, backward = {entry: 1}, collections.defaultdict(set)
    stack = [(entry, iter(graph.next[entry]))]
    while stack:
        at, rest = stack[-1]
        for to in rest:
            if to not in state:
                state[to] = 1
                stack.append((to, iter(graph.next[to])))
                break
            if state[to] == 1:
                backward[to].add(at)
        else:
            state[at] = 2
            stack.pop()
    loops = []
    for header, latches in backward.items():
        body, pending = {header}, list(latches)
        while pending:
            at = pending.pop()
            if at not in body:
                body.add(at)
                pending += [b for b in graph.before[at] if b in state]
        loops.append(Loop(header, frozenset(body), frozenset(latches)))
    return sorted(loops, key=lambda loop: len(loop.body))


def main_loop(graph, loops):
    """The innermost of the loops with the most products that also bring or add something. What warpgroups multiply,
    other warps bring, and a loop around theirs has products before and behind it."""

    def count(loop, pattern):
        return sum(1 for at in loop.body if re.match(pattern, graph.code[at].op))

    loops = [l for l in loops if count(l, r"LDGSTS|RED|" + GROUP_PRODUCT)]
    groups = [l for l in loops if count(l, GROUP_PRODUCT)]
    loops = [l for l in groups if not any(other.body < l.body for other in groups)] or loops
    best = max(loops, key=lambda l: count(l, PRODUCT), default=None)
    if best is None or not count(best, PRODUCT):
        raise Unreadable("no loop has both matrix products and copies")
    return best
