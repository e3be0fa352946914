"""A text as a QR code. A module of its own, loaded at its first use: the imaging library behind it is 4 MB of a process."""

from __future__ import annotations

import io

import qrcode
from qrcode.image.svg import SvgPathImage


def svg(text: str) -> str:
    """The code as an SVG document."""
    picture = io.BytesIO()
    qrcode.make(text, image_factory=SvgPathImage).save(picture)
    return picture.getvalue().decode()
