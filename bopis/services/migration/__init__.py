"""Migration of an installation to topics with another prefix and another number of partitions: exact and resumable.

The content of each new partition is a function of the old topics alone. So the number of records in it says where an
interrupted migration continues, and the result can be compared record by record at the end.
"""
