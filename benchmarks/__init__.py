"""Benchmarks: `python -m benchmarks.tiny`.  Workloads are written once, against the torch API; see harness.py."""
