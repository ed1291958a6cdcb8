"""Live chat from streaming platforms: sources, the runner that keeps one alive, moderation.

Nothing is imported here: a platform's module is loaded when a source of it is made (`factory`).
"""
