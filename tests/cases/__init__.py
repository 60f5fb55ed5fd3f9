"""Worked cases from other systems' suites and documents, run against the real functions of this one."""
