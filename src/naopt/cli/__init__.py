"""The command line: parses, calls, prints. Heavy imports stand inside each command."""
