"""From encoded bytes to an upright 8-bit RGB image.

Needs Pillow and numpy only and imports nothing of sslcore: this very file travels with the registered
embedder, so that a consumer's images are read exactly as they were read for training.

Orientation: the EXIF tag is applied. Transparency: laid over white. More than 8 bits: scaled, never
clipped. Colour profiles (ICC) are left out on purpose: they cost more than the decoding itself, and most
images are sRGB already. Animations: the first frame.
"""

import io
import struct
import threading
import zlib
from typing import Any, Literal

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError

__all__ = [
    "ImageError",
    "decode_image",
    "decode_resized",
    "finish_image",
    "open_image",
    "resize_and_crop",
]

ImageProblem = Literal["not_an_image", "too_large", "truncated", "unreadable", "unsupported_codec"]

# What Pillow's plugins raise on damaged bytes; they parse by hand, so almost anything.
DECODER_ERRORS = (
    ArithmeticError,
    AttributeError,
    EOFError,
    Image.DecompressionBombError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)

_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_pixel_limit = threading.Lock()


class ImageError(ValueError):
    """Bytes that cannot be decoded.

    Attributes:
        reason: One of the reasons of quarantine.
        detail: What is wrong, in words.
    """

    def __init__(self, reason: ImageProblem, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason: ImageProblem = reason
        self.detail = detail


def open_image(data: bytes) -> Image.Image:
    """Read the header: size, mode and format are known afterwards, the pixels are not decoded.

    The caller checks the size: Pillow's own limit of pixels is not in force.

    Raises:
        ImageError: If Pillow knows no such format, or the header is damaged.
    """
    # Pillow can be told its limit only through a global; it is lifted for the time of reading a header.
    with _pixel_limit:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(io.BytesIO(data))
        except DECODER_ERRORS as error:
            raise _explain(data, error, "header") from error
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def decode_image(data: bytes) -> Image.Image:
    """Decode fully, upright, 8-bit RGB.

    Raises:
        ImageError: If the bytes are no image, stop early or are damaged.
    """
    return finish_image(open_image(data), data)


def decode_resized(data: bytes, size: int) -> Image.Image:
    """Decode to a square: shorter side resized to ``size`` (antialiased bilinear), then centre crop.

    The numbers are those of torchvision's ``Resize(size)`` and ``CenterCrop(size)`` on a PIL image, except
    that a JPEG with a shorter side of at least ``4 * size`` is first reduced while decoding, by 2, 4 or 8
    but not below ``2 * size``, which is several times faster.

    Args:
        data: Encoded bytes.
        size: Side of the square in pixels.

    Raises:
        ImageError: If the bytes are no image, stop early or are damaged.
    """
    image = open_image(data)
    if image.format == "JPEG":
        image.draft(None, (2 * size, 2 * size))
    return resize_and_crop(finish_image(image, data), size)


def resize_and_crop(image: Image.Image, size: int) -> Image.Image:
    """Resize the shorter side to ``size`` (antialiased bilinear) and cut out the central square."""
    width, height = image.size
    if width <= height:
        width, height = size, int(size * height / width)
    else:
        width, height = int(size * width / height), size
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    if width == height:
        return image
    left, top = round((width - size) / 2), round((height - size) / 2)
    return image.crop((left, top, left + size, top + size))


def finish_image(image: Image.Image, data: bytes) -> Image.Image:
    """Decode the pixels of an opened image: upright, 8-bit RGB.

    Args:
        image: From `open_image`; ``draft`` may have been called on it.
        data: What it was opened from, for messages.

    Raises:
        ImageError: If the bytes stop early or are damaged.
    """
    try:
        image.load()
        turn = _UPRIGHT.get(_orientation(image))
        image = to_rgb(image)
    except DECODER_ERRORS as error:
        raise _explain(data, error, "pixels") from error
    return image if turn is None else image.transpose(turn)


def _orientation(image: Image.Image) -> int:
    try:
        value: Any = image.getexif().get(_ORIENTATION, 1)
    except DECODER_ERRORS:  # a damaged EXIF block does not make the image unreadable
        return 1
    return value if isinstance(value, int) else 1


def to_rgb(image: Image.Image) -> Image.Image:
    """Return an image of any mode as 8-bit RGB: transparency over white, more than 8 bits scaled."""
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I") or image.mode == "F":
        return _scaled_to_8_bits(image).convert("RGB")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    if image.mode == "LAB":  # the one mode that Pillow converts through a colour profile only
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
        return converted if converted is not None else image.convert("RGB")
    return image.convert("RGB")


def _scaled_to_8_bits(image: Image.Image) -> Image.Image:
    """Scale grey of more than 8 bits by the range its values say they are in.

    0 to 65535 for integers and 0 to 1 or 0 to 255 for floats, where the values fit; otherwise from the
    image's own smallest to its largest value. NaN becomes black.
    """
    values = np.asarray(image).astype(np.float32)
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    ranges = (1.0, 255.0, 65535.0) if image.mode == "F" else (65535.0,)
    if low >= 0:
        low, high = 0.0, next((top for top in ranges if high <= top), high)
    scaled = (np.nan_to_num(values, nan=low, posinf=high, neginf=low) - low) * (255 / max(high - low, 1e-30))
    return Image.fromarray(np.rint(scaled).clip(0, 255).astype(np.uint8), "L")


def _explain(data: bytes, error: BaseException, where: str) -> ImageError:
    """Name the reason from the first and last bytes; Pillow's messages hold addresses and vary."""
    found = _sniff(data)
    if found is None:
        return ImageError("not_an_image", "no image format is recognised in its first bytes")
    name, is_image = found
    if not is_image:
        return ImageError("not_an_image", f"its content is {name}")
    text = f"{type(error).__name__} {error}".lower()
    if any(word in text for word in ("truncated", "eof", "end of file", "not enough")) or _stops_early(
        name, data
    ):
        return ImageError("truncated", f"{name} of {len(data)} bytes that stops early")
    if isinstance(error, Image.DecompressionBombError | MemoryError):
        return ImageError("too_large", f"{name} that does not fit into memory")
    if isinstance(error, UnidentifiedImageError | NotImplementedError):
        return ImageError("unsupported_codec", f"{name} of a kind that Pillow does not read")
    return ImageError("unreadable", f"{name} with damaged {where}")


_SIGNATURES: tuple[tuple[bytes, str, bool], ...] = (
    (b"\xff\xd8", "JPEG", True),
    (b"\x89PNG", "PNG", True),
    (b"GIF8", "GIF", True),
    (b"BM", "BMP", True),
    (b"II*\0", "TIFF", True),
    (b"MM\0*", "TIFF", True),
    (b"II+\0", "TIFF", True),
    *((b"P%d" % kind, "PNM", True) for kind in range(1, 8)),
    (b"%PDF", "a PDF", False),
    (b"PK\x03\x04", "a ZIP archive", False),
    (b"\x1aE\xdf\xa3", "a Matroska video", False),
)


def _sniff(data: bytes) -> tuple[str, bool] | None:
    """Return the format that the first bytes say, and whether it is an image format read here."""
    if data[:4] == b"RIFF":
        return ("WebP", True) if data[8:12] == b"WEBP" or len(data) < 12 else ("a RIFF file", False)
    if data[4:8] == b"ftyp":
        if data[8:12] in (b"avif", b"avis"):
            return "AVIF", True
        heif = data[8:12] in (b"heic", b"heix", b"hevc", b"mif1", b"msf1")
        return ("HEIF", True) if heif else ("an MP4 or QuickTime video", False)
    for signature, name, is_image in _SIGNATURES:
        if data.startswith(signature):
            return name, is_image
    start = data[:512].lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "an HTML page", False
    if start and all(byte >= 32 or byte in b"\t\r\n" for byte in start):
        return "text", False
    return None


def _stops_early(name: str, data: bytes) -> bool:
    """Return whether the end mark is missing, or the length that the header promises."""
    if name == "JPEG":
        return b"\xff\xd9" not in data[-64:]
    if name == "PNG":
        return b"IEND" not in data[-64:]
    if name == "GIF":
        return data.rstrip(b"\0")[-1:] != b";"
    if name == "WebP":
        return len(data) < 12 or int.from_bytes(data[4:8], "little") + 8 > len(data)
    if name == "BMP":
        return len(data) < 26 or int.from_bytes(data[2:6], "little") > len(data)
    if name == "TIFF":
        order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
        return len(data) < 8 or int.from_bytes(data[4:8], order) > len(data)
    return False
