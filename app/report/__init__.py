"""Report: methods, results and limits in one file that prints."""
