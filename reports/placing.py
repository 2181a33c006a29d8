"""Places names beside points so that no two overlap."""

from collections.abc import Sequence

Box = tuple[float, float, float, float]  # left, right, bottom, top
GAP = 4.0  # between a point and its name
FAR = 0.5  # square pixels of overlap that a pixel of distance is worth
RINGS = (1.0, 2.2, 3.6, 5.2, 7.0)  # distances that are tried, in heights of a name


def place_names(
    points: Sequence[tuple[float, float]],
    sizes: Sequence[tuple[float, float]],
    inside: Box,
    lines: Sequence[Box] = (),
) -> list[tuple[float, float]]:
    """Return the lower left corner of each name.

    Parameters
    ----------
    points, inside : in pixels, y upwards; names stay inside the box
    sizes : width and height of each name in pixels
    lines : boxes around lines, which names cross only if they would be far from their points otherwise
    """
    dots: list[Box] = [*((x - GAP, x + GAP, y - GAP, y + GAP) for x, y in points), *lines]
    taken: list[Box] = []
    corners: list[tuple[float, float]] = [(0.0, 0.0)] * len(points)
    for place in sorted(range(len(points)), key=lambda place: -points[place][1]):
        (x, y), (width, height) = points[place], sizes[place]
        options = [
            _box(x + side * (GAP + 1) - (width if side < 0 else width / 2 if side == 0 else 0), y + up, width, height)
            for ring in RINGS
            for up in (-height / 2 + (ring - 1) * height, -height / 2 - (ring - 1) * height, ring * height - height / 2)
            for side in ((1, -1) if abs(up + height / 2) < height * 0.9 else (1, -1, 0))
        ]
        best = min(options, key=lambda box: _cost(box, taken, dots, inside) + FAR * abs((box[2] + box[3]) / 2 - y))
        taken.append(best)
        corners[place] = best[0], best[2]
    return corners


def _box(left: float, bottom: float, width: float, height: float) -> Box:
    return left, left + width, bottom, bottom + height


def _cost(box: Box, taken: Sequence[Box], dots: Sequence[Box], inside: Box) -> float:
    """Return the overlapping area, where being outside counts most."""
    outside = max(inside[0] - box[0], 0, box[1] - inside[1]) + max(inside[2] - box[2], 0, box[3] - inside[3])
    return 100 * outside + sum(_overlap(box, other) for other in taken) + sum(_overlap(box, dot) for dot in dots)


def _overlap(one: Box, other: Box) -> float:
    width = min(one[1], other[1]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[2], other[2])
    return width * height if width > 0 and height > 0 else 0.0
