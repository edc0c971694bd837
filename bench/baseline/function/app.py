"""What this project is measured against: one function that waits for its transcript, as AssemblyAI's sample does.

Trigger: an object created in the media bucket. It asks for the transcript, asks for its state every three seconds, and
puts the text and its key phrases into the texts bucket as <key>.txt. It is paid for while it waits, has 300 s, and
knows of no retry, no second event and no lost answer.
"""

import os
import time
from typing import Any
from urllib.parse import unquote_plus

import boto3
import requests

_POLL_SECONDS = 3

base_url = os.environ["ASSEMBLYAI_BASE_URL"]
headers = {"Authorization": os.environ["ASSEMBLYAI_API_KEY"]}
s3 = boto3.client("s3")


def handler(event: dict[str, Any], context: Any) -> None:
    """Transcribe what was uploaded."""
    stored = event["Records"][0]["s3"]
    bucket, key = stored["bucket"]["name"], unquote_plus(stored["object"]["key"])
    audio_url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=3600)
    wanted = {
        "audio_url": audio_url,
        "auto_highlights": True,
        "speech_models": os.environ["SPEECH_MODELS"].split(","),
    }
    answer = requests.post(f"{base_url}/v2/transcript", json=wanted, headers=headers, timeout=30)
    answer.raise_for_status()
    transcript = answer.json()
    while transcript["status"] not in ("completed", "error"):
        time.sleep(_POLL_SECONDS)
        answer = requests.get(f"{base_url}/v2/transcript/{transcript['id']}", headers=headers, timeout=30)
        answer.raise_for_status()
        transcript = answer.json()
    if transcript["status"] == "error":
        message = f"{key} could not be transcribed: {transcript['error']}"
        raise RuntimeError(message)
    found = (transcript["auto_highlights_result"] or {}).get("results", [])
    phrases = [f"{one['count']} x {one['text']} (rank {one['rank']})" for one in found]
    text = "\n".join([transcript["text"], "", *phrases]) + "\n"
    s3.put_object(Bucket=os.environ["TEXTS_BUCKET"], Key=f"{key}.txt", Body=text.encode(), ContentType="text/plain")
