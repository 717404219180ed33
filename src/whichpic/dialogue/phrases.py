"""The wording of questions and options, in English and Chinese. Called by asking; answers reads the replies.

Nothing here knows an album. A concept's name is made for telling concepts apart ("orange fruit"); here it is said as
people say it ("an orange").
"""

from __future__ import annotations

from whichpic.dialogue.answers import Reading, read
from whichpic.dialogue.events import Option, Question
from whichpic.dialogue.likelihood import NO, OTHER, YES
from whichpic.words import vocabulary

__all__ = ["NOT_SURE", "Reading", "article", "ask", "plural", "read"]

_TEXTS = {
    "thing": ("Does it show {thing}?", "图里有{thing}吗？"),
    "count": ("How many {thing} can you see?", "图里有几{measure}{thing}？"),
    "people": ("How many people are in it?", "图里有几个人？"),
    "kind": ("What is it mainly a picture of?", "主要拍的是什么？"),
    "scene": ("What kind of place does it show?", "是在什么样的地方？"),
    "place": ("Is it indoors or outdoors?", "是室内还是室外？"),
    "light": ("What is the light like?", "光线怎么样？"),
    "colour": ("Which colour stands out?", "哪种颜色最显眼？"),
    "pick": ("Which of these is closest to it?", "下面哪一张最像？"),
}
_SITE = "是在{thing}里吗？"
"""For rooms: 图里有厨房吗 would ask for a kitchen among other things."""
_SITE_OPTIONS = {YES: "是", NO: "不是"}
_OPTIONS = {
    YES: ("yes", "有"),
    NO: ("no", "没有"),
    OTHER: ("something else", "都不是"),
    "none": ("nobody", "没有人"),
    "one": ("one", "一个"),
    "two": ("two", "两个"),
    "several": ("three or more", "三个或更多"),
    "0": ("none", "没有"),
    "1": ("one", "一{measure}"),
    "2": ("two", "两{measure}"),
    "3+": ("three or more", "三{measure}或更多"),
}
NOT_SURE = ("not sure", "不确定")
_MASS = {
    "clothing", "food", "furniture", "fruit", "water", "snow", "sand", "grass", "bread", "rice", "broccoli", "corn",
    "art", "jewelry", "jewellery", "equipment", "kitchenware", "electronics", "text", "soup", "meat", "coffee", "cream",
    "lingerie", "wool", "velvet", "paper", "seafood", "cutlery", "tableware", "luggage", "underwear", "ice", "fire", "hay",
    "wood", "footwear", "swimwear", "machinery", "headwear", "produce", "vegetation", "coral", "rain", "smoke", "bamboo",
    "candy", "milk", "juice", "tea", "beer", "wine", "salad", "cheese", "sushi", "rapeseed", "dough", "guacamole", "hair",
    "bedding", "armor", "cauliflower", "scenery", "sunscreen", "perfume", "lotion", "spray", "powder", "mail", "espresso",
    "eggnog", "hardware", "fabric", "shellfish", "tennis", "soccer", "potato", "carbonara", "consomme", "pot", "sport",
    "daylight", "night",
}  # fmt: skip
_COUNTED = {"potato", "coffee pot", "triceratops", "bouvier des flandres", "great pyrenees"}
"""Names that take an article although their last word would not."""
_PAIRS = {"scissors", "skis", "trousers", "jeans", "glasses", "sunglasses", "binoculars"}
_ONE_OF_ITS_KIND = {"sea", "sky", "sun", "moon"}
_SAID = {
    "orange fruit": "orange", "kite bird": "kite (the bird)", "crane bird": "crane (the bird)", "ray fish": "ray",
    "cricket insect": "cricket", "construction crane": "crane", "fire screen": "fireplace", "banister": "staircase",
    "alp": "snowy mountain", "website": "screenshot", "model t": "vintage car", "container ware": "bucket or barrel",
    "tv": "TV", "cd player": "CD player", "boxer dog": "boxer (the dog)", "glass": "drinking glass", "bow": "bow (for arrows)",
    "crt screen": "computer screen", "christmas tree": "Christmas tree", "t-shirt": "T-shirt", "loafer shoe": "loafer",
    "dish": "cooked dish", "ape": "great ape", "ferret": "ferret or weasel", "safe box": "safe", "horse chestnut": "chestnut",
    "ipod": "music player", "bath towel": "towel", "day": "daylight", "tie": "necktie", "fly": "fly (the insect)",
    "underwater": "scene under water",
}  # fmt: skip
"""What to call a thing whose name was made to be unlike another's."""
_PLURALS = {
    "person": "people", "man": "men", "woman": "women", "child": "children", "mouse": "mice", "sheep": "sheep",
    "fish": "fish", "goose": "geese", "deer": "deer", "ox": "oxen", "bison": "bison", "knife": "knives", "shelf": "shelves",
    "wolf": "wolves", "leaf": "leaves", "scarf": "scarves",
}  # fmt: skip
_MEASURES = {
    "只": ("animal", "shoe", "balloon", "kite"),
    "匹": ("horse", "zebra", "wolf", "camel"),
    "头": ("cow", "elephant", "pig", "donkey"),
    "条": ("fish", "snake", "bench", "tie", "scarf", "trousers", "skirt", "dress"),
    "辆": ("vehicle", "cart"),
    "列": ("train",),
    "架": ("airplane", "helicopter", "piano"),
    "艘": ("boat",),
    "把": ("chair", "umbrella", "knife", "fork", "spoon", "scissors", "guitar", "toothbrush"),
    "张": ("table", "bed", "couch", "painting", "poster"),
    "台": ("electronics", "appliance"),
    "部": ("phone",),
    "本": ("book",),
    "棵": ("tree",),
    "朵": ("flower",),
    "根": ("banana", "carrot", "hot dog", "baseball bat"),
    "块": ("cake", "skateboard", "surfboard", "snowboard"),
    "副": ("skis", "glasses"),
    "支": ("tennis racket", "pen"),
    "座": ("building", "tower", "bridge", "mountain"),
    "盏": ("lamp",),
    "顶": ("hat", "tent"),
    "件": ("clothing",),
    "盆": ("potted plant",),
    "瓶": ("wine",),
    "个": ("computer mouse", "keyboard", "remote control"),
}  # fmt: skip
_MEASURE = {name: measure for measure, names in _MEASURES.items() for name in names}


def article(name: str) -> str:
    """An English noun with its article, where it takes one: a dog, an umbrella, the sea, scissors, food."""
    if name in _ONE_OF_ITS_KIND:
        return f"the {name}"
    last = name.partition(" of ")[0].partition(" (")[0].split()[-1]
    several = last.endswith("s") and not last.endswith(("ss", "us", "is", "gas"))
    if name not in _COUNTED and (name in _MASS or last in _MASS or several or last == "skis"):
        return name
    vowel = name[0] in "aeio" or (name[0] == "u" and not name.startswith(("uni", "use", "uten", "uku")))
    return f"an {name}" if (vowel and not name.startswith("one")) or name.startswith("hour") else f"a {name}"


def plural(name: str) -> str:
    """An English noun as it is counted: dogs, pairs of skis, pieces of broccoli."""
    head, _, last = name.rpartition(" ")
    if last in _PLURALS:
        last = _PLURALS[last]
    elif article(name) == name and name not in _ONE_OF_ITS_KIND:
        return f"pairs of {name}" if name in _PAIRS else name if name.endswith("s") else f"pieces of {name}"
    elif last.endswith(("s", "x", "ch", "sh")):
        last += "es"
    elif last.endswith("y") and last[-2:-1] not in tuple("aeiou"):
        last = f"{last[:-1]}ies"
    else:
        last += "s"
    return f"{head} {last}".strip()


def ask(attribute: str, values: tuple[str, ...], *, language: str, about: str = "", source: str = "facts",
        asker: str = "facts", pictures: tuple[str, ...] = ()) -> Question:  # fmt: skip
    """The question about an attribute, worded in "en" or "zh"."""
    chinese = language == "zh"
    text = _TEXTS[attribute][chinese]
    site = chinese and attribute == "thing" and _is_site(about)
    if site:
        text = _SITE
    thing = _called(about, language) if about else ""
    if not chinese and about:
        thing = plural(thing) if attribute == "count" else article(thing)
    measure = _measure(about)
    options = tuple(
        Option(value, _option_text(value, attribute, position, language).format(measure=measure))
        for position, value in enumerate(values)
    )
    if site:
        options = tuple(Option(option.value, _SITE_OPTIONS.get(option.value, option.text)) for option in options)
    return Question(text.format(thing=thing, measure=measure), options, attribute, about, source, asker, pictures)


def _is_site(name: str) -> bool:
    concept = vocabulary().get(name)
    return concept is not None and concept.kind == "scene" and "room" in concept.isa


def _measure(name: str) -> str:
    """The Chinese measure word of a thing, or of what it is a kind of; 个 is never wrong."""
    return next((_MEASURE[kind] for kind in (name, *vocabulary().ancestors(name)) if kind in _MEASURE), "个")


def _called(name: str, language: str) -> str:
    return vocabulary().say(name, "zh") if language == "zh" else _SAID.get(name, name)


def _option_text(value: str, attribute: str, position: int, language: str) -> str:
    chinese = language == "zh"
    if attribute == "pick" and value != OTHER:
        return str(position + 1)
    if attribute == "pick":
        return ("none of these", "都不像")[chinese]
    if value in _OPTIONS:
        return _OPTIONS[value][chinese]
    called = _called(value, language)
    return article(called) if attribute in ("kind", "scene") and not chinese else called
