"""How often an inner loop goes round: where a counter starts from a constant, steps by another and is compared
with a third. That is what a loop of a constant length is, unrolled or not."""
import operator
import re
import struct

from sass import Unreadable

MOST = 4096  # more are a counter that was misread
_COMPARISONS = {"NE": operator.ne, "EQ": operator.eq, "LT": operator.lt, "LE": operator.le, "GT": operator.gt,
                "GE": operator.ge}


def trip_count(graph, solved):
    """Of each entry into the loop that is Solved, None where constants do not say it."""
    try:
        way = [it for _, it in solved.way()]
    except Unreadable:  # a loop within is unknown
        return None
    body = solved.loop.body
    leaving = {at for at in body if any(to not in body for to in graph.next[at])}
    left_at = [i for i, it in enumerate(way) if {it.at} == leaving]
    if not left_at or not way[left_at[0]].guard or len(way[left_at[0]].operands) > 1:
        return None
    branch = way[left_at[0]]
    stays_if_taken = branch.targets[0] in body
    condition = _condition(way, left_at[0], branch.guard)
    if condition is None:
        return None
    compared_at, register, compare, limit, sense = condition
    updates = [i for i, it in enumerate(way) if register in it.results()]
    step = _step(way[updates[0]], register) if len(updates) == 1 else None
    value = _value_before(graph, solved.loop, register)
    if step is None or value is None:
        return None
    if updates[0] < compared_at:
        value += step
    for trips in range(1, MOST + 1):
        taken = compare(value, limit) == sense
        if taken != stays_if_taken:
            return trips
        value += step
    return None


def _number(operand):
    if operand in ("RZ", "URZ", "SRZ"):
        return 0
    return int(operand, 16) if re.fullmatch(r"-?0x[0-9a-f]+", operand) else None


def _condition(way, before, predicate):
    """(index, register, comparison, constant, sense) where way[before] sees the predicate hold if the comparison
    of the register, at way[index], comes out as `sense`."""
    name, sense = predicate.lstrip("!"), not predicate.startswith("!")
    index = next((i for i in reversed(range(before)) if name in way[i].results()), None)
    if index is None or way[index].guard or way[index].operands[0] != name:
        return None
    it = way[index]
    # A copy of a predicate or of its opposite: the conjunction with two that are true.
    if it.op.startswith("PLOP3") and it.operands[2:4] == ["PT", "PT"] and it.operands[5] in ("0x80", "0x40"):
        found = _condition(way, index, it.operands[4])
        return found and (*found[:4], found[4] == (sense == (it.operands[5] == "0x80")))
    found = re.fullmatch(r"U?ISETP\.(NE|EQ|LT|LE|GT|GE)(\.U32)?\.AND", it.op)
    if not found or it.operands[4] not in ("PT", "UPT") or _number(it.operands[3]) is None:
        return None
    return index, it.operands[2], _COMPARISONS[found[1]], _number(it.operands[3]), sense


def _step(it, register):
    """What an instruction adds to a register each time, None where that is not a constant."""
    operands = [x for x in it.operands if x not in ("PT", "UPT")]  # where sm_100 has its carries
    if it.guard or not re.match(r"U?IADD3$|VIADD$", it.op) or operands[1] != register:
        return None
    return _number(operands[2]) if operands[3:] in ([], ["RZ"], ["URZ"]) else None


def _value_before(graph, loop, register):
    """The constant that a register holds whenever the loop is entered, or None."""
    ends = [at for at in graph.before[loop.header] if at not in loop.body]
    values = {_constant(graph.code[at]) for at in graph.writers(ends, register, loop.body)}
    return values.pop() if len(values) == 1 else None


def _constant(it):
    if it.guard:
        return None
    if re.match(r"U?MOV$|CS2R|IMAD\.MOV", it.op):
        return _number(it.operands[-1])
    if it.op.startswith("HFMA2") and it.operands[1:3] == ["-RZ", "RZ"]:  # two halves, printed as numbers
        high, low = (struct.unpack("<H", struct.pack("<e", float(x)))[0] for x in it.operands[3:5])
        return high << 16 | low
    return None
