"""The grammar: rules of depth D as sequences of L = 5 D tokens, for a controller to write.

A rule of depth D is D groups of five choices: operand 1, operand 2, unary 1, unary 2, binary. The
value of a group is binary(unary 1(operand 1), unary 2(operand 2)); it joins the operands, so that a
later group may pick it. The value of the last group is the rule. A token is an index into the
vocabulary of its slot: an operand slot of group k (from 0) offers the operands of the space, then
the values of groups 0 ... k - 1. The rules of a normalised grammar are rms(value of the last group),
and are written so, that is: each tensor's update has a root mean square of 1.

Letters: D depth; L = 5 D tokens; B batch; W width, the largest vocabulary.

Reference: Bello et al. (2017), arXiv:1709.07417, section 3 and figure 3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from metarl.errors import InvalidInput, require

from .canonical import canonical_expression
from .decomposition import decompose, missing_part, padded
from .expression import Binary, Expression, Operand, Unary, needs, walk
from .masks import Constraints, next_mask
from .primitives import UNARY, Need
from .printer import to_text
from .rule import Rule
from .spaces import KEEP, Space, UnaryFunction, Vocabulary, applied, space_named, vocabulary
from .tensor_functions import Shape

if TYPE_CHECKING:
    import jax

MAX_DEPTH = 4
_LONGEST_SHOWN = 200  # characters of a rule in a message
_NORMALISER = "rms"
SLOTS = ("operand 1", "operand 2", "unary 1", "unary 2", "binary")
_ALL, _KEPT = (0, 1, 2, 3, 4), (0, 2, 4)  # places of a group that its value depends on


@dataclass(frozen=True)
class Grammar:
    """A space of rules of one depth.

    Attributes:
      space: what each slot offers, a `Space` or the name of one.
      depth: D, number of groups, 1 to 4.
      different_operands: whether operand 1 and operand 2 of a group must differ.
      no_final_addition: whether the last binary choice must not be `+`.
      reuse_values: whether each later group must pick the value of an earlier group at least once.
      normalised: whether every rule is divided by its root mean square in each tensor, beyond its groups.

    Raises:
      InvalidInput: if depth is outside 1 to 4, the space is unknown or malformed, or a constraint
        leaves no choice.
    """

    space: Space | str = "arxiv"
    depth: int = 2
    different_operands: bool = False
    no_final_addition: bool = False
    reuse_values: bool = False
    normalised: bool = False

    def __post_init__(self):
        whole = isinstance(self.depth, int) and not isinstance(self.depth, bool)
        message = f"The depth of a grammar is 1, 2, 3 or 4 groups, not {self.depth!r}."
        require(whole and 1 <= self.depth <= MAX_DEPTH, message)
        if not isinstance(self.space, Space):
            object.__setattr__(self, "space", space_named(self.space))
        enough = len(self.operand_expressions) > 1 or not self.different_operands
        require(enough, "different_operands asks for a space with two operands or more.")
        enough = set(self.binary_names) != {"+"} or not self.no_final_addition
        require(enough, "no_final_addition asks for a space with a binary function beside +.")

    @property
    def operand_expressions(self) -> tuple[Expression, ...]:
        """The operands of the space, in the order of their tokens."""
        return self._vocabulary.operands

    @property
    def unary_functions(self) -> tuple[UnaryFunction, ...]:
        """Name and constant of each unary function, in the order of their tokens.

        The identity is (None, None), c * x is ("*", c); other names are those of the table `UNARY`.
        """
        return self._vocabulary.unary

    @property
    def binary_names(self) -> tuple[str, ...]:
        """The binary functions in the order of their tokens: operators, and `keep` for the left."""
        return self._vocabulary.binary

    @cached_property
    def needs(self) -> frozenset[Need]:
        """What any of its rules depends on beside g: moments, w, the shapes of tensors ..."""
        x = Operand("g")
        functions = [applied(function, x) for function in self.unary_functions]
        functions += [_normalised(x)] * self.normalised
        return frozenset().union(*map(needs, (*self.operand_expressions, *functions)))

    @cached_property
    def slot_sizes(self) -> tuple[int, ...]:
        """Size of the vocabulary of each of the L slots."""
        unary, binary = len(self.unary_functions), len(self.binary_names)
        sizes = ()
        for group in range(self.depth):
            operands = len(self.operand_expressions) + group
            sizes += (operands, operands, unary, unary, binary)
        return sizes

    @property
    def length(self) -> int:
        """L, the number of tokens of a rule."""
        return len(SLOTS) * self.depth

    @property
    def width(self) -> int:
        """W, the size of the largest vocabulary."""
        return max(self.slot_sizes)

    @property
    def size(self) -> int:
        """Number of token sequences that the constraints allow; several may be the same rule."""
        bank, unary, binary = map(
            len, (self.operand_expressions, self.unary_functions, self.binary_names)
        )
        total = 1
        for group in range(self.depth):
            pairs = (bank + group) ** 2
            without_reuse = bank**2
            if self.different_operands:
                pairs, without_reuse = pairs - (bank + group), without_reuse - bank
            pairs -= without_reuse if self.reuse_values and group else 0
            total *= pairs * unary**2 * binary
        if self.no_final_addition and "+" in self.binary_names:
            total = total // binary * (binary - 1)
        return total

    @cached_property
    def operand_sizes(self) -> tuple[int, ...]:
        """Nodes of each operand, in the order of their tokens."""
        return tuple(Rule(operand).size for operand in self.operand_expressions)

    @cached_property
    def unary_sizes(self) -> tuple[int, ...]:
        """Nodes that each unary function adds to its argument, in the order of their tokens."""
        x = Operand("g")
        return tuple(Rule(applied(function, x)).size - 1 for function in self.unary_functions)

    def rule_sizes(self, tokens: np.ndarray) -> np.ndarray:
        """Returns the sizes of rules: the nodes of their canonical forms, as the groups of a rule can write them.

        That is `to_rule(tokens).canonical().size` but where the space lacks a number of that form, as the 3 that
        `1 + 2` makes, or it needs more groups than there are, as `-exp(g)` for `-1 * exp(g)` at depth 1. So a rule of
        size n computes a function that an enumeration has met when it has met those of n nodes.

        Args:
          tokens: of this grammar, [N, L]; nothing is checked.

        Returns:
          [N] int.
        """
        return self._sizes(tokens, 0)

    def larger_than(self, most: int, tokens: np.ndarray) -> np.ndarray:
        """Returns which rules have a size (`rule_sizes`) of more than so many nodes, [N] bool; quick, unlike that.

        Args:
          most: nodes.
          tokens: of this grammar, [N, L]; nothing is checked.
        """
        return self._sizes(tokens, most) > most

    def to_rule(self, tokens: Any) -> Rule:
        """Returns the rule that tokens stand for.

        Args:
          tokens: [L] integers.

        Returns:
          The rule; what `keep` drops is not in it.

        Raises:
          InvalidInput: if the tokens are not of this grammar.
        """
        self.validate(tokens)
        return Rule(self._expression(tokens))

    def canonical_text(self, tokens: np.ndarray) -> str:
        """Returns `str(to_rule(tokens).canonical())` of tokens that are known to be of this grammar, [L].

        Nothing is checked, which is most of what it costs: who breeds rules asks thousands of times.
        """
        return to_text(canonical_expression(self._expression(tokens)))

    def tokens_read(self, tokens: np.ndarray) -> tuple[int, ...]:
        """Returns tokens with 0 for those that the rule does not depend on, [L]: of groups that nothing uses, say.

        Tokens that are equal so are one rule; others may be one as well. Nothing is checked.
        """
        read, groups, used = [0] * self.length, tokens.tolist(), {self.depth - 1}
        for group in reversed(range(self.depth)):
            if group not in used:
                continue
            start = len(SLOTS) * group
            places = _KEPT if self.binary_names[groups[start + 4]] == KEEP else _ALL
            for place in places:
                read[start + place] = groups[start + place]
            operands = [groups[start + place] for place in places if place < 2]
            used |= {operand - len(self.operand_expressions) for operand in operands}
        return tuple(read)

    def to_tokens(self, rule: Rule) -> np.ndarray:
        """Returns tokens that stand for a rule.

        A rule that needs fewer groups is padded with groups that keep its value. A rule that is
        not in the grammar as it is written, but whose canonical form is, gets the tokens of that.

        Args:
          rule: the rule.

        Returns:
          int32 [L]; `to_rule` of them is the rule, or has the same canonical form.

        Raises:
          InvalidInput: if the rule is not in the grammar; the message says what is in the way.
        """
        tokens = self._find(rule)
        if tokens is None:
            raise InvalidInput(self._why_not(rule))
        return tokens

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Draws token sequences, each token uniformly from what its mask allows.

        Args:
          rng: numpy's generator.
          n: how many.

        Returns:
          int32 [n, L].
        """
        if not self._is_constrained:  # all of a slot's tokens, whatever stands before it
            draws = rng.random((self.length, n)).T  # slot by slot, as below
            return np.floor(draws * self.slot_sizes).astype(np.int32, order="C")
        tokens = np.zeros((n, self.length), np.int32)
        for position in range(self.length):
            mask = next_mask(np, tokens, position, self._constraints)  # [n, W]
            draw = np.floor(rng.random(n) * mask.sum(axis=1))  # [n], which of the allowed ones
            tokens[:, position] = (mask.cumsum(axis=1) <= draw[:, None]).sum(axis=1)
        return tokens

    def mask(self, tokens: Any, position: int) -> np.ndarray:
        """Returns which tokens may stand at a position after the tokens before it.

        Args:
          tokens: [L] integers; those at `position` and after are not read.
          position: 0 to L - 1.

        Returns:
          bool [W].
        """
        return next_mask(np, np.asarray(tokens)[None], position, self._constraints)[0]

    def next_mask(self, tokens: jax.Array, position: jax.Array | int) -> jax.Array:
        """Does what `mask` does for a batch, in code that jax can trace.

        Args:
          tokens: int32 [B, L]; those at `position` and after are not read.
          position: [] int32, may be traced.

        Returns:
          bool [B, W]; at least one token of each row is allowed.
        """
        import jax.numpy as jnp  # the language itself works without jax

        return next_mask(jnp, tokens, position, self._constraints)

    def allows(self, tokens: np.ndarray) -> bool:
        """Returns whether tokens of the right slots, [L], break no constraint of the grammar."""
        return self._broken_constraint(tokens) is None

    def validate(self, tokens: Any) -> None:
        """Raises InvalidInput unless tokens are one sequence of this grammar."""
        tokens = np.asarray(tokens)
        is_integer = np.issubdtype(tokens.dtype, np.integer)
        shape = f"Tokens of this grammar are [{self.length}] integers"
        fits = tokens.shape == (self.length,) and is_integer
        require(fits, f"{shape}, not {list(tokens.shape)} of {tokens.dtype}.")
        for position, (token, size) in enumerate(
            zip(tokens.tolist(), self.slot_sizes, strict=True)
        ):
            message = f"{self._slot(position)} holds {token}; its tokens are 0 to {size - 1}."
            require(0 <= token < size, message)
        broken = self._broken_constraint(tokens)
        require(broken is None, f"These tokens break a constraint of the grammar: {broken}.")

    def require_shapes(self, shapes: Sequence[Shape] | None, size: int) -> None:
        """Refuses to compute functions of whole tensors where nobody knows the tensors.

        Args:
          shapes: of the leaves that a flat vector joins, or None.
          size: entries of the vector.

        Raises:
          InvalidInput: names the functions and says what to do.
        """
        if "shape" not in self.needs:
            return
        if shapes is not None:
            entries = sum(map(math.prod, shapes))
            fits = f"Tensors of the shapes {shapes} have {entries} entries together, but the vector has {size}."
            return require(entries == size, fits)
        parts = [part for operand in self.operand_expressions for part in walk(operand)]
        names = [_NORMALISER] * self.normalised
        names += [name for name, _ in self.unary_functions if name is not None and name in UNARY]
        names += [part.name for part in parts if isinstance(part, Unary)]
        owner = f"The space {self._space.name!r} has"
        if self.normalised:
            owner = f"Normalised rules of the space {self._space.name!r} have"
        functions = ", ".join(name for name in dict.fromkeys(names) if UNARY[name].of_tensors)
        raise InvalidInput(
            f"{owner} functions of whole tensors ({functions}), and nothing says which "
            f"tensors the vector of {size} entries joins: give their shapes, shapes=((64, 10), (10,)) say."
        )

    @property
    def _space(self) -> Space:
        assert isinstance(self.space, Space)
        return self.space

    @property
    def _is_constrained(self) -> bool:
        return self.different_operands or self.no_final_addition or self.reuse_values

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        return vocabulary(self._space)

    @cached_property
    def _constraints(self) -> Constraints:
        plus = self.binary_names.index("+") if "+" in self.binary_names else -1
        return Constraints(
            slot_sizes=self.slot_sizes,
            num_operands=len(self.operand_expressions),
            different_operands=self.different_operands,
            forbidden_last=plus if self.no_final_addition else -1,
            reuse_values=self.reuse_values,
        )

    def _sizes(self, tokens: np.ndarray, most: int) -> np.ndarray:
        """Returns sizes, [N]; bounds of them where these tell that they are at most a number, or more than it."""
        sizes = self._written_sizes(tokens)
        for place in np.flatnonzero(sizes > most).tolist():
            canonical = canonical_expression(self._expression(tokens[place]))
            if most and sum(1 for _ in walk(canonical)) > most:
                continue  # no way to write it is smaller than its canonical form
            inner = _within(canonical) if self.normalised else canonical
            if inner is not None:
                again = self._written_sizes(self._written_again(inner))
                sizes[place] = min([sizes[place], *again])
        return sizes

    def _written_again(self, expression: Expression) -> np.ndarray:
        """Returns tokens of an expression, as it is or as something that it is made of, [0 or 1, L]."""
        for rewritten in (False, True):
            for groups in decompose(expression, self._vocabulary, self.depth, False, rewritten):
                tokens = padded(groups, self._vocabulary, self.depth)
                if tokens:
                    return np.reshape(tokens, (1, self.length))
        return np.zeros((0, self.length), int)

    def _written_sizes(self, tokens: np.ndarray) -> np.ndarray:
        """Returns the nodes of rules as they are written, [N]; what `keep` drops is not in them."""
        groups = np.reshape(tokens, (len(tokens), self.depth, len(SLOTS)))  # [N, D, 5]
        rows, unary = np.arange(len(groups)), np.asarray(self.unary_sizes)
        num_operands = len(self.operand_expressions)
        bank = np.zeros((len(groups), num_operands + self.depth), int)
        bank[:, :num_operands] = self.operand_sizes
        keeps = np.array([name == KEEP for name in self.binary_names])
        for place, group in enumerate(groups.swapaxes(0, 1)):
            first, second, unary_1, unary_2, how = group.T
            left = bank[rows, first] + unary[unary_1]
            right = bank[rows, second] + unary[unary_2]
            bank[:, num_operands + place] = np.where(keeps[how], left, left + right + 1)
        return bank[:, -1] + self.normalised

    def _expression(self, tokens: Any) -> Expression:
        bank = list(self.operand_expressions)
        for group in np.asarray(tokens).reshape(self.depth, len(SLOTS)).tolist():
            bank.append(self._group_expression(bank, *group))
        return _normalised(bank[-1]) if self.normalised else bank[-1]

    def _group_expression(
        self, bank: list[Expression], first: int, second: int, unary_1: int, unary_2: int, how: int
    ) -> Expression:
        left = applied(self.unary_functions[unary_1], bank[first])
        if self.binary_names[how] == KEEP:
            return left
        right = applied(self.unary_functions[unary_2], bank[second])
        return Binary(self.binary_names[how], left, right)

    def _find(self, rule: Rule) -> np.ndarray | None:
        copies = self.different_operands or self.reuse_values
        # as it is written if that can be, else as something of which its canonical form is made
        candidates = rule, rule.canonical()
        for rewritten, candidate in product((False, True), candidates):
            inner = _within(candidate.expression) if self.normalised else candidate.expression
            if inner is None:
                continue
            ways = decompose(inner, self._vocabulary, self.depth, copies, rewritten)
            for groups in ways:
                tokens = np.asarray(padded(groups, self._vocabulary, self.depth), np.int32).ravel()
                if tokens.size and self._broken_constraint(tokens) is None:
                    return tokens
        return None

    def _broken_constraint(self, tokens: np.ndarray) -> str | None:
        if not self._is_constrained:
            return None
        for position, token in enumerate(tokens.tolist()):
            if not self.mask(tokens, position)[token]:
                return self._reason(position)
        return None

    def _reason(self, position: int) -> str:
        if position == self.length - 1:
            return "the last binary function must not be + (no_final_addition)"
        active = [name for name in ("different_operands", "reuse_values") if getattr(self, name)]
        return f"{self._slot(position)} ({' or '.join(active)})"

    def _slot(self, position: int) -> str:
        return f"{SLOTS[position % len(SLOTS)]} of group {position // len(SLOTS) + 1}"

    def _why_not(self, rule: Rule) -> str:
        where = f"space {self._space.name!r} at depth {self.depth}"
        text = str(rule)
        shown = text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "..."
        intro = f"The rule {shown!r} cannot be written in {where}"
        expression = rule.canonical().expression
        if self.normalised:
            inner = _within(expression)
            if inner is None:
                return f"{intro}, whose rules are normalised: write {to_text(_normalised(expression))!r}."
            expression = inner
        part = missing_part(expression, self._vocabulary)
        if part is not None:
            return f"{intro}: no slot offers {to_text(part)!r}."
        unconstrained = Grammar(self._space, self.depth, normalised=self.normalised)
        if unconstrained._find(rule) is not None:
            return f"{intro}: a sampling constraint of the grammar forbids it."
        for depth in range(self.depth + 1, MAX_DEPTH + 1):
            if replace(unconstrained, depth=depth)._find(rule) is not None:
                return f"{intro}: it needs depth {depth}."
        return f"{intro}: it needs more than {MAX_DEPTH} groups."


def _normalised(expression: Expression) -> Expression:
    return Unary(_NORMALISER, expression)


def _within(expression: Expression) -> Expression | None:
    """Returns what a normalised rule normalises; None for one that is not normalised."""
    match expression:
        case Unary(name="rms", argument=inner):
            return inner
        case Unary(name="-", argument=Unary(name="rms", argument=inner)):  # of canonical forms
            return Unary("-", inner)
        case _:
            return None
