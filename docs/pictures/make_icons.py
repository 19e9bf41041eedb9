"""Draw the icon of the module and of the extension: a body, a beam through it and the imager behind.

Usage: python docs/pictures/make_icons.py
"""

from pathlib import Path

from PIL import Image, ImageDraw

ICON = Path(__file__).parents[2] / "SlicerInTrEPID" / "Resources" / "Icons" / "SlicerInTrEPID.png"
SIZE, OVERSAMPLING = 128, 8


def icon() -> Image.Image:
    """Return the icon with smooth edges: drawn large, then reduced."""
    side = SIZE * OVERSAMPLING

    def scaled(*numbers: float) -> list[float]:
        return [number / 128.0 * side for number in numbers]

    image = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle(scaled(2, 2, 126, 126), radius=side // 6, fill="#12355b")
    draw.ellipse(scaled(16, 36, 112, 90), fill="#dbe7f3")
    draw.ellipse(scaled(27, 44, 56, 82), fill="#8fb3d9")
    draw.ellipse(scaled(72, 44, 101, 82), fill="#8fb3d9")
    beam = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    ImageDraw.Draw(beam).polygon(scaled(64, 8, 96, 108, 32, 108), fill=(255, 180, 40, 150))
    image.alpha_composite(beam)
    draw.ellipse(scaled(53, 52, 75, 74), fill="#e03131")
    draw.rounded_rectangle(scaled(22, 106, 106, 116), radius=side // 60, fill="#f1f5f9")
    return image.resize((SIZE, SIZE), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    icon().save(ICON, optimize=True)
