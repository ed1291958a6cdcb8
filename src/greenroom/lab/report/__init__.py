"""Reports: one HTML file that needs no network, in light and dark, English and Chinese."""

from greenroom.lab.report.page import NotBuilt, check_built, render, write_report

__all__ = ["NotBuilt", "check_built", "render", "write_report"]
