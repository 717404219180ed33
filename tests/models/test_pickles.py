"""Pickles of others: what is data comes out as it was; what is not is refused in a line, and nothing of it happens."""

from __future__ import annotations

import io
import os
import pickle
import pickletools
import random
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from whichpic.errors import ModelError
from whichpic.models.pickles import BFloat16, load_checkpoint, load_plain, widened

PLAIN: list[Any] = [
    [1, 2.5, "a", b"x", b"", None, True, -5, 2**70, (1,), (), {}, {"a": {1, 2}, (1, "b"): frozenset([3])}],
    {i: f"unlabeled2017/{i:012}.jpg" for i in range(300)},
    OrderedDict(b=1, a=[2, 3]),
    bytearray(b"abc"),
    "é 中\n",
    b"\xff\x00" * 300,
]
ARRAYS = [
    np.arange(12).reshape(3, 4),
    np.asfortranarray(np.random.default_rng(0).random((3, 4))),
    np.array(["ab", "c"]),
    np.arange(3, dtype=">f4"),
    np.zeros((0, 3), dtype="f2"),
    np.array([True, False]),
]


def written(folder: Path, data: bytes, name: str = "given.pickle") -> Path:
    (folder / name).write_bytes(data)
    return folder / name


@pytest.mark.parametrize("protocol", range(6))
def test_plain_data_comes_back_as_it_was(tmp_path: Path, protocol: int) -> None:
    for value in PLAIN:
        assert load_plain(written(tmp_path, pickle.dumps(value, protocol))) == value
    for array in ARRAYS:
        found = load_plain(written(tmp_path, pickle.dumps({"x": array, "n": array[:1]}, protocol)))["x"]
        np.testing.assert_array_equal(found, array)
        assert found.dtype == array.dtype and found.shape == array.shape
    shared = ["a"]
    found = load_plain(written(tmp_path, pickle.dumps([shared, shared, np.float32(2.5), np.int64(7)], protocol)))
    assert found[0] is found[1] and found[2] == np.float32(2.5) and found[3] == 7
    names = np.array(["a.jpg", None, 3], dtype=object)
    assert load_plain(written(tmp_path, pickle.dumps(names, protocol))).tolist() == ["a.jpg", None, 3]
    lists = np.empty(2, dtype=object)
    lists[0], lists[1] = ["a.jpg", "b.jpg"], ["c.jpg", "d.jpg"]
    assert load_plain(written(tmp_path, pickle.dumps(lists, protocol))).tolist() == lists.tolist()


class Evil:
    """Pickles to a call of whatever it is given."""

    def __init__(self, *call: Any) -> None:
        self.call = call

    def __reduce__(self) -> Any:
        return self.call


def touched(folder: Path) -> list[Any]:
    """Pickled calls that would leave the file `folder/touched`, at every depth and in every disguise."""
    line = f"touch {folder / 'touched'}"
    code = f"open({str(folder / 'touched')!r}, 'w').close()"
    system = Evil(os.system, (line,))
    return [
        system,
        Evil(eval, (code,)),
        Evil(exec, (code,)),
        {"model": {"weight": [1, (2, system)]}},
        [Evil(list, ([system],))],
        Evil(getattr, ("", "join")),
        Evil(np.fromfile, (str(folder),)),
        {system: 1},
        OrderedDict(a=system),
    ]


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_nothing_that_a_pickle_says_is_called(tmp_path: Path, protocol: int) -> None:
    hostile = [pickle.dumps(value, protocol) for value in touched(tmp_path)]
    hostile += [
        b"cos\nsystem\n(S'touch " + str(tmp_path / "touched").encode() + b"'\ntR.",
        b"(S'touch " + str(tmp_path / "touched").encode() + b"'\nios\nsystem\n.",  # INST
        b"(cos\nsystem\nS'true'\no.",  # OBJ
        b"cnumpy\nndarray\n)\x81.",  # NEWOBJ
        b"\x82\x01.",  # EXT1
        b"cbuiltins\n__import__\n(S'os'\ntR.",
        b"ccollections\nOrderedDict\n}S'__class__'\nI1\nsb.",  # a state for the constructor itself
        b"ctorch._utils\n_rebuild_tensor_v2\n(I1\nI0\n(t(ttR.",
        b"ctorch.storage\n_load_from_bytes\n(B\x05\x00\x00\x00\x80\x04K\x01.tR.",
        b"cnumpy\ndtype\n(S'V8'\ntR.",
        b"cnumpy\ndtype\n(S'O8'\nI0\nI1\ntR(I3\nS'|'\nNNNI-1\nI-1\nI0\ntb.",
        b"\x8c\x02os\x8c\x06system\x93.",
        b"\x8c\x08builtins\x8c\x0dset.__class__\x93.",
    ]
    for data in hostile:
        for load in (load_plain, load_checkpoint):
            with pytest.raises(ModelError) as told:
                load(written(tmp_path, data))
            assert str(told.value).count("\n") == 0 and str(told.value).startswith(str(tmp_path))
    assert not (tmp_path / "touched").exists()


@pytest.mark.timeout(20)
def test_bombs_take_neither_time_nor_memory(tmp_path: Path) -> None:
    nested = b"]" + b"".join(b"q%c](h%ch%ce" % (i, i, i) for i in range(200)) + b"."  # 2**200 lists, if copied
    tuples = b"N" + b"\x32\x86" * 60 + b"}\x85h\x00." + b"."
    hashed = b"}N" + b"2\x86" * 60 + b"I1\ns."  # a key that takes 2**60 steps to hash
    bombs = {
        "memo": b"Nr\xff\xff\xff\xff.",  # one entry at place 4,294,967,295: 32 GB in the usual machine
        "bytes": b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",
        "text": b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff.",
        "long": b"\x8b\xff\xff\xff\x7f" + b"1" * 100,
        "digits": b"I" + b"9" * 100_000 + b"\n.",
        "deep": b"]" * 100_000 + b"a" * 99_999 + b".",
        "circle": b"]q\x00h\x00a.",
        "lists": nested,
        "tuples": tuples,
        "hash": hashed,
        "array": b"cnumpy.core.numeric\n_frombuffer\n(B\x01\x00\x00\x00xcnumpy\ndtype\n(S'f8'\ntR(L99999999999999L\ntS'C'\ntR.",
    }  # fmt: skip
    letters = b"B\x00\x00\x01\x00" + bytes(1 << 16)  # the same bytes made an array of again and again
    again = b"cnumpy.core.numeric\n_frombuffer\n(h\x00h\x01L65536L\nS'C'\ntR"
    bombs["copies"] = letters + b"q\x00cnumpy\ndtype\n(S'u1'\ntRq\x01](" + again * 10_000 + b"e."
    bombs["nothings"] = b"cnumpy.core.numeric\n_frombuffer\n(C\x00cnumpy\ndtype\n(S'S0'\ntRL999999999999L\nS'C'\ntR."
    for name, data in bombs.items():
        if name == "memo":
            assert load_plain(written(tmp_path, data)) is None  # harmless here
        else:
            with pytest.raises(ModelError):
                load_plain(written(tmp_path, data))


def test_what_is_cut_off_or_changed_is_refused_and_never_more_than_that(tmp_path: Path) -> None:
    data = pickle.dumps({"names": ["a.jpg", "b.jpg"], "x": np.arange(6.0), "n": {1, 2}, "y": np.int32(3)}, 4)
    for end in range(len(data)):
        with pytest.raises(ModelError):
            load_plain(written(tmp_path, data[:end]))
    chance = random.Random(3)
    for _ in range(1500):
        mutated = bytearray(data)
        for _ in range(chance.randrange(1, 4)):
            mutated[chance.randrange(len(mutated))] = chance.randrange(256)
        try:
            load_plain(written(tmp_path, bytes(mutated)))
        except ModelError as error:
            assert "\n" not in str(error)
    for data in (b"", b"PK\x03\x04", b"hello", b"\x80\x09.", b"."):
        with pytest.raises(ModelError):
            load_plain(written(tmp_path, data))
    with pytest.raises(ModelError, match="cannot be read"):
        load_plain(tmp_path / "nowhere.pickle")


def zipped(records: dict[str, bytes], *, how: int = zipfile.ZIP_STORED) -> bytes:
    """A checkpoint as torch.save lays it out."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", how) as packed:
        for name, data in records.items():
            packed.writestr(f"archive/{name}", data)
    return out.getvalue()


def state(
    shape: tuple[int, ...], strides: tuple[int, ...], *, numel: int, offset: int = 0, kind: str = "Float"
) -> bytes:
    """The data.pkl of {"weight": a tensor}, written by hand."""

    def numbers(values: tuple[int, ...]) -> bytes:
        return b"(" + b"".join(b"L%dL\n" % value for value in values) + b"t"

    storage = b"(S'storage'\nctorch\n%sStorage\nS'0'\nS'cpu'\nL%dL\ntQ" % (kind.encode(), numel)
    rebuild = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"L%dL\n" % offset + numbers(shape) + numbers(strides)
    return b"}S'weight'\n" + rebuild + b"I00\nccollections\nOrderedDict\n)RtRs."


def test_a_checkpoint_of_torch_is_read_without_torch(tmp_path: Path) -> None:
    numbers = np.arange(6, dtype="<f4")
    records = {"data.pkl": state((2, 3), (3, 1), numel=6), "data/0": numbers.tobytes(), "version": b"3\n"}
    path = written(tmp_path, zipped(records), "model.ckpt")
    np.testing.assert_array_equal(load_checkpoint(path)["weight"], numbers.reshape(2, 3))
    turned = records | {"data.pkl": state((3, 2), (1, 3), numel=6)}
    found = load_checkpoint(written(tmp_path, zipped(turned)))["weight"]
    np.testing.assert_array_equal(found, numbers.reshape(2, 3).T)
    found[0, 0] = 99  # a mapped copy: the file stays as it was
    assert load_checkpoint(tmp_path / "given.pickle")["weight"][0, 0] == 0
    bits = (np.array([1.0, -2.5], dtype="<f4").view("<u4") >> 16).astype("<u2")
    halves = {"data.pkl": state((2,), (1,), numel=2, kind="BFloat16"), "data/0": bits.tobytes()}
    found = load_checkpoint(written(tmp_path, zipped(halves)))["weight"]
    assert isinstance(found, BFloat16) and widened(found).tolist() == [1.0, -2.5]


def test_a_checkpoint_that_claims_more_than_it_has_is_refused(tmp_path: Path) -> None:
    data = np.arange(6, dtype="<f4").tobytes()
    claims = {
        "more numbers than bytes": state((2**40,), (1,), numel=2**40),
        "a view beyond the storage": state((2, 3), (30, 1), numel=6),
        "beyond it by the offset": state((2, 3), (3, 1), numel=6, offset=1),
        "a view that repeats itself for ever": state((2**40,), (0,), numel=6),
        "a stride backwards": state((2, 3), (-3, 1), numel=6),
        "a stride beyond all numbers": state((1,), (2**70,), numel=6),
        "nothing, of absurd sizes": state((0, 2**30, 2**30, 2**30), (1, 1, 1, 1), numel=6),
        "a size below zero": state((-1,), (1,), numel=6),
        "a kind that is not known": state((6,), (1,), numel=6, kind="QInt8"),
    }
    for why, pickled in claims.items():
        with pytest.raises(ModelError):
            load_checkpoint(written(tmp_path, zipped({"data.pkl": pickled, "data/0": data})))
            pytest.fail(why)
    whole = zipped({"data.pkl": state((6,), (1,), numel=6), "data/0": data})
    with pytest.raises(ModelError, match="compressed"):
        load_checkpoint(written(tmp_path, zipped({"data.pkl": b"N.", "data/0": data}, how=zipfile.ZIP_DEFLATED)))
    with pytest.raises(ModelError, match="storage '0' is missing"):
        load_checkpoint(written(tmp_path, zipped({"data.pkl": state((6,), (1,), numel=6)})))
    with pytest.raises(ModelError, match=r"without a data\.pkl"):
        load_checkpoint(written(tmp_path, zipped({"data/0": data})))
    with pytest.raises(ModelError, match="no tensors in it"):
        load_checkpoint(written(tmp_path, zipped({"data.pkl": pickle.dumps({"epoch": 3}, 2)})))
    for end in range(0, len(whole), 7):
        with pytest.raises(ModelError):
            load_checkpoint(written(tmp_path, whole[:end]))
    place = whole.index(b"PK\x01\x02") + 42  # where the catalogue of the zip says that a record begins
    with pytest.raises(ModelError):
        load_checkpoint(written(tmp_path, whole[:place] + struct.pack("<I", 11) + whole[place + 4 :]))


@pytest.mark.torch
@pytest.mark.parametrize("as_zip", [True, False], ids=["zip", "before 1.6"])
def test_every_kind_of_tensor_is_what_torch_loads(tmp_path: Path, as_zip: bool) -> None:
    torch = pytest.importorskip("torch", reason="needs torch (make test-all installs it)")
    tensors = torch.nn.Linear(3, 4).state_dict()
    tensors |= {"turned": torch.randn(3, 5).t(), "slice": torch.arange(10)[3:7], "none": torch.zeros(0, 4)}
    tensors |= {"scalar": torch.tensor(3.0), "parameter": torch.nn.Parameter(torch.ones(2)), "tied": tensors["bias"]}
    types = ("float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool")
    tensors |= {name: torch.arange(5).to(getattr(torch, name)) for name in types}
    path = tmp_path / "model.ckpt"
    for value in (tensors, {"model": tensors, "epoch": 3, "config": {"a": [1]}}, {"state_dict": OrderedDict(tensors)}):
        torch.save(value, path, _use_new_zipfile_serialization=as_zip)
        found = load_checkpoint(path)
        assert list(found) == list(tensors)
        for name, tensor in tensors.items():
            array = torch.from_numpy(np.asarray(found[name]))
            if isinstance(found[name], BFloat16):
                array = array.view(torch.bfloat16)
            assert array.dtype == tensor.dtype and torch.equal(array, tensor.detach())
    pickled = written(tmp_path, pickle.dumps({"embeddings": [torch.ones(2, 3)]}))
    np.testing.assert_array_equal(load_plain(pickled)["embeddings"][0], np.ones((2, 3)))


def test_instructions_that_make_classes_are_not_there() -> None:
    from whichpic.models.opcodes import _STEPS

    missing = {code.name for code in pickletools.opcodes if ord(code.code) not in _STEPS}
    refused = {"INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4", "PERSID", "NEXT_BUFFER", "READONLY_BUFFER"}
    assert missing == refused | {"STOP"}
