"""The lab: measures what makes a backend slow, over the wire and through the operating system.

It imports nothing of the server it measures (an import-linter contract holds that): only the protocol's
messages and the task core.
"""
