"""The towns of the demonstration's stores. The chain is invented, the towns are real."""

from typing import NamedTuple


class Town(NamedTuple):
    """A town, its centre, and the time zone of its clocks."""

    city: str
    state: str
    latitude: float
    longitude: float
    time_zone: str


EASTERN, CENTRAL, MOUNTAIN, PACIFIC = (
    "America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles",
)  # fmt: skip

TOWNS = (
    Town("Portland", "ME", 43.6591, -70.2568, EASTERN),
    Town("Burlington", "VT", 44.4759, -73.2121, EASTERN),
    Town("Albany", "NY", 42.6526, -73.7562, EASTERN),
    Town("Syracuse", "NY", 43.0481, -76.1474, EASTERN),
    Town("Scranton", "PA", 41.4090, -75.6624, EASTERN),
    Town("Harrisburg", "PA", 40.2732, -76.8867, EASTERN),
    Town("Annapolis", "MD", 38.9784, -76.4922, EASTERN),
    Town("Richmond", "VA", 37.5407, -77.4360, EASTERN),
    Town("Roanoke", "VA", 37.2710, -79.9414, EASTERN),
    Town("Raleigh", "NC", 35.7796, -78.6382, EASTERN),
    Town("Asheville", "NC", 35.5951, -82.5515, EASTERN),
    Town("Savannah", "GA", 32.0809, -81.0912, EASTERN),
    Town("Toledo", "OH", 41.6528, -83.5379, EASTERN),
    Town("Dayton", "OH", 39.7589, -84.1916, EASTERN),
    Town("Lansing", "MI", 42.7325, -84.5555, EASTERN),
    Town("Lexington", "KY", 38.0406, -84.5037, EASTERN),
    Town("Knoxville", "TN", 35.9606, -83.9207, EASTERN),
    Town("Nashville", "TN", 36.1627, -86.7816, CENTRAL),
    Town("Huntsville", "AL", 34.7304, -86.5861, CENTRAL),
    Town("Peoria", "IL", 40.6936, -89.5890, CENTRAL),
    Town("Rockford", "IL", 42.2711, -89.0940, CENTRAL),
    Town("Madison", "WI", 43.0731, -89.4012, CENTRAL),
    Town("Green Bay", "WI", 44.5133, -88.0133, CENTRAL),
    Town("Duluth", "MN", 46.7867, -92.1005, CENTRAL),
    Town("Des Moines", "IA", 41.5868, -93.6250, CENTRAL),
    Town("Lincoln", "NE", 40.8136, -96.7026, CENTRAL),
    Town("Topeka", "KS", 39.0473, -95.6752, CENTRAL),
    Town("Tulsa", "OK", 36.1540, -95.9928, CENTRAL),
    Town("Little Rock", "AR", 34.7465, -92.2896, CENTRAL),
    Town("Waco", "TX", 31.5493, -97.1467, CENTRAL),
    Town("Amarillo", "TX", 35.2220, -101.8313, CENTRAL),
    Town("Cheyenne", "WY", 41.1400, -104.8202, MOUNTAIN),
    Town("Fort Collins", "CO", 40.5853, -105.0844, MOUNTAIN),
    Town("Pueblo", "CO", 38.2544, -104.6091, MOUNTAIN),
    Town("Provo", "UT", 40.2338, -111.6585, MOUNTAIN),
    Town("Missoula", "MT", 46.8721, -113.9940, MOUNTAIN),
    Town("Spokane", "WA", 47.6588, -117.4260, PACIFIC),
    Town("Salem", "OR", 44.9429, -123.0351, PACIFIC),
    Town("Redding", "CA", 40.5865, -122.3917, PACIFIC),
    Town("Fresno", "CA", 36.7378, -119.7871, PACIFIC),
)
