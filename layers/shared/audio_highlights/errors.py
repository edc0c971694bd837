"""Every error of the pipeline, in one tree.

    HighlightsError
    ├── RetryableError             the message goes back to its queue and is tried again
    │   ├── RecordingInWork            another invocation holds the lease
    │   ├── TranscriptNotReady         the provider has not finished
    │   ├── StorageBusy                an AWS service took only a part of what it was given
    │   ├── ProviderUnavailable        429, 5xx, no answer, an answer that is not JSON
    │   ├── ProviderAccountRefused     401 or a negative balance: the operator must act
    │   └── StackOptionsRefused        the stack's TranscriptOptions cannot be used: the operator must act
    ├── PermanentError             trying again changes nothing: the row gets the reason, or, where there
    │   │                          is none, the message goes to the dead-letter queue for a person to see
    │   ├── MalformedMessage           not a message of ours
    │   ├── RecordingUnusable          not media, empty, deleted, too large: no transcript is asked for
    │   ├── OptionRefused              an option that cannot be asked for: nothing is
    │   ├── RequestRefused             the provider will not take this request
    │   ├── TranscriptNotFound         the provider does not know the transcript id
    │   └── ForeignTranscript          a transcript that belongs to another recording
    ├── WebhookRefused             a call of the webhook that no retry can cure: a 4xx
    │   ├── WebhookForbidden           from an address that may not call
    │   ├── WebhookUnauthorized        the header is not the binding of the recording and attempt in the query
    │   └── WebhookUnreadable          rightly bound, but the body is not a webhook's
    └── ApiRefused                 a request of the API that is answered with a 4xx
        ├── RequestUnreadable          400: a parameter or the body is wrong
        ├── NotSignedIn                401: nobody has verified who asks
        ├── RecordingNotFound          404: there is no such recording
        ├── ResultGone                 404: the recording's file is not in the results bucket any more
        ├── NotNow                     409: not while the recording is as it is
        └── AnswerTooLarge             413: more than an answer can hold

The text of an error is for people: it becomes the `reason` on the row, or the `error` of an answer. It never holds a
key, a secret or the query of a presigned URL.
"""


class HighlightsError(Exception):
    """Base of all errors that the pipeline raises on purpose."""


class RetryableError(HighlightsError):
    """A later attempt may succeed, and not before `wait_seconds` where the provider said so."""

    wait_seconds: int = 0


class RecordingInWork(RetryableError):
    """Another invocation is submitting this recording and its lease has not run out."""


class TranscriptNotReady(RetryableError):
    """The transcript is still queued or processing."""


class StorageBusy(RetryableError):
    """An AWS service took only a part of what it was given."""


class ProviderUnavailable(RetryableError):
    """AssemblyAI could not be reached or did not answer sensibly.

    `may_have_accepted` is True where the request may have started a transcript all the same (a read
    timeout, a 5xx, a 200 that cannot be read): the next attempt must look for it before it pays again.
    """

    def __init__(self, message: str, *, may_have_accepted: bool = False, wait_seconds: int = 0) -> None:
        super().__init__(message)
        self.may_have_accepted = may_have_accepted
        self.wait_seconds = wait_seconds


class ProviderAccountRefused(RetryableError):
    """AssemblyAI refuses the API key (401) or the account's balance is negative."""


class StackOptionsRefused(RetryableError):
    """The stack's TranscriptOptions cannot be used, so that no recording can be submitted."""


class PermanentError(HighlightsError):
    """Trying again changes nothing."""


class MalformedMessage(PermanentError):
    """A queue message that cannot be read."""


class RecordingUnusable(PermanentError):
    """The object is not a recording that can be transcribed; the row becomes `ignored`."""


class OptionRefused(PermanentError):
    """An option that cannot be asked for, or not with the others; the row becomes `failed`."""


class RequestRefused(PermanentError):
    """AssemblyAI refuses the request; the row becomes `failed`."""


class TranscriptNotFound(PermanentError):
    """AssemblyAI does not know the transcript id."""


class ForeignTranscript(PermanentError):
    """The transcript was made for another recording."""


class WebhookRefused(HighlightsError):
    """A call of the webhook that is answered with 4xx, because no retry can cure it."""


class WebhookForbidden(WebhookRefused):
    """The call comes from an address that may not call."""


class WebhookUnauthorized(WebhookRefused):
    """The header is not the binding of the recording and attempt in the query."""


class WebhookUnreadable(WebhookRefused):
    """Rightly bound, but the body is not a webhook's."""


class ApiRefused(HighlightsError):
    """A request of the API that is answered with a 4xx; the text is its `error`."""


class RequestUnreadable(ApiRefused):
    """A parameter or the body is wrong; the text says which and how."""


class NotSignedIn(ApiRefused):
    """The request carries no claims that API Gateway has verified."""


class RecordingNotFound(ApiRefused):
    """There is no such recording."""

    def __init__(self, recording_id: str) -> None:
        super().__init__(f"There is no recording {recording_id}: it was deleted, or the address is wrong.")


class ResultGone(ApiRefused):
    """The recording is completed, but its file is not in the results bucket any more."""

    def __init__(self, uri: str) -> None:
        super().__init__(
            f"{uri} cannot be read. It was deleted, or older than ResultsRetentionDays; the phrases are still there."
        )


class NotNow(ApiRefused):
    """Not while the recording is as it is; the text says why."""


class AnswerTooLarge(ApiRefused):
    """More than an answer of the API can hold; the text says where to get it."""
