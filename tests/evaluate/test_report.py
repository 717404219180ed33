"""A report: a folder that a person reads, cites and pastes from, whatever stands in captions, names and answers."""

from __future__ import annotations

import csv
import io
import json
import random
import re
import sys
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.evaluate.plausible import HOSTILE, plausible
from whichpic.errors import AlbumError, SessionError
from whichpic.evaluate import plots, tables
from whichpic.evaluate.pages import page, warnings_of
from whichpic.evaluate.plots import Axes, Series
from whichpic.evaluate.published import published_systems
from whichpic.evaluate.report import joined, looks_of_world, read_summary, write_report
from whichpic.evaluate.run import Run
from whichpic.evaluate.summary import summarise
from whichpic.evaluate.worse import Look, Pictures

VISDIAL = {"corpus": "VisDial v1.0 val, COCO unlabeled2017"}


def summary_of(*runs: Run) -> dict[str, Any]:
    return summarise(runs, samples=50)


@pytest.fixture(scope="module")
def two() -> dict[str, Any]:
    return summary_of(plausible("eig", n=40, seed=1), plausible("random", n=40, skill=0.02, seed=2))


def jpeg(colour: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (32, 32), colour).save(buffer, "JPEG")
    return buffer.getvalue()


class Reader(HTMLParser):
    """Reads a page as a browser does, and notes what an accessibility check looks at."""

    void = {"meta", "br", "line", "rect", "circle", "polyline", "polygon", "path", "image", "use"}

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.void:
            assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_a_report_is_a_page_a_summary_and_rows(tmp_path: Path) -> None:
    runs = [plausible(n=12, turns=4)]
    summary = summary_of(*runs)
    written = write_report(summary, tmp_path / "reports" / "mine", runs=runs)
    assert written.name == "index.html"
    assert json.loads((written.parent / "summary.json").read_text(encoding="utf-8")) == summary
    assert len([each for each in written.parent.iterdir() if each.name.startswith("rows.")]) == 1


def test_the_same_input_gives_the_same_bytes(tmp_path: Path, two: dict[str, Any]) -> None:
    first, second = (write_report(two, tmp_path / name).read_bytes() for name in "ab")
    assert first == second


def test_a_page_needs_no_network_and_no_script(two: dict[str, Any]) -> None:
    read = Reader(page(two, pictures=lambda name: Look(name, "", jpeg("red"))))
    assert not read.all("script") and not read.all("link") and not read.all("iframe")
    for _, attributes in read.tags:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("href", "src", "xlink:href"):
            assert re.match(r"#|data:image/jpeg;base64,", attributes.get(name) or "#")
    policy = next(meta for meta in read.all("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    assert (policy["content"] or "").startswith("default-src 'none'")


def test_captions_names_and_answers_are_data(tmp_path: Path) -> None:
    run = plausible(HOSTILE, n=8, turns=3, warnings=(HOSTILE,), pool=60)
    hostile = {**run.settings, HOSTILE: HOSTILE, "list": [HOSTILE]}
    run = Run(**{**vars(run), "settings": hostile, "texts": ((HOSTILE,) * 3,) * 8, "targets": (HOSTILE,) * 8,
                 "shown": (((HOSTILE,),) * 3,) * 8})  # fmt: skip
    written = write_report(summary_of(run), tmp_path, runs=[run], pictures=lambda _: Look(HOSTILE, HOSTILE))
    text = written.read_text(encoding="utf-8")
    assert "<script" not in text and "&lt;script&gt;" in text
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e\ud800]", text)
    assert not Reader(text).all("script")


def test_a_page_can_be_used_without_seeing_it(two: dict[str, Any]) -> None:
    read = Reader(page(two))
    assert read.all("html") == [{"lang": "en"}] and len(read.all("h1")) == 1 and read.all("main")
    for chart in read.all("svg"):
        assert chart.get("aria-hidden") or (chart["role"] == "img" and len(chart["aria-label"] or "") > 20)
    assert len(read.all("caption")) == len(read.all("table"))
    assert all(cell.get("scope") in ("col", "row") for cell in read.all("th"))
    levels = [int(tag[1]) for tag, _ in read.tags if re.fullmatch("h[1-6]", tag)]
    assert all(after <= before + 1 for before, after in pairwise(levels))
    ids = [attributes["id"] for _, attributes in read.tags if "id" in attributes]
    assert len(set(ids)) == len(ids)
    assert {link["href"] for link in read.all("a")} <= {f"#{each}" for each in ids}


def test_what_a_chart_shows_is_said_in_words(two: dict[str, Any]) -> None:
    first, last = (tables.number(two["runs"][0]["by_turn"]["recall@10"]["value"][k], "recall") for k in (0, -1))
    assert f"eig: {first} at turn 0, {last} at turn 10." in page(two)


def test_chinese_has_every_text_and_the_same_gaps() -> None:
    for key, (english, chinese) in tables._said().items():
        assert english and chinese, key
        assert set(re.findall(r"{\w+}", english)) == set(re.findall(r"{\w+}", chinese)), key
    text = page(summary_of(plausible(n=12, turns=3)), language="zh")
    assert '<html lang="zh-Hans">' in text and "逐轮曲线" in text and "Turn by turn" not in text


def test_no_fixed_text_is_missing(two: dict[str, Any]) -> None:
    found, seen = np.tile([0, 1, 1, 2], (20, 1)), np.tile([6, 8, 9, 10], (20, 1))
    several = plausible("several", n=20, turns=4, relevant=np.full(20, 3), found=found, seen=seen)
    text = page(summary_of(several))
    for shown in (page(two), text):
        assert not re.search(r">(?:plot|about|column|heading|glance|harm|hit|drop|metric|worse)[.][a-z_@]+", shown)
    assert "Several targets" in text


def test_warnings_come_before_any_figure(two: dict[str, Any]) -> None:
    run = {**two["runs"][0], "warnings": ["the questions stand in the documents"], "pool": 50_000,
           "ties": {"optimistic": [0.7], "mean": [0.6], "pessimistic": [0.5], "flagged": True}}  # fmt: skip
    summary = {**two, "runs": [run, two["runs"][1]], "incomparable": [{"a": "x", "b": "y", "why": "other pools"}]}
    said = warnings_of(summary)
    assert said[0] == "eig: the questions stand in the documents"
    assert "20.0 points" in said[1] and "50,000, 2,064" in said[2] and said[3] == "x / y: other pools"
    text = page(summary)
    assert text.index("Read this first") < text.index("At a glance")
    assert "Read this first" not in page(two)


def test_published_systems_are_drawn_beside_their_own_pool_only() -> None:
    same = plausible(n=20, pool=50_000)
    same = Run(**{**vars(same), "settings": VISDIAL})
    assert "PlugIR (ACL 2024), table 12" in page(summary_of(same), published=published_systems())
    assert 'class="line p' in page(summary_of(same), published=published_systems())
    other = page(summary_of(plausible(n=20)), published=published_systems())
    assert 'class="line p' not in other and "50,000 pictures were searched there, 2,064 here" in other


def test_a_run_of_ranks_alone_has_no_empty_sections() -> None:
    bare = plausible(n=9, turns=1, measured=False)
    text = page(summary_of(Run(**{**vars(bare), "texts": (), "shown": (), "targets": ()})))
    assert "Calibration" not in text and "Cost" not in text and "Several targets" not in text
    assert not re.search(r"\bnan\b", text)


# -- pictures -----------------------------------------------------------------------------------------------------


def test_a_picture_is_embedded_once_however_often_it_is_shown() -> None:
    pictures = Pictures(lambda name: Look(name, "a red square", jpeg("red")))
    assert pictures.thumb("a") == pictures.thumb("a") != pictures.thumb("b")
    assert pictures.sprite().count("data:image/jpeg;base64,") == 2
    assert 'aria-label="a red square"' in pictures.thumb("a")


def test_pictures_beyond_the_budget_are_named_only() -> None:
    red = jpeg("red")
    pictures = Pictures(lambda name: Look(name, "", red), budget=int(len(red) * 1.5))
    assert pictures.thumb("a") and not pictures.thumb("b") and pictures.thumb("a")
    assert pictures.left_out


def test_a_caption_stands_for_a_picture_that_is_not_there(two: dict[str, Any]) -> None:
    text = page(two, pictures=lambda name: Look(name, f"what somebody wrote of {name}"))
    assert 'class="captions"' in text and "what somebody wrote of picture-" in text and "data:image" not in text


def test_pictures_of_the_drawn_world_are_drawn_again() -> None:
    looks = looks_of_world()
    seen = looks("drawn-0-000007")
    assert seen and seen.caption and seen.jpeg and Image.open(io.BytesIO(seen.jpeg)).format == "JPEG"
    assert looks("drawn-0-000007") == seen != looks("drawn-1-000007")
    assert looks("drawn-0-999999999") is None and looks("a cat") is None


# -- tables -------------------------------------------------------------------------------------------------------


def test_markdown_and_latex_survive_what_a_name_holds() -> None:
    table = tables.Table("a | b & 5 %", ("x_1", "100 %"), ((tables.Cell("a|b"), tables.Cell("−1.5", "−2.0 … −1.0")),))
    assert tables.to_markdown(table) == (
        "a \\| b &amp; 5 %\n\n| x_1 | 100 % |\n| --- | ---: |\n| a\\|b | −1.5 (−2.0 … −1.0) |\n"
    )
    latex = tables.to_latex(table)
    assert r"\caption{a | b \& 5 \%}" in latex and r"x\_1 & 100 \% \\" in latex
    assert r"a|b & $-$1.5 {\scriptsize [$-$2.0 \ldots{} $-$1.0]} \\" in latex


@pytest.mark.parametrize(
    ("value", "metric", "printed"),
    [(0.6376, "recall@10", "63.8"), (0.0002, "hits@10", "0.02"), (1.3312, "bri", "1.331"), (12.0, "median_rank", "12"),
     (1234.5, "mean_rank", "1,234"), (0.0, "recall@1", "0.0"), (None, "bri", "–"), (float("nan"), "mrr@10", "–")],
)  # fmt: skip
def test_how_numbers_are_printed(value: float | None, metric: str, printed: str) -> None:
    assert tables.number(value, metric) == printed


def test_a_comparison_says_which_way_it_goes(two: dict[str, Any]) -> None:
    recall = next(each for each in two["comparisons"] if each["metric"] == "recall@10")
    table = tables.comparison(recall)
    assert table.caption == "random less eig: Recall@10"
    assert table.rows[10][1].text == tables.number(recall["difference"][10], "recall", sign=True)


# -- plots --------------------------------------------------------------------------------------------------------


def points(svg: str, kind: str) -> list[tuple[float, float]]:
    found = re.search(f'<polyline class="line {kind}" points="([^"]*)"', svg)
    assert found
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in found[1].split())]


def say(value: float) -> str:
    return f"{value:g}"


def test_higher_values_stand_higher_and_later_turns_further_right() -> None:
    drawn = points(plots.lines("Recall", "", [Series("a", [0.2, None, 0.4, 0.8])], Axes(say)), "c0")
    assert len(drawn) == 3
    assert [x for x, _ in drawn] == sorted(x for x, _ in drawn)
    assert [y for _, y in drawn] == sorted((y for _, y in drawn), reverse=True)


@pytest.mark.parametrize("scale", ["linear", "log"])
@pytest.mark.parametrize("values", [[5.0], [3.0, 3.0, 3.0], [0.0, 0.0], [1.0, 48_000.0], [None, None], [1e-9, 2e-9]])
def test_any_values_stay_inside_the_drawing(values: list[float | None], scale: plots.Scale) -> None:
    svg = plots.lines("", "", [Series("a", values, values, values)], Axes(say, scale, chance=[0.5]))
    assert "nan" not in svg and "inf" not in svg
    pairs = [pair for path in re.findall(r'points="([^"]*)"', svg) for pair in re.findall(r"(\S+),(\S+)", path)]
    for k, (name, limit) in enumerate((("x", plots.WIDTH), ("y", plots.HEIGHT))):
        for place in [*re.findall(f' c?{name}[12]?="([-0-9.]+)"', svg), *(pair[k] for pair in pairs)]:
            assert 0 <= float(place) <= limit


def test_a_domain_has_round_ends_and_ticks_at_them() -> None:
    assert plots.limits([Series("a", [0.637, 0.669])]) == pytest.approx((0.63, 0.67))
    assert plots.limits([Series("a", [3.0, 180.0])], scale="log") == (2, 200)
    for low, high in ((0.63, 0.67), (0.0, 1.0), (-0.3, 0.1), (40.0, 100.0)):
        ticks = plots._ticks(low, high, "linear")
        assert 3 <= len(ticks) <= 7 and low - 1e-9 <= ticks[0] and ticks[-1] <= high + 1e-9


def test_labels_at_the_ends_do_not_lie_on_each_other() -> None:
    svg = plots.lines("", "", [Series(str(k), [0.5, 0.5 + k / 1000], place=k) for k in range(5)], Axes(say))
    heights = sorted(float(y) for y in re.findall(r'class="end c\d" x="[0-9.]+" y="([0-9.]+)"', svg))
    assert len(heights) == 5 and all(b - a > 11.9 for a, b in pairwise(heights))


# -- rows and files -----------------------------------------------------------------------------------------------


def test_rows_without_the_extra_are_csv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)  # as where it is not installed
    run = plausible(n=3, turns=2)
    write_report(summary_of(run), tmp_path, runs=[run])
    with (tmp_path / "rows.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["dialogue"], row["turn"]) for row in rows[:3]] == [("dialogue-0", "0"), ("dialogue-0", "1"),
                                                                      ("dialogue-1", "0")]  # fmt: skip
    assert float(rows[0]["rank"]) == run.ranks.better[0, 0] + 1
    assert "rows.csv" in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_rows_with_the_extra_are_parquet(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra 'lab'")
    runs = [plausible(n=3, turns=2), plausible("bare", n=4, turns=2, measured=False)]
    write_report(summary_of(*runs), tmp_path, runs=runs)
    table = parquet.read_table(tmp_path / "rows.parquet").to_pydict()
    assert table["run"] == ["eig"] * 6 + ["bare"] * 8
    assert table["confidence"][6:] == [None] * 8 and all(0 <= p <= 1 for p in table["confidence"][:6])


def test_a_report_that_cannot_be_written_says_so(tmp_path: Path, two: dict[str, Any]) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(AlbumError, match="the report cannot be written to"):
        write_report(two, tmp_path / "file")


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"whichpic_report": 1}', '{"whichpic_report": 1, "runs": []}', "[" * 100_000,
     '{"whichpic_report": 1, "runs": [{"name": "a", "by_turn": 3}]}',
     '{"whichpic_report": 1, "runs": [{"name": "a", "by_turn": {"recall@10": {"value": "x"}}}]}'],
)  # fmt: skip
def test_what_is_no_summary_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "summary.json").write_text(text)
    with pytest.raises(SessionError, match="is no summary") as refused:
        read_summary(tmp_path / "summary.json")
    assert "\n" not in str(refused.value)


SPOILERS = [None, True, "x", -1, 1e308, float("nan"), [], {}, [None], ["x"], [[1]], {"a": 1}]


@pytest.mark.parametrize("seed", range(40))
def test_a_spoilt_summary_is_refused_or_shown_but_never_a_traceback(
    tmp_path: Path, two: dict[str, Any], seed: int
) -> None:
    draw = random.Random(seed)
    spoilt = json.loads(json.dumps(two))
    place, key = spoilt, "runs"
    while draw.random() < 0.9 and isinstance(place[key], dict | list) and place[key]:
        place = place[key]
        key = draw.choice(list(place) if isinstance(place, dict) else range(min(len(place), 3)))
    place[key] = draw.choice(SPOILERS)
    (tmp_path / "summary.json").write_text(json.dumps(spoilt))
    try:
        summary = read_summary(tmp_path / "summary.json")
    except SessionError as error:
        assert "\n" not in str(error)
    else:
        assert page(summary).endswith("</html>\n")


def test_summaries_are_joined_where_they_read_alike(two: dict[str, Any]) -> None:
    other = summary_of(plausible("kl", n=40))
    both = joined([two, other])
    assert [run["name"] for run in both["runs"]] == ["eig", "random", "kl"] and len(two["runs"]) == 2
    with pytest.raises(SessionError, match=r"level is 0\.95 and 0\.9"):
        joined([two, {**other, "level": 0.9}])
    with pytest.raises(SessionError, match="two runs are called 'eig'"):
        joined([two, two])
