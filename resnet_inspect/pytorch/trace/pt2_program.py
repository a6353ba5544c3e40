"""The program in a .pt2 file, which is JSON, checked before torch reads it.

torch.export.load has sympy evaluate sizes as Python, writes names into source code that it
compiles, resolves operators by their dotted names, imports modules that an enumeration names, and
compiles guards. So every text in the file must be what its place is for; where no rule is given
for a place, quotes and control characters are refused.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator
from functools import cache, reduce
from typing import Any

import torch

from resnet_inspect.errors import FormatError, shown

LARGEST = 1 << 28
"""Bytes of JSON; the programs of large networks have some millions."""


def checked_program(entry: str, data: bytes) -> bytes:
    """An exported program as JSON, without guards and notes; raises FormatError."""
    program = _parsed(entry, data)
    for key in program.get("range_constraints", ()):
        if not _RANGED.fullmatch(key):  # torch counts up to the number
            raise FormatError(f"{entry} in it has {shown(key)} for a symbol; refused")
    _check(entry, program)
    program["guards_code"] = []
    return json.dumps(program).encode()


def checked_payloads(entry: str, data: bytes) -> bytes:
    """Which entry holds which tensor, as JSON; raises FormatError."""
    config = _parsed(entry, data)
    _check(entry, config)
    if any(use for key, use in _values(config) if key == "use_pickle"):
        raise FormatError(f"{entry} in it names pickled tensors, whose loading runs code; refused")
    return json.dumps(config).encode()


def _parsed(entry: str, data: bytes) -> dict[str, Any]:
    if len(data) > LARGEST:
        raise FormatError(f"{entry} in it is larger than {LARGEST} bytes; refused")
    try:
        value = json.loads(data, object_hook=_without_notes)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise FormatError(f"{entry} in it is not a program as torch.export.save writes it")
    return value


def _check(entry: str, value: Any) -> None:
    """Raise FormatError for the first text that is not what its place is for."""
    for key, item in _values(value):
        what, allowed = _PLACES.get(key, _ANYWHERE)
        if isinstance(item, str) and not allowed(item):
            raise FormatError(f"{entry} in it has {shown(item)} for {what}; refused")


def _values(value: Any) -> Iterator[tuple[str, Any]]:
    """Every text, number and None with the key that it stands under; keys too, under 'a key'."""
    stack = [("", value)]
    while stack:
        place, value = stack.pop()
        if isinstance(value, dict):
            for key, item in value.items():
                yield "a key", key
                stack.append((key, item))
        elif isinstance(value, list):
            stack += [(place, item) for item in value]
        else:
            yield place, value


_NOTES = ("stack_trace", "nn_module_stack", "torch_fn")
"""What is kept of the notes on a node. torch resolves and parses others."""


def _without_notes(value: dict[str, Any]) -> dict[str, Any]:
    if isinstance(notes := value.get("metadata"), dict):
        value["metadata"] = {key: notes[key] for key in _NOTES if key in notes}
    return value


_RANGED = re.compile(r"(?!(u|zuf)\d{6})[^\W\d]\w{0,99}")
"""A symbol of a size. Those of sizes that depend on values are numbered: u0, u1."""

_TEXT = re.compile(r"""[^"'\\\x00-\x1f\x7f-\x9f]{0,1000}""")

_KEY_OF_A_TREE = re.compile(r"[\w.\- /]{0,100}")


def _is_name(text: str) -> bool:
    """Whether a text may be a name in source code; '' is for arguments without one."""
    return text == "" or text.isidentifier()


# --- sizes and guards -----------------------------------------------------------------------------

_FUNCTION = re.compile(
    "Symbol|Integer|Float|Rational|Add|Mul|Pow|Max|Min|Abs|Mod|PythonMod|(Floor|Clean|Ceil)Div"
    "|(Int|Float)TrueDiv|FloatPow|PowByNatural|[LR]Shift|ModularIndexing|Where|Identity|ToFloat"
    "|TruncTo(Float|Int)|RoundToInt|RoundDecimal|(Ceil|Floor)ToInt|floor|ceiling|And|Or|Not"
    "|IsNonOverlappingAndDenseIndicator|Piecewise|ExprCondPair|Eq|Ne|L[te]|G[te]|Equality"
    "|Unequality|Strict(Less|Greater)Than|(Less|Greater)Than|Boolean(True|False)|(Negative)?Infinity"
)
"""What torch writes sizes with: classes of sympy, and its own."""

_POWERS = ("Pow", "PowByNatural", "FloatPow", "LShift")

_SIZE = (
    *(ast.Expression, ast.Call, ast.keyword, ast.Name, ast.Load, ast.Constant),
    *(ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow),
    *(ast.UnaryOp, ast.USub, ast.UAdd, ast.Compare, ast.cmpop),
)
"""The syntax of a size, which sympy evaluates as Python."""

_WRITTEN = re.compile(r"[A-Za-z0-9_ .,()+\-*/%<>=!']{1,10000}")

_WORD = re.compile(r"[^\W\d]\w{0,99}|-?\d{1,40}(\.\d{0,40})?(e[+-]?\d{1,3})?", re.ASCII)
"""A text in a size: a symbol's name, or the digits of a Float."""

_MOST_BITS = 1 << 16
"""Of the largest whole number that evaluating a size may come to."""


@cache
def _is_size(text: str) -> bool:
    """Whether it is arithmetic that is done at once: numbers, symbols, and sympy's classes."""
    tree = _tree(text, _SIZE) if _WRITTEN.fullmatch(text) else None
    if tree is None or re.search(r"\d[eE][+-]?\d{4}", text):  # sympy writes 1e9999999 out
        return False
    for part in ast.walk(tree):
        match part:
            case ast.Call(func=called) if not _is_call_of(called, _FUNCTION):
                return False
            case ast.Constant(str(word)) if not _WORD.fullmatch(word):
                return False
            case ast.BinOp(left=ast.Constant(str())) | ast.BinOp(right=ast.Constant(str())):
                return False  # 'x' * 10**10 is a long text
            case ast.keyword(value=given) if not _is_setting(given):
                return False
    return _bits(tree.body) <= _MOST_BITS


def _tree(text: str, syntax: tuple[type[ast.AST], ...]) -> ast.Expression | None:
    """An expression of this syntax alone; None for any other text."""
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return tree if all(isinstance(part, syntax) for part in ast.walk(tree)) else None


def _is_call_of(called: ast.expr, names: re.Pattern[str]) -> bool:
    return isinstance(called, ast.Name) and names.fullmatch(called.id) is not None


def _is_setting(value: ast.expr) -> bool:
    """Whether it is True, or the precision of a Float."""
    return isinstance(value, ast.Constant) and isinstance(value.value, int) and value.value <= 1024


def _bits(node: ast.expr) -> int:
    """No fewer than the bits of any whole number that evaluating it comes to."""
    match node:
        case ast.Constant(int(number)):
            return number.bit_length()
        case ast.Call(func=ast.Name(id=name), args=[base, exponent]) if name in _POWERS:
            return _bits(base) * _largest_power(exponent)
        case ast.BinOp(left=base, op=ast.Pow(), right=exponent):
            return _bits(base) * _largest_power(exponent)
        case ast.Constant() | ast.Name():
            return 64
        case ast.Call(args=parts):
            return 1 + sum(map(_bits, parts))
    return 1 + sum(_bits(part) for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr))


_EXPONENT = re.compile(
    r"-?(\d\d?)(\.\d+)?|(Integer|Rational|Float)\('?-?(\d\d?)(\.\d+)?'?(, (\d\d?|precision=53))?\)"
)


def _largest_power(exponent: ast.expr) -> int:
    """An exponent without its sign, rounded up; far too much where it is no small number."""
    match = _EXPONENT.fullmatch(ast.unparse(exponent))
    return 1 + int(match[1] or match[4]) if match else _MOST_BITS + 1


_GUARD = (*_SIZE, ast.BoolOp, ast.boolop, ast.Not, ast.IfExp, ast.Subscript, ast.Attribute)

_OF_NUMBERS = re.compile(rf"{_FUNCTION.pattern}|max|min|abs|int|float|round")

_METHODS = frozenset({"size", "stride", "storage_offset", "dim", "numel"})


def _is_guard(text: str) -> bool:
    """Whether it compares sizes of the inputs, as torch writes guards."""
    tree = _tree(text, _GUARD)
    return tree is not None and all(
        _is_of_a_guard(part.func) for part in ast.walk(tree) if isinstance(part, ast.Call)
    )


def _is_of_a_guard(called: ast.expr) -> bool:
    match called:
        case ast.Attribute(value=ast.Name(id="math")):
            return True
        case ast.Attribute(value=ast.Name(id="torch"), attr=name):
            return name.startswith("sym_")
        case ast.Attribute(attr=name):
            return name in _METHODS
    return _is_call_of(called, _OF_NUMBERS)


# --- operators, and the structure of inputs and outputs -------------------------------------------

_ON_NUMBERS = re.compile(
    r"_operator\.(eq|ne|le|ge|lt|gt|neg|pos|mul|add|sub|mod|floordiv|truediv|pow|[lr]shift)"
    r"|_operator\.(and_|or_|getitem)|math\.(trunc|ceil|floor)"
    r"|torch\.sym_(not|int|float|ite|max|min|sqrt|sum)"
)

_CONTROL = re.compile(
    r"torch\.ops\.higher_order\.(associative_scan|auto_functionalized(_v2)?|cond|flex_attention"
    r"|hints_wrapper|invoke_subgraph|map_impl|out_dtype|scan|strict_mode|tag_activation_checkpoint"
    r"|while_loop|wrap_activation_checkpoint|wrap_with_(autocast|set_grad_enabled))"
)

_ON_TENSORS = re.compile(
    r"torch\.ops\.(aten|prims|quantized|quantized_decomposed|onednn|torchvision)\.\w+\.\w+"
)

_ON_FILES = re.compile(r"torch\.ops\.aten\.(from_file|save)\.\w+")


@cache
def _is_operator(text: str) -> bool:
    """Whether it is an operator on tensors, arithmetic of numbers, or control flow."""
    if _ON_NUMBERS.fullmatch(text) or _CONTROL.fullmatch(text):
        return True
    if not _ON_TENSORS.fullmatch(text) or _ON_FILES.fullmatch(text):
        return False
    try:
        found = reduce(getattr, text.split(".")[1:], torch)
    except AttributeError:
        return False
    return isinstance(found, torch._ops.OpOverload)


_CONTAINER = re.compile(
    r"builtins\.(tuple|list|dict)|collections\.(OrderedDict|deque)|torch\.Size"
    r"|torch\.fx\.immutable_collections\.immutable_(list|dict)"
)


def _is_tree(text: str) -> bool:
    """Whether it is the structure of inputs or outputs, of plain containers with plain keys."""
    try:
        version, tree = json.loads(text)
        stack = [tree]
        while stack:
            part = stack.pop()
            if part["type"] is not None and not _CONTAINER.fullmatch(part["type"]):
                return False
            if not _are_keys(part["context"]):
                return False
            stack += part["children_spec"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return False
    return bool(version == 1)


def _are_keys(context: str | None) -> bool:
    """Whether a container's context, as JSON, has names and numbers alone (no enumerations)."""
    keys = json.loads(context) if context else None
    return keys is None or all(
        isinstance(key, int) or _KEY_OF_A_TREE.fullmatch(key)
        for key in (keys if isinstance(keys, list) else [keys])
    )


_ANYWHERE: tuple[str, Callable[[str], object]] = ("a text", _TEXT.fullmatch)

_PLACES: dict[str, tuple[str, Callable[[str], object]]] = {
    "expr_str": ("a size", _is_size),
    "guards_code": ("a guard", _is_guard),
    "target": ("an operator", _is_operator),
    "as_operator": ("an operator", _is_operator),
    "in_spec": ("the structure of inputs", _is_tree),
    "out_spec": ("the structure of outputs", _is_tree),
    "name": ("a name", _is_name),
    "as_name": ("a name", _is_name),
    "forward_arg_names": ("a name", _is_name),
    "path_name": ("an entry", re.compile(r"(weight|tensor)_\d+").fullmatch),
    **dict.fromkeys((*_NOTES, "as_string", "as_strings"), ("a text", lambda _: True)),
}
"""By the key of a text: what it is for, and what it may be. Any other text is _ANYWHERE's."""
