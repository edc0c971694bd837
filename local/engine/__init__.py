"""A speech-to-text server on 127.0.0.1 that answers as AssemblyAI's pre-recorded API does.

It imports nothing of the rest of the project: whatever talks to it talks HTTP.
"""
