"""Stacks of what a template creates besides code, on the local AWS."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import boto3


@contextmanager
def created(stack: str, template: Mapping[str, Any], **parameters: str) -> Iterator[dict[str, str]]:
    """Create a stack, delete it in the end. What its resources are called, by their names in the template."""
    cloudformation, s3 = boto3.client("cloudformation"), boto3.client("s3")
    bucket = f"templates-{uuid4().hex[:12]}"  # one in the request itself may have 51,200 bytes
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="template.json", Body=json.dumps(template).encode())
    cloudformation.create_stack(
        StackName=stack,
        TemplateURL=f"{s3.meta.endpoint_url}/{bucket}/template.json",
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
    )
    cloudformation.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
    described = cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
    yield {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in described}
    cloudformation.delete_stack(StackName=stack)
