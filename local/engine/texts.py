"""AssemblyAI's own words where more than one place of the engine says them."""

BAD_SCHEMA = "Invalid endpoint schema, please refer to documentation for examples."
NO_KEY = "Authentication error, API token missing/invalid"
NO_UPLOAD = "Cannot access uploaded file"
TOO_MANY = "Too Many Requests"
UNKNOWN_ID = "Transcript lookup error, transcript id not found"


def download_error(url: str) -> str:
    """Return the `error` of a job whose audio_url gave no file."""
    return (
        f"Download error, unable to download {url}. "
        "Please make sure the file exists and is accessible from the internet."
    )
