"""Reports: one HTML file that needs no network, in light and dark, English and Chinese."""

from greenroom.lab.report.page import render, write_report

__all__ = ["render", "write_report"]
