"""The published page's own facts: site, parameters, meta."""

from __future__ import annotations

from asgiref.sync import sync_to_async

from accounts.models import Tenant
from apps.models import UploadFile
from difyproj.testing.served import Served

from .visits import change_site, site_of, visit

SITE = {
    "title", "chat_color_theme", "chat_color_theme_inverted", "icon_type", "icon", "icon_background", "icon_url", "description",
    "copyright", "privacy_policy", "input_placeholder", "custom_disclaimer", "default_language", "prompt_public",
    "show_workflow_steps", "use_icon_as_answer_icon",
}  # fmt: skip
INFO = {"app_id", "end_user_id", "enable_site", "plan", "can_replace_logo", "custom_config", "site", "model_config"}


async def test_the_page_is_described(house: Served) -> None:
    await change_site(
        house.chat, title="Ask Alice", copyright="Acme", custom_disclaimer="No warranty.", chat_color_theme="#123456"
    )
    visitor = await visit(house)
    answer = await visitor.get("/site")
    body = answer.json()
    assert (answer.status, set(body), set(body["site"])) == (200, INFO, SITE)
    assert (body["app_id"], body["plan"], body["enable_site"]) == (str(house.chat.app.pk), "sandbox", True)
    assert (body["model_config"], body["custom_config"], body["can_replace_logo"]) == (None, None, True)
    site = body["site"]
    assert (site["title"], site["copyright"], site["custom_disclaimer"]) == ("Ask Alice", "Acme", "No warranty.")
    assert (site["icon_type"], site["icon_url"], site["prompt_public"]) == ("emoji", None, False)
    assert "code" not in site


async def test_a_public_prompt_is_shown_and_nothing_else_of_the_configuration(house: Served) -> None:
    await house.configure(
        house.chat,
        user_input_form=[{"text-input": {"label": "Name", "variable": "name", "required": False}}],
        sensitive_word_avoidance={"enabled": True, "type": "keywords", "config": {"keywords": "hush"}},
    )
    await change_site(house.chat, prompt_public=True)
    told = (await (await visit(house)).get("/site")).json()["model_config"]
    assert set(told) == {
        "opening_statement", "suggested_questions", "suggested_questions_after_answer", "more_like_this", "model",
        "user_input_form", "pre_prompt",
    }  # fmt: skip
    assert (told["pre_prompt"], told["opening_statement"]) == ("You are kind.", "Hello!")
    assert (told["model"]["provider"], told["model"]["name"]) == ("openai", "gpt-4o-mini")
    assert told["user_input_form"] == [{"text-input": {"label": "Name", "variable": "name", "required": False}}]
    assert told["more_like_this"] == {"enabled": False}


async def test_an_icon_that_is_a_picture_has_an_address(house: Served) -> None:
    tenant = house.cast.alice.tenant
    make = sync_to_async(UploadFile.objects.create)
    row = await make(
        tenant=tenant, name="icon.png", key="icon.png", size=4, extension="png", mime_type="image/png",
        created_by_role="account", account_id=house.cast.alice.account.pk,
    )  # fmt: skip
    await change_site(house.chat, icon_type="image", icon=str(row.pk))
    address = (await (await visit(house)).get("/site")).json()["site"]["icon_url"]
    assert f"/files/{row.pk}/" in address
    await change_site(house.foreign, icon_type="image", icon=str(row.pk))
    assert (await (await visit(house, house.foreign)).get("/site")).json()["site"]["icon_url"] is None


async def test_a_workspace_may_have_a_brand_of_its_own(house: Served) -> None:
    tenant = await Tenant.objects.aget(pk=house.cast.alice.tenant.pk)
    tenant.custom_config = {"remove_webapp_brand": True}
    await tenant.asave()
    body = (await (await visit(house)).get("/site")).json()
    assert body["custom_config"] == {"remove_webapp_brand": True, "replace_webapp_logo": None}


async def test_an_edit_of_the_page_is_seen_at_once(house: Served) -> None:
    visitor = await visit(house)
    await visitor.get("/site")
    await change_site(house.chat, title="New")
    assert (await visitor.get("/site")).json()["site"]["title"] == "New"


async def test_parameters_and_meta_are_those_of_the_service_api(house: Served) -> None:
    visitor = await visit(house)
    for path in ("/parameters", "/meta"):
        answer = await visitor.get(path)
        assert (answer.status, answer.json()) == (200, (await house.call("GET", f"/v1{path}")).json())


async def test_each_page_is_its_own_apps(house: Served) -> None:
    for key in (house.chat, house.completion, house.foreign):
        body = (await (await visit(house, key)).get("/site")).json()
        assert (body["app_id"], body["site"]["title"]) == (str(key.app.pk), (await site_of(key)).title)
