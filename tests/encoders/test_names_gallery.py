"""The promise of the bundled encoder: the 45 COCO photographs of the sample album are found by their captions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.names_gallery import coco_captions, look, pictures_below, ranks0
from whichpic.encoders.names import Names
from whichpic.encoders.seeing import EfficientSeer
from whichpic.errors import ExtraMissing, ModelError
from whichpic.models import locate

pytestmark = pytest.mark.bundled

ROOT = Path(__file__).resolve().parents[2]
ALBUM = ROOT / "sample-album"
CAPTIONS = ROOT.parent / "shared" / "data" / "plugir"


def test_captions_find_their_photographs_in_a_gallery_of_45() -> None:
    if not (ALBUM / "coco").is_dir():
        pytest.skip("no sample album here: make demo fetches it")
    if not CAPTIONS.is_dir():
        pytest.skip("the captions of these photographs are not here")
    try:
        seer = EfficientSeer.load()
        names = Names(locate("minilm"), seer)
    except (ExtraMissing, ModelError) as error:
        pytest.skip(str(error))
    files = {key: path for key, path in pictures_below([ALBUM]).items() if key.startswith("coco/")}
    captions = {key: texts for key, texts in coco_captions(CAPTIONS).items() if key in files}
    small, _ = ranks0(names, look(seer, files), captions)
    assert len(small) == 225
    recall = [100 * float(np.mean(small < k)) for k in (1, 5, 10)]
    assert recall[0] > 55 and recall[1] > 85 and recall[2] > 92, recall
