"""What `whichpic talk` says to people, in English and Chinese. Called by talk."""

from __future__ import annotations

HELP = """say anything that is in the picture: "a dog on grass, no people"; then answer
  1 2 3 ...         an option             free words        answer, or say more
  ?                 not sure              /ask 2            the second question
  /more 2 5         more like these       /less 1           less like this one
  /this 3           this is it            /none             it is none of those shown
  /why 3            why it is where it is /like FILE        a picture as query
  /filter has=dog   only these            /filter           lift the filters
  /say WORDS        whatever was asked    /show 30          a longer list
  /query            what is looked for    /query WORDS      that instead of all that was said
  /undo             take the last back    /branch           go on in a copy
  /save FILE        keep it there too; FILE.html: a page, with its pictures
  /help   /quit     the session is kept: whichpic talk ALBUM --resume last"""

TEXTS = {
    "en": {
        "begin": "{total} pictures. What do you remember of the one you are looking for? (/help)",
        "nothing": "nothing here seems to fit; is it in this album?",
        "among": "it is among the first {fitting} of {total} pictures, with a probability of 90 %",
        "hint": "  (a number, your own words, or more of what you remember; /this 2 when it is picture 2; /help)",
        "or": "or /ask {number}: {question}",
        "found": "found, after {turns}: {where}",
        "thinking": "the model is looking at it (Ctrl-C: go on without)",
        "query": "looking for: {query}",
        "nothing said": "nothing was said in words yet",
    },
    "zh": {
        "begin": "共 {total} 张照片。要找的那一张，您还记得什么？（/help）",
        "nothing": "好像没有一张符合；它在这个相册里吗？",
        "among": "有 90 % 的可能在前 {fitting} 张里（共 {total} 张）",
        "hint": "  （输入编号，或用自己的话回答，也可以接着描述；如果就是第 2 张，输入 /this 2；/help）",
        "or": "或 /ask {number}：{question}",
        "found": "找到了（{turns}）：{where}",
        "thinking": "模型正在想（按 Ctrl-C 不再等）",
        "query": "正在找：{query}",
        "nothing said": "还没有说过什么",
    },
}
