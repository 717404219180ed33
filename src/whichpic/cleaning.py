"""Makes a caption of what a model said of a picture: plain sentences on one line, and nothing else.

Called by describe and dialogue.rewriting. What a model says is data. Most of this is about small models' habits; some of
it is about pictures whose text tries to give orders: a caption may tell that such words are written there, between
quotation marks, and never repeats them as its own. Whoever puts captions into a prompt quotes them as well
(`prompts.quoted`): this is the second line of defence.
"""

from __future__ import annotations

import json
import re
import unicodedata

from whichpic.album.described import sentences, together

_LONGEST_REPLY = 20_000  # characters of a reply that are looked at
_LONGEST_QUOTE = 160
_ENDS = '"”」'

_FENCE = re.compile(r"```.*?(```|$)", re.DOTALL)
_MARK = re.compile(
    r"\x1b\[[0-9;?]*[A-Za-z]|<(script|style)\b.{0,5000}?(?:</\1>|$)|<[^<>]{0,200}>", re.DOTALL | re.IGNORECASE
)
_LOOP = re.compile(r"\b(\w[^.]{0,40}?)(?:[ ,，、]+\1\b){3,}", re.IGNORECASE)
_BULLET = re.compile(r"(?m)^\s*(?:[-*•·#>]+|\(?\d{1,2}[.)、])\s+")
_ADDRESS = re.compile(r"\b(?:https?|ftp|file|javascript|data):[^\s\"”」]+|\bwww\.[^\s\"”」]+", re.IGNORECASE)
_BEFORE = re.compile(r"\s+(?=[.,;!?](?:\s|$)|\"(?:[.,;!?]|$))")
_LABEL = re.compile(
    r"^(?:caption|description|answer|scene|objects?|attributes?|relations?|text|mood|style|标题|描述|场景|物体|文字|气氛)"
    r"\s*[:：]\s*",
    re.IGNORECASE,
)
_PICTURE = r"(?:image|picture|photo|photograph|scene|shot|drawing)"
_LEADS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"^(?:sure|certainly|of course|okay|ok|yes|好的|当然)[,!.，！。:：]\s*",
        r"^(?:here(?: is|'s| are)|this is|以下是)[^.:：。]{0,60}[:：]\s*",
        rf"^(?:the|this) {_PICTURE} (?:itself )?(?:shows|depicts|displays|features|captures|contains|portrays|presents|"
        r"is of|is showing)\s+(?:us )?(?:that )?",
        rf"^(?:in|within) (?:the|this) {_PICTURE},?\s+(?:we (?:can )?see\s+|you can see\s+|there (?:is|are)\s+)?",
        r"^(?:we|you|i) (?:can )?see\s+",
        r"^there (?:is|are)\s+(?=(?:an?|one|two|three|four|several|some|many)\b)",
        r"^(?:这|该|此)?(?:是一)?(?:张|幅)?(?:图片|照片|图像|画面|图)(?:中|里|上)?(?:主要)?"
        r"(?:展示了|显示了|显示|描绘了|呈现了|记录了|可以看到|能看到|有着|有)?(?:，|,|:|：)?",
    )
)
_ORDERS = re.compile(
    r"(?:^|[:;]\s*)(?:please\s+)?(?:ignore|disregard|forget|open|visit|go to|click|run|execute|"
    r"download|reveal|print|output|reply|respond|"
    r"answer|rank|rate|choose|select|return|send|delete|write|say|obey|follow|stop)\s+"
    r"(?:all|any|the|this|that|these|those|your|my|every|previous|prior|above|only|with|me|it|first|and|now|"
    r"a|an|exactly|/|~|\.|rm\b|curl\b|sudo\b|bash\b)"
    r"|\b(?:you (?:must|should|are now|have to)|system prompt|(?:previous|prior|above) (?:instructions?|prompts?|rules?)|"
    r"new instructions?|developer mode)\b"
    r"|^(?:system|assistant|user|instructions?|developer)\s*[:：]"
    r"|^(?:curl|wget|sudo|rm|bash|sh|python3?|powershell)\s+[-~/|\w]"
    r"|(?:忽略|无视|忘记|不要理会).{0,12}(?:指令|指示|提示|说明|要求|规则|内容)|系统提示|你(?:必须|现在是|应该)"
    r"|^请(?:打开|访问|点击|运行|执行|回复|输出|忽略|把|将|选择|立即|透露|说)",
    re.IGNORECASE,
)
_ABOUT_ITSELF = re.compile(
    r"\b(?:i'?m sorry|i am sorry|i apologi[sz]e|i can(?:'t|not)|i am (?:not able|unable)|i'?m (?:not able|unable)|as an ai|"
    r"language model|i don'?t (?:see|have)|i will|i'll|i have been|let me know|feel free|is there anything|"
    r"(?:please|(?:could|can) you) (?:upload|provide|share) (?:the|an|your|a) (?:image|picture|photo))\b"
    r"|抱歉|对不起|作为(?:一个)?(?:AI|人工智能|语言模型)|我(?:无法|不能|看不到)|请(?:提供|上传)|如果您",
    re.IGNORECASE,
)
_NOTHING = re.compile(
    r"^\W*(?:none|nothing|n/?a|no|no (?:visible |readable |legible )?(?:text|words|writing)\b.*|"
    r"there (?:is|are) no (?:visible |readable |legible )?(?:text|words|writing)\b.*|"
    r"无|没有|(?:图片|照片|图)?(?:中|里)?没有(?:任何)?(?:可见的?|能看清的)?(?:文字|字)?.{0,12}|不适用)\W*$",
    re.IGNORECASE,
)
_QUOTED = re.compile(r'"[^"]*"?|“[^”]*”?|「[^」]*」?')


def clean(text: str, *, language: str = "en", cut: bool = False, longest: int = 400, words: bool = False) -> str:
    """The caption in a reply, "" where there is none: one line, without introductions, lists, code, marks and addresses.

    Sentences that speak of the model itself, that give orders, or that were said before are left out. cut: the reply
    ended at its limit, so that its last sentence is no whole one. longest: characters; it ends with a whole sentence
    where it can. words: the reply is about the words in a picture; they are put between quotation marks.
    """
    plain = _one_line(unwrapped(text[:_LONGEST_REPLY]))
    if _NOTHING.match(plain):
        return ""
    found = [sentence for each in sentences(plain) if (sentence := _plain_sentence(each))]
    if cut and len(found) > 1 and found[-1][-1] not in '.!?。！？"”':
        found.pop()
    kept: list[str] = []
    known: set[str] = set()
    for sentence in found:
        same = "".join(each for each in sentence.casefold() if each.isalnum())
        if same and same not in known:
            known.add(same)
            kept.append(sentence)
    caption = _short(kept, longest)
    return _in_quotes(caption, language) if words and caption and not _QUOTED.search(caption) else caption


def unwrapped(text: str) -> str:
    """What is said inside a JSON object, where a model replies with one; anything else as it is. "" for broken JSON."""
    stripped = _FENCE.sub(lambda found: found[0].strip("`").removeprefix("json"), text.strip()).strip()
    if stripped[:1] not in ("{", "["):
        return _FENCE.sub(" ", text)
    try:
        held = json.loads(stripped)
    except (ValueError, RecursionError):
        return "" if re.match(r'[\[{]\s*"', stripped) else text
    if isinstance(held, list):
        return " ".join(each for each in held if isinstance(each, str))
    texts = [held.get(key) for key in ("caption", "query", "description", "text", "answer")]
    return next((each for each in texts if isinstance(each, str)), "")


def _one_line(text: str) -> str:
    lines = _BULLET.sub("", _MARK.sub(" ", text)).split("\n")
    # A list's lines are sentences, also where a model gives them no full stops.
    ended = [
        line.strip() if line.strip()[-1:] in ".!?。！？:：,，" else f"{line.strip()}." for line in lines if line.strip()
    ]
    plain = " ".join(ended) if len(ended) > 1 else " ".join(line.strip() for line in lines)
    kept = "".join(
        " " if unicodedata.category(each) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") else each for each in plain
    )
    kept = _LOOP.sub(r"\1", kept)
    return " ".join(kept.replace("**", "").replace("__", "").replace("`", "").split())


def _plain_sentence(sentence: str) -> str:
    """A sentence without its introduction; "" where it is none of a caption's business."""
    for _ in range(3):
        before = sentence
        for lead in (_LABEL, *_LEADS):
            sentence = lead.sub("", sentence, count=1).lstrip(" ,，:：")
        if sentence == before:
            break
    outside = _QUOTED.sub(" ", sentence).strip()
    if _ORDERS.search(outside) or _ABOUT_ITSELF.search(outside):
        return ""
    sentence = _QUOTED.sub(lambda found: found[0] if len(found[0]) <= _LONGEST_QUOTE else _closed(found[0]), sentence)
    sentence = _BEFORE.sub("", " ".join(_ADDRESS.sub(" ", sentence).split()))
    if not any(each.isalnum() for each in sentence):
        return ""
    return sentence[0].upper() + sentence[1:]


def _closed(quote: str) -> str:
    end = quote[-1] if quote[-1] in _ENDS else ""
    return f"{quote[:_LONGEST_QUOTE].rstrip()}…{end}"


def _short(parts: list[str], longest: int) -> str:
    text = ""
    for part in parts:
        longer = together([text, part]) if text else part
        if len(longer) > longest:
            break
        text = longer
    if text or not parts:
        return text
    start = parts[0][:longest]
    return start.rpartition(" ")[0].rstrip(" ,;") or start if " " in start[longest // 2 :] else start


def _in_quotes(caption: str, language: str) -> str:
    said = caption.rstrip("。." if len(caption) > 1 else "").replace('"', "'")
    return f"写着“{said}”的文字" if language == "zh" else f'Text that reads "{said}"'
