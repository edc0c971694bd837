"""Recordings in S3 become highlights: what the functions share.

`functions -> workflow -> models, errors`. The adapters `assemblyai` (the only user of requests) and
`storage` (the only user of boto3) stand at the edge; each function's app.py wires them together.
"""

import gc

# What is loaded at a start is there to stay. Python would look for garbage among it all at every 2,000 new objects,
# for a fifth of the start; a function has made over 100,000 when it is ready.
gc.set_threshold(200_000)
