"""A conversation that is over, step by step: a dialogue of a file, or a session that was kept. Called by reports, history.

Left and right step, Home and End jump (static/replay.js presses the buttons); the address carries the turn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nicegui import ui

from whichpic.web.exporting import rank_said
from whichpic.web.pages.chart import chart
from whichpic.web.pages.elements import button, el, heading, put, said
from whichpic.web.seen import LARGE

if TYPE_CHECKING:
    from whichpic.web.pages.frame import Say
    from whichpic.web.seen import Seen
    from whichpic.web.site import Site
    from whichpic.web.steps import Choice, Step, Steps

SECONDS = 2.5
"""Between two turns while it plays."""
_LONGEST = 200  # characters of what a list says of one thing


class Replay:
    """The steps of one conversation, inside a frame; `at` is the step that is shown."""

    def __init__(self, site: Site, say: Say, steps: Steps, seen: Seen, *, at: int = 0, found: bool = False) -> None:
        """found: the picture is known because it was found in the end, and not because somebody was to look for it."""
        self.say = say
        self.steps = steps
        self.seen = seen
        self.at = min(max(at, 0), len(steps.steps) - 1)
        self.hidden = False
        self._badge = say("replay.target.badge.found" if found else "replay.target.badge")
        target = say("replay.target.found" if found else "replay.target")
        self._playing = ui.timer(SECONDS, self._play_on, active=False)
        ui.add_head_html(f'<script defer src="/static/replay.js?v={site.version}"></script>')
        with el("div", cls="work replay"):
            with el("section", cls="stack", aria_label=say("replay.steps")):
                self._stepper()
                self._step = el("div", cls="stack replay-step")
            with el("aside", cls="side", aria_label=target):
                if steps.target:
                    heading(2, target)
                    self._target = el("div", cls="stack")
                    heading(2, say("replay.chart"))
                    self._chart = el("div", cls="replay-chart")
                else:
                    self._target = self._chart = el("div")
                    el("p", say("replay.target.none"), cls="soft small")
                heading(2, say("replay.turns"))
                self._list()
        self._draw_target()
        self.draw()

    # ---- moving

    async def go(self, at: int) -> None:
        """Show another step."""
        at = min(max(at, 0), len(self.steps.steps) - 1)
        if at != self.at:
            self.at = at
            self.draw()
            ui.navigate.history.replace(f"?turn={at}")

    async def _back(self) -> None:
        self._stop()
        await self.go(self.at - 1)

    async def _on(self) -> None:
        self._stop()
        await self.go(self.at + 1)

    async def _first(self) -> None:
        self._stop()
        await self.go(0)

    async def _last(self) -> None:
        self._stop()
        await self.go(len(self.steps.steps) - 1)

    async def _play(self) -> None:
        if self._playing.active:
            self._stop()
            return
        if self.at == len(self.steps.steps) - 1:
            await self.go(0)
        self._playing.activate()
        self._say_play()

    async def _play_on(self) -> None:
        await self.go(self.at + 1)
        if self.at == len(self.steps.steps) - 1:
            self._stop()

    def _stop(self) -> None:
        if self._playing.active:
            self._playing.deactivate()
            self._say_play()

    def _say_play(self) -> None:
        name = "pause" if self._playing.active else "play"
        put(self._player, aria_label=self.say(f"replay.{name}"), title=self.say(f"replay.{name}"))
        self._sign.classes(replace=f"icon icon-{name}")

    async def _toggle(self) -> None:
        self.hidden = not self.hidden
        self._draw_target()
        self.draw()

    # ---- drawing

    def _stepper(self) -> None:
        say = self.say
        with el("div", cls="line stepper", role="group", aria_label=say("replay.steps")):
            self._backward = button(icon="prev", label=say("replay.back"), do="step-back", on_click=self._back)
            self._forward = button(icon="next", label=say("replay.on"), do="step-on", on_click=self._on)
            with button(cls="play", do="step-play", label=say("replay.play"), on_click=self._play) as self._player:
                self._sign = el("span", cls="icon icon-play", aria_hidden="true")
            self._where = said(cls="number")
            el("span", say("replay.keys"), cls="soft small keys-hint")
            button(say("replay.first"), do="step-first", on_click=self._first, cls="unseen-until-focus")
            button(say("replay.last"), do="step-last", on_click=self._last, cls="unseen-until-focus")

    def _list(self) -> None:
        self._turns = []
        with el("ol", cls="timeline replay-turns"):
            for k, step in enumerate(self.steps.steps):

                async def jump(k: int = k) -> None:
                    self._stop()
                    await self.go(k)

                with el("li", cls="turn") as line:
                    told = f"{self.say('replay.turn', n=k)} · {self._short(step)}"
                    button(told, on_click=jump, cls="quiet", data_key=str(k), do="turn")
                self._turns.append(line)

    def draw(self) -> None:
        """What belongs to the step that is shown."""
        say, step, last = self.say, self.steps.steps[self.at], len(self.steps.steps) - 1
        put(self._backward, aria_disabled="true" if self.at == 0 else None)
        put(self._forward, aria_disabled="true" if self.at == last else None)
        rank = "" if step.rank is None or self.hidden else " · " + say("replay.rank", rank=rank_said(step.rank))
        self._where.set_text(say("replay.at", n=self.at, last=last) + rank)
        for k, line in enumerate(self._turns):
            put(line, aria_current="step" if k == self.at else None)
        self._step.clear()
        with self._step:
            self._draw_step(step)
        if self.steps.target:
            self._chart.clear()
            with self._chart:
                if self.hidden:
                    el("p", say("replay.target.hidden"), cls="soft small")
                    return
                chart(say, self.steps.ranks, self.at)
                if step.rank is not None:
                    p = "–" if step.p is None else f"{100 * step.p:.1f}"
                    el("p", say("replay.rank.p", rank=rank_said(step.rank), p=p), cls="small number")
                if step.fitting:
                    el("p", say("replay.fitting", n=f"{step.fitting:,}"), cls="small soft")

    def _draw_step(self, step: Step) -> None:
        say = self.say
        with el("div", cls="question"):
            el("p", say(f"replay.kind.{step.kind}"), cls="eyebrow")
            if step.asked:
                el("p", step.asked, cls="question-text")
            if step.choices:
                with el("ul", cls="options"):
                    for k, each in enumerate(step.choices):
                        self._choice(each, k == step.choice)
            if step.unsure:
                el("p", say("replay.unsure"), cls="query-text")
            if step.said:
                el("p", step.said, cls="query-text")
            elif step.kind == "filtered":
                el("p", say("replay.lifted"), cls="query-text")
            for name, ids in (("more", step.more), ("less", step.less)):
                if ids:
                    el("p", say("replay.this" if step.kind == "chosen" else f"replay.{name}"), cls="soft small")
                    self._pictures(ids, cls="few")
        self._models(step)
        if step.kind == "chosen":
            return
        heading(2, say("replay.shown"))
        if step.shown:
            self._pictures(step.shown, ranked=True)
        else:
            el("p", say("replay.same"), cls="soft")

    def _models(self, step: Step) -> None:
        """What models made of it."""
        say = self.say
        if step.rewritten:
            with el("p", cls="small"):
                el("span", say("replay.rewritten") + " ", cls="soft")
                el("q", step.rewritten)
        if step.captions:
            el("p", say("replay.captions"), cls="soft small")
            with el("ul", cls="list small"):
                for _, caption in step.captions:
                    el("li", caption[:400])
        if step.looked:
            el("p", say("replay.looked", n=len(step.looked)), cls="soft small")
        if step.trouble:
            el("p", say("replay.trouble", why=step.trouble), cls="trouble")

    def _choice(self, choice: Choice, chosen: bool) -> None:
        with el("li", cls="chip on" if chosen else "chip"):
            if choice.picture and (address := self.seen.address(choice.picture)):
                el("img", src=address, alt=self.seen.words(choice.picture)[:_LONGEST])
            else:
                el("span", (self.seen.words(choice.picture) if choice.picture else choice.text)[:_LONGEST])
            if chosen:
                el("span", cls="icon icon-check", aria_hidden="true")
                el("span", self.say("replay.answer"), cls="unseen")

    def _pictures(self, ids: tuple[str, ...], *, ranked: bool = False, cls: str = "") -> None:
        with el("ol", cls=f"replay-shown {cls} {'square' if self.seen.square else ''}".strip()):
            for rank, picture in enumerate(ids, start=1):
                aim = picture == self.steps.target and not self.hidden
                address = self.seen.address(picture)
                with el("li", cls=("aim " if aim else "") + ("" if address else "worded")):
                    words = self.seen.words(picture)[:_LONGEST]
                    if address:
                        el("img", src=address, alt=words, loading="lazy", title=self.seen.name(picture))
                    else:
                        el("span", words, cls="words")
                    if ranked:
                        el("span", str(rank), cls="badge")
                    if aim:
                        el("span", self._badge, cls="aim-badge")

    def _draw_target(self) -> None:
        if not self.steps.target:
            return
        say, target = self.say, self.steps.target
        self._target.clear()
        with self._target:
            if self.hidden:
                el("p", say("replay.target.hidden"), cls="soft")
            else:
                words = self.seen.words(target)[:400]
                if address := self.seen.address(target, LARGE):
                    el("img", src=address, alt=words, cls="replay-target")
                    el("p", self.seen.name(target), cls="soft small")
                else:
                    el("p", words, cls="lead")
            name = "show" if self.hidden else "hide"
            button(
                say(f"replay.target.{name}"),
                on_click=self._toggle,
                do="target",
                aria_expanded=str(not self.hidden).lower(),
            )

    def _short(self, step: Step) -> str:
        """A step in a few words, for the list of turns."""
        if step.choice is not None:
            chosen = step.choices[step.choice]
            told = self.seen.words(chosen.picture) if chosen.picture else chosen.text
        elif step.unsure:
            told = self.say("replay.unsure")
        else:
            told = step.said or self.say(f"replay.kind.{step.kind}")
        return told if len(told) <= 60 else told[:59].rstrip() + "…"
