# SPDX-License-Identifier: BSD-3-Clause
"""Small constant expressions in specs: numbers, names, + - * <<, sizeof(struct), and comparisons in checks."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable

_BINARY: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.LShift: operator.lshift,
}
_COMPARE: dict[type[ast.cmpop], Callable[[int, int], bool]] = {
    ast.Eq: operator.eq,
    ast.LtE: operator.le,
    ast.Lt: operator.lt,
    ast.GtE: operator.ge,
    ast.Gt: operator.gt,
}


class ExprError(Exception):
    """Raised when an expression can't be read or names something unknown."""


def evaluate(text: str, name: Callable[[str], int], sizeof: Callable[[str], int]) -> int:
    """The value of an expression; a comparison gives 0 or 1.

    `name` and `sizeof` look up a constant and a struct, raising ExprError for what they don't know.
    """

    def walk(node: ast.expr) -> int:
        match node:
            case ast.Constant(value=int() as value):
                return value
            case ast.Name(id=identifier):
                return name(identifier)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                return _BINARY[type(op)](walk(left), walk(right))
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARE:
                return int(_COMPARE[type(op)](walk(left), walk(right)))
            case ast.Call(func=ast.Name(id="sizeof"), args=[ast.Name(id=struct)], keywords=[]):
                return sizeof(struct)
        raise ExprError(f"can't evaluate '{ast.unparse(node)}'")

    try:
        tree = ast.parse(text, mode="eval")
    except SyntaxError as err:
        raise ExprError(f"'{text}' is no expression") from err
    return walk(tree.body)
