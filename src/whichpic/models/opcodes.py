"""A pickle read by a small machine of our own: data comes out, and nothing that a pickle says is ever called.

Called by pickles, which says what the few names mean that a pickle of data may hold.
"""

from __future__ import annotations

import codecs
import struct
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from whichpic.errors import ModelError

Buildable = Callable[[Any], None]
Handler = Callable[..., Any]
_SCALARS = (str, bytes, int, float, complex, bool, type(None), np.generic)
_LONGEST_NUMBER = 4000  # digits or bytes of an integer
_MARK = object()


class Ordered(dict[Any, Any]):
    """An OrderedDict of a pickle. What is said of it besides its items (a state dict's _metadata) is dropped."""

    __slots__ = ()


class Name:
    """A name (module, attribute) that a pickle holds, and the function of ours that stands for it; never the thing."""

    __slots__ = ("handler", "name")

    def __init__(self, name: tuple[str, str], handler: Handler | None) -> None:
        self.name, self.handler = name, handler


class Machine:
    """Reads one pickle (protocols 0 to 5) from `data`, from `place` on.

    names: what may be named, each with a function of ours that makes data of its arguments, or None where the name is
    only an argument. persistent: makes a value of a persistent id. Raises ModelError for whatever is not data.
    The standard library's machine is not used: in it one byte of a pickle can claim gigabytes of its memo, a nested
    tuple as a key takes for ever to hash, and what a pickle names can be changed for the whole process.
    """

    def __init__(
        self,
        data: bytes | memoryview,
        names: Mapping[tuple[str, str], Handler | None],
        *,
        place: int = 0,
        persistent: Handler | None = None,
    ) -> None:
        self._data = memoryview(data).cast("B") if not isinstance(data, memoryview) else data
        self._names, self._persistent = names, persistent
        self.place = place
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._room = 2 * len(self._data) + (1 << 16)

    def run(self) -> Any:
        """The value of the pickle; `place` is then where it ended."""
        try:
            while True:
                code = self._data[self.place]
                self.place += 1
                if code == 0x2E:  # STOP
                    return self._pop()
                step = _STEPS.get(code)
                if step is None:
                    raise ModelError(f"it holds the pickle instruction 0x{code:02x}, which data does not need")
                step(self)
        except ModelError:
            raise
        except (IndexError, struct.error):
            raise ModelError("it ends in the middle, or is no pickle") from None
        except (ValueError, TypeError, KeyError, OverflowError, AttributeError, LookupError, ArithmeticError) as error:
            raise ModelError(f"it is not a pickle that makes sense ({type(error).__name__})") from None

    def _take(self, count: int) -> memoryview:
        part = self._data[self.place : self.place + count]
        if len(part) != count:
            raise IndexError
        self.place += count
        return part

    def _number(self, layout: str) -> Any:
        return struct.unpack(layout, self._take(struct.calcsize(layout)))[0]

    def _line(self) -> bytes:
        end = self.place
        while self._data[end] != 10:
            end += 1
        line = bytes(self._data[self.place : end])
        self.place = end + 1
        return line

    def _pop(self) -> Any:
        value = self._stack.pop()
        if value is _MARK:
            raise ModelError("it is not a pickle that makes sense (a mark where a value should be)")
        return value

    def _to_mark(self) -> list[Any]:
        for at in range(len(self._stack) - 1, -1, -1):
            if self._stack[at] is _MARK:
                items = self._stack[at + 1 :]
                del self._stack[at:]
                return items
        raise ModelError("it is not a pickle that makes sense (no mark)")

    def _top(self, kind: type | tuple[type, ...]) -> Any:
        value = self._stack[-1]
        if not isinstance(value, kind):
            raise ModelError(f"it adds to a {type(value).__name__}, which is not a container for it")
        return value

    # Below, one method for each group of instructions; their names are those of the module pickletools.

    def _append(self) -> None:
        value = self._pop()
        self._top(list).append(value)

    def _appends(self) -> None:
        items = self._to_mark()
        self._top(list).extend(items)

    def _set_item(self) -> None:
        value, key = self._pop(), self._pop()
        self._top(dict)[key_of(key)] = value

    def _set_items(self) -> None:
        items = self._to_mark()
        self._top(dict).update(_pairs(items))

    def _add_items(self) -> None:
        items = self._to_mark()
        self._top(set).update(key_of(item) for item in items)

    def _tuple(self, count: int) -> None:
        items = [self._pop() for _ in range(count)]
        self._stack.append(tuple(reversed(items)))

    def _get(self, index: int) -> None:
        self._stack.append(self._memo[index])

    def _put(self, index: int) -> None:
        value = self._stack[-1]
        if value is _MARK or index < 0:
            raise ModelError("it is not a pickle that makes sense (a memo of nothing)")
        self._memo[index] = value

    def _name(self, module: Any, attribute: Any) -> None:
        name = (module, attribute)
        if not (isinstance(module, str) and isinstance(attribute, str)) or name not in self._names:
            shown = ascii(f"{module}.{attribute}")[1:-1][:80]
            raise ModelError(f"it names {shown}, which is not data: it is not read any further")
        self._stack.append(Name(name, self._names[name]))

    def _stack_name(self) -> None:
        attribute, module = self._pop(), self._pop()
        self._name(module, attribute)

    def _reduce(self) -> None:
        arguments, function = self._pop(), self._pop()
        if not isinstance(function, Name) or function.handler is None or not isinstance(arguments, tuple):
            raise ModelError("it asks for a call of what is not a constructor of data")
        self._spend(arguments)
        self._stack.append(function.handler(*arguments))

    def _build(self) -> None:
        state = self._pop()
        value = self._stack[-1]
        if isinstance(value, Ordered):
            return
        build = getattr(value, "build", None) if type(value).__module__.startswith("whichpic.") else None
        if build is None:
            raise ModelError(f"it gives a state to a {type(value).__name__}, which has none")
        self._spend(state if isinstance(state, tuple) else ())
        build(state)

    def _spend(self, arguments: tuple[Any, ...]) -> None:
        """A constructor copies what it is given, and three bytes are enough to give it the same megabyte again."""
        self._room -= sum(len(each) for each in arguments if isinstance(each, str | bytes | bytearray | list | tuple))
        if self._room < 0:
            raise ModelError("it makes more of its bytes than there are of them")

    def _persist(self) -> None:
        given = self._pop()
        if self._persistent is None:
            raise ModelError("it refers to storage outside itself")
        self._stack.append(self._persistent(given))

    def _text(self, layout: str) -> None:
        self._stack.append(str(self._take(self._number(layout)), "utf-8", "surrogatepass"))

    def _bytes(self, layout: str, kind: Callable[[Any], Any] = bytes) -> None:
        count = self._number(layout)
        if count < 0:
            raise IndexError
        self._stack.append(kind(self._take(count)))

    def _long(self, layout: str) -> None:
        count = self._number(layout)
        if not 0 <= count <= _LONGEST_NUMBER:
            raise ModelError("it holds an integer of absurd length")
        self._stack.append(int.from_bytes(self._take(count), "little", signed=True))

    def _written_number(self) -> None:
        line = self._line()
        if len(line) > _LONGEST_NUMBER:
            raise ModelError("it holds an integer of absurd length")
        booleans = {b"00": False, b"01": True}
        self._stack.append(booleans[line] if line in booleans else int(line.rstrip(b"L") or b"0"))

    def _written_text(self) -> None:
        line = self._line()
        if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"'):
            raise ModelError("it holds a string without quotes")
        self._stack.append(codecs.escape_decode(line[1:-1])[0].decode("latin-1"))

    def _protocol(self) -> None:
        if self._take(1)[0] > 5:
            raise ModelError("it is a pickle of a protocol above 5")


def key_of(value: Any) -> Any:
    """A key of a dict or a member of a set: a scalar, or a tuple of scalars, which are hashed at once."""
    flat = value if isinstance(value, tuple) else (value,)
    if not all(isinstance(item, _SCALARS) for item in flat):
        raise ModelError("it holds a key that is no plain value")
    return value


def _pairs(items: list[Any]) -> dict[Any, Any]:
    if len(items) % 2:
        raise ModelError("it holds a key without a value")
    return {key_of(key): value for key, value in zip(items[::2], items[1::2], strict=True)}


def _latin(machine: Machine, layout: str) -> None:
    machine._bytes(layout, lambda part: str(part, "latin-1"))


def _skip_frame(machine: Machine) -> None:
    machine._take(8)


_STEPS: dict[int, Callable[[Machine], Any]] = {
    0x80: Machine._protocol,
    0x95: _skip_frame,
    ord("("): lambda m: m._stack.append(_MARK),
    ord("0"): lambda m: m._stack.pop(),
    ord("1"): Machine._to_mark,
    ord("2"): lambda m: m._stack.append(m._stack[-1]),
    ord("N"): lambda m: m._stack.append(None),
    0x88: lambda m: m._stack.append(True),
    0x89: lambda m: m._stack.append(False),
    ord("I"): Machine._written_number,
    ord("L"): Machine._written_number,
    ord("J"): lambda m: m._stack.append(m._number("<i")),
    ord("K"): lambda m: m._stack.append(m._number("<B")),
    ord("M"): lambda m: m._stack.append(m._number("<H")),
    0x8A: lambda m: m._long("<B"),
    0x8B: lambda m: m._long("<i"),
    ord("F"): lambda m: m._stack.append(float(m._line())),
    ord("G"): lambda m: m._stack.append(m._number(">d")),
    ord("S"): Machine._written_text,
    ord("T"): lambda m: _latin(m, "<i"),
    ord("U"): lambda m: _latin(m, "<B"),
    ord("B"): lambda m: m._bytes("<I"),
    ord("C"): lambda m: m._bytes("<B"),
    0x8E: lambda m: m._bytes("<Q"),
    0x96: lambda m: m._bytes("<Q", bytearray),
    ord("V"): lambda m: m._stack.append(str(m._line(), "raw-unicode-escape")),
    ord("X"): lambda m: m._text("<I"),
    0x8C: lambda m: m._text("<B"),
    0x8D: lambda m: m._text("<Q"),
    ord("]"): lambda m: m._stack.append([]),
    ord("a"): Machine._append,
    ord("e"): Machine._appends,
    ord("l"): lambda m: m._stack.append(m._to_mark()),
    ord(")"): lambda m: m._stack.append(()),
    ord("t"): lambda m: m._stack.append(tuple(m._to_mark())),
    0x85: lambda m: m._tuple(1),
    0x86: lambda m: m._tuple(2),
    0x87: lambda m: m._tuple(3),
    ord("}"): lambda m: m._stack.append({}),
    ord("d"): lambda m: m._stack.append(_pairs(m._to_mark())),
    ord("s"): Machine._set_item,
    ord("u"): Machine._set_items,
    0x8F: lambda m: m._stack.append(set()),
    0x90: Machine._add_items,
    0x91: lambda m: m._stack.append(frozenset(key_of(item) for item in m._to_mark())),
    ord("g"): lambda m: m._get(int(m._line())),
    ord("h"): lambda m: m._get(m._number("<B")),
    ord("j"): lambda m: m._get(m._number("<I")),
    ord("p"): lambda m: m._put(int(m._line())),
    ord("q"): lambda m: m._put(m._number("<B")),
    ord("r"): lambda m: m._put(m._number("<I")),
    0x94: lambda m: m._put(len(m._memo)),
    ord("c"): lambda m: m._name(str(m._line(), "utf-8"), str(m._line(), "utf-8")),
    0x93: Machine._stack_name,
    ord("R"): Machine._reduce,
    ord("b"): Machine._build,
    ord("Q"): Machine._persist,
}
"""Instructions that make or call classes (INST, OBJ, NEWOBJ, EXT, ...) are missing on purpose."""
