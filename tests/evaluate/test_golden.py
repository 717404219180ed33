"""Figures that are known to the digit, from published files; they skip where the files are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.evaluate.shared import published_file
from whichpic.evaluate import metrics
from whichpic.evaluate.run import Run
from whichpic.evaluate.scoring import Protocol, of_recipe, read_runs
from whichpic.simulate.recipes import load_recipe

HITS = [63.71, 70.30, 72.92, 74.81, 76.26, 76.99, 77.81, 78.34, 78.59, 79.07, 79.17]
RECALL = [63.71, 64.39, 65.75, 67.39, 67.83, 67.93, 68.02, 67.34, 67.10, 67.78, 66.91]
BRI = [1.7674, 1.6461, 1.5671, 1.5093, 1.4649, 1.4289, 1.3984, 1.3726, 1.3505, 1.3311]


@pytest.fixture(scope="module")
def proxy() -> Run:
    data = published_file("chatir/ChatGPT_BLIP2.json").parents[1]
    protocol, paths = of_recipe(load_recipe("text-proxy"), data)
    (run,) = read_runs(paths, protocol)
    return run


def test_the_text_proxy_by_turn(proxy: Run) -> None:
    rank = proxy.ranks.rank("optimistic")
    assert (100 * metrics.hits_at(rank, 10)).round(2).tolist() == HITS
    assert (100 * metrics.recall_at(rank, 10)).round(2).tolist() == RECALL
    assert metrics.bri(rank)[1:].round(4).tolist() == BRI


def test_the_text_proxy_as_other_tools_score_it(proxy: Run) -> None:
    rank = proxy.ranks.rank("optimistic")
    for turn, expected in ((0, (0.637112, 0.442010, 0.488248)), (10, (0.669089, 0.455202, 0.506284))):
        found = [metric(rank, 10)[turn] for metric in (metrics.recall_at, metrics.mrr_at, metrics.ndcg_at)]
        assert np.round(found, 6).tolist() == list(expected)


def test_the_text_proxy_has_no_leak_and_states_its_settings(proxy: Run) -> None:
    assert proxy.warnings == ()
    assert proxy.settings["cut into"] == "runs of [a-z0-9]"
    assert proxy.settings["opening among the documents"] == "no"


def test_asking_the_documents_own_questions_is_a_leak() -> None:
    documents = published_file("chatir/VisDial_v1.0_queries_val.json")
    (run,) = read_runs([published_file("chatir/Human_BLIP2.json")], Protocol(documents=documents, turns=2))
    assert any(warning.startswith("leak: 100% of the questions") for warning in run.warnings)


def test_one_caption_finds_the_others_of_coco() -> None:
    names, captions = published_file("plugir/Search_Space_coco.json"), published_file("plugir/coco_captions.json")
    (run,) = read_runs([names], Protocol(captions=captions, tokens="ascii"))
    rank = run.ranks.rank("mean")
    assert [round(100 * metrics.recall_at(rank, k)[0], 2) for k in (1, 5, 10)] == [33.00, 54.14, 63.48]
    assert round(float((1 / rank).mean()), 4) == 0.4325
    assert round(100 * float((run.ranks.ties > 0).mean()), 1) == 1.5
    assert run.ranks.pool == 5000


def test_every_target_of_chatir_is_in_its_search_space(tmp_path: Path) -> None:
    space, dialogues = (
        published_file(f"chatir/{name}.json") for name in ("Search_Space_val_50k", "VisDial_v1.0_queries_val")
    )
    vectors = tmp_path / "pictures.npy"
    draw = np.random.default_rng(0)
    np.save(vectors, draw.standard_normal((50_000, 8)).astype(np.float32))
    queries = tmp_path / "queries.npy"
    np.save(queries, draw.standard_normal((2064, 2, 8)).astype(np.float32))
    (run,) = read_runs([dialogues], Protocol(space=space, vectors=vectors, query_vectors=queries, turns=2))
    assert run.ranks.pool == 50_000
    assert run.settings["corpus"] == "VisDial v1.0 val, COCO unlabeled2017"
    assert 0.45 < np.median(run.ranks.rank() / 50_000) < 0.55  # chance, as random vectors should
