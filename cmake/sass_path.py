"""The way of a plain round through a loop of machine code, and how often it goes round inner loops."""
import collections
import re

from sass import Unreadable, find_loops, main_loop

MOST_TRIPS = 4096  # of an inner loop; more are a counter that was misread


class Solved:
    """The best way through one loop: from its header to each of its instructions, and all the way round.

    Inner loops are passed as single steps: all their rounds but the last whole, the last up to where it is
    left."""

    def __init__(self, graph, loop, loops):
        self.graph, self.loop = graph, loop
        inside = [l for l in loops if l.header != loop.header and l.body < loop.body]
        outermost = [l for l in inside if not any(l.body < other.body for other in inside)]
        self.inner = {l.header: Solved(graph, l, inside) for l in outermost}
        self._owner = {at: l.header for l in outermost for at in l.body}
        self._reach = {}  # (work, -instructions, where this step was entered from)
        for at in self._order():
            self._enter(at)
        self.latch = max((at for at in loop.latches if at in self._reach), key=lambda at: self._reach[at][:2])
        self.work, cost, _ = self._reach[self.latch]
        self.instructions = -cost
        self.trips = None  # of one entry; the owner of the loop asks for them

    def _steps_out(self, node):
        """Edges that leave a step and stay in the loop, but for those that close the round."""
        for at in self.inner[node].loop.body if node in self.inner else (node,):
            for to in self.graph.next[at]:
                if to in self.loop.body and to != self.loop.header and self._owner.get(to, to) != node:
                    yield at, to

    def _order(self):
        done, order = set(), []
        first = self._owner.get(self.loop.header, self.loop.header)
        stack = [(first, iter([to for _, to in self._steps_out(first)]))]
        open_nodes = {first}
        while stack:
            node, rest = stack[-1]
            for to in rest:
                to_node = self._owner.get(to, to)
                if to_node != to:
                    raise Unreadable(f"the loop at {to_node:x} is entered at {to:x} as well")
                if to in open_nodes:
                    raise Unreadable(f"the loop at {self.loop.header:x} has a cycle that is no loop, at {to:x}")
                if to not in done:
                    done.add(to)
                    open_nodes.add(to)
                    stack.append((to, iter([t for _, t in self._steps_out(to)])))
                    break
            else:
                order.append(node)
                open_nodes.discard(node)
                stack.pop()
        return reversed(order)

    def _enter(self, node):
        """Values of the step `node`, whose predecessors all have theirs, and offers to its successors."""
        work, cost, origin = self._reach.pop(node, (0, 0, None))
        if node in self.inner:
            inner = self.inner[node]
            inner.trips = trip_count(self.graph, inner)
            more = (inner.trips or 1) - 1
            work, cost = work + more * inner.work, cost - more * inner.instructions
            leaving = {at for at, _ in self._steps_out(node)} | (self.loop.latches & inner.loop.body)
            for at in leaving:
                if at in inner._reach:
                    w, c, _ = inner._reach[at]
                    self._reach[at] = (work + w, cost + c, origin)
        else:
            steps = self.graph.steps(node)
            self._reach[node] = (work + sum(s.work() for s in steps), cost - len(steps), origin)
        for at, to in self._steps_out(node):
            if at in self._reach:
                w, c, _ = self._reach[at]
                if to not in self._reach or self._reach[to][:2] < (w, c):
                    self._reach[to] = (w, c, at)

    def way(self, end=None):
        """[(times, Instruction)] from the header to `end`, in the order of the first execution."""
        end = self.latch if end is None else end
        pieces = []
        while end is not None:
            node = self._owner.get(end, end)
            if node in self.inner:
                inner = self.inner[node]
                if inner.trips is None:
                    raise Unreadable(f"no constant says how often the loop at {node:x} goes round")
                last = inner.way(end)
                rounds = [(times * (inner.trips - 1), it) for times, it in inner.way()]
                pieces.append(_merge(rounds, last))
            else:
                pieces.append([(1, it) for it in self.graph.steps(node)])
            end = self._reach[end][2]
        return [step for piece in reversed(pieces) for step in piece]


def _merge(rounds, last):
    times = collections.Counter()
    order = {}
    for count, it in rounds + last:
        times[it.at] += count
        order.setdefault(it.at, it)
    return [(times[at], it) for at, it in order.items() if times[at]]


def plain_round(graph):
    """The Solved main loop of a kernel."""
    loops = find_loops(graph)
    loop = main_loop(graph, loops)
    for at in loop.body:
        if skip := _skips_an_absent_row(graph, at):
            graph.close(at, skip)
    return Solved(graph, loop, loops)


def _skips_an_absent_row(graph, at):
    """Where a branch goes that a row which does not exist takes around the computation of its address: the
    comparison makes zero of what is copied (SEL x, RZ) behind. The shortest way would copy nothing."""
    it = graph.code[at]
    if not it.op.startswith("BRA") or not it.guard or len(it.targets) != 1 or it.targets[0] < at:
        return None
    skip = it.targets[0]
    condition = _comparison(graph, at, it.guard)
    pending, seen = [(skip, frozenset())], set()  # and what was written on the way
    while pending:
        after, written = pending.pop()
        it = graph.code[after]
        if after in seen or it.work() or it.op.startswith("BAR"):
            continue
        seen.add(after)
        if it.op == "SEL" and "RZ" in it.operands[1:3]:
            absent = it.operands[3] if it.operands[1] == "RZ" else _not(it.operands[3])
            now = after if absent.lstrip("!") in written else at
            if condition and condition == _comparison(graph, now, absent):
                return skip
        pending += [(to, written | results(it)) for to in graph.next[after]]
    return None


def _not(predicate):
    return predicate[1:] if predicate.startswith("!") else "!" + predicate


def _comparison(graph, at, predicate):
    """What a predicate says before an instruction: the comparison that set it, of two opposites always
    the same one, and whether it holds. None where several instructions may have set it."""
    name, holds = predicate.lstrip("!"), not predicate.startswith("!")
    setters = reaching(graph, graph.before[at], name)
    if len(setters) != 1:
        return None
    it = graph.code[setters.pop()]
    if not it.op.startswith("ISETP") or it.operands[0] != name or it.guard:
        return it.at, holds
    for one, opposite in (("LT", "GE"), ("LE", "GT"), ("EQ", "NE")):
        if f".{opposite}." in it.op:
            return it.op.replace(opposite, one), it.operands[2:], not holds
    return it.op, it.operands[2:], holds


def reaching(graph, ends, name, without=frozenset()):
    """Addresses of what may have written a register or predicate last, on the ways to `ends`."""
    pending, seen, found = list(ends), set(without), set()
    while pending:
        at = pending.pop()
        if at not in seen:
            seen.add(at)
            if name in results(graph.code[at]):
                found.add(at)
            else:
                pending += graph.before[at]
    return found


# ---- trip counts: a counter that starts from a constant, steps by one and is compared with one

_WIDE = [(r"CS2R(?!\.32)|IMAD\.WIDE|UIMAD\.WIDE|MOV\.64|UMOV\.64|IADD\.64|[A-Z]+\.64|\S*\.64", 2), (r"HMMA|LDSM.*\.4|\S*\.128", 4)]
_NO_RESULT = re.compile(r"ST|RED|BAR|BRA|BSSY|BSYNC|LDGSTS|EXIT|DEPBAR|LDGDEPBAR|NOP|WARPSYNC|RET|CALL|BREAK|MEMBAR")


def _plain(operand):
    return operand.split(".")[0]


def results(it):
    """Registers and predicates that an instruction may write."""
    if _NO_RESULT.match(it.op):
        return set()
    if it.op.startswith("R2P"):
        return {f"P{i}" for i in range(7)}
    operands = [_plain(x) for x in it.operands]
    found = set()
    index = 0
    while index < min(2, len(operands)) and re.fullmatch(r"U?P(\d|T)", operands[index]):
        found.add(operands[index])
        index += 1
    if index < len(operands) and not re.match(r"\w*SETP|PLOP3|UPLOP3|FCHK", it.op):
        if register := re.fullmatch(r"(U?R)(\d+)", operands[index]):
            width = next((n for pattern, n in reversed(_WIDE) if re.match(pattern, it.op)), 1)
            found |= {f"{register[1]}{int(register[2]) + i}" for i in range(width)}
            if index + 1 < len(operands) and re.fullmatch(r"U?P\d", operands[index + 1]):
                found.add(operands[index + 1])
    return found


def _number(operand):
    if operand in ("RZ", "URZ", "SRZ"):
        return 0
    return int(operand, 16) if re.fullmatch(r"-?0x[0-9a-f]+", operand) else None


def _constant(it):
    """What a move of a constant writes, None of any other instruction."""
    operands = [_plain(x) for x in it.operands]
    if it.guard or not operands:
        return None
    if re.match(r"U?MOV(\.|$)|CS2R|IMAD\.MOV", it.op):
        if it.op.startswith("IMAD") and operands[1:3] != ["RZ", "RZ"]:
            return None
        return _number(operands[-1] if it.op.startswith("IMAD") else operands[1])
    if it.op.startswith("HFMA2") and operands[1:3] == ["-RZ", "RZ"]:  # two halves, written as such
        import struct
        high, low = (struct.unpack("<H", struct.pack("<e", float(x)))[0] for x in it.operands[3:5])
        return high << 16 | low
    return None


def _value_before(graph, loop, register):
    """The constant that a register holds whenever the loop is entered from outside, or None."""
    ends = [at for at in graph.before[loop.header] if at not in loop.body]
    values = {_constant(graph.code[at]) for at in reaching(graph, ends, register, loop.body)}
    return values.pop() if len(values) == 1 else None


def _condition(way, index, predicate):
    """(position, register, comparison, constant, sense) of what sets a predicate before way[index]."""
    sense = not predicate.startswith("!")
    name = predicate.lstrip("!")
    for position in range(index - 1, -1, -1):
        it = way[position]
        if name not in results(it):
            continue
        operands = [_plain(x) for x in it.operands]
        if it.guard or operands[0] != name:
            return None
        if it.op.startswith("PLOP3") and operands[2:4] == ["PT", "PT"] and operands[5] in ("0x80", "0x40"):
            found = _condition(way, position, operands[4])
            return found and (*found[:4], found[4] == (sense == (operands[5] == "0x80")))
        found = re.match(r"U?ISETP\.(NE|EQ|LT|LE|GT|GE)(\.U32)?\.AND$", it.op)
        limit = _number(operands[3])
        if not found or limit is None or operands[4] not in ("PT", "UPT"):
            return None
        return position, operands[2], found[1], limit, sense
    return None


_COMPARE = {
    "NE": lambda a, b: a != b, "EQ": lambda a, b: a == b, "LT": lambda a, b: a < b,
    "LE": lambda a, b: a <= b, "GT": lambda a, b: a > b, "GE": lambda a, b: a >= b,
}


def trip_count(graph, solved):
    """How often a loop goes round each time it is entered, None where constants do not say it."""
    if any(inner.trips is None for inner in solved.inner.values()):
        return None
    loop = solved.loop
    leaving = [at for at in loop.body if any(to not in loop.body for to in graph.next[at])]
    way = [it for _, it in solved.way()]
    index = next((i for i, it in enumerate(way) if len(leaving) == 1 and it.at == leaving[0]), None)
    if index is None:
        return None
    exit_branch = way[index]
    if not exit_branch.guard or len(exit_branch.operands) > 1:
        return None
    condition = _condition(way, index, exit_branch.guard)
    if condition is None:
        return None
    position, register, comparison, limit, sense = condition
    updates = [i for i, it in enumerate(way) if register in results(it)]
    if len(updates) != 1:
        return None
    update = way[updates[0]]
    operands = [_plain(x) for x in update.operands]
    step = _number(operands[2]) if re.match(r"IADD3|VIADD|UIADD3", update.op) and operands[1] == register else None
    value = _value_before(graph, loop, register)
    if not step or update.guard or value is None or operands[3:] not in ([], ["RZ"], ["URZ"]):
        return None
    # The branch either closes the round or leaves the loop.
    taken_stays = exit_branch.targets[0] in loop.body
    for trips in range(1, MOST_TRIPS + 1):
        compared = value + step if updates[0] < position else value
        taken = _COMPARE[comparison](compared, limit) == sense
        if taken != taken_stays:
            return trips
        value += step
    return None
