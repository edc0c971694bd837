"""AssemblyAI's OpenAPI document, as far as answers are checked against it."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import requests
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError

# Where the document's schemas contradict its examples or the SDKs: place: reason. `path + name` is a field too many.
EXCEPTIONS = {
    r"\$\.(language_detection_options|prompt|redact_pii_audio_options|redact_pii_sub|speech_model_used"
    r"|speech_understanding|translated_texts) is null": "null in the document's own example of a new transcript",
    r"\$ \+ (boost_param|custom_topics_results|dual_channel|is_deleted|language_detection_results"
    r"|redact_static_entities|speaker_options|word_boost)": "in the document's own example of a new transcript",
    r"\$\.speech_understanding\.response": "one schema must fit, and three of them fit any object; a test has "
    "the one of summaries",
    r"\$ \+ metadata": "the SDKs read the warnings in it",
    r"\$ \+ speech_model_used": "the SDKs read it in sentences and paragraphs",
}
# Answers that the document does not list: operation and status: reason.
UNLISTED = {
    ("post", "/v2/transcript", 403): "an upload of another project; the document says so in its text on uploads",
}


class Specification:
    """The answers that the document allows."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        """`document` is the parsed YAML."""
        self.document = document

    def operations(self) -> list[tuple[str, str]]:
        """Return method and path of every operation."""
        return [(method, path) for path, methods in self.document["paths"].items() for method in methods]

    def request_properties(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the schema of every parameter of a create request."""
        return dict(self.document["components"]["schemas"]["TranscriptOptionalParams"]["properties"])

    def complaints(self, method: str, path: str, answer: requests.Response) -> list[str]:
        """Return what the document says against an answer of the operation, the exceptions left out."""
        key = (method, path, answer.status_code)
        if key in UNLISTED:
            return list(self._wrong({"$ref": "#/components/schemas/Error"}, answer.json()))
        responses = self.document["paths"][path][method]["responses"]
        if str(answer.status_code) not in responses:
            return [f"{method} {path} must not answer {answer.status_code}"]
        response = self._resolved(responses[str(answer.status_code)])
        content_type = answer.headers["Content-Type"].partition(";")[0]
        if content_type not in response["content"]:
            return [f"{method} {path} {answer.status_code} must not be {content_type}"]
        problems = [f"header {name} is missing" for name in response.get("headers", {}) if name not in answer.headers]
        body = answer.json() if content_type == "application/json" else answer.text
        return problems + list(self._wrong(response["content"][content_type]["schema"], body))

    def complaints_of(self, schema: str, body: object) -> list[str]:
        """Return what one of its schemas says against an object."""
        return list(self._wrong({"$ref": f"#/components/schemas/{schema}"}, body))

    def _wrong(self, schema: Mapping[str, Any], body: object) -> Iterator[str]:
        whole = {**schema, "components": self.document["components"]}
        for error in Draft202012Validator(whole, format_checker=FormatChecker()).iter_errors(body):
            for place in _places(error):
                if not any(re.fullmatch(pattern, place) for pattern in EXCEPTIONS):
                    yield f"{place}: {error.message}"

    def _resolved(self, response: Mapping[str, Any]) -> Mapping[str, Any]:
        if "$ref" not in response:
            return response
        name = response["$ref"].rpartition("/")[2]
        return dict(self.document["components"]["responses"][name])


def _places(error: ValidationError) -> list[str]:
    instance, schema = error.instance, error.schema
    if error.validator == "additionalProperties" and isinstance(instance, dict) and isinstance(schema, Mapping):
        return [f"{error.json_path} + {name}" for name in instance if name not in schema["properties"]]
    return [f"{error.json_path} is null" if instance is None else error.json_path]
