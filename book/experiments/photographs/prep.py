"""Decode the carried photos into one array in shared memory: python prep.py BLOB META OUT"""

import io, sys
import numpy as np
from concurrent.futures import ProcessPoolExecutor
from PIL import Image

blob = np.memmap(sys.argv[1], mode="r")
off = np.load(sys.argv[2])["off"]
out = sys.argv[3]


def one(part):
    images = np.lib.format.open_memmap(out, mode="r+")
    for i in part:
        a = np.asarray(Image.open(io.BytesIO(blob[off[i] : off[i + 1]].tobytes())).convert("RGB"))
        images[i, :, : a.shape[0], : a.shape[1]] = a.transpose(2, 0, 1)


if __name__ == "__main__":
    n = len(off) - 1
    limit = int(sys.argv[4]) if len(sys.argv) > 4 else n
    np.lib.format.open_memmap(out, mode="w+", dtype=np.uint8, shape=(n, 3, 336, 336)).flush()
    with ProcessPoolExecutor(16 if limit == n else 2) as ex:
        list(ex.map(one, np.array_split(np.arange(limit), 64)))
