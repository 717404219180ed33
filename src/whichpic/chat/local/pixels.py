"""Pictures as the arrays that vision towers take: resizing, tiles, patches, normalising, with PIL and numpy alone.

Called by local.families. transformers' own processors want torchvision for several families; these do not. `settings`
are the entries of preprocessor_config.json. Pictures come in as RGB; arrays are float32, channels first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from whichpic.errors import ChatError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    Pixels = NDArray[np.float32]

_LONGEST = 4096
"""Idefics3 scales no picture beyond this many pixels on a side."""


def clip(image: Image, settings: Mapping[str, Any]) -> Pixels:
    """CLIP's and SigLIP's way: resize (the shorter side, or both), cut out the middle, normalise; [3, height, width]."""
    if settings.get("do_pad") and not settings.get("image_grid_pinpoints"):
        image = _squared(image, settings["image_mean"])
    size = settings["size"]
    size = {"shortest_edge": size} if isinstance(size, int) else size
    if settings.get("do_resize", True):
        if "shortest_edge" in size:
            short, long = sorted(image.size)
            edge = int(size["shortest_edge"])
            longer = int(edge * long / short)
            target = (edge, longer) if image.width <= image.height else (longer, edge)
        else:
            target = (int(size["width"]), int(size["height"]))
        image = resized(image, target, settings)
    if settings.get("do_center_crop"):
        crop = settings["crop_size"]
        width, height = (crop, crop) if isinstance(crop, int) else (int(crop["width"]), int(crop["height"]))
        left, top = (image.width - width) // 2, (image.height - height) // 2
        image = image.crop((left, top, left + width, top + height))
    return normalised(image, settings)


def normalised(image: Image, settings: Mapping[str, Any]) -> Pixels:
    """(value * rescale_factor - mean) / std per channel, float32 [3, height, width]."""
    import numpy as np

    values = np.asarray(image.convert("RGB"), dtype=np.float32) * np.float32(settings.get("rescale_factor", 1 / 255))
    if settings.get("do_normalize", True):
        mean, std = (np.array(settings[name], dtype=np.float32) for name in ("image_mean", "image_std"))
        values = (values - mean) / std
    return np.ascontiguousarray(values.transpose(2, 0, 1), dtype=np.float32)


def best_grid(size: tuple[int, int], grids: Sequence[Sequence[int]]) -> tuple[int, int]:
    """The (height, width) of `grids` that keeps most of a picture's pixels and, among those, wastes the fewest."""
    height, width = size

    def worth(grid: Sequence[int]) -> tuple[int, int]:
        scale = min(grid[0] / height, grid[1] / width)
        kept = min(int(height * scale) * int(width * scale), height * width)
        return kept, kept - grid[0] * grid[1]

    best = max(grids, key=worth)
    return int(best[0]), int(best[1])


def anyres(image: Image, settings: Mapping[str, Any], grids: Sequence[Sequence[int]]) -> Pixels:
    """LLaVA-NeXT's tiles: the whole picture at one tile's size, then the tiles row by row; [1 + tiles, 3, side, side]."""
    import numpy as np
    from PIL import Image as Images

    side = _side(settings)
    grid_height, grid_width = best_grid((image.height, image.width), grids)
    across, down = grid_width / image.width, grid_height / image.height
    if across < down:
        target = (grid_width, min(math.ceil(image.height * across), grid_height))
    else:
        target = (min(math.ceil(image.width * down), grid_width), grid_height)
    canvas = Images.new("RGB", (grid_width, grid_height))
    canvas.paste(resized(image, target, settings), ((grid_width - target[0]) // 2, (grid_height - target[1]) // 2))
    tiles = [resized(image, (side, side), settings)] + [
        canvas.crop((left, top, left + side, top + side))
        for top in range(0, grid_height, side)
        for left in range(0, grid_width, side)
    ]
    return np.stack([normalised(tile, settings) for tile in tiles])


def unpadded(size: tuple[int, int], grid: tuple[int, int], patches: int) -> tuple[int, int]:
    """Rows and columns of a picture's tiles, in patches, once the padding is cut off again.

    size: (height, width) of the picture; grid: tiles down and across; patches: on a side of a tile.
    """
    height, width = size
    rows, columns = grid[0] * patches, grid[1] * patches
    if width / height > columns / rows:
        rows -= (rows - int(round(height * (columns / width), 7))) // 2 * 2
    else:
        columns -= (columns - int(round(width * (rows / height), 7))) // 2 * 2
    return rows, columns


def unpadded_tokens(size: tuple[int, int], grid: tuple[int, int], patches: int) -> int:
    """Tokens of a picture's tiles once the padding is cut off, with one new-line token per row. See `unpadded`."""
    rows, columns = unpadded(size, grid, patches)
    return rows * columns + rows


def patches(
    image: Image, settings: Mapping[str, Any], *, most: int | None = None
) -> tuple[Pixels, tuple[int, int, int]]:
    """Qwen-VL's flat patches [rows * columns, 3 * time * patch * patch] and the grid (1, rows, columns).

    Patches that the model merges into one token lie together; the picture is repeated over the temporal patch.
    most: pixels, where that is fewer than the settings allow.
    """
    import numpy as np

    patch, merge, time = (int(settings[name]) for name in ("patch_size", "merge_size", "temporal_patch_size"))
    fewest, upper = _bounds(settings)
    height, width = smart_size(
        image.height, image.width, patch * merge, fewest, upper if most is None else min(most, upper)
    )
    values = normalised(resized(image, (width, height), settings), settings)
    rows, columns = height // patch, width // patch
    split = values.reshape(3, rows // merge, merge, patch, columns // merge, merge, patch)
    # Block row, block column, row and column in the block, channel, pixels of the patch.
    split = split.transpose(1, 4, 2, 5, 0, 3, 6)
    timed = np.repeat(split[:, :, :, :, :, None], time, axis=5)
    return timed.reshape(rows * columns, -1), (1, rows, columns)


def smart_size(height: int, width: int, factor: int, fewest: int, most: int) -> tuple[int, int]:
    """The multiples of `factor` closest to a picture's sides that have between `fewest` and `most` pixels."""
    if max(height, width) > 200 * min(height, width):
        raise ChatError(
            "asked wrongly", f"a picture of {width} x {height} is too narrow for this model (up to 200 : 1)"
        )
    high, wide = round(height / factor) * factor, round(width / factor) * factor
    if high * wide > most:
        shrink = math.sqrt(height * width / most)
        high = max(factor, math.floor(height / shrink / factor) * factor)
        wide = max(factor, math.floor(width / shrink / factor) * factor)
    elif high * wide < fewest:
        grow = math.sqrt(fewest / (height * width))
        high, wide = math.ceil(height * grow / factor) * factor, math.ceil(width * grow / factor) * factor
    return high, wide


def split(image: Image, settings: Mapping[str, Any]) -> tuple[list[Pixels], int, int]:
    """Idefics3's tiles, row by row, then the whole picture, each [3, side, side]; and how many rows and columns."""
    side = int(settings["max_image_size"]["longest_edge"])
    if settings.get("do_resize", True):
        image = resized(image, _longest(image, int(settings["size"]["longest_edge"])), settings)
    if not settings.get("do_image_splitting", True):
        return [normalised(resized(image, (side, side), settings), settings)], 0, 0
    ratio = image.width / image.height
    if image.width >= image.height:
        width = math.ceil(image.width / side) * side
        height = math.ceil(int(width / ratio) / side) * side
    else:
        height = math.ceil(image.height / side) * side
        width = math.ceil(int(height * ratio) / side) * side
    image = resized(image, (width, height), settings)
    rows, columns = height // side, width // side
    if rows == columns == 1:
        return [normalised(image, settings)], 0, 0
    tiles = [
        image.crop((column * side, row * side, (column + 1) * side, (row + 1) * side))
        for row in range(rows)
        for column in range(columns)
    ]
    tiles.append(resized(image, (side, side), settings))
    return [normalised(tile, settings) for tile in tiles], rows, columns


def stacked(arrays: Sequence[Pixels]) -> Pixels:
    """Arrays of unlike lengths as one, filled up with zeros: [arrays, longest, ...]."""
    import numpy as np

    longest = max(len(each) for each in arrays)
    out = np.zeros((len(arrays), longest, *arrays[0].shape[1:]), dtype=np.float32)
    for row, each in enumerate(arrays):
        out[row, : len(each)] = each
    return out


def joined(conversations: Sequence[dict[str, NDArray[Any]]], *, axis: int = 0) -> dict[str, NDArray[Any]]:
    """The arrays of several conversations as those of one batch; where other axes differ, filled up with zeros."""
    import numpy as np

    out = {}
    for name in dict.fromkeys(key for each in conversations for key in each):
        parts = [each[name] for each in conversations if name in each]
        most = [max(part.shape[dim] for part in parts) for dim in range(parts[0].ndim)]
        padded = [
            np.pad(part, [(0, 0 if dim == axis else most[dim] - part.shape[dim]) for dim in range(part.ndim)])
            for part in parts
        ]
        out[name] = np.concatenate(padded, axis=axis)
    return out


def resized(image: Image, size: tuple[int, int], settings: Mapping[str, Any]) -> Image:
    """The picture at (width, height), by the filter of the settings."""
    from PIL.Image import Resampling

    return image if image.size == size else image.resize(size, Resampling(int(settings.get("resample", 3))))


def _squared(image: Image, mean: Sequence[float]) -> Image:
    """The picture in the middle of a square of the mean colour."""
    from PIL import Image as Images

    side = max(image.size)
    square = Images.new("RGB", (side, side), tuple(int(each * 255) for each in mean))
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return square


def _side(settings: Mapping[str, Any]) -> int:
    """The side of a tile: that of the crop where there is one, else of the size."""
    for name in ("crop_size", "size"):
        given = settings.get(name)
        if isinstance(given, int):
            return given
        if given:
            return int(given.get("height") or given["shortest_edge"])
    raise ChatError("unsupported", "the preprocessor of these weights says no size; expected crop_size or size")


def _bounds(settings: Mapping[str, Any]) -> tuple[int, int]:
    """Fewest and most pixels; older files say min_pixels and max_pixels."""
    size = settings.get("size") or {}
    fewest = settings.get("min_pixels") or size.get("shortest_edge") or size.get("min_pixels") or 56 * 56
    most = settings.get("max_pixels") or size.get("longest_edge") or size.get("max_pixels") or 28 * 28 * 1280
    return int(fewest), int(most)


def _longest(image: Image, longest: int) -> tuple[int, int]:
    """(width, height) with this longer side; the shorter one even, and neither above Idefics3's limit."""
    ratio = image.width / image.height
    if image.width >= image.height:
        width, height = longest, int(longest / ratio)
        height += height % 2
    else:
        height, width = longest, int(longest * ratio)
        width += width % 2
    width, height = max(width, 1), max(height, 1)
    ratio = width / height
    if width >= height and width > _LONGEST:
        width, height = _LONGEST, int(_LONGEST / ratio)
    elif height > width and height > _LONGEST:
        height, width = _LONGEST, int(_LONGEST * ratio)
    return max(width, 1), max(height, 1)
