"""The same program under PyTorch and leafgrad: `python -m benchmarks`.  See docs/design/benchmarks.md.

workload.py says what a workload is; each module it names in GROUPS holds some; harness.py runs them and report.py shows
the results.
"""
