"""How many pictures and texts an encoder takes per second, by number format and size of the batch.

    python benchmarks/encoders.py --encoder chatir [--precision fp32 bf16 fp16] [--batch 8 32 128] [--pictures 256]
    python benchmarks/encoders.py --random        # a BLIP base of full size with random weights: speed needs no others

Pictures are noise of 640 x 480 pixels and are decoded already; resizing is counted. Texts have about 20 and 200 words.
Also prints how far the vectors of each format are from those of fp32 (the smallest cosine).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from PIL import Image

from whichpic.encoders.torch import Torch

if TYPE_CHECKING:
    from whichpic.types import Encoder, Floats

_Item = TypeVar("_Item")
_WORDS = ["a", "dog", "on", "the", "grass", "beside", "two", "red", "cars", "in", "front", "of", "an", "old", "house"]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--encoder", default="chatir")
    options.add_argument("--random", action="store_true")
    options.add_argument("--precision", nargs="+", default=["fp32", "bf16", "fp16"])
    options.add_argument("--batch", nargs="+", type=int, default=[8, 32, 128])
    options.add_argument("--pictures", type=int, default=256)
    options.add_argument("--texts", type=int, default=256)
    chosen = options.parse_args()
    draw = np.random.default_rng(0)
    pictures = [Image.fromarray(draw.integers(0, 256, (480, 640, 3), dtype=np.uint8)) for _ in range(chosen.pictures)]
    texts = {length: [" ".join(draw.choice(_WORDS, length)) for _ in range(chosen.texts)] for length in (20, 200)}
    with tempfile.TemporaryDirectory() as folder:
        opened = _random(Path(folder)) if chosen.random else _named(chosen.encoder)
        exact: Floats | None = None
        for precision in chosen.precision:
            encoder = opened(precision)
            small = encoder.encode_pictures(pictures[:32])
            exact = small if exact is None else exact
            nearest = float(np.min(np.sum(small * exact, axis=1)))
            print(f"{encoder.id}: smallest cosine with {chosen.precision[0]} {nearest:.5f}")
            for batch in chosen.batch:
                rates = [_rate(encoder.encode_pictures, pictures, batch)]
                rates += [_rate(encoder.encode_texts, some, batch) for some in texts.values()]
                told = ", ".join(
                    f"{rate:8.1f} {what}/s"
                    for rate, what in zip(rates, ("pictures", "texts of 20", "of 200"), strict=True)
                )
                print(f"  batch {batch:4d}: {told}", flush=True)


def _rate(encode: Callable[[list[_Item]], object], items: list[_Item], batch: int) -> float:
    encode(items[:batch])
    began = time.perf_counter()
    for start in range(0, len(items), batch):
        encode(items[start : start + batch])
    return len(items) / (time.perf_counter() - began)


def _named(name: str) -> Callable[[str], Encoder]:
    from whichpic.encoders import open_encoder

    return lambda precision: open_encoder(f"{name}@{precision}")


def _random(folder: Path) -> Callable[[str], Encoder]:
    """BLIP base in transformers' layout, its vocabulary made up."""
    import json

    from transformers import BlipConfig, BlipForImageTextRetrieval

    config = BlipConfig(
        text_config={"num_attention_heads": 12}, vision_config={"image_size": 224, "initializer_range": 0.02}
    )
    BlipForImageTextRetrieval(config).save_pretrained(folder)
    made = {"size": {"height": 224, "width": 224}, "image_mean": [0.48, 0.46, 0.41], "image_std": [0.27, 0.26, 0.28]}
    (folder / "preprocessor_config.json").write_text(json.dumps(made), encoding="utf-8")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *dict.fromkeys(_WORDS)]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    return lambda precision: Torch(folder, name="blip-random", precision=precision)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
