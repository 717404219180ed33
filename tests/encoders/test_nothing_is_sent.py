"""The ONNX runtime reports its use unless it is told not to: it leaves no trace of having done so."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def test_the_runtime_makes_no_device_id_and_no_queue_of_reports(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="needs onnx (make test installs it)")
    value = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in ("x", "y")]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["x"], ["y"])], "g", value[:1], value[1:])
    opset = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), tmp_path / "m.onnx")
    home = tmp_path / "home"
    home.mkdir()
    environment = {name: value for name, value in os.environ.items() if name not in ("ORT_DISABLE_TELEMETRY", "CI")}
    code = "import pathlib, sys; from whichpic.encoders.base import onnx_session as o; o(pathlib.Path(sys.argv[1]), threads=1)"
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "m.onnx")],
        env={**environment, "HOME": str(home)},
        check=True,
        timeout=60,
    )
    assert not list(home.rglob("*"))
