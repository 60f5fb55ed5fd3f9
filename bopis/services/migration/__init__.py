"""Moving an installation to topics of another prefix with another number of partitions: exact and resumable.

What a new partition will hold, record by record, follows from the old topics alone. So the number of records that
stand in it already says where an interrupted move goes on, and the whole of it can be compared at the end.
"""
