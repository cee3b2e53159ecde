"""Lambda: where a function logs is kept and told, and a permission is given once."""

from __future__ import annotations

from typing import Any

__all__ = ["extend_functions"]


def extend_functions() -> None:
    """Keep ``LoggingConfig`` of a function, and refuse a second permission of one id."""
    _extend_permissions()
    _extend_logging()


def _extend_permissions() -> None:
    import json

    from moto.awslambda.exceptions import LambdaClientError
    from moto.awslambda.models import LambdaBackend

    add = LambdaBackend.add_permission

    def add_permission(backend: Any, function_name: str, qualifier: str, raw: str) -> Any:
        wanted = json.loads(raw).get("StatementId")
        function = backend.get_function(function_name, qualifier)
        if any(one.get("Sid") == wanted for one in function.policy.statements):
            raise LambdaClientError(
                "ResourceConflictException",
                f"The statement id ({wanted}) provided already exists. Please provide a new "
                "statement id, or remove the existing statement.",
            )
        return add(backend, function_name, qualifier, raw)

    setattr(LambdaBackend, "add_permission", add_permission)  # noqa: B010 - moto's type differs


def _extend_logging() -> None:
    from moto.awslambda.models import LambdaFunction

    create, update = LambdaFunction.__init__, LambdaFunction.update_configuration
    describe = LambdaFunction.get_configuration

    def create_with_logging(
        function: Any, account_id: str, spec: dict[str, Any], *rest: Any, **options: Any
    ) -> None:
        create(function, account_id, spec, *rest, **options)
        default = {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{function.function_name}"}
        function.edgewise_logging = {**default, **spec.get("LoggingConfig", {})}

    def update_with_logging(function: Any, config_updates: dict[str, Any]) -> Any:
        function.edgewise_logging |= config_updates.get("LoggingConfig", {})
        return update(function, config_updates)

    def describe_with_logging(function: Any, on_create: bool = False) -> dict[str, Any]:
        return {
            **describe(function, on_create=on_create),
            "LoggingConfig": function.edgewise_logging,
        }

    setattr(LambdaFunction, "__init__", create_with_logging)  # noqa: B010 - moto's type differs
    setattr(LambdaFunction, "update_configuration", update_with_logging)  # noqa: B010
    setattr(LambdaFunction, "get_configuration", describe_with_logging)  # noqa: B010
