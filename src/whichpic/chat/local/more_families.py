"""Further families: InternVL, Gemma 3, LLaVA-OneVision and MiniCPM-V 4.6. Called by local.families (families)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from whichpic.chat.local import pixels
from whichpic.chat.local.families import Family, Parts, Seen

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    from whichpic.chat.local.families import Arrays


def look_internvl(parts: Parts, images: Sequence[Image]) -> Seen:
    """InternVL: tiles of the grid nearest in shape, row by row, then the whole picture (arXiv 2404.16821, section 3.3).

    Several pictures share the tiles that one would have: five whole ones would be 16,640 tokens.
    """
    import numpy as np

    side = int(parts.preprocessor["size"]["height"])
    fewest, most = int(parts.preprocessor["min_patches"]), int(parts.preprocessor["max_patches"])
    most = max(fewest, most // len(images))
    length = round(
        (side // _first(parts.vision.get("patch_size", 14)) * float(parts.config.get("downsample_ratio", 0.5))) ** 2
    )
    texts, values = [], []
    for image in images:
        columns, rows = internvl_grid(image.size, side, fewest, most)
        tiles = _tiles(pixels.resized(image, (columns * side, rows * side), parts.preprocessor), side, side)
        if len(tiles) > 1:
            tiles.append(pixels.resized(image, (side, side), parts.preprocessor))
        values += [pixels.normalised(tile, parts.preprocessor) for tile in tiles]
        texts.append(f"<img>{_token(parts) * (length * len(tiles))}</img>")
    return Seen(tuple(texts), {"pixel_values": np.stack(values)})


def internvl_grid(size: tuple[int, int], side: int, fewest: int, most: int) -> tuple[int, int]:
    """(columns, rows) of the tiles whose shape is nearest to that of a picture of (width, height).

    Of grids of one shape the larger is taken while the picture has more than half of its pixels.
    """
    width, height = size
    grids = [(columns, rows) for columns in range(1, most + 1) for rows in range(1, most + 1)]
    best, least = (1, 1), math.inf
    for columns, rows in sorted((g for g in grids if fewest <= g[0] * g[1] <= most), key=lambda g: g[0] * g[1]):
        apart = abs(width / height - columns / rows)
        if apart < least or (apart == least and width * height > 0.5 * side * side * columns * rows):
            best, least = (columns, rows), apart
    return best


def look_gemma3(parts: Parts, images: Sequence[Image]) -> Seen:
    """Gemma 3: each picture at one square size, 256 tokens between two marks (arXiv 2503.19786, section 2.1)."""
    import numpy as np

    run = _token(parts) * int(parts.config.get("mm_tokens_per_image") or 256)
    text = f"\n\n<start_of_image>{run}<end_of_image>\n\n"
    values = [pixels.clip(image, {**parts.preprocessor, "do_center_crop": False}) for image in images]
    return Seen((text,) * len(images), {"pixel_values": np.stack(values)})


def gemma_types(parts: Parts, ids: NDArray[np.int64]) -> Arrays:
    """1 where a token belongs to a picture: tokens of one picture look at each other both ways."""
    return {"token_type_ids": (ids == parts.image_token).astype("int64")}


def look_llava_onevision(parts: Parts, images: Sequence[Image]) -> Seen:
    """LLaVA-OneVision: one picture in tiles, shrunk where there are more than 9; several as squares (arXiv 2408.03326)."""
    import numpy as np

    side = int(parts.vision.get("image_size", 384))
    patches = side // int(parts.vision.get("patch_size", 14))
    sizes = np.array([(image.height, image.width) for image in images], dtype=np.int64)
    arrays: Arrays = {"image_sizes": sizes, "batch_num_images": np.array([len(images)], dtype=np.int64)}
    if len(images) > 1:
        square = {**parts.preprocessor, "do_pad": True, "image_grid_pinpoints": None, "do_center_crop": False}
        values = [pixels.clip(image, square)[None] for image in images]
        text = _token(parts) * (patches**2 + 1)
        return Seen((text,) * len(images), {"pixel_values": np.stack(values), **arrays})
    image = images[0]
    grids = parts.config.get("image_grid_pinpoints") or parts.preprocessor["image_grid_pinpoints"]
    height, width = pixels.best_grid((image.height, image.width), grids)
    rows, columns = pixels.unpadded((image.height, image.width), (height // side, width // side), patches)
    most = int(str(parts.config.get("vision_aspect_ratio", "anyres_max_9")).rpartition("_")[2])
    ratio = math.sqrt(rows * columns / (most * patches**2))
    if ratio > 1.1:
        rows, columns = int(rows // ratio), int(columns // ratio)
    tiled = pixels.anyres(image, {**parts.preprocessor, "crop_size": None}, grids)
    text = _token(parts) * (patches**2 + rows * columns + rows)
    return Seen((text,), {"pixel_values": tiled[None], **arrays})


def look_minicpm(parts: Parts, images: Sequence[Image]) -> Seen:
    """MiniCPM-V 4.6: the whole picture, then slices of it, all in flat patches (arXiv 2408.01800, section 3.2)."""
    import numpy as np

    settings = parts.preprocessor
    patch, shrunk = int(settings["patch_size"]), 4 if settings.get("downsample_mode") == "4x" else 16
    texts, flat, sizes = [], [], []
    for number, image in enumerate(images):
        whole, slices, columns = minicpm_slices(image, settings)
        pieces = []
        for piece in (whole, *slices):
            values = pixels.normalised(piece, settings)
            rows, across = piece.height // patch, piece.width // patch
            flat.append(values.reshape(3, rows, patch, across, patch).transpose(0, 2, 1, 3, 4).reshape(3, patch, -1))
            sizes.append((rows, across))
            pieces.append(_token(parts) * (rows * across // shrunk))
        mark = f"<image_id>{number}</image_id>" if settings.get("use_image_id", True) else ""
        marked = [f"<slice>{piece}</slice>" for piece in pieces[1:]]
        lines = ["".join(marked[at : at + columns]) for at in range(0, len(marked), max(columns, 1))]
        texts.append(f"{mark}<image>{pieces[0]}</image>" + "\n".join(lines))
    return Seen(
        tuple(texts),
        {"pixel_values": np.concatenate(flat, axis=-1)[None], "target_sizes": np.array(sizes, dtype=np.int64)},
    )


def minicpm_slices(image: Image, settings: Mapping[str, Any]) -> tuple[Image, list[Image], int]:
    """The whole picture at a size that the model takes, its slices row by row, and how many there are in a row."""
    scale, most = int(settings["scale_resolution"]), int(settings["max_slice_nums"])
    step = int(settings["patch_size"]) * (2 if settings.get("downsample_mode") == "4x" else 4)
    grid = _slice_grid(image.size, scale, most) if settings.get("slice_mode", True) else None
    whole = pixels.resized(image, _fitting(image.size, scale, step, grow=grid is None), settings)
    if grid is None:
        return whole, [], 0
    rows, columns = grid
    part = (_rounded(image.width, columns) / columns, _rounded(image.height, rows) / rows)
    width, height = _fitting(part, scale, step, grow=True)
    refined = pixels.resized(image, (width * columns, height * rows), settings)
    return whole, _tiles(refined, width, height), columns


def _slice_grid(size: tuple[int, int], scale: int, most: int) -> tuple[int, int] | None:
    """(rows, columns) of slices of about scale x scale pixels whose shape is nearest to a square's, or None for one."""
    width, height = size
    wanted = min(math.ceil(width * height / scale**2), most)
    if wanted <= 1:
        return None
    best, least = (1, 1), math.inf
    for count in (wanted - 1, wanted, wanted + 1):
        if count == 1 or count > most:
            continue
        for rows in (each for each in range(1, count + 1) if count % each == 0):
            columns = count // rows
            apart = abs(math.log(width / height) - math.log(columns / rows))
            if apart < least or (apart == least and rows > best[0]):
                best, least = (rows, columns), apart
    return best


def _fitting(size: tuple[float, float], scale: int, step: int, *, grow: bool) -> tuple[int, int]:
    """(width, height) in whole steps, of scale x scale pixels or, without `grow`, of fewer."""
    width, height = size
    if grow or width * height > scale * scale:
        ratio = width / height
        height = int(scale / math.sqrt(ratio))
        width = int(height * ratio)
    return _rounded(width, step), _rounded(height, step)


def _rounded(length: float, step: int) -> int:
    return max(round(length / step) * step, step)


def join_minicpm(arrays: Sequence[Arrays]) -> Arrays:
    """Patches of all pictures one after the other, [1, 3, patch, all]; sizes [pictures and slices, 2]."""
    import numpy as np

    return {
        "pixel_values": np.concatenate([each["pixel_values"] for each in arrays], axis=-1),
        "target_sizes": np.concatenate([each["target_sizes"] for each in arrays]),
    }


def _tiles(image: Image, width: int, height: int) -> list[Image]:
    """The tiles of a picture, row by row."""
    return [
        image.crop((left, top, left + width, top + height))
        for top in range(0, image.height, height)
        for left in range(0, image.width, width)
    ]


def _first(value: Any) -> int:
    return int(value[0] if isinstance(value, list | tuple) else value)


def _token(parts: Parts) -> str:
    return str(parts.tokenizer.convert_ids_to_tokens(parts.image_token))


def _chatml(sign: str) -> str:
    return (
        "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% for c in m['content'] %}{% if c['type'] == 'image' %}"
        + sign
        + "\n{% else %}{{ c['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )


_GEMMA = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "<start_of_turn>{{ 'model' if m['role'] == 'assistant' else m['role'] }}\n{% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}<start_of_image>{% else %}{{ c['text'] }}{% endif %}{% endfor %}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
_COMMON = {"do_resize": True, "resample": 3, "rescale_factor": 1 / 255}
_HALF = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}

INTERNVL = Family(
    "InternVL",
    ("internvl",),
    look_internvl,
    placeholder="<IMG_CONTEXT>",
    template=_chatml("<IMG_CONTEXT>"),
    defaults={
        **_COMMON,
        "size": {"height": 448, "width": 448},
        "min_patches": 1,
        "max_patches": 12,
        "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225],
    },
)
GEMMA3 = Family(
    "Gemma 3",
    ("gemma3",),
    look_gemma3,
    placeholder="<start_of_image>",
    template=_GEMMA,
    defaults={**_COMMON, **_HALF, "size": {"height": 896, "width": 896}, "resample": 2},
    per_token=gemma_types,
)
LLAVA_ONEVISION = Family(
    "LLaVA-OneVision",
    ("llava_onevision",),
    look_llava_onevision,
    template=_chatml("<image>"),
    defaults={**_COMMON, **_HALF, "size": {"height": 384, "width": 384}},
)
MINICPM = Family(
    "MiniCPM-V 4.6",
    ("minicpmv4_6",),
    look_minicpm,
    placeholder="<|image_pad|>",
    template=_chatml("<|image_pad|>"),
    defaults={**_COMMON, **_HALF, "patch_size": 14, "scale_resolution": 448, "max_slice_nums": 9},
    join=join_minicpm,
)

MORE: tuple[Family, ...] = (INTERNVL, GEMMA3, LLAVA_ONEVISION, MINICPM)
