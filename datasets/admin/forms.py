"""What the admin's pages of knowledge ask for."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django import forms
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from datasets.models import Dataset, DocForm, IndexingTechnique, Permission

METHODS: Final = (
    ("hybrid_search", "Hybrid: meaning and words"),
    ("semantic_search", "Meaning (embeddings)"),
    ("full_text_search", "Words (BM25)"),
)


class NewDatasetForm(forms.ModelForm):
    indexing_technique = forms.ChoiceField(
        choices=IndexingTechnique.choices,
        widget=UnfoldAdminSelectWidget,
        help_text="High quality finds by meaning and by words. Economy needs no embedding model and finds by words only.",
    )
    permission = forms.ChoiceField(choices=Permission.choices, initial=Permission.ALL, widget=UnfoldAdminSelectWidget)

    class Meta:
        model = Dataset
        fields: ClassVar[list[str]] = ["tenant", "name", "description", "indexing_technique", "permission"]
        widgets: ClassVar[dict[str, Any]] = {"description": UnfoldAdminTextareaWidget(attrs={"rows": 2})}
        help_texts: ClassVar[dict[str, str]] = {
            "description": "What it is about. Agents and routers choose a dataset by this text.",
        }


class UploadForm(forms.Form):
    """How the uploaded documents are split. The first documents of a dataset settle its form."""

    doc_form = forms.ChoiceField(label="Form", choices=DocForm.choices, widget=UnfoldAdminSelectWidget)
    max_tokens = forms.IntegerField(
        label="Longest passage (tokens)", min_value=20, max_value=4000, initial=500, widget=UnfoldAdminIntegerFieldWidget
    )
    chunk_overlap = forms.IntegerField(
        label="Overlap (tokens)", min_value=0, max_value=1000, initial=50, widget=UnfoldAdminIntegerFieldWidget
    )
    separator = forms.CharField(
        label="Separator", required=False, widget=UnfoldAdminTextInputWidget, strip=False,
        help_text="Where the text is parted first. \\n is a new line; empty parts it where it reads best.",
    )  # fmt: skip
    remove_extra_spaces = forms.BooleanField(
        label="Join repeated spaces and empty lines", required=False, initial=True, widget=UnfoldBooleanSwitchWidget
    )
    remove_urls_emails = forms.BooleanField(
        label="Leave out addresses of pages and e-mail", required=False, widget=UnfoldBooleanSwitchWidget
    )

    def process_rule(self) -> dict[str, Any]:
        """As the contract writes it."""
        given = self.cleaned_data
        segmentation = {name: given[name] for name in ("separator", "max_tokens", "chunk_overlap")}
        cleaners = [{"id": name, "enabled": given[name]} for name in ("remove_extra_spaces", "remove_urls_emails")]
        rules: dict[str, Any] = {"pre_processing_rules": cleaners, "segmentation": segmentation}
        if given["doc_form"] != DocForm.HIERARCHICAL:
            return {"mode": "custom", "rules": rules}
        rules["parent_mode"] = "paragraph"
        rules["subchunk_segmentation"] = {
            "separator": "\n",
            "max_tokens": max(20, given["max_tokens"] // 4),
            "chunk_overlap": 0,
        }
        return {"mode": "hierarchical", "rules": rules}

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        if given.get("chunk_overlap", 0) >= given.get("max_tokens", 4000):
            self.add_error("chunk_overlap", "The overlap must be shorter than the passage.")
        return given


class SearchForm(forms.Form):
    """One setting of the retrieval test; the page has two of them, side by side."""

    search_method = forms.ChoiceField(label="Search", choices=METHODS, widget=UnfoldAdminSelectWidget)
    top_k = forms.IntegerField(label="Passages", min_value=1, max_value=20, initial=5, widget=UnfoldAdminIntegerFieldWidget)
    vector_weight = forms.FloatField(
        label="Weight of meaning", min_value=0, max_value=1, initial=0.7, widget=UnfoldAdminDecimalFieldWidget,
        help_text="In a hybrid search; words have the rest.",
    )  # fmt: skip
    score_threshold = forms.FloatField(
        label="Least score", min_value=0, max_value=1, required=False, widget=UnfoldAdminDecimalFieldWidget
    )

    def retrieval_model(self) -> dict[str, Any]:
        """As the contract writes it."""
        given = self.cleaned_data
        weight = given["vector_weight"]
        return {
            "search_method": given["search_method"],
            "top_k": given["top_k"],
            "score_threshold_enabled": given["score_threshold"] is not None,
            "score_threshold": given["score_threshold"],
            "reranking_enable": False,
            "reranking_mode": "weighted_score",
            "weights": {
                "weight_type": "customized",
                "vector_setting": {"vector_weight": weight},
                "keyword_setting": {"keyword_weight": round(1 - weight, 6)},
            },
        }
