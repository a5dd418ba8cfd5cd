"""The way of a plain round through a loop of machine code, and how often it goes round inner loops."""
import collections

from sass import Unreadable, find_loops, main_loop
from sass_trips import trip_count


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
            self._reach[node] = (work + sum(self.graph.work(s) for s in steps), cost - len(steps), origin)
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
        for to in filter(None, (_skips_an_absent_row(graph, at), _is_for_any_thread(graph, at))):
            graph.close(at, to)
    return Solved(graph, loop, loops)


def _is_for_any_thread(graph, at):
    """Where a branch goes if any thread of the warp has what is rare: a sum to rescale, a row that sees nothing."""
    it = graph.code[at]
    if not it.op.startswith("BRA") or not it.guard or len(it.targets) != 1:
        return None
    setters = graph.writers(graph.before[at], it.guard.lstrip("!"))
    if {graph.code[setter].op for setter in setters} != {"VOTE.ANY"}:
        return None
    return at + 16 if it.guard.startswith("!") else it.targets[0]


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
        pending += [(to, written | it.results()) for to in graph.next[after]]
    return None


def _not(predicate):
    return predicate[1:] if predicate.startswith("!") else "!" + predicate


def _comparison(graph, at, predicate):
    """What a predicate says before an instruction: the comparison that set it, of two opposites always
    the same one, and whether it holds. None where several instructions may have set it."""
    name, holds = predicate.lstrip("!"), not predicate.startswith("!")
    setters = graph.writers(graph.before[at], name)
    if len(setters) != 1:
        return None
    it = graph.code[setters.pop()]
    if not it.op.startswith("ISETP") or it.operands[0] != name or it.guard:
        return it.at, holds
    for one, opposite in (("LT", "GE"), ("LE", "GT"), ("EQ", "NE")):
        if f".{opposite}." in it.op:
            return it.op.replace(opposite, one), it.operands[2:], not holds
    return it.op, it.operands[2:], holds
