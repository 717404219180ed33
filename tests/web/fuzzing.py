"""Cases that schemathesis makes of the API's OpenAPI: examples, edges, random ones, and chains of requests.

Called by test_api_fuzz (as many as a commit can wait for) and by benchmarks/api_cases (ten thousand).
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.browser.driving import bare_home
from tests.support import drawn_album
from whichpic.api import Album
from whichpic.encoders.toy import Toy
from whichpic.web import api_ask, faults
from whichpic.web.api import router
from whichpic.web.desk import Desk
from whichpic.web.guard import Guard, Rules
from whichpic.web.limits import Limits, Pace
from whichpic.web.shelf import Shelf
from whichpic.web.site import Site
from whichpic.web.talks import Talks
from whichpic.web.views import Say

CAPTIONS = [
    {"id": "plain", "captions": ["a red car"]},
    {"id": "with/two/slashes", "captions": ["a blue boat on a lake"]},
    {"id": "雪 with spaces?&#%", "captions": ["a green bird in the snow"]},
    {"id": "..up/thumbnail", "captions": ["a <b>bold</b> caption"]},
]


@dataclass
class Tally:
    """What came of the cases: how many, by phase and by status, and what was wrong, one line for each."""

    cases: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    routes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """All requests that were sent."""
        return sum(self.cases.values())


def albums(folder: Path) -> Shelf:
    """An album of 20 drawn pictures, and one of captions whose ids are anything."""
    drawn = drawn_album(folder / "drawn")
    told = folder / "told.jsonl"
    told.write_text("".join(json.dumps(each) + "\n" for each in CAPTIONS), encoding="utf-8")
    with bare_home(folder / "home"):
        for root in (drawn, told):
            with Album.open(root, encoder=Toy()) as album:
                album.index()
    return Shelf.of([Album.open(root, encoder=Toy()) for root in (drawn, told)])


def application(site: Site) -> Guard:
    """The API alone behind the guard, which lets in as many as come."""
    from fastapi import FastAPI

    app = FastAPI(title="whichpic", version=site.version, docs_url=None, redoc_url=None)
    app.include_router(router(site))
    app.include_router(api_ask.router(site))
    faults.handlers(app, site)
    many = Pace(1e6, 1e6)
    return Guard(
        app, Rules(names=frozenset({"testserver", "localhost", "127.0.0.1"}), limits=Limits(many, many, many, many))
    )


def fuzzed(folder: Path, *, examples: int, seed: int = 1, workers: int = 1) -> Tally:
    """So many random cases for every route, beside examples, edges and chains."""
    import schemathesis
    from schemathesis.config import SchemathesisConfig

    shelf, desk = albums(folder), Desk()
    site = Site(shelf, Talks(shelf, desk, most=20_000, asker="facts,pick"), desk)
    try:
        known = _known(site)
        config = SchemathesisConfig.from_dict(_config(known, examples=examples, seed=seed, workers=workers))
        schema = schemathesis.openapi.from_asgi("/openapi.json", application(site), config=config)
        return _run(schema)
    finally:
        desk.close()
        shelf.close()


def _known(site: Site) -> dict[str, list[str]]:
    """Names that there are, so that random requests come further than to the first 404."""
    pictures, sessions = [], []
    for shelved in site.shelf:
        pictures += list(shelved.gallery.ids[:4])
        talk = site.talks.begin(shelved.name)
        sessions.append(talk.do(Say(text="red")).id)
    return {"albums": [shelved.name for shelved in site.shelf], "pictures": pictures, "sessions": sessions}


def _config(known: dict[str, list[str]], *, examples: int, seed: int, workers: int) -> dict[str, Any]:
    # A condition of the right form may name a fact that the album does not have; an address may have control characters.
    fine = ["2xx", "304", "400", "401", "403", "404", "409", "415", "422", "429"]
    return {
        "seed": seed,
        "workers": workers,
        "continue-on-failure": True,
        "dictionaries": {name: {"values": values} for name, values in known.items()},
        "parameters": {
            "path.name": {"dictionary": "albums", "probability": 0.9},
            "path.picture": {"dictionary": "pictures", "probability": 0.7},
            "path.session": {"dictionary": "sessions", "probability": 0.8},
        },
        "checks": {"positive_data_acceptance": {"expected-statuses": fine}},
        "generation": {"max-examples": examples, "deterministic": True, "database": "none"},
        "phases": {"stateful": {"generation": {"max-examples": max(5, examples // 4)}}},
    }


def _run(schema: Any) -> Tally:
    from schemathesis.engine import events, from_schema

    tally, seen = Tally(), set()
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            recorder = event.recorder
            for interaction in recorder.interactions.values():
                tally.cases[event.phase.value] += 1
                if interaction.response is not None:
                    tally.statuses[interaction.response.status_code] += 1
            tally.routes[str(event.label)] += len(recorder.interactions)
            for checks in recorder.checks.values():
                for check in checks:
                    if check.failure_info is None:
                        continue
                    failure = check.failure_info.failure
                    line = f"{failure.operation}: {failure.title}: {failure.message} | {check.failure_info.code_sample}"
                    if (key := (failure.operation, failure.title)) not in seen:
                        seen.add(key)
                        tally.wrong.append(" ".join(line.split())[:1500])
        elif isinstance(event, events.NonFatalError | events.FatalError):
            found = event.value if isinstance(event, events.NonFatalError) else event.exception
            tally.wrong.append(f"{getattr(event, 'label', 'schemathesis')}: {found!r}"[:1500])
    return tally
