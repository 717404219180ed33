"""Words: how a text is cut, what it names in English and Chinese, and what it denies."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whichpic.words import Mention, has_cjk, tokens, vocabulary


def named(text: str) -> list[str]:
    """The names that a text mentions, denied ones with a minus."""
    return [("-" if mention.negated else "") + mention.concept.name for mention in vocabulary().mentions(text)]


def test_tokens_of_both_scripts() -> None:
    assert tokens("Two dogs, one T-shirt_2!") == ["two", "dogs", "one", "t", "shirt", "2"]
    assert tokens("Café Zoë") == ["cafe", "zoe"]
    assert tokens("长颈鹿") == ["长颈", "颈鹿"]
    assert tokens("狗") == ["狗"]
    assert tokens("一只cat在跑") == ["一只", "cat", "在跑"]
    assert tokens("") == tokens("...") == tokens("。，") == []


@given(st.text(st.characters(max_codepoint=127)))
def test_ascii_is_cut_at_everything_but_letters_and_digits(text: str) -> None:
    assert tokens(text) == re.findall("[a-z0-9]+", text.lower())


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    assert all(word and word == word.strip() for word in tokens(text))
    vocabulary().to_english(text)
    for mention in vocabulary().mentions(text):
        assert 0 <= mention.start < mention.end <= len(text)
        assert (mention.clause < mention.end) and (mention.negated or mention.clause == mention.start)


def test_has_cjk() -> None:
    assert has_cjk("a 狗")
    assert not has_cjk("a dog, é")


def test_the_vocabulary_is_sound() -> None:
    words = vocabulary()
    names = [concept.name for concept in words.concepts]
    assert len(set(names)) == len(names)
    assert len(words.imagenet) == 1000
    assert len(words.coco) == 90
    assert sum(name is not None for name in words.coco) == 80
    assert set(words.imagenet) | {name for name in words.coco if name} <= set(names)
    for concept in words.concepts:
        assert concept.zh and all(has_cjk(zh) for zh in concept.zh), concept.name
        assert concept.kind in ("thing", "colour", "light", "place", "orientation", "scene")
        assert concept.place in (None, "indoors", "outdoors")
        assert concept.name not in concept.isa
        for k, kind in enumerate(concept.isa):
            assert set(words.ancestors(kind)) <= set(concept.isa[k + 1 :]), f"{concept.name}: {kind} comes too late"


@pytest.mark.parametrize(
    ("position", "name"),
    [(0, "tench"), (207, "golden retriever"), (340, "zebra"), (620, "laptop"), (817, "sports car"), (954, "banana"),
     (963, "pizza"), (985, "daisy"), (999, "toilet paper")],
)  # fmt: skip
def test_imagenet_labels_stand_in_their_order(position: int, name: str) -> None:
    assert vocabulary().imagenet[position] == name


def test_both_models_name_one_thing_alike() -> None:
    words = vocabulary()
    for name in ("banana", "zebra", "laptop", "traffic light", "umbrella", "teddy bear", "orange fruit"):
        assert name in words.imagenet and name in words.coco
    assert words.coco[0] == "person" and words.coco[73] == "computer mouse"


def test_kinds() -> None:
    words = vocabulary()
    assert words.ancestors("golden retriever") == ("dog", "pet", "animal")
    assert "vehicle" in words.ancestors("sports car")
    assert {"poodle", "beagle"} <= set(words.descendants("dog"))
    assert words.ancestors("no such thing") == words.descendants("no such thing") == ()
    assert words.get("kitchen") is not None and words.get("doggy") is None
    crane, bird = words.get("construction crane"), words.get("crane bird")
    assert crane is not None and bird is not None
    assert "machine" in crane.isa and "bird" in bird.isa


def test_every_concept_is_recognised_by_its_own_names() -> None:
    shared = {"mouse", "kite", "landscape", "orange", "crane", "missile"}
    for concept in vocabulary().concepts:
        for surface in (concept.name, *concept.synonyms, *concept.zh):
            if surface not in shared:
                assert named(surface) == [concept.name], surface


def test_say() -> None:
    words = vocabulary()
    assert words.say("dog", "zh") == "狗"
    assert words.say("dog", "en") == "dog"
    assert words.say("three or more", "zh") == "three or more"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Two dogs and a cat on a bench.", ["dog", "cat", "bench"]),
        ("children, men and women with knives in buses", ["child", "man", "woman", "knife", "bus"]),
        ("hot dogs near a polar bear", ["hot dog", "polar bear"]),
        ("a man's t-shirt", ["man", "t-shirt"]),
        ("men wearing glasses", ["man", "glasses"]),
        ("a car in the carpet shop", ["car", "rug", "shop"]),
        ("an orange cat eats an orange", ["orange", "cat", "orange fruit"]),
        ("oranges and bananas", ["orange fruit", "banana"]),
        ("a mouse next to a keyboard", ["computer mouse", "keyboard"]),
        ("a crane beside a pelican", ["crane bird", "pelican"]),
        ("一只狗和两只猫在沙滩上", ["dog", "cat", "beach"]),
        ("穿红色衣服的女孩在骑自行车", ["red", "clothing", "girl", "bicycle"]),
        ("西兰花和火车", ["broccoli", "train"]),
        ("a 狗 in the park", ["dog", "park"]),
        ("白色T恤", ["white", "t-shirt"]),
        ("something else", []),
        ("我马上到上海", []),
        ("有人在冲浪", ["person", "surfboard"]),
        ("那个啥，就是有个斑马的那张", ["zebra"]),
        ("别的动物", ["animal"]),
        ("戴帽子的老奶奶", ["hat", "woman"]),
        ("海狗、马甲、鸡尾酒和天花板", ["sea lion", "drink"]),
        ("雪山脚下的小路", ["alp", "road"]),
        ("有个人在放风筝", ["person", "kite"]),
    ],
)
def test_mentions(text: str, names: list[str]) -> None:
    assert named(text) == names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("no dog", ["-dog"]),
        ("without a dog", ["-dog"]),
        ("it is not red", ["-red"]),
        ("there aren't any people or cars, just a lake", ["-person", "-car", "lake"]),
        ("no people and a red car", ["-person", "red", "car"]),
        ("a beach, no people", ["beach", "-person"]),
        ("not a dog but a cat", ["-dog", "cat"]),
        ("a man not wearing a hat in the snow", ["man", "-hat", "snow"]),
        ("nobody on the street", ["-person", "street"]),
        ("not only a dog", ["dog"]),
        ("没有狗", ["-dog"]),
        ("不是红色", ["-red"]),
        ("没有人的海滩", ["-person", "beach"]),
        ("没有猫和狗，有一只鸟", ["-cat", "-dog", "bird"]),
        ("不是红色的车", ["-red", "-car"]),
        ("一个人也没有的街道", ["-person", "street"]),
        ("街上一辆车都没有，有树", ["street", "-car", "tree"]),
        ("没有猫也没有狗，只有一匹马", ["-cat", "-dog", "horse"]),
        ("空无一人的教室", ["-person", "classroom"]),
        ("没看见人，不见车", ["-person", "-car"]),
        ("除了狗什么都没有", ["dog"]),
    ],
)
def test_what_is_denied(text: str, names: list[str]) -> None:
    assert named(text) == names


def test_a_denial_knows_where_it_begins() -> None:
    text = "a beach, there are no people"
    beach, people = vocabulary().mentions(text)
    assert (text[beach.start : beach.end], beach.clause) == ("beach", beach.start)
    assert text[people.clause : people.end] == "there are no people"
    text = "街上一个人也没有，有车"
    _, people, _ = vocabulary().mentions(text)
    assert text[people.clause : people.end] == "一个人也没有"
    assert isinstance(people, Mention)


@pytest.mark.parametrize(
    ("text", "english"),
    [
        ("A dog on a bench", "A dog on a bench"),
        ("一个男人骑着马在海滩上", "a man riding horse on beach"),
        ("厨房里有冰箱和微波炉", "kitchen with refrigerator and microwave"),
        ("穿红衣服的女人", "woman wearing red clothing"),
        ("一个穿红衣服的女人", "a woman wearing red clothing"),
        ("一只站在树上的鸟", "a bird standing on tree"),
        ("树枝上的小鸟", "bird on branch"),
        ("桌上摆着花瓶，墙上挂着画", "vase placed on table, painting hanging on wall"),
        ("站在水边的白鹭", "egret standing at water"),
        ("好像是在公园里拍的，有长椅", "in park, bench"),
        ("雪山和壁炉", "snowy mountain and fireplace"),
        ("没有狗", "no dog"),
        ("长颈鹿吃树叶", "giraffe eating leaf"),
        ("一只狗在玩frisbee，在公园里", "a dog playing frisbee, in park"),
        ("齉", ""),
    ],
)
def test_to_english(text: str, english: str) -> None:
    assert vocabulary().to_english(text) == english


def test_words_import_nothing_heavy() -> None:
    code = "import sys, whichpic.words; print({'numpy', 'PIL', 'onnxruntime', 'tokenizers'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
