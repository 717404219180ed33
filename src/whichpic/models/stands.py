"""What stands for tensors, storages and numpy arrays while a pickle is read, until all of it is known. Called by pickles.

Every size that a stranger wrote is compared with the bytes that are there before numpy sees it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from whichpic.errors import ModelError
from whichpic.models.opcodes import Name

if TYPE_CHECKING:
    from numpy.typing import NDArray

STORAGES: dict[str, str] = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "BFloat16Storage": "<u2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "|i1",
    "ByteStorage": "|u1",
    "BoolStorage": "|b1",
}


class BFloat16(np.ndarray[Any, np.dtype[np.uint16]]):
    """A bfloat16 tensor, which numpy does not know, as its bits in uint16.

    torch.from_numpy(np.asarray(x)).view(torch.bfloat16) is the tensor; `widened(x)` its numbers as float32, exactly.
    """


class Storage:
    """The numbers that tensors are views of."""

    __slots__ = ("data", "dtype", "is_bfloat16", "key", "numel")

    def __init__(self, kind: str, key: str, numel: int) -> None:
        self.dtype, self.is_bfloat16 = np.dtype(STORAGES[kind]), kind == "BFloat16Storage"
        self.key, self.numel = key, numel
        self.data: NDArray[Any] | None = None

    @classmethod
    def of(cls, given: Any) -> Storage:
        """From a persistent id: ("storage", type, key, place, count of numbers)."""
        match given:
            case ("storage", Name() as kind, str() as key, str(), int() as numel, *_) if numel >= 0:
                if kind.name[1] in STORAGES:
                    return cls(kind.name[1], key, numel)
        raise ModelError("it refers to a storage of a kind that is not known")

    def fill(self, record: NDArray[np.uint8]) -> None:
        if len(record) < self.numel * self.dtype.itemsize:
            raise ModelError("a storage in it is shorter than it says; it is cut off or damaged")
        part = record[: self.numel * self.dtype.itemsize]
        numbers = part.view(self.dtype) if self.numel else np.zeros(0, self.dtype)
        # In the older format the numbers begin anywhere, which torch does not take.
        self.data = numbers if numbers.flags.aligned else numbers.copy()


class Tensor:
    """A tensor whose storage may still be to come. `build` takes what torch says of gradients, and drops it."""

    __slots__ = ("offset", "shape", "storage", "strides")

    def __init__(self, storage: Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> None:
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides

    def build(self, state: Any) -> None:
        del state

    def array(self) -> NDArray[Any]:
        data = self.storage.data
        if data is None:
            raise ModelError("a storage of it is missing; it is cut off or damaged")
        count = math.prod(self.shape)
        reach = sum((size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True)) + 1
        if count and (self.offset + reach > len(data) or count > len(data)):
            raise ModelError("a tensor in it is larger than its storage; it is damaged")
        if not count:
            return np.zeros(self.shape, data.dtype) if max(self.shape) < 2**31 else np.zeros(0, data.dtype)
        width = data.dtype.itemsize
        array = np.lib.stride_tricks.as_strided(
            data[self.offset : self.offset + reach], self.shape, tuple(stride * width for stride in self.strides)
        )
        return array.view(BFloat16) if self.storage.is_bfloat16 else array


class Kind:
    """A numpy dtype of numbers, characters or objects, without calling numpy with what a stranger wrote."""

    __slots__ = ("code", "order")

    def __init__(self, code: Any) -> None:
        if isinstance(code, bytes):
            code = code.decode("ascii")
        is_known = isinstance(code, str) and code[:1] in "biufcSUO?" and (code[1:].isdecimal() or len(code) == 1)
        if not is_known or len(code) > 9:
            raise ModelError(f"it holds an array of the type {ascii(code)[:40]}, which is not plain")
        self.code, self.order = code, "="

    def build(self, state: Any) -> None:
        order = state[1].decode() if isinstance(state[1], bytes) else state[1]
        if order not in ("<", ">", "|", "=") or any(part is not None for part in state[2:5]):
            raise ModelError("it holds an array with named or nested fields, which is not plain")
        self.order = order

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(f"{self.order}{self.code}" if self.order in "<>" else self.code)


class Array:
    """A numpy array that is made empty and then given its state, as numpy's __reduce__ says."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: NDArray[Any] | None = None

    def build(self, state: Any) -> None:
        _, shape, kind, fortran, data = state
        self.value = array_of(data, kind, shape, "F" if fortran else "C")


def array_of(data: Any, kind: Any, shape: Any, order: Any) -> NDArray[Any]:
    shape = sizes(shape)
    if not isinstance(kind, Kind) or order not in ("C", "F"):
        raise ModelError("it holds an array that is not plain")
    count = math.prod(shape)
    if kind.code.startswith("O"):
        if not isinstance(data, list) or len(data) != count:
            raise ModelError("it holds an array of objects that does not fit its size")
        made = np.empty(count, dtype=object)
        for place, item in enumerate(data):  # all at once, numpy would look into lists of one length
            made[place] = item
        return made.reshape(shape, order=order)
    dtype = kind.dtype
    if isinstance(data, str):  # of Python 2
        data = data.encode("latin-1")
    if not isinstance(data, bytes | bytearray) or len(data) != count * dtype.itemsize:
        raise ModelError("it holds an array that does not fit its size")
    if count and not dtype.itemsize:
        raise ModelError("it holds an array of nothings")
    if not count:
        return np.zeros(shape, dtype) if max(shape, default=0) < 2**31 else np.zeros(0, dtype)
    return np.frombuffer(bytearray(data), dtype).reshape(shape, order=order)


def sizes(given: Any) -> tuple[int, ...]:
    if isinstance(given, int) and not isinstance(given, bool):
        given = (given,)
    if not isinstance(given, tuple) or len(given) > 32 or not all(type(size) is int and size >= 0 for size in given):
        raise ModelError("it holds an array of a size that cannot be")
    return given
