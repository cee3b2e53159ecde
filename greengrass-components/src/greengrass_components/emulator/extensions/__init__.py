"""What moto lacks or gets wrong, service by service, mended in place before its server starts.

Each module mends one service and says what. The mends replace methods of moto's classes, so
they fit the one version that ``constraints.txt`` pins.
"""

from __future__ import annotations

from greengrass_components.emulator.extensions.alarms import extend_alarms
from greengrass_components.emulator.extensions.budgets import extend_budgets
from greengrass_components.emulator.extensions.certificates import extend_certificates
from greengrass_components.emulator.extensions.document_sizes import extend_document_sizes
from greengrass_components.emulator.extensions.functions import extend_functions
from greengrass_components.emulator.extensions.iot import extend_iot
from greengrass_components.emulator.extensions.keys import extend_keys
from greengrass_components.emulator.extensions.people import extend_people
from greengrass_components.emulator.extensions.presigned import extend_presigned
from greengrass_components.emulator.extensions.provisioning_templates import (
    extend_provisioning_templates,
)
from greengrass_components.emulator.extensions.public_policies import extend_public_policies
from greengrass_components.emulator.extensions.storage import extend_storage
from greengrass_components.emulator.extensions.trails import extend_trails
from greengrass_components.emulator.extensions.uploads import extend_uploads

__all__ = ["extend_moto"]


def extend_moto() -> None:
    """Apply every mend; once, before the first call is served."""
    # moto is heavy, and this module imports it at its top.
    from greengrass_components.emulator.extensions.greengrass import extend_greengrass

    extend_alarms()
    extend_budgets()
    extend_certificates()
    extend_document_sizes()
    extend_functions()
    extend_greengrass()
    extend_iot()
    extend_keys()
    extend_people()
    extend_presigned()
    extend_provisioning_templates()
    extend_public_policies()
    extend_storage()
    extend_trails()
    extend_uploads()
