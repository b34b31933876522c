"""What barengine is measured by: `python -m benchmarks`."""
