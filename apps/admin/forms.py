"""What the admin's pages of apps ask for."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from unfold.widgets import (
    UnfoldAdminSelect2MultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldBooleanSwitchWidget,
)

from apps import config
from apps.models import ApiToken, App
from apps.models.app import AppMode
from apps.models.token import TokenKind
from apps.modes import MODES
from apps.services.trial import DEMO_MODEL
from datasets.models import Dataset
from difyproj.kernel import jsonio
from difyproj.kernel.errors import InvalidParam

FIRST_CONFIG = {
    "model": {"provider": DEMO_MODEL[0], "name": DEMO_MODEL[1], "mode": "chat", "completion_params": {}},
    "pre_prompt": "",
    "opening_statement": "",
    "user_input_form": [],
}
CONFIG_HELP = (
    "JSON: the model, the prompt, the variables and the features, named as in Dify's model configuration. "
    "A change holds from the next question on."
)


def built_modes() -> list[tuple[str, str]]:
    return [(value, label) for value, label in AppMode.choices if value in MODES]


class ConfigField(forms.CharField):
    """An app's configuration as indented JSON. Cleaned it is the parsed JSON; whether it makes sense, the form asks."""

    def __init__(self, **options: Any) -> None:
        widget = UnfoldAdminTextareaWidget(attrs={"rows": 20, "spellcheck": "false", "class": "as-code"})
        super().__init__(**{"widget": widget, "help_text": CONFIG_HELP, **options})

    def prepare_value(self, value: Any) -> str:
        return value if isinstance(value, str) else jsonio.indented(value)

    def clean(self, value: Any) -> Any:
        written = super().clean(value)
        try:
            value = jsonio.loads(written)
        except ValueError as error:
            raise forms.ValidationError(f"This is not JSON: {error}.") from error
        if not isinstance(value, dict):
            raise forms.ValidationError('This must be a JSON object: {"model": {...}, ...}.')
        return value

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(jsonio.loads(data or "") != initial)
        except ValueError:
            return True


class ConfiguredForm(forms.ModelForm):
    """A configuration that stays as it is may be a broken one: its app can still be switched off."""

    config = ConfigField()

    def clean_config(self) -> Any:
        value = self.cleaned_data["config"]
        if self.instance._state.adding or "config" in self.changed_data:
            try:
                config.parse(value)
            except InvalidParam as error:
                raise forms.ValidationError(error.message) from error
        return value


class AppForm(ConfiguredForm):
    class Meta:
        model = App
        fields: ClassVar[list[str]] = [
            "name",
            "description",
            "status",
            "enable_api",
            "enable_site",
            "max_active_requests",
            "config",
        ]
        labels: ClassVar[dict[str, str]] = {"enable_api": "API", "enable_site": "Site", "max_active_requests": "Runs at once"}
        widgets: ClassVar[dict[str, Any]] = {"description": UnfoldAdminTextareaWidget(attrs={"rows": 2})}

    def changes(self) -> dict[str, Any]:
        """What an update of the app is told."""
        return {name: self.cleaned_data[name] for name in self.changed_data if name in AppForm.Meta.fields}


class KnowingAppForm(AppForm):
    """Of an app that asks datasets by its configuration, for who may see datasets."""

    knowledge = forms.ModelMultipleChoiceField(
        queryset=Dataset.objects.none(),
        label="Asks",
        required=False,
        widget=UnfoldAdminSelect2MultipleWidget,
        help_text="What these datasets say to a question is told to the model with it.",
    )
    names_sources = forms.BooleanField(
        label="Names its sources",
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text="Answers come with the passages that they lean on: document, page, segment, score.",
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        choices = Dataset.objects.for_tenant(self.instance.tenant_id).order_by("name")
        try:
            asked = config.parse(self.instance.config)
        except InvalidParam:
            asked = config.AppConfig()
        knowledge: Any = self.fields["knowledge"]
        knowledge.queryset = choices
        self.initial["knowledge"] = [row for row in choices if str(row.pk) in asked.dataset_ids]
        self.initial["names_sources"] = asked.retriever_resource.enabled or not self.initial["knowledge"]

    @property
    def chooses(self) -> bool:
        """Whether the configuration is written anew: what is said of sources matters to who asks something only."""
        asks = self.cleaned_data.get("knowledge") or self.initial["knowledge"]
        return bool(asks and {"knowledge", "names_sources"}.intersection(self.changed_data))

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        if self.chooses and {"config", "knowledge"} <= values.keys():
            chosen = [str(row.pk) for row in values["knowledge"]]
            try:
                known = config.dump(config.parse(values["config"]))
            except InvalidParam as error:
                self.add_error("config", error.message)
            else:
                values["config"] = config.with_datasets(known, chosen, names_sources=values["names_sources"])
        return values

    def changes(self) -> dict[str, Any]:
        return {**super().changes(), **({"config": self.cleaned_data["config"]} if self.chooses else {})}


class NewAppForm(ConfiguredForm):
    mode = forms.ChoiceField(choices=built_modes, widget=UnfoldAdminSelectWidget, help_text="It stays for the app's life.")
    config = ConfigField(initial=FIRST_CONFIG)

    class Meta:
        model = App
        fields: ClassVar[list[str]] = ["tenant", "name", "mode", "description", "config"]
        widgets: ClassVar[dict[str, Any]] = AppForm.Meta.widgets


class NewTokenForm(forms.ModelForm):
    class Meta:
        model = ApiToken
        fields: ClassVar[list[str]] = ["kind", "app", "tenant", "name"]
        help_texts: ClassVar[dict[str, str]] = {
            "kind": "An app's token opens one app; a knowledge token opens the tenant's knowledge.",
            "app": "For an app's token.",
            "tenant": "For a knowledge token; an app's token takes its app's tenant.",
            "name": "To tell tokens apart: who or what uses it.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["tenant"].required = False

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        app, tenant = values.get("app"), values.get("tenant")
        if values.get("kind") == TokenKind.APP:
            if app is None:
                self.add_error("app", "Choose the app that the token opens.")
            elif tenant is not None and tenant != app.tenant:
                self.add_error("tenant", "The app belongs to another tenant.")
            else:
                values["tenant"] = app.tenant
        else:
            if app is not None:
                self.add_error("app", "A knowledge token opens no app.")
            if tenant is None:
                self.add_error("tenant", "Choose the tenant whose knowledge the token opens.")
        return values
