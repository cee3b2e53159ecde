"""The evaluation's report: one page for people, and the same numbers as JSON."""

from __future__ import annotations

from trainer.report.content import Report
from trainer.report.make import PAGE, is_due, make_report, read_report, refuse

__all__ = ["PAGE", "Report", "is_due", "make_report", "read_report", "refuse"]
