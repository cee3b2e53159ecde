"""Component recipes in the form that both Greengrass nuclei accept.

The form is narrower than either nucleus's, on purpose: what one of them refuses or misreads
is refused here, before it is published. Keys are case-sensitive and unknown ones are
refused, as Nucleus Lite ignores or refuses them.

Source of the format: AWS IoT Greengrass v2 component recipe reference, 2020-01-25.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from greengrass_components.errors import RecipeError

__all__ = [
    "Artifact",
    "Dependency",
    "Lifecycle",
    "Manifest",
    "Platform",
    "Recipe",
    "Step",
    "read_recipe",
    "render_recipe",
    "validate_recipe",
]

MAX_BYTES = 8000
"""Nucleus Lite refuses a recipe of about 8 KB; the cloud would take 16,000 bytes."""


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="pascal"):
    """A part of a recipe; keys are the field's name in Pascal case unless said otherwise."""


class Platform(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which devices a manifest is for."""

    os: Literal["linux", "*"]
    """Operating system."""
    runtime: Literal["*", "aws_nucleus_lite"]
    """Which nucleus: ``*`` is both; left out, Lite finds no lifecycle."""
    architecture: Literal["amd64", "arm", "aarch64", "x86", "*"] = "*"
    """Processor."""
    architecture_detail: str | None = msgspec.field(default=None, name="architecture.detail")
    """Variant of the processor, such as ``armv7l``."""


class Step(_Part, frozen=True):
    """One script of a lifecycle."""

    script: Annotated[str, msgspec.Meta(min_length=1)]
    """One plain command; see ``recipe_rules``."""
    timeout: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """Seconds; a literal integer, as Lite reads no variable here."""
    requires_privilege: bool = False
    """Whether the script runs as root."""
    setenv: dict[str, str] = {}
    """Environment variables of the script."""


class Lifecycle(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a device does with the component."""

    run: Step
    """Started last; on Lite a component without it never finishes."""
    install: Step | None = None
    """Run first, at every start; its failure fails the deployment."""


class Permission(_Part, frozen=True):
    """Who may read and execute an artifact besides root."""

    read: Literal["OWNER", "ALL", "NONE"] = "OWNER"
    execute: Literal["OWNER", "ALL", "NONE"] = "NONE"


class Artifact(_Part, frozen=True):
    """A file of the component."""

    uri: Annotated[str, msgspec.Meta(pattern=r"^s3://[^/\s{}]+(/[^/\s{}]+)+$")]
    """Where a device fetches it."""
    unarchive: Literal["NONE", "ZIP"] = "NONE"
    """Whether the device unpacks it."""
    permission: Permission = Permission()

    @property
    def file(self) -> str:
        """Name of the file."""
        return self.uri.rsplit("/", 1)[1]

    @property
    def stem(self) -> str:
        """Name of the folder that an archive is unpacked to."""
        return self.file.rsplit(".", 1)[0]


class Manifest(_Part, frozen=True):
    """The component on one kind of device; the first that fits a device is taken."""

    platform: Platform
    lifecycle: Lifecycle
    artifacts: tuple[Artifact, ...] = ()


class Dependency(_Part, frozen=True):
    """Another component that must be there."""

    version_requirement: str
    """An npm range."""
    dependency_type: Literal["HARD", "SOFT"]
    """HARD: started before, and restarted with it. Lite reads a missing one as none."""


class Configuration(_Part, frozen=True):
    """What a deployment may set."""

    default_configuration: dict[str, Any]


class Recipe(_Part, frozen=True):
    """A component."""

    recipe_format_version: Literal["2020-01-25"]
    component_name: Annotated[str, msgspec.Meta(pattern=r"^[a-zA-Z0-9._-]{1,128}$")]
    component_version: str
    manifests: Annotated[tuple[Manifest, ...], msgspec.Meta(min_length=1)]
    component_type: Literal["aws.greengrass.generic"] = "aws.greengrass.generic"
    component_description: Annotated[str, msgspec.Meta(max_length=256)] = ""
    component_publisher: Annotated[str, msgspec.Meta(max_length=256)] = ""
    component_configuration: Configuration = Configuration(default_configuration={})
    component_dependencies: dict[str, Dependency] = {}

    @property
    def default_configuration(self) -> dict[str, Any]:
        """Configuration of a device that was given none."""
        return self.component_configuration.default_configuration


def render_recipe(template: Path, values: Mapping[str, Any]) -> bytes:
    """Fill a recipe's template; the result is YAML that was not checked yet.

    Raises:
        RecipeError: the template is missing, wrong, or uses a value that was not given.
    """
    import jinja2

    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # YAML, not HTML: the templates quote each text with `tojson`.
        autoescape=False,  # noqa: S701
    )
    try:
        text = template.read_text(encoding="utf-8")
        return environment.from_string(text).render(values).encode()
    except (OSError, UnicodeDecodeError, jinja2.TemplateError) as error:
        raise RecipeError(
            f"the recipe template {template} cannot be filled: {error}; mend the template",
            template=template,
        ) from error


def read_recipe(path: Path, *, artifacts: Path | None = None) -> Recipe:
    """Read and check a recipe that is named ``<component>-<version>.yaml``.

    Args:
        path: the file.
        artifacts: the folder of ``<component>/<version>/<file>``, to see that all are there.

    Raises:
        RecipeError: the file cannot be read, or a core device would refuse or misread it.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RecipeError(
            f"cannot read the recipe {path}: {error.strerror}; build the component first",
            recipe=path,
        ) from error
    recipe = validate_recipe(content, where=path, artifacts=artifacts)
    expected = f"{recipe.component_name}-{recipe.component_version}.yaml"
    if path.name != expected:
        raise RecipeError(
            f"{path}: a local deployment looks for it as {expected}; rename the file", recipe=path
        )
    return recipe


def validate_recipe(content: bytes, *, where: str | Path, artifacts: Path | None = None) -> Recipe:
    """Check a recipe as strictly as the stricter of the two nuclei.

    Args:
        content: YAML.
        where: what an error message calls it.
        artifacts: the folder of ``<component>/<version>/<file>``, to see that all are there.

    Raises:
        RecipeError: names the path inside the recipe, what is wrong and how to mend it.
    """
    from greengrass_components.recipe_rules import broken_rule, explain

    if len(content) > MAX_BYTES:
        raise RecipeError(
            f"{where}: the recipe has {len(content)} bytes, Nucleus Lite takes at most "
            f"{MAX_BYTES}; shorten the description, or move scripts into files",
            recipe=where,
            path="$",
        )
    document = _parse_yaml(content, where)
    try:
        recipe = msgspec.convert(document, Recipe)
        problem = broken_rule(recipe, artifacts)
    except msgspec.ValidationError as error:
        problem = explain(error, document)
    if problem is not None:
        raise RecipeError(
            f"{where}: {problem.path}: {problem.what}; {problem.mend}",
            recipe=where,
            path=problem.path,
        )
    return recipe


def _parse_yaml(content: bytes, where: str | Path) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe", pure=True).load(content.decode())
    except (UnicodeDecodeError, YAMLError) as error:
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}" if mark is not None else "$"
        raise RecipeError(
            f"{where}: {line}: not YAML that both nuclei read: {problem}; mend that line",
            recipe=where,
            path=line,
        ) from error
