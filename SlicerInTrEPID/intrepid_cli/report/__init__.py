"""The report a physicist signs: one self-contained HTML file."""

from intrepid_cli.report.document import write_report

__all__ = ["write_report"]
