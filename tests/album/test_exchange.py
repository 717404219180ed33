"""An album's vectors go out and come back; an index of navigationir's three files becomes an album."""

from __future__ import annotations

import io
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.album.making import album
from whichpic.album.exchange import Elsewhere, export_index, import_vectors
from whichpic.album.faiss_file import read_flat, write_flat
from whichpic.album.indexing import index
from whichpic.album.store import Store
from whichpic.encoders.toy import Toy
from whichpic.errors import AlbumError, ModelError

COUNT, DIM = 12, 256


def indexed(root: Path) -> Store:
    store = Store.open(album(root, COUNT), create=True)
    index(store, Toy())
    return store


def rows(count: int = COUNT, dim: int = DIM) -> np.ndarray[Any, Any]:
    made = np.random.default_rng(1).standard_normal((count, dim)).astype("f4")
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    return made


def three_files(folder: Path, vectors: np.ndarray[Any, Any], names: list[str]) -> dict[str, Path]:
    """As navigationir keeps them."""
    folder.mkdir(exist_ok=True)
    paths = {"index": folder / "blip_faiss.index", "names": folder / "id2image.pickle"}
    write_flat(paths["index"], vectors)
    paths["names"].write_bytes(pickle.dumps(dict(enumerate(names))))
    paths["embeddings"] = folder / "blip_image_embedding.pickle"
    paths["embeddings"].write_bytes(pickle.dumps(vectors))
    return paths


def paths_of(store: Store) -> list[str]:
    return [f"{number // 10:03d}/{number}.png" for number in range(COUNT)]


def vectors_by_path(store: Store, encoder: str) -> dict[str, np.ndarray[Any, Any]]:
    held = store.vectors(encoder)
    assert held is not None
    return {
        picture.paths[0]: held.matrix[row] for picture, row in zip(store.pictures(), held.rows, strict=True) if row >= 0
    }


def test_what_goes_out_comes_back(tmp_path: Path) -> None:
    store = indexed(tmp_path / "one")
    name, count = export_index(store, tmp_path / "out")
    assert (name, count) == ("toy-1", COUNT)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "embeddings.npy",
        "export.json",
        "faiss.index",
        "id2image.json",
    ]
    about = json.loads((tmp_path / "out" / "export.json").read_text())
    assert about["encoder"] == "toy-1" and about["dim"] == Toy.dim and len(about["pictures"]) == COUNT
    other = Store.open(album(tmp_path / "two", COUNT), create=True)
    out = tmp_path / "out"
    done = import_vectors(other, encoder="toy-1", index=out / "faiss.index", names=out / "id2image.json",
                          embeddings=out / "embeddings.npy")  # fmt: skip
    assert (done.rows, done.pictures, done.absent, done.without, done.scaled) == (COUNT, COUNT, 0, 0, 0)
    report = index(other, Elsewhere("toy-1", Toy.dim))  # looks at the pictures, and encodes none
    assert report.encoded == 0 and len(other.pictures()) == COUNT
    before, after = vectors_by_path(store, "toy-1"), vectors_by_path(other, "toy-1")
    assert before.keys() == after.keys()
    for path, vector in before.items():
        np.testing.assert_allclose(after[path], vector, atol=1e-6)
    assert len(other.facts()) == COUNT and other.pictures()[0].width == 40
    assert index(other, Toy()).encoded == 0  # the encoder itself finds its vectors in place


def test_the_three_files_of_navigationir_become_an_album(tmp_path: Path) -> None:
    store = Store.open(album(tmp_path / "unlabeled2017", COUNT), create=True)
    names = [f"./data/unlabeled2017/{path}" for path in paths_of(store)]
    given = three_files(tmp_path / "checkpoints", 3 * rows(COUNT + 2), [*names, "gone/1.png.old", "gone/2.jpg"])
    done = import_vectors(store, encoder="chatir-0123456789-fp32", **given)
    assert (done.rows, done.dim, done.pictures, done.absent, done.scaled) == (COUNT + 2, DIM, COUNT, 2, COUNT)
    assert done.examples == ("gone/1.png.old", "gone/2.jpg")
    index(store, Elsewhere("chatir-0123456789-fp32", DIM))
    found = vectors_by_path(store, "chatir-0123456789-fp32")
    for path, row in zip(paths_of(store), rows(COUNT + 2), strict=False):
        np.testing.assert_allclose(found[path], row, atol=1e-6)
    again = import_vectors(store, encoder="chatir-0123456789-fp32", **given)
    assert again.pictures == COUNT and len(store.vectors("chatir-0123456789-fp32").rows) == COUNT  # type: ignore[union-attr]


@pytest.mark.parametrize("layout", ["list", "array", "by name", "rows by name", "json", "batches of one", "no index"])
def test_lists_and_vectors_in_every_shape_people_keep_them(tmp_path: Path, layout: str) -> None:
    store = Store.open(album(tmp_path / "a", COUNT), create=True)
    names, vectors = paths_of(store), rows()
    given = three_files(tmp_path / "given", vectors, names)
    if layout == "array":
        given["names"].write_bytes(pickle.dumps(np.array(names)))
    elif layout == "list":
        given["names"].write_bytes(pickle.dumps(names))
    elif layout == "by name":
        given["names"].write_bytes(pickle.dumps({name: row for row, name in enumerate(names)}))
    elif layout == "rows by name":
        shuffled = sorted(enumerate(names), key=lambda pair: pair[0] % 5)
        given["embeddings"].write_bytes(pickle.dumps({name: vectors[row] for row, name in shuffled}))
    elif layout == "json":
        given["names"] = tmp_path / "names.json"
        given["names"].write_text(json.dumps(dict(enumerate(names))))
    elif layout == "batches of one":
        given["embeddings"].write_bytes(pickle.dumps([vector[None] for vector in vectors]))
    else:
        del given["index"], given["names"]
        given["embeddings"].write_bytes(pickle.dumps(dict(zip(names, vectors.tolist(), strict=True))))
    assert import_vectors(store, encoder="mine-1", **given).pictures == COUNT
    index(store, Elsewhere("mine-1", DIM))
    for path, row in zip(names, vectors, strict=True):
        np.testing.assert_allclose(vectors_by_path(store, "mine-1")[path], row, atol=1e-6)


def test_what_does_not_fit_is_refused_in_a_line_and_nothing_is_written(tmp_path: Path) -> None:
    store = Store.open(album(tmp_path / "a", COUNT), create=True)
    names, folder = paths_of(store), tmp_path / "given"

    def refused(match: str, given: dict[str, Any], encoder: Any = "mine-1", error: Any = AlbumError) -> None:
        with pytest.raises(error, match=match) as told:
            import_vectors(store, encoder=encoder, **given)
        assert "\n" not in str(told.value) and store.vectors("mine-1") is None

    good = three_files(folder, rows(), names)
    refused("256 numbers, but those of toy-1 have 64", good, Toy())
    refused("11 names", three_files(folder, rows(), names[:-1]))
    refused("the first is 'elsewhere/0.jpg'", three_files(folder, rows(), [f"elsewhere/{i}.jpg" for i in range(COUNT)]))
    refused("are both the file", three_files(folder, rows(), [*names[:-1], names[0]]))
    refused("1 files of .* have no vector", three_files(folder, rows(COUNT - 1), names[:-1]))
    refused("not finite", three_files(folder, np.where(rows() > 0.2, np.nan, rows()), names))
    refused("no list of file names", good | {"names": written(folder / "n.json", b'{"a.jpg": "b.jpg"}')})
    refused("it names posix.system", good | {"names": written(folder / "n.pickle", b"cposix\nsystem\n(S'true'\ntR.")},
            error=ModelError)  # fmt: skip
    refused("no vectors given", {"names": good["names"]})
    good = three_files(folder, rows(), names)
    np.save(folder / "other.npy", rows(COUNT, 8))
    refused(r"not of one size \(\[12, 256\] and \[12, 8\]\)", good | {"embeddings": folder / "other.npy"})
    np.save(folder / "other.npy", rows()[::-1])
    refused("hold different vectors", good | {"embeddings": folder / "other.npy"})
    np.save(folder / "other.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    refused("no npy file that can be read", good | {"embeddings": folder / "other.npy"})
    (tmp_path / "a" / "twin").mkdir()
    (tmp_path / "a" / "000" / "1.png").rename(tmp_path / "a" / "twin" / "0.png")
    refused("may be 000/0.png or twin/0.png", three_files(folder, rows(), [path.split("/")[1] for path in names]))


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_names_begin_from_a_folder_where_two_files_are_called_the_same(tmp_path: Path) -> None:
    root = album(tmp_path / "a", COUNT)
    (root / "twin").mkdir()
    (root / "000" / "1.png").rename(root / "twin" / "0.png")
    store = Store.open(root, create=True)
    names = [f"{number}.png" for number in (0, *range(2, 10))]
    given = three_files(tmp_path / "given", rows(len(names)), names)
    toy = Toy()
    toy.id, toy.dim = "mine-1", DIM
    done = import_vectors(store, encoder=toy, images=root / "000", **given)
    assert (done.pictures, done.without) == (9, 3)


def test_an_index_that_is_none_or_cut_off_is_told_in_a_line(tmp_path: Path) -> None:
    path = tmp_path / "faiss.index"
    write_flat(path, rows(3, 4))
    np.testing.assert_array_equal(read_flat(path), rows(3, 4))
    data = path.read_bytes()
    for end in range(len(data)):
        with pytest.raises(AlbumError):
            read_flat(written(path, data[:end]))
    for place, value in ((4, 0), (4, 255), (7, 255), (8, 9), (15, 255), (41, 1)):
        with pytest.raises(AlbumError):
            read_flat(written(path, data[:place] + bytes([value]) + data[place + 1 :]))
    with pytest.raises(AlbumError, match="no index of FAISS"):
        read_flat(written(path, b"hello world"))
    write_flat(path, np.zeros((0, 4), dtype="f4"))
    assert read_flat(path).shape == (0, 4)


@pytest.mark.faiss
def test_faiss_reads_ours_and_we_read_those_of_faiss(tmp_path: Path) -> None:
    faiss = pytest.importorskip("faiss", reason="needs faiss-cpu (make test-all installs it)")
    path, vectors = tmp_path / "faiss.index", rows(20, 8)
    write_flat(path, vectors)
    theirs = faiss.read_index(str(path))
    assert isinstance(theirs, faiss.IndexFlatIP) and theirs.ntotal == 20 and theirs.d == 8
    np.testing.assert_array_equal(theirs.reconstruct_n(0, 20), vectors)
    _, best = theirs.search(vectors[:3], 1)
    assert best[:, 0].tolist() == [0, 1, 2]
    plain = [faiss.IndexFlatIP(8), faiss.IndexFlatL2(8), faiss.IndexFlat(8, faiss.METRIC_L1)]
    for made in [*plain, faiss.IndexHNSWFlat(8, 4)]:
        made.add(vectors)
        faiss.write_index(made, str(path))
        np.testing.assert_array_equal(read_flat(path), vectors)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(AlbumError, match="FAISS cannot give"):
        read_flat(path)


def test_other_kinds_of_index_say_which_extra_they_need(tmp_path: Path) -> None:
    try:
        import faiss  # noqa: F401
    except ImportError:
        from whichpic.errors import ExtraMissing

        with pytest.raises(ExtraMissing, match=r"whichpic\[faiss\]"):
            read_flat(written(tmp_path / "hnsw.index", b"IHNf" + bytes(60)))
    else:
        pytest.skip("FAISS is here, and reads them")


def test_whose_vectors_are_exported(tmp_path: Path) -> None:
    store = indexed(tmp_path / "a")
    given = three_files(tmp_path / "given", rows(), paths_of(store))
    import_vectors(store, encoder="mine-1", **given)
    with pytest.raises(AlbumError, match="--encoder: mine-1, toy-1"):
        export_index(store, tmp_path / "out")
    assert export_index(store, tmp_path / "out", encoder="mine") == ("mine-1", COUNT)
    np.testing.assert_allclose(
        sorted(np.load(tmp_path / "out" / "embeddings.npy")[:, 0]), sorted(rows()[:, 0]), atol=1e-6
    )
    with pytest.raises(AlbumError, match="cannot write"):
        export_index(store, tmp_path / "given" / "id2image.pickle" / "x", encoder="mine")
    assert io.BytesIO((tmp_path / "out" / "faiss.index").read_bytes()).read(4) == b"IxFI"
