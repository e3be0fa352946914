"""A picture of a stranger's file, made in a process of its own: what breaks a parser breaks nothing else.

Run as a script: ``python -I thumbnail_process.py image|pdf``. The file comes on standard input; a line of JSON (the text the
file begins with) and the picture go to standard output. It knows nothing of the project, and its limits are set before the
first byte is parsed. Nobody imports it.
"""

from __future__ import annotations

import io
import json
import resource
import sys
import warnings
from typing import Final

import pypdfium2 as pdfium
from PIL import Image, ImageOps

SIDE: Final = 512
MEMORY_BYTES, OUTPUT_BYTES, CPU_SECONDS = 1024**3, 8 * 1024**2, 20
MAX_PIXELS: Final = 64_000_000
TEXT_CHARACTERS, TEXT_PAGES = 3000, 5
FORMATS: Final = ("PNG", "JPEG", "GIF", "WEBP", "BMP")
REFUSED: Final = 3


def confine() -> None:
    """No more memory, time, output, files or processes than a picture needs."""
    for what, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_FSIZE, OUTPUT_BYTES),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 16),
        (resource.RLIMIT_NPROC, 0),
    ):
        resource.setrlimit(what, (most, most))


def of_image(data: bytes) -> tuple[Image.Image, str]:
    """The first frame, upright. Raises ValueError for more pixels than anybody needs."""
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        image.draft("RGB", (SIDE, SIDE))
        upright = ImageOps.exif_transpose(image)
        return upright.convert("RGBA" if upright.has_transparency_data else "RGB"), ""


def of_pdf(data: bytes) -> tuple[Image.Image, str]:
    """The first page, and how the text of the first pages begins."""
    document = pdfium.PdfDocument(data)
    page = document[0]
    width, height = page.get_size()
    picture = page.render(scale=min(4.0, SIDE / max(width, height, 1.0))).to_pil().convert("RGB")
    text = ""
    for number in range(min(len(document), TEXT_PAGES)):
        if len(text) < TEXT_CHARACTERS:
            text += document[number].get_textpage().get_text_range() + "\n"
    return picture, text[:TEXT_CHARACTERS]


def main(kind: str) -> None:
    confine()
    data = sys.stdin.buffer.read()
    try:
        picture, text = {"image": of_image, "pdf": of_pdf}[kind](data)
        picture.thumbnail((SIDE, SIDE))
        made = io.BytesIO()
        picture.save(made, "WEBP", quality=80)
    except (ValueError, OSError, SyntaxError, MemoryError, Warning, Image.DecompressionBombError, pdfium.PdfiumError):
        sys.exit(REFUSED)
    sys.stdout.buffer.write(json.dumps(text).encode() + b"\n" + made.getvalue())


if __name__ == "__main__":
    main(sys.argv[1])
