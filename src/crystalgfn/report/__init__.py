"""Reports: tables for the terminal and the documentation, and pages with figures."""
