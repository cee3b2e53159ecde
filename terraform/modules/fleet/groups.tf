# A device is in one group of these, and a release goes from the first to the last.

resource "aws_iot_thing_type" "gateway" {
  name = "${var.name}-gateway"

  properties {
    description           = "A Greengrass core device that answers utterances."
    searchable_attributes = ["serial_number"]
  }
}

resource "aws_iot_thing_group" "fleet" {
  name = "${var.name}-fleet"

  properties {
    description = "Every device of the stack, in whatever stage."
  }
}

resource "aws_iot_thing_group" "stage" {
  for_each = toset(var.rollout_stages)

  name              = "${var.name}-${each.key}"
  parent_group_name = aws_iot_thing_group.fleet.name

  properties {
    description = "Stage ${index(var.rollout_stages, each.key) + 1} of ${length(var.rollout_stages)} of a roll-out."

    attribute_payload {
      attributes = { rollout_order = tostring(index(var.rollout_stages, each.key) + 1) }
    }
  }
}
