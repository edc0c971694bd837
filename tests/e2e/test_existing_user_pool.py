"""A stack on a user pool that was there before: its users may sign in, and nobody else."""

from cli.stack import Stack
from tests.signed_in import Api, signed_in


def test_the_users_of_the_existing_pool_may_read_and_those_of_another_may_not(stack: Stack, poll_stack: Stack) -> None:
    assert poll_stack.outputs["UserPoolId"] != stack.outputs["UserPoolId"]
    for here, elsewhere in ((poll_stack, stack), (stack, poll_stack)):
        with signed_in(here.page_url, here.outputs["UserPoolId"]) as api:
            assert "recordings" in api.get("/api/recordings")
            answer = Api(elsewhere.page_url, api.token)("GET", "/api/recordings")
            assert answer.status_code == 401
            assert "recordings" not in answer.json()
