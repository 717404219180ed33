"""Pickles of others read safely: checkpoints of PyTorch (.ckpt, .pt, .bin), lists of ids, arrays. No torch, no pickle.

Tensors, numpy arrays, OrderedDict and plain containers are admitted, and nothing else: nothing is called or imported.
Called by encoders.torch, chat.local and album.exchange. The formats are those of torch.save (the zip of 1.6 and later,
and the one before it), of numpy's __reduce__, and of pickletools.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from whichpic.errors import ModelError
from whichpic.models.opcodes import Handler, Machine, Ordered, key_of
from whichpic.models.stands import STORAGES, Array, BFloat16, Kind, Storage, Tensor, array_of, sizes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from whichpic.types import Floats

__all__ = ["BFloat16", "load_checkpoint", "load_plain", "widened"]

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_VERSION = 1001
_DEEPEST = 64  # containers within containers
_WRAPPERS = ("state_dict", "model_state_dict", "model", "module", "net")


def widened(array: NDArray[Any]) -> Floats:
    """Any tensor of load_checkpoint as float32, same shape; exact for bfloat16, float16 and float32."""
    if isinstance(array, BFloat16):
        wide: Floats = (np.asarray(array).astype(np.uint32) << 16).view(np.float32)
        return wide
    return np.asarray(array, dtype=np.float32)


def load_checkpoint(path: Path) -> dict[str, NDArray[Any]]:
    """The tensors of a checkpoint by name: numpy arrays in their own dtype, bfloat16 as `BFloat16`; nothing is copied.

    A state dict that lies in {"state_dict": ...}, {"model": ...} or the like is taken out of it; what is not a tensor
    (an epoch, a configuration) is left out. The arrays map the file: writing to them never changes it.
    Raises ModelError in one line: not a checkpoint, cut off, or something in it that is not data.
    """
    path = Path(path)
    value = _read(path)
    found = _state_dict(value)
    if not found:
        raise ModelError(f"{path}: no tensors in it; expected a state dict as written by torch.save")
    return found


def load_plain(path: Path) -> Any:
    """What a pickle of plain data holds: containers, strings, numbers, numpy arrays and scalars, tensors as arrays.

    An OrderedDict comes back as a dict. Raises ModelError in one line where the pickle holds anything else.
    """
    return _read(Path(path))


def _read(path: Path) -> Any:
    try:
        if path.stat().st_size == 0:
            raise ModelError("it is empty")
        data = np.memmap(path, dtype=np.uint8, mode="c")
        return _loaded(data)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}") from None
    except (ValueError, TypeError, OverflowError, IndexError):
        raise ModelError(f"{path}: it holds a tensor of a size that cannot be") from None
    except (MemoryError, RecursionError):
        raise ModelError(f"{path}: it asks for more memory than there is") from None


def _loaded(data: NDArray[np.uint8], *, nested: bool = False) -> Any:
    """The value of a file's bytes, in any of the three formats. nested: within a pickle, where no pickle may follow."""
    head = bytes(data[:4])
    if head == b"PK\x03\x04":
        return _of_zip(data)
    machine = Machine(data.data, {} if nested else _NAMES)
    first = machine.run()
    if type(first) is int and first == _LEGACY_MAGIC:
        return _of_legacy(data, machine.place)
    if nested:
        raise ModelError("it holds bytes that are no tensor")
    return _plain(first)


def _of_zip(data: NDArray[np.uint8]) -> Any:
    records = _records(data)
    top = next((name for name in records if name.endswith("/data.pkl") and name.count("/") == 1), None)
    if top is None:
        raise ModelError("it is a zip file without a data.pkl; expected a checkpoint written by torch.save")
    folder = top.removesuffix("data.pkl")
    if bytes(records.get(f"{folder}byteorder", np.zeros(0, np.uint8))[:8]).strip() == b"big":
        raise ModelError("it was written on a big-endian machine; save it again on a usual one")

    def storage(given: Any) -> Storage:
        made = Storage.of(given)
        record = records.get(f"{folder}data/{made.key}")
        if record is None:
            raise ModelError(f"the storage {ascii(made.key)[:40]} is missing in it")
        made.fill(record)
        return made

    return _plain(Machine(records[top].data, _NAMES, persistent=storage).run())


def _records(data: NDArray[np.uint8]) -> dict[str, NDArray[np.uint8]]:
    """The records of a zip file as views of its bytes; all must be stored, as torch.save does."""
    found = {}
    try:
        with zipfile.ZipFile(_Bytes(data)) as packed:
            infos = packed.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error, EOFError, OSError):
        raise ModelError("it is cut off, or no checkpoint written by torch.save") from None
    for info in infos:
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
            raise ModelError("its records are compressed or locked, which torch.save does not do")
        head = bytes(data[info.header_offset : info.header_offset + 30])
        if len(head) != 30 or head[:4] != b"PK\x03\x04":
            raise ModelError("its records are not where it says; it is damaged")
        start = info.header_offset + 30 + sum(struct.unpack("<HH", head[26:30]))
        record = data[start : start + info.file_size]
        if len(record) != info.file_size:
            raise ModelError("it ends in the middle of a record")
        found[info.filename] = record
    return found


class _Bytes:
    """What zipfile needs of a file, over mapped bytes, so that a file of gigabytes is not read to be listed."""

    def __init__(self, data: NDArray[np.uint8]) -> None:
        self._data, self._place = data, 0

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        place = offset + (0, self._place, len(self._data))[whence]
        if place < 0:
            raise OSError("before the beginning")
        self._place = place
        return place

    def tell(self) -> int:
        return self._place

    def read(self, count: int = -1) -> bytes:
        end = len(self._data) if count is None or count < 0 else self._place + count
        part = bytes(self._data[self._place : end])
        self._place += len(part)
        return part


def _of_legacy(data: NDArray[np.uint8], place: int) -> Any:
    """torch.save before 1.6: five pickles (magic, version, system, object, keys), then each storage with its count."""
    view = data.data
    storages: dict[str, Storage] = {}

    def storage(given: Any) -> Storage:
        made = Storage.of(given)
        if len(given) > 5 and given[5] is not None:
            raise ModelError("it holds views of storages, as PyTorch before 0.4 wrote; save it again")
        return storages.setdefault(made.key, made)

    values = []
    for persistent in (None, None, storage, None):
        machine = Machine(view, _NAMES, place=place, persistent=persistent)
        values.append(machine.run())
        place = machine.place
    version, _, value, keys = values
    if version != _LEGACY_VERSION or not isinstance(keys, list):
        raise ModelError("it is of a version of torch.save that is not known")
    for key in keys:
        known = storages.get(key) if isinstance(key, str) else None
        count = data[place : place + 8]
        if known is None or len(count) != 8 or int(count.view("<i8")[0]) != known.numel:
            raise ModelError("its storages do not fit what it says of them; it is damaged")
        size = known.numel * known.dtype.itemsize
        known.fill(data[place + 8 : place + 8 + size])
        place += 8 + size
    return _plain(value)


def _plain(value: Any) -> Any:
    """Containers of containers with every stand-in made an array; shared parts stay shared, circles are refused."""
    return _unwrapped(value, {}, 0)


def _unwrapped(value: Any, done: dict[int, Any], depth: int) -> Any:
    if value is None or isinstance(value, str | bytes | bytearray | int | float | complex | np.generic | np.ndarray):
        return value
    if id(value) in done:
        if done[id(value)] is _unwrapped:
            raise ModelError("it holds a container that holds itself")
        return done[id(value)]
    if depth > _DEEPEST:
        raise ModelError(f"its containers are nested more than {_DEEPEST} deep")
    done[id(value)] = _unwrapped  # under way
    made: Any
    match value:
        case dict():
            made = {key: _unwrapped(item, done, depth + 1) for key, item in value.items()}
        case list():
            made = [_unwrapped(item, done, depth + 1) for item in value]
        case tuple():
            made = tuple(_unwrapped(item, done, depth + 1) for item in value)
        case set() | frozenset():
            made = value
        case Tensor():
            made = value.array()
        case Array(value=np.ndarray() as array) if array.dtype == object:
            made = array
            for place in np.ndindex(array.shape):
                array[place] = _unwrapped(array[place], done, depth + 1)
        case Array(value=np.ndarray() as array):
            made = array
        case _:
            raise ModelError("it holds something that is neither a number, a text, an array nor a container of them")
    done[id(value)] = made
    return made


def _state_dict(value: Any, depth: int = 0) -> dict[str, NDArray[Any]]:
    if not isinstance(value, Mapping) or depth > 3:
        return {}
    direct = {
        name: item
        for name, item in value.items()
        if isinstance(name, str) and isinstance(item, np.ndarray) and item.dtype.kind in "biuf"
    }
    if direct:
        return direct
    named = [value[name] for name in _WRAPPERS if isinstance(value.get(name), Mapping)]
    for inner in named or [item for item in value.values() if isinstance(item, Mapping)]:
        if found := _state_dict(inner, depth + 1):
            return found
    return {}


def _ordered(*pairs: Any) -> Ordered:
    made = Ordered()
    for key, value in pairs[0] if pairs else ():
        made[key_of(key)] = value
    return made


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> Tensor:
    shape, strides = sizes(shape), sizes(strides)
    if not isinstance(storage, Storage) or type(offset) is not int or offset < 0 or len(shape) != len(strides):
        raise ModelError("it holds a tensor that is not plain")
    return Tensor(storage, offset, shape, strides)


def _parameter(data: Any, *_: Any) -> Tensor:
    if not isinstance(data, Tensor):
        raise ModelError("it holds a parameter that is no tensor")
    return data


def _within(data: Any) -> Storage:
    """A storage that was pickled by itself is a checkpoint of the old format in a string."""
    if not isinstance(data, bytes):
        raise ModelError("it holds a tensor that is not plain")
    bare = np.frombuffer(bytearray(data), np.uint8)
    machine = Machine(bare.data, {})
    if machine.run() != _LEGACY_MAGIC:
        raise ModelError("it holds bytes that are no tensor")
    return _of_bare_storage(bare, machine.place)


def _of_bare_storage(data: NDArray[np.uint8], place: int) -> Storage:
    values = []
    for persistent in (None, None, Storage.of, None):
        machine = Machine(data.data, _STORAGE_NAMES, place=place, persistent=persistent)
        values.append(machine.run())
        place = machine.place
    storage = values[2]
    if not isinstance(storage, Storage) or values[3] != [storage.key]:
        raise ModelError("it holds bytes that are no tensor")
    storage.fill(data[place + 8 :])
    return storage


def _bytes_of(text: Any = "", encoding: Any = "latin1") -> bytes:
    if isinstance(text, str) and encoding in ("latin1", "latin-1"):
        return text.encode("latin-1")
    raise ModelError("it holds bytes in a manner that is not known")


def _growing_bytes(*given: Any) -> bytearray:
    data = given[0] if given and isinstance(given[0], bytes) else _bytes_of(*given)
    return bytearray(data)


def _members(items: Any = ()) -> set[Any]:
    return {key_of(item) for item in items if isinstance(items, list | tuple)}


def _scalar(kind: Any, data: Any) -> Any:
    return array_of(data, kind, (), "C")[()]


def _empty_array(*_: Any) -> Array:
    return Array()


def _kind(code: Any, *_: Any) -> Kind:
    return Kind(code)


_STORAGE_NAMES: dict[tuple[str, str], Handler | None] = {("torch", name): None for name in STORAGES}
_NAMES: dict[tuple[str, str], Handler | None] = {
    **_STORAGE_NAMES,
    ("collections", "OrderedDict"): _ordered,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch.storage", "_load_from_bytes"): _within,
    ("numpy", "ndarray"): None,
    ("numpy", "dtype"): _kind,
    ("_codecs", "encode"): _bytes_of,
    **{
        (f"numpy.{core}.{module}", name): handler
        for core in ("core", "_core")
        for module, name, handler in (
            ("multiarray", "_reconstruct", _empty_array),
            ("multiarray", "scalar", _scalar),
            ("numeric", "_frombuffer", array_of),
        )
    },
    **{(builtins, name): _members for builtins in ("builtins", "__builtin__") for name in ("set", "frozenset")},
    **{(builtins, "bytearray"): _growing_bytes for builtins in ("builtins", "__builtin__")},
    **{(builtins, "bytes"): _bytes_of for builtins in ("builtins", "__builtin__")},
}
