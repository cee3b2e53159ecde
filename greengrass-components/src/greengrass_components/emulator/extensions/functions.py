"""Lambda: where a function logs is kept and told."""

from __future__ import annotations

from typing import Any

__all__ = ["extend_functions"]


def extend_functions() -> None:
    """Keep ``LoggingConfig`` of a function; its other settings are moto's."""
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
