"""Rooms: one character, many viewers, a queue that starves nobody, and the sources that feed it."""
