import sys, io, numpy as np
from PIL import Image
from pathlib import Path
from concurrent.futures import ProcessPoolExecutor
from weaktr_core.data.voc import read_tags

R = Path("voc-part/VOCdevkit/VOC2012")
L = R / "ImageSets/Segmentation"


def one(n):
    im = Image.open(R / "JPEGImages" / f"{n}.jpg").convert("RGB")
    w, h = im.size
    size = (336, 252) if w >= h else (252, 336)
    b = io.BytesIO()
    im.resize(size, Image.BICUBIC).save(b, "WEBP", quality=int(sys.argv[1]), method=3)
    m = np.asarray(Image.open(R / "SegmentationClass" / f"{n}.png").resize(size, Image.NEAREST))
    return b.getvalue(), m, read_tags(R / "Annotations" / f"{n}.xml"), (w, h)


if __name__ == "__main__":
    lists = {k: (L / f"{k}.txt").read_text().split() for k in ("train", "train_aug", "train_balanced", "val")}
    names = sorted(set(lists["train_aug"]) | set(lists["train"]) | set(lists["train_balanced"]) | set(lists["val"]))
    print(len(names))
    with ProcessPoolExecutor(2) as ex:
        out = list(ex.map(one, names, chunksize=32))
    blob = b"".join(o[0] for o in out)
    off = np.cumsum([0] + [len(o[0]) for o in out])
    open("images.bin", "wb").write(blob)
    np.savez_compressed(
        "meta.npz", names=names, off=off, masks=np.stack([o[1].ravel() for o in out]), tags=np.stack([o[2] for o in out]), size=[o[3] for o in out], **{k: np.array(v) for k, v in lists.items()}
    )
    print(len(blob) / 1e6, Path("meta.npz").stat().st_size / 1e6)
