"""What owning tasks costs, beside the alternatives: `python -m benchmarks.tasks`."""
