"""The pure core: what is decided, by functions that know no clock, chance or I/O."""
