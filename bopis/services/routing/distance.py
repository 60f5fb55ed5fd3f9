"""How far two places are apart, along a sphere: within 0.3 % of the true globe, which rules never feel."""

from math import asin, cos, radians, sin, sqrt

from bopis.domain.sourcing.request import Place

EARTH_RADIUS_M = 6_371_008.8
MICRODEGREES = 1_000_000


def place(latitude: float | None, longitude: float | None) -> Place | None:
    """A point given in degrees; None when it is not known."""
    if latitude is None or longitude is None:
        return None
    return Place(latitude_e6=round(latitude * MICRODEGREES), longitude_e6=round(longitude * MICRODEGREES))


def metres(a: Place, b: Place) -> int:
    """The great-circle distance of two places in whole metres (haversine)."""
    north_a, north_b = radians(a.latitude_e6 / MICRODEGREES), radians(b.latitude_e6 / MICRODEGREES)
    east = radians((b.longitude_e6 - a.longitude_e6) / MICRODEGREES)
    h = sin((north_b - north_a) / 2) ** 2 + cos(north_a) * cos(north_b) * sin(east / 2) ** 2
    return round(2 * EARTH_RADIUS_M * asin(min(1.0, sqrt(h))))
