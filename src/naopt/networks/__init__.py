"""Child networks and their training. Imports no torch; its modules do."""
