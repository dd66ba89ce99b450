"""Files that readers drop on a page, and what the page must say: name → (bytes, phrase).

The phrase is part of the one sentence that ends it; None: the picture is looked at.
"""

import io
import struct
import zlib

import numpy as np
from PIL import Image

RANDOM = np.random.default_rng(9)
PICTURE = Image.fromarray(RANDOM.integers(0, 256, (60, 80, 3), dtype=np.uint8))
BROKEN = "is broken: your browser cannot read it."
NOTHING = "is no picture; photos are JPEG"


def stored(picture=PICTURE, kind="JPEG", **options):
    buffer = io.BytesIO()
    picture.save(buffer, format=kind, **options)
    return buffer.getvalue()


def noise(width, height, mode="RGB"):
    """A picture that is quick to make, however large."""
    tile = PICTURE.convert(mode).resize((min(width, 400), min(height, 400)))
    return tile.resize((width, height), Image.Resampling.NEAREST)


def rotated(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return stored(exif=exif)


def animated(kind):
    frames = [PICTURE, PICTURE.rotate(90), PICTURE.rotate(180)]
    return stored(kind=kind, save_all=True, append_images=frames[1:], duration=50)


def png_of(width, height, packed):
    """A PNG that claims a size, whatever its pixels are."""

    def chunk(name, body):
        return (
            struct.pack(">I", len(body))
            + name
            + body
            + struct.pack(">I", zlib.crc32(name + body))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", packed)
        + chunk(b"IEND", b"")
    )


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="80" height="60"><script>window.hit=1</script></svg>'
JPEG = stored()
PNG = stored(kind="PNG")
EMPTY = zlib.compress(b"")

CASES = {
    # looked at
    "plain.jpg": (JPEG, None),
    "plain.png": (PNG, None),
    "grey.png": (stored(PICTURE.convert("L"), "PNG"), None),
    "grey-16-bit.png": (
        stored(
            Image.fromarray(RANDOM.integers(0, 65536, (60, 80)).astype(np.uint16)), "PNG"
        ),
        None,
    ),
    "palette.png": (stored(PICTURE.convert("P"), "PNG"), None),
    "one-bit.png": (stored(PICTURE.convert("1"), "PNG"), None),
    "transparent.png": (stored(Image.new("RGBA", (80, 60), (200, 0, 0, 0)), "PNG"), None),
    "half-transparent.webp": (
        stored(Image.new("RGBA", (80, 60), (0, 0, 0, 128)), "WEBP"),
        None,
    ),
    "cmyk.jpg": (stored(PICTURE.convert("CMYK")), None),
    "progressive.jpg": (stored(progressive=True), None),
    "plain.webp": (stored(kind="WEBP"), None),
    "lossless.webp": (stored(kind="WEBP", lossless=True), None),
    "plain.bmp": (stored(kind="BMP"), None),
    "plain.gif": (stored(kind="GIF"), None),
    "animated.gif": (animated("GIF"), None),
    "animated.webp": (animated("WEBP"), None),
    "animated.png": (animated("PNG"), None),
    "upside-down.jpg": (rotated(3), None),
    "sideways.jpg": (rotated(6), None),
    "mirrored.jpg": (rotated(5), None),
    "nonsense-in-exif.jpg": (rotated(77), None),
    "a-jpeg-called.png": (JPEG, None),
    "without-ending": (PNG, None),
    "12-megapixels.jpg": (stored(noise(4000, 3000)), None),
    "24-megapixels.jpg": (stored(noise(6000, 4000)), None),
    "smallest.png": (stored(noise(14, 14), "PNG"), None),
    "<img src=x onerror=hit()>.png": (PNG, None),
    # refused, in one sentence
    "empty.jpg": (b"", "is empty."),
    "text.jpg": (b"no picture at all", NOTHING),
    "page.png": (b"<!doctype html><script>window.hit=1</script>", NOTHING),
    "random.jpg": (RANDOM.bytes(5000), NOTHING),
    "archive.png": (b"PK\x03\x04" + RANDOM.bytes(500), NOTHING),
    "drawing.svg": (SVG, "is an SVG drawing"),
    "drawing-called.jpg": (b'<?xml version="1.0"?>' + SVG, "is an SVG drawing"),
    "paper.pdf": (b"%PDF-1.7\n" + RANDOM.bytes(300), "is a PDF document"),
    "scan.tif": (stored(kind="TIFF"), "is a TIFF picture"),
    "phone.heic": (
        b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + RANDOM.bytes(300),
        "is a HEIC photo",
    ),
    "head-only.jpg": (JPEG[:20], BROKEN),
    "head-only.png": (PNG[:40], BROKEN),
    "one-pixel.png": (stored(noise(1, 1), "PNG"), "is 1 × 1 pixels; a patch alone is 14."),
    "one-pixel.gif": (stored(noise(1, 1), "GIF"), "is 1 × 1 pixels"),
    "strip.png": (stored(noise(2000, 20), "PNG"), "is 2000 × 20 pixels, too long a strip"),
    "bomb.png": (png_of(30000, 30000, EMPTY), "has 900 megapixels; 100 are the most."),
    "nothing-inside.png": (
        png_of(80, 60, EMPTY),
        None,
    ),  # decoders differ: any end but a crash
    "100-megabytes.jpg": (None, "has 100 MB; 50 MB are the most."),
}
EITHER = ("nothing-inside.png",)
"""Cases that one browser reads and another refuses."""
