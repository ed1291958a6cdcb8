"""Greenroom: a conversation server for AI characters whose thousandth visitor waits no longer than the first."""

__version__ = "0.1.0"
