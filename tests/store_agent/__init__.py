"""Tests of the store agent: its journal, its sources, its uplink, and the process that is killed."""
