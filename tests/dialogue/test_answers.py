"""How free-word answers are read: hedges, counts, denials, pointing, and what is more than an answer."""

from __future__ import annotations

import pytest

from whichpic.dialogue.answers import Reading, read
from whichpic.dialogue.events import Question
from whichpic.dialogue.phrases import ask

DOG = ask("thing", ("yes", "no"), about="dog", language="zh")
KITCHEN = ask("thing", ("yes", "no"), about="kitchen", language="zh")
DOGS = ask("count", ("0", "1", "2", "3+"), about="dog", language="en")
PEOPLE = ask("people", ("none", "one", "two", "several"), language="zh")
COLOUR = ask("colour", ("red", "blue", "other"), language="en")
KIND = ask("kind", ("person", "animal", "other"), language="zh")
PLACE = ask("place", ("indoors", "outdoors"), language="zh")
LIGHT = ask("light", ("day", "night"), language="zh")
SCENE = ask("scene", ("sea", "beach", "lake", "other"), language="zh")
PICK = ask(
    "pick", ("first", "second", "third", "other"), language="zh", source="pick", pictures=("first", "second", "third")
)

ANSWERS = [
    (DOG, "yes", "有 | 是的 | 是 | 对 | 嗯 | 嗯嗯 | 好像有 | 应该有 | 有啊 | 有一只 | 有两只狗 | 肯定有"),
    (DOG, "yes", "当然有 | 有狗 | 可能有 | 是啊 | 对对对 | 我记得有 | 确实有 | 有，是棕色的 | 有一只棕色的"),
    (DOG, "yes", "有只金毛 | 一只狗 | 好像是有的 | yes | 狗 | 应该是有一只的 | yes | I think so | probably"),
    (DOG, "yes", "there is | it does | there was one | yes, a brown one | yup | definitely | of course"),
    (DOG, "yes", "I think there is one | there is a dog | a brown dog | two of them | Yes!"),
    (DOG, "no", "没有 | 没 | 不是 | 无 | 好像没有 | 应该没有 | 没有吧 | 没看到 | 没见到 | 肯定没有 | 没有狗"),
    (DOG, "no", "木有 | 不对 | 没有，只有猫 | 不是狗是猫 | 没有，有猫 | 并没有 | 好像没看到狗 | 没有啊"),
    (DOG, "no", "没有的 | 我觉得没有 | 应该不是 | 可能没有吧 | 一只狗也没有 | no | I don't think so"),
    (DOG, "no", "probably not | there isn't | there is none | not really | no dogs | no, a cat | none"),
    (DOG, "no", "nope | it doesn't | I don't see one | definitely not | there was no dog"),
    (DOG, "unsure", "不记得了 | 记不清了 | 想不起来 | 不知道 | 不太确定 | 说不准 | 没印象 | 不好说 | 也许"),
    (DOG, "unsure", "可能吧 | 忘了 | 不清楚 | 没注意 | 不确定 | ? | ？ | 不太清楚 | 我不记得 | 记不太清"),
    (DOG, "unsure", "不晓得 | 没留意 | 跳过 | 下一个 | 都有可能 | 不太记得了 | 印象不深 | not sure"),
    (DOG, "unsure", "I don't remember | maybe | no idea | I can't remember | dunno | hard to say | perhaps"),
    (DOG, "unsure", "don't know"),
    (DOG, "rest", "有一只猫 | 蓝色的房子在海边 | 只有猫 | 旁边有棵树"),
    (KITCHEN, "yes", "是 | 是的 | 是在厨房 | 对 | 有 | 应该是"),
    (KITCHEN, "no", "不是 | 不 | 没有 | 好像不是 | 不在厨房"),
    (PEOPLE, "none", "没有人 | 没人 | 没有 | 一个人也没有 | 0 | 零个 | 无人 | 好像没人 | 一个都没有 | 没有人吧"),
    (PEOPLE, "none", "nobody | none | no one | no people | there was nobody | zero | no | there are no people"),
    (PEOPLE, "one", "一个 | 一个人 | 就一个 | 只有一个 | 一个男的 | 1个 | 大概一个 | 有一个人 | 有一个"),
    (PEOPLE, "one", "一位老人 | 一个女孩 | 就一个人吧 | 单人 | one | just one | a man | only a woman"),
    (PEOPLE, "one", "one person | a single person | a woman with a dog"),
    (PEOPLE, "two", "两个 | 大概两个 | 两个人 | 俩 | 俩人 | 一男一女 | 一对情侣 | 2个 | 好像两个 | 两个女孩"),
    (PEOPLE, "two", "二人 | 有两个人 | 两位 | 一个男人和一个女人 | 夫妻俩 | two | about two | a couple"),
    (PEOPLE, "two", "a man and a woman | both of them | 2 people | two girls"),
    (PEOPLE, "several", "三四个人 | 很多 | 好多人 | 五六个 | 一群人 | 十几个 | 三个 | 3个 | 好几个 | 三个以上"),
    (PEOPLE, "several", "人很多 | 四位 | 一大群 | 一家三口 | 人山人海 | 5人 | ３个 | 不止两个 | 数不清 | 三个或更多"),
    (PEOPLE, "several", "两三个 | 两个大人一个小孩 | 挺多的 | three | a few | many | a lot | a group"),
    (PEOPLE, "several", "three or four | lots of people | at least three | a crowd | 5 | two men and a woman"),
    (PEOPLE, "several", "two or three"),
    (PEOPLE, "unsure", "不记得了 | 一两个 | 没数 | 不确定几个 | one or two | more than one"),
    (PEOPLE, "nothing", "有 | 是的 | yes"),
    (DOGS, "1", "一只 | 就一只 | 1只 | 一只狗 | one | just the one | a dog"),
    (DOGS, "2", "两只 | 两条狗 | 俩 | 一对 | two | a pair | two dogs"),
    (DOGS, "3+", "三只 | 好几只 | 很多 | 一群 | 四五只 | many | several | lots"),
    (COLOUR, "red", "红色 | 红的 | 是红色 | 大红 | 红色吧 | 应该是红色 | 红色的 | 偏红 | red | mostly red"),
    (COLOUR, "red", "dark red"),
    (COLOUR, "blue", "蓝 | 天蓝色 | 深蓝色 | 蓝色的吧"),
    (COLOUR, "other", "都不是 | 其他 | 别的颜色 | 都没有 | 其他颜色 | 都不对 | 以上都不是 | 没有 | none | neither"),
    (COLOUR, "other", "other | another colour | none of these"),
    (COLOUR, "rest", "不是红色 | 金光闪闪"),
    (COLOUR, "other", "绿色 | green"),
    (KIND, "person", "人 | 人物 | 一个女人 | 是人 | 人吧 | 主要是人"),
    (KIND, "animal", "动物 | 一只猫 | 小动物"),
    (KIND, "other", "都不是 | 别的 | 其他"),
    (KIND, "other", "都不算 | 不是这些"),
    (PICK, "other", "一个都不像"),
    (PEOPLE, "several", "一大家子"),
    (DOG, "no", "那倒没有"),
    (DOG, "unsure", "这个不清楚"),
    (KIND, "rest", "一辆车"),
    (PLACE, "indoors", "室内 | 屋里 | 在室内 | 应该是室内 | 里面 | 在里面 | 在家里 | 屋子里 | inside"),
    (PLACE, "indoors", "indoors I think | in a house"),
    (PLACE, "outdoors", "室外 | 外面 | 户外 | 在外面 | 室外吧 | 露天 | outside | out | outdoors"),
    (LIGHT, "day", "白天 | 大白天 | 应该是白天"),
    (LIGHT, "night", "晚上 | 夜里 | 大晚上"),
    (SCENE, "sea", "海 | 大海 | 海上"),
    (SCENE, "beach", "沙滩 | 海边"),
    (SCENE, "other", "都不是 | 没有"),
    (SCENE, "rest", "山里"),
    (PICK, "first", "第一张 | 1 | 第1个 | 第一个最像 | 一 | the first | first one | number 1"),
    (PICK, "first", "the first one is closest"),
    (PICK, "second", "第二个 | 第二张吧 | second | the 2nd"),
    (PICK, "third", "第三张 | 最后一张 | 第3张 | the last one | third"),
    (PICK, "other", "都不像 | 都不是 | 都没有 | 没有一张像 | 没有 | none | neither | none of them | no"),
]


def meant(question: Question, words: str) -> str:
    """The value of the option that the words mean, or "unsure", "rest", "nothing"."""
    reading = read(question, words)
    if reading.option is not None:
        return question.options[reading.option].value
    return "unsure" if reading.unsure else "rest" if reading.rest else "nothing"


@pytest.mark.parametrize(
    ("question", "meaning", "words"),
    [(question, meaning, words) for question, meaning, group in ANSWERS for words in group.split(" | ")],
)
def test_what_free_words_mean(question: Question, meaning: str, words: str) -> None:
    assert meant(question, words) == meaning


@pytest.mark.parametrize(
    ("question", "words", "reading"),
    [
        (DOG, "I don't remember, I think so", Reading(option=0)),
        (DOG, "I don't remember, sorry", Reading(unsure=True)),
        (DOG, "I don't know, but there was a cat", Reading(unsure=True, rest="but there was a cat")),
        (DOG, "有，是棕色的", Reading(option=0, rest="是棕色的")),
        (DOG, "有一只棕色的", Reading(option=0, rest="棕色")),
        (DOG, "有只金毛", Reading(option=0, rest="有只金毛")),
        (DOG, "没有，只有猫", Reading(option=1, rest="只有猫")),
        (DOG, "不是狗是猫", Reading(option=1, rest="是猫")),
        (DOG, "no, a cat", Reading(option=1, rest="a cat")),
        (DOG, "yes a brown one", Reading(option=0, rest="a brown one")),
        (DOG, "yes there is", Reading(option=0)),
        (DOG, "不记得了，好像有", Reading(option=0)),
        (DOG, "it is a brown house by the sea", Reading(rest="it is a brown house by the sea")),
        (PEOPLE, "两个人", Reading(option=2)),
        (PEOPLE, "一男一女", Reading(option=2)),
        (PEOPLE, "两个女孩", Reading(option=2, rest="两个女孩")),
        (PEOPLE, "two men and a woman", Reading(option=3, rest="two men and a woman")),
        (PEOPLE, "a dog", Reading(rest="a dog")),
        (COLOUR, "hard to miss, it glitters", Reading(rest="hard to miss, it glitters")),
    ],
)
def test_what_is_more_than_an_answer_is_kept(question: Question, words: str, reading: Reading) -> None:
    assert read(question, words) == reading
