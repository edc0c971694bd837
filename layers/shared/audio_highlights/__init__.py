"""Recordings in S3 become highlights: what the functions share.

`functions -> workflow -> models, errors`. The adapters `assemblyai` (the only user of requests) and
`storage` (the only user of boto3) stand at the edge; each function's app.py wires them together.
"""
