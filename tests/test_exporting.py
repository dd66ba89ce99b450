"""Exported networks say what the networks say."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from weaktr_core.__main__ import main
from weaktr_core.data import open_dataset
from weaktr_core.networks.cam import WeakTr
from weaktr_core.networks.exporting import Exportable, ExportError, export_network
from weaktr_core.networks.segmenter import Segmenter

TINY = {"embed_dim": 48, "depth": 2, "num_heads": 3}
SHAPE = {"img_size": 64, "vit_options": TINY}


def networks():
    torch.manual_seed(0)
    cam = WeakTr.from_timm("vit_tiny_patch16_224", 3, **SHAPE).eval()
    decoder = {"num_heads": 3}
    seg = Segmenter.from_timm("vit_tiny_patch16_224", 3, decoder=decoder, **SHAPE).eval()
    return {"cam": cam, "segmenter": seg}


@pytest.mark.parametrize("kind", ["cam", "segmenter"])
@pytest.mark.parametrize("ending", [".onnx", ".pt2"])
def test_a_file_computes_what_the_network_does(kind, ending, tmp_path, note):
    if ending == ".onnx":
        pytest.importorskip("onnxscript")
        pytest.importorskip("onnxruntime")
    network, path = networks()[kind], tmp_path / f"network{ending}"
    about, worst = export_network(network, path, (64, 96))
    assert path.stat().st_size > 10_000 and worst < 1e-4
    note(f"export {kind}{ending}: outputs differ by {worst:.1e}")
    assert about["input"]["shape"] == [1, 3, 64, 96]
    assert list(about["outputs"]) == Exportable(network).outputs
    if ending == ".onnx":
        import onnxruntime

        photo = np.random.default_rng(1).random((1, 3, 64, 96), np.float32)
        session = onnxruntime.InferenceSession(str(path))
        found = session.run(list(about["outputs"]), {"image": photo})
        with torch.no_grad():
            expected = Exportable(network)(torch.from_numpy(photo))
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other.numpy(), atol=1e-4)


ANY_SIZE = """
import sys, numpy as np, onnxruntime, torch
from weaktr_core.networks.cam import WeakTr
from weaktr_core.networks.exporting import Exportable, export_network
from pathlib import Path
torch.manual_seed(0)
tiny = dict(embed_dim=48, depth=2, num_heads=3)
network = WeakTr.from_timm("vit_tiny_patch16_224", 3, img_size=64, vit_options=tiny,
                           background=True, refine=sys.argv[2], adapters=2).eval()
about, worst = export_network(network, Path(sys.argv[1]))
assert "multiples of 16" in about["input"]["size"], about
if sys.argv[1].endswith(".onnx"):
    session = onnxruntime.InferenceSession(sys.argv[1])
    run = lambda photo: session.run(None, {"image": photo})
else:
    module = torch.export.load(sys.argv[1]).module()
    run = lambda photo: [it.detach().numpy() for it in module(torch.from_numpy(photo))]
for size in ((64, 64), (176, 96)):
    photo = np.random.default_rng(1).random((1, 3, *size), np.float32)
    with torch.no_grad():
        expected = Exportable(network)(torch.from_numpy(photo))
    for one, other in zip(run(photo), expected, strict=True):
        assert one.shape == other.shape
        worst = max(worst, float(np.abs(one - other.numpy()).max()))
print(worst)
"""


@pytest.mark.parametrize("ending", [".onnx", ".pt2"])
@pytest.mark.parametrize("refine", ["attention", "features"])
def test_one_file_takes_any_size(refine, ending, tmp_path, note):
    """In a process of its own: the tests' shape checker knows no sizes that are symbols."""
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    command = [sys.executable, "-c", ANY_SIZE, str(tmp_path / f"network{ending}"), refine]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    worst = float(done.stdout.split()[-1])
    assert worst < 1e-4
    note(f"export of any size, {refine}, {ending}: outputs differ by {worst:.1e}")


def test_probabilities_are_probabilities():
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        tags, maps = Exportable(networks()["cam"])(image)
        (classes,) = Exportable(networks()["segmenter"])(image)
    assert tags.shape == (1, 3) and maps.shape == (1, 3, 4, 4)
    assert classes.sum(dim=1).allclose(torch.ones(1, 64, 64), atol=1e-5)
    assert tags.min() >= 0 and tags.max() <= 1


def test_a_network_of_unknown_normalisation_is_refused():
    network = networks()["cam"]
    network.statistics = None
    with pytest.raises(ExportError, match="normalised"):
        Exportable(network)


def test_the_command_writes_file_and_description(tmp_path, capsys):
    run, out = str(tmp_path / "run"), tmp_path / "net.pt2"
    few = ["--preset", "smoke", "--set", "epochs=1", "img_size=48", "precision=no"]
    assert main(["train-cam", "--data", "scenes:8", "--run", run, *few]) == 0
    assert main(["export", run, "-o", str(out), "--size", "32", "48"]) == 0
    about = json.loads(out.with_suffix(".json").read_text())
    assert len(about["classes"]) == 10 and about["input"]["shape"] == [1, 3, 32, 48]
    assert about["input"]["size"] == "fixed"
    card = out.with_suffix(".md").read_text()
    assert "Learned from the image tags of the photos in `scenes:8`, split train" in card
    assert all(name in card for name in about["classes"]) and "## Licence" in card
    counts = np.sum([it.tags for it in open_dataset("scenes:8", size=48)], axis=0)
    told = zip(about["classes"], counts.astype(int), strict=True)
    assert (
        f"among 8 photos: {', '.join(f'{name} {count}' for name, count in told)}." in card
    )
    score = json.loads((tmp_path / "run" / "history.jsonl").read_text().splitlines()[-1])
    assert f"- fine cam, mIoU: {100 * score['miou']['fine_cam']:.1f} %" in card
    assert main(["export", run, "-o", str(tmp_path / "net.bin")]) == 1
    assert "ends in .onnx or .pt2" in capsys.readouterr().err
