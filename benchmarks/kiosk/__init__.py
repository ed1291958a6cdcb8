"""A kiosk that is open for months, in an hour: `python -m benchmarks.kiosk`."""
