"""The role table."""

from __future__ import annotations

import pytest

from accounts.policies import CAPABILITIES, Role, allows, capabilities


def test_each_role_may_do_what_its_neighbour_below_may() -> None:
    for higher, lower in ((Role.OWNER, Role.ADMIN), (Role.ADMIN, Role.EDITOR), (Role.EDITOR, Role.NORMAL)):
        assert capabilities(lower) < capabilities(higher)


def test_a_dataset_operator_works_on_datasets_only() -> None:
    assert allows(Role.DATASET_OPERATOR, "dataset.edit")
    assert not any(name.startswith("app.") for name in capabilities(Role.DATASET_OPERATOR))


@pytest.mark.parametrize(
    ("capability", "least"),
    [
        ("tenant.transfer", "owner"),
        ("model.configure", "admin"),
        ("member.manage", "admin"),
        ("app.token", "admin"),
        ("app.edit", "editor"),
        ("app.logs", "editor"),
        ("app.run", "normal"),
    ],
)
def test_a_capability_begins_at_its_role(capability: str, least: str) -> None:
    order = ["owner", "admin", "editor", "normal"]
    allowed = order[: order.index(least) + 1]
    assert [role for role in order if allows(role, capability)] == allowed


def test_the_owner_may_do_everything_and_an_unknown_role_nothing() -> None:
    assert capabilities("owner") == frozenset(CAPABILITIES)
    with pytest.raises(ValueError, match="king"):
        capabilities("king")
    with pytest.raises(KeyError):
        allows("owner", "app.fly")
