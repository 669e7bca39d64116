"""How to write an expression as groups of choices: the way back from rules to tokens.

The last group must have the expression as its value; its operands are operands of the space, or
values that earlier groups must have. So the search goes backwards: it keeps the list of wanted
values, lets the latest group that is not yet decided produce the largest of them, and adds what that
group wants in turn. An operand is smaller than the value it goes into, so a value that is wanted
twice is produced once. With at most four groups and a handful of ways for each, this is quick.

A canonical form may need a group more than what it was made of: its minus signs are as far out as they go,
`-(x * y)` for `-x * y`, and its whole numbers are one number. So these rewritings can also be undone.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, product
from typing import NamedTuple

from .expression import Binary, Expression, Number, Unary, children, walk
from .spaces import IDENTITY, KEEP, SCALE, Vocabulary, as_function

_MINUS = ("-", None)
Group = tuple[int, int, int, int, int]  # tokens of operand 1, operand 2, unary 1, unary 2, binary


class _Wanted(NamedTuple):
    """A value that an earlier group must produce."""

    label: int
    expression: Expression


class _Draft(NamedTuple):
    """A group before its place is known; an operand is a token or the wanted value it stands for."""

    label: int
    operands: tuple[int | _Wanted, ...]  # one if the second does not matter
    unary: tuple[int, ...]
    binary: int


def decompose(
    expression: Expression,
    vocabulary: Vocabulary,
    depth: int,
    copies: bool = False,
    rewritten: bool = False,
) -> Iterator[tuple[Group, ...]]:
    """Yields ways to write an expression as groups, those with fewer groups first.

    Args:
      expression: the value of the last group.
      vocabulary: what the slots offer.
      depth: the largest number of groups.
      copies: whether a group may also be spent on a copy of an operand, which a constraint on the
        tokens may ask for: `g * g` from different tokens.
      rewritten: whether one will do of which `canonical_expression` makes this one; no bit depends on that.

    Yields:
      The tokens of each group.
    """
    for groups in range(1, depth + 1):
        labels = count(1)
        search = _Search(vocabulary, labels, copies, rewritten)
        for drafts in search.drafts((_Wanted(0, expression),), groups):
            yield _in_tokens(drafts[::-1], len(vocabulary.operands))


def padded(groups: tuple[Group, ...], offered: Vocabulary, depth: int) -> tuple[Group, ...]:
    """Returns groups, followed up to the depth by groups that keep the last value.

    Returns:
      `depth` groups, or none if the vocabulary cannot keep a value.
    """
    if len(groups) == depth:
        return groups
    if KEEP not in offered.binary or IDENTITY not in offered.unary:
        return ()
    keep, identity = offered.binary.index(KEEP), offered.unary.index(IDENTITY)
    num_operands = len(offered.operands)
    for place in range(len(groups), depth):
        value = num_operands + place - 1
        idle = _idle_operand(value, place, num_operands)
        groups += ((value, idle, identity, identity, keep),)
    return groups


def missing_part(expression: Expression, offered: Vocabulary) -> Expression | None:
    """Returns a part of an expression that no number of groups can produce, or None."""
    unread = [expression]
    while unread:
        node = unread.pop()
        if node in offered.operands:
            continue
        function = as_function(node)
        if function is not None and function[0] in offered.unary:
            unread.append(function[1])
        elif isinstance(node, Binary) and node.name in offered.binary:
            unread += children(node)
        else:
            return node
    return None


class _Search(NamedTuple):
    vocabulary: Vocabulary
    labels: Iterator[int]
    copies: bool
    rewritten: bool

    def drafts(self, wanted: tuple[_Wanted, ...], groups: int) -> Iterator[tuple[_Draft, ...]]:
        """Yields drafts of exactly that many groups, the last group first."""
        if not wanted and groups == 0:
            yield ()
        if not 0 < len(wanted) <= groups:
            return
        largest_first = sorted(wanted, key=lambda value: -_size(value.expression))
        # another order may keep a constraint, on what each later group uses say
        for target in largest_first if self.rewritten else largest_first[:1]:
            rest = tuple(value for value in wanted if value is not target)
            for draft in self.group(target, rest):
                asked = (operand for operand in draft.operands if isinstance(operand, _Wanted))
                for earlier in self.drafts(tuple(dict.fromkeys((*rest, *asked))), groups - 1):
                    yield (draft, *earlier)

    def group(self, target: _Wanted, rest: tuple[_Wanted, ...]) -> Iterator[_Draft]:
        """Yields the groups that have a value, `keep` last."""
        binary = self.vocabulary.binary
        for form in self.forms(target.expression):
            match form:
                case Binary(name, left, right) if name in binary:
                    for (u1, first), (u2, second) in product(self.sides(left), self.sides(right)):
                        for pair in self.pairs(first, second, rest):
                            yield _Draft(target.label, pair, (u1, u2), binary.index(name))
        if KEEP in binary:
            for unary, operand in self.sides(target.expression):
                for source in self.sources(operand, rest):
                    yield _Draft(target.label, (source,), (unary, unary), binary.index(KEEP))

    def sides(self, side: Expression) -> Iterator[tuple[int, Expression]]:
        """Yields the unary tokens and operands that give one argument of the binary function."""
        functions = self.vocabulary.unary
        if IDENTITY in functions:
            yield functions.index(IDENTITY), side
        for form in self.forms(side):
            function = as_function(form)
            if function is not None and function[0] in functions:
                yield functions.index(function[0]), function[1]
        if self.rewritten and _MINUS in functions and isinstance(side, Binary):
            yield functions.index(_MINUS), Unary("-", side)

    def forms(self, expression: Expression) -> Iterator[Expression]:
        """Yields an expression, and if asked to those of which `canonical_expression` may have made it."""
        yield expression
        if not self.rewritten:
            return
        match expression:
            case Unary("-", Number(value)):
                yield from (Binary("-", x, Number(x.value + value)) for x in self.whole_numbers)
            case Unary("-", Binary("*" | "/" as name, left, right)):
                yield Binary(name, Unary("-", left), right)
                if name == "*":
                    yield Binary(name, left, Unary("-", right))
            case Unary("-", Unary("rms" | "rownorm" | "colnorm" as name, argument)):
                yield Unary(name, Unary("-", argument))
            case Unary("-", Unary() as argument):
                yield Binary("*", Unary("-", Number(1.0)), argument)
            case Unary("sqrt" | "log" as name, Binary() as argument):
                yield Unary(name, Unary("-", argument))
            case Binary("-", left, right):
                yield Binary("+", left, Unary("-", right))
            case Binary("+", left, right):
                yield Binary("-", left, Unary("-", right))
                yield Binary("-", right, Unary("-", left))
            case Binary("*", left, Number() as factor):
                yield Binary("*", factor, left)
            case Number(value) if value.is_integer() and expression not in self.vocabulary.operands:
                yield from self.makings(value)

    def makings(self, value: float) -> Iterator[Expression]:
        """Yields sums, products and differences with a whole number that is offered, of that value."""
        for known in self.whole_numbers:
            if known.value <= value:
                yield Binary("+", known, Number(value - known.value))
            if known.value > 1.0 and (value / known.value).is_integer():
                yield Binary("*", known, Number(value / known.value))
            if known.value >= value:
                yield Binary("-", known, Number(known.value - value))
            yield Binary("-", Number(value + known.value), known)

    @property
    def whole_numbers(self) -> tuple[Number, ...]:
        offered, unary = self.vocabulary.operands, self.vocabulary.unary
        numbers = [x for x in offered if isinstance(x, Number)]
        numbers += [Number(c) for name, c in unary if name == SCALE and c is not None]
        return tuple(x for x in dict.fromkeys(numbers) if x.value.is_integer())

    def pairs(
        self, first: Expression, second: Expression, rest: tuple[_Wanted, ...]
    ) -> Iterator[tuple[int | _Wanted, int | _Wanted]]:
        for source in self.sources(first, rest):
            known = (*rest, source) if isinstance(source, _Wanted) else rest
            for other in self.sources(second, known):
                yield source, other
        if self.copies and first == second:
            for source in self.sources(first, rest):
                yield source, _Wanted(next(self.labels), second)

    def sources(self, operand: Expression, known: tuple[_Wanted, ...]) -> Iterator[int | _Wanted]:
        """Yields where an operand may come from: the space, or an earlier group."""
        is_offered = operand in self.vocabulary.operands
        if is_offered:
            yield self.vocabulary.operands.index(operand)
        if self.copies or not is_offered:
            same = [value for value in known if value.expression == operand]
            yield same[0] if same else _Wanted(next(self.labels), operand)


def _size(expression: Expression) -> int:
    return sum(1 for _ in walk(expression))


def _in_tokens(drafts: tuple[_Draft, ...], num_operands: int) -> tuple[Group, ...]:
    """Returns the tokens of drafts in the order of the groups."""
    token_of = {draft.label: num_operands + place for place, draft in enumerate(drafts)}
    groups = []
    for place, draft in enumerate(drafts):
        tokens = [
            token_of[operand.label] if isinstance(operand, _Wanted) else operand
            for operand in draft.operands
        ]
        if len(tokens) == 1:
            tokens.append(_idle_operand(tokens[0], place, num_operands))
        groups.append((*tokens, *draft.unary, draft.binary))
    return tuple(groups)


def _idle_operand(first: int, group: int, num_operands: int) -> int:
    """Returns an operand 2 that `keep` drops, chosen so that every sampling constraint is kept."""
    if group > 0 and first < num_operands:
        return num_operands + group - 1
    return 0 if first != 0 or num_operands == 1 else 1
