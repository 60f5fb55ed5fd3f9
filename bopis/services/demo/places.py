"""Where the stores of the demonstration stand. The chain is invented, the towns are not."""

from typing import NamedTuple


class Place(NamedTuple):
    """A town, its centre, and the time zone of its clocks."""

    city: str
    state: str
    latitude: float
    longitude: float
    time_zone: str


EASTERN, CENTRAL, MOUNTAIN, PACIFIC = (
    "America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles",
)  # fmt: skip

PLACES = (
    Place("Portland", "ME", 43.6591, -70.2568, EASTERN),
    Place("Burlington", "VT", 44.4759, -73.2121, EASTERN),
    Place("Albany", "NY", 42.6526, -73.7562, EASTERN),
    Place("Syracuse", "NY", 43.0481, -76.1474, EASTERN),
    Place("Scranton", "PA", 41.4090, -75.6624, EASTERN),
    Place("Harrisburg", "PA", 40.2732, -76.8867, EASTERN),
    Place("Annapolis", "MD", 38.9784, -76.4922, EASTERN),
    Place("Richmond", "VA", 37.5407, -77.4360, EASTERN),
    Place("Roanoke", "VA", 37.2710, -79.9414, EASTERN),
    Place("Raleigh", "NC", 35.7796, -78.6382, EASTERN),
    Place("Asheville", "NC", 35.5951, -82.5515, EASTERN),
    Place("Savannah", "GA", 32.0809, -81.0912, EASTERN),
    Place("Toledo", "OH", 41.6528, -83.5379, EASTERN),
    Place("Dayton", "OH", 39.7589, -84.1916, EASTERN),
    Place("Lansing", "MI", 42.7325, -84.5555, EASTERN),
    Place("Lexington", "KY", 38.0406, -84.5037, EASTERN),
    Place("Knoxville", "TN", 35.9606, -83.9207, EASTERN),
    Place("Nashville", "TN", 36.1627, -86.7816, CENTRAL),
    Place("Huntsville", "AL", 34.7304, -86.5861, CENTRAL),
    Place("Peoria", "IL", 40.6936, -89.5890, CENTRAL),
    Place("Rockford", "IL", 42.2711, -89.0940, CENTRAL),
    Place("Madison", "WI", 43.0731, -89.4012, CENTRAL),
    Place("Green Bay", "WI", 44.5133, -88.0133, CENTRAL),
    Place("Duluth", "MN", 46.7867, -92.1005, CENTRAL),
    Place("Des Moines", "IA", 41.5868, -93.6250, CENTRAL),
    Place("Lincoln", "NE", 40.8136, -96.7026, CENTRAL),
    Place("Topeka", "KS", 39.0473, -95.6752, CENTRAL),
    Place("Tulsa", "OK", 36.1540, -95.9928, CENTRAL),
    Place("Little Rock", "AR", 34.7465, -92.2896, CENTRAL),
    Place("Waco", "TX", 31.5493, -97.1467, CENTRAL),
    Place("Amarillo", "TX", 35.2220, -101.8313, CENTRAL),
    Place("Cheyenne", "WY", 41.1400, -104.8202, MOUNTAIN),
    Place("Fort Collins", "CO", 40.5853, -105.0844, MOUNTAIN),
    Place("Pueblo", "CO", 38.2544, -104.6091, MOUNTAIN),
    Place("Provo", "UT", 40.2338, -111.6585, MOUNTAIN),
    Place("Missoula", "MT", 46.8721, -113.9940, MOUNTAIN),
    Place("Spokane", "WA", 47.6588, -117.4260, PACIFIC),
    Place("Salem", "OR", 44.9429, -123.0351, PACIFIC),
    Place("Redding", "CA", 40.5865, -122.3917, PACIFIC),
    Place("Fresno", "CA", 36.7378, -119.7871, PACIFIC),
)
STORES_MAX = len(PLACES)
