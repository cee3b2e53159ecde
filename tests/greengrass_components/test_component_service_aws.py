"""The door to Greengrass: what AWS alone answers, and what is made of it."""

from __future__ import annotations

import base64
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pytest

from greengrass_components.component_service import (
    AwsComponentService,
    DeploymentContent,
)
from greengrass_components.errors import (
    AccessDeniedError,
    CloudBusyError,
    CloudCredentialsError,
    CloudError,
    CloudUnreachableError,
    DeploymentConflictError,
)

REGION: Final = "eu-central-1"
LAMPS = "com.example.lamps"
CONTENT = DeploymentContent(
    components={LAMPS: {"componentVersion": "1.2.0"}}, policies={}, job_configuration={}
)


class Answering:
    """A server on loopback that answers to Greengrass's calls as it is told."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, Any]]] = []
        """Status and body of the answers to come; the last one is given again and again."""
        self.paths: list[str] = []
        """What was asked, in order."""
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if self.path == "/":
                    self.give(200, IDENTITY, {})
                else:
                    self.do_GET()

            def do_GET(self) -> None:
                outer.paths.append(self.path)
                status, body = outer.answers[0]
                if len(outer.answers) > 1:
                    outer.answers.pop(0)
                kind = body.pop("__type", None) if status == 200 else body.get("__type")
                self.give(
                    status,
                    json.dumps(body).encode(),
                    {"x-amzn-ErrorType": kind} if kind else {},
                )

            def give(self, status: int, body: bytes, headers: dict[str, str]) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def stop(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def refuse(self, code: str, message: str = "", *, status: int = 400) -> None:
        self.answers = [(status, {"__type": code, "message": message})]


IDENTITY = b"""<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<GetCallerIdentityResult><Arn>arn:aws-cn:iam::210987654321:user/a</Arn><UserId>A</UserId>
<Account>210987654321</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"""


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answering]:
    server = Answering()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server.server_port}",
        "AWS_MAX_ATTEMPTS": "2",
    }.items():
        monkeypatch.setenv(name, value)
    yield server
    server.stop()


@pytest.fixture
def service() -> AwsComponentService:
    return AwsComponentService(region="cn-north-1")


class TestAws:
    def test_components_are_those_of_the_callers_account_and_region(
        self, answering: Answering, service: AwsComponentService
    ) -> None:
        answering.answers = [(200, {"status": {"componentState": "DEPLOYABLE"}})]

        service.find_component(LAMPS, "1.2.0")

        arn = f"arn:aws-cn:greengrass:cn-north-1:210987654321:components:{LAMPS}:versions:1.2.0"
        assert answering.paths == [f"/greengrass/v2/components/{quote(arn, safe='')}/metadata"]

    def test_the_reasons_of_a_state_are_told(
        self, answering: Answering, service: AwsComponentService
    ) -> None:
        status = {
            "componentState": "FAILED",
            "message": "two\n problems",
            "errors": {"b": "second", "a": "first"},
        }
        answering.answers = [(200, {"status": status})]

        found = service.find_component(LAMPS, "1.2.0")

        assert found is not None
        assert (found.state, found.reasons) == (
            "FAILED",
            ("two problems", "a: first", "b: second"),
        )

    def test_all_pages_of_a_list_are_read(
        self, answering: Answering, service: AwsComponentService
    ) -> None:
        def page(revision: int, **more: Any) -> tuple[int, dict[str, Any]]:
            item = {
                "deploymentId": f"d{revision}",
                "revisionId": str(revision),
                "deploymentStatus": "INACTIVE",
                "isLatestForTarget": False,
            }
            return 200, {"deployments": [item], **more}

        answering.answers = [page(9, nextToken="more"), page(10)]

        listed = service.list_deployments("arn")

        # By number, not by letter.
        assert [item.revision for item in listed] == ["10", "9"]
        assert "nextToken=more" in answering.paths[1]

    def test_a_missing_right_is_named(
        self, answering: Answering, service: AwsComponentService
    ) -> None:
        answering.refuse(
            "AccessDeniedException",
            "User: arn:aws:iam::1:user/a is not authorized to perform: iot:CreateJob on "
            "resource: arn:aws:iot:eu-central-1:1:job/x",
            status=403,
        )

        with pytest.raises(
            AccessDeniedError,
            match=r"refused CreateDeployment .*the right iot:CreateJob on arn:aws:iot:.*:job/x",
        ):
            service.create_deployment("arn", CONTENT)

    def test_a_right_that_aws_does_not_name_is_that_of_the_call(
        self, answering: Answering, service: AwsComponentService
    ) -> None:
        answering.refuse("AccessDeniedException", status=403)

        with pytest.raises(AccessDeniedError, match=r"greengrass:ListDeployments"):
            service.list_deployments("arn")

    def test_a_throttled_call_is_tried_again(
        self, answering: Answering, service: AwsComponentService
    ) -> None:
        answering.answers = [
            (429, {"__type": "ThrottlingException", "message": "slow"}),
            (200, {"deployments": []}),
        ]

        assert service.list_deployments("arn") == ()
        assert len(answering.paths) == 2

    def test_throttling_that_does_not_end_is_told(
        self, answering: Answering, service: AwsComponentService
    ) -> None:
        answering.refuse("ThrottlingException", "slow", status=429)

        with pytest.raises(CloudBusyError, match="wait a minute and run again"):
            service.list_deployments("arn")

    def test_what_aws_calls_wrong_is_told_in_its_words(
        self, answering: Answering, service: AwsComponentService
    ) -> None:
        answering.refuse("ValidationException", "the recipe has no\n manifest")

        with pytest.raises(CloudError, match=r"component a 1\.0\.0 as wrong: the recipe has no m"):
            service.create_component(b'{"ComponentName": "a", "ComponentVersion": "1.0.0"}')

    def test_a_version_that_is_being_made_counts_as_there(
        self, answering: Answering, service: AwsComponentService
    ) -> None:
        answering.refuse("RequestAlreadyInProgressException")

        made = service.create_component(b'{"ComponentName": "a", "ComponentVersion": "1.0.0"}')

        assert not made

    def test_a_deployment_that_crosses_another_is_a_conflict(
        self, answering: Answering, service: AwsComponentService
    ) -> None:
        answering.refuse("ConflictException", "busy", status=409)

        with pytest.raises(DeploymentConflictError, match=r"busy; .*component\.deployments"):
            service.create_deployment("arn", CONTENT)

    def test_a_recipe_that_cannot_be_read(
        self, answering: Answering, service: AwsComponentService
    ) -> None:
        recipe = base64.b64encode(b"- not: a recipe").decode()
        answering.answers = [(200, {"recipe": recipe, "recipeOutputFormat": "JSON"})]

        with pytest.raises(CloudError, match=r"no recipe of component a 1\.0\.0 that can be read"):
            service.read_recipe("a", "1.0.0")

    def test_expired_credentials(self, answering: Answering, service: AwsComponentService) -> None:
        answering.refuse("ExpiredTokenException", "expired", status=403)

        with pytest.raises(CloudCredentialsError, match="sign in again"):
            service.list_deployments("arn")

    def test_no_credentials(
        self, answering: Answering, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            monkeypatch.setenv(name, str(tmp_path / "none"))

        with pytest.raises(CloudCredentialsError, match="no usable AWS credentials"):
            AwsComponentService(region=REGION).list_deployments("arn")

    def test_nobody_at_the_endpoint(self, answering: Answering) -> None:
        nobody = AwsComponentService(region=REGION, endpoint="http://127.0.0.1:9")

        with pytest.raises(CloudUnreachableError, match=r"127\.0\.0\.1:9"):
            nobody.list_deployments("arn")

    def test_no_region(
        self, answering: Answering, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))

        with pytest.raises(CloudError, match="no AWS region is chosen"):
            AwsComponentService()
