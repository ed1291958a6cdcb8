"""Everything one client owns, from its greeting to its last log line."""
