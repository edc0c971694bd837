"""How a transcript is usually kept: parsed as a whole, and written as a whole. What `results` is compared with."""

import gzip
import json
import os
from typing import Any

import boto3
import requests

s3 = boto3.client("s3")


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Store the transcript that the event names."""
    url = f"{os.environ['ASSEMBLYAI_BASE_URL']}/v2/transcript/{event['transcript_id']}"
    transcript = requests.get(url, timeout=30).json()
    transcript["audio_url"] = transcript["audio_url"].partition("?")[0]
    packed = gzip.compress(json.dumps(transcript).encode())
    s3.put_object(Bucket=os.environ["RESULTS_BUCKET"], Key=f"{transcript['id']}.json.gz", Body=packed)
    return {"batchItemFailures": []}
