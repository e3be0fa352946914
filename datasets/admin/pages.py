"""Pages beside the rows: an upload whose documents one watches, and a retrieval test of two settings side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.views.generic import TemplateView
from unfold.views import UnfoldModelAdminViewMixin
from unfold.widgets import UnfoldAdminTextInputWidget

from apps.services import document_intake
from datasets.models import Dataset, DocForm, Document, IndexingTechnique, QuerySource
from datasets.services import documents, retrieval
from datasets.services.retrieval import Passage
from difyproj.infra import loop
from difyproj.kernel.errors import DomainError
from difyproj.tiers.admin_records import address

from .forms import SearchForm, UploadForm
from .operators import acting
from .standing import live

RECENT: Final = 20
SECONDS: Final = 60.0
LONGEST_QUESTION: Final = 250


class DatasetPage(UnfoldModelAdminViewMixin, TemplateView):
    """A page about one dataset that the operator may see."""

    dataset: Dataset

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.dataset = get_object_or_404(self.model_admin.get_queryset(request), pk=kwargs["object_id"])
        return super().dispatch(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        more = {"dataset": self.dataset, "back": address(self.dataset)}
        context: dict[str, Any] = super().get_context_data(**{**more, **kwargs})
        return context


class UploadPage(DatasetPage):
    """Scripts send one file at a time and get its document's id; without scripts the form sends all and comes back."""

    title = "Upload documents"
    permission_required = "datasets.add_document"
    template_name = "admin/datasets/upload.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        rows = Document.objects.filter(dataset=self.dataset).order_by("-created_at")[:RECENT]
        recent = [(row, live(row), address(row)) for row in rows]
        form = UploadForm(initial={"doc_form": self.dataset.doc_form or DocForm.TEXT})
        return super().get_context_data(**{"form": form, "recent": recent, **kwargs})

    def post(self, request: HttpRequest, **_: Any) -> HttpResponseBase:
        form = UploadForm(request.POST)
        if not form.is_valid():
            return self._refused(form, [f"{form[name].label}: {lines[0]}" for name, lines in form.errors.items()])
        made, errors = [], []
        for file in request.FILES.getlist("file"):
            try:
                made.append(loop.wait(self._keep(file, form), seconds=SECONDS))
            except DomainError as error:
                errors.append(f"{file.name}: {error.message}")
        if errors or not made:
            return self._refused(form, errors or ["No file was chosen."])
        if self._speaks_json:
            return JsonResponse({"id": str(made[0].pk)}, status=201)
        return HttpResponseRedirect(request.get_full_path())

    async def _keep(self, file: Any, form: UploadForm) -> Document:
        principal = acting(self.request, self.dataset.tenant_id)

        def write(source: Any) -> Document:
            return documents.create(
                principal=principal,
                dataset=self.dataset,
                source=source,
                process_rule=form.process_rule(),
                doc_form=form.cleaned_data["doc_form"],
                indexing_technique=self.dataset.indexing_technique or IndexingTechnique.HIGH_QUALITY,
                created_from="web",
            )

        return await document_intake.keep(document_intake.of_file(principal, file), file, write)

    def _refused(self, form: UploadForm, errors: list[str]) -> HttpResponse:
        if self._speaks_json:
            return JsonResponse({"error": " ".join(errors)}, status=400)
        return self.render_to_response(self.get_context_data(form=form, errors=errors), status=400)

    @property
    def _speaks_json(self) -> bool:
        return self.request.headers.get("Accept", "") == "application/json"


class RetrievalPage(DatasetPage):
    """One question, two settings: what each finds, how well, how fast and why."""

    title = "Retrieval test"
    permission_required = "datasets.view_dataset"
    template_name = "admin/datasets/retrieval.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        query = self.request.GET.get("q", "").strip()[:LONGEST_QUESTION]
        question = QuestionForm({"q": query} if query else None)["q"]
        sides = [self._side(name, prefix, query) for name, prefix in (("First setting", "a"), ("Second setting", "b"))]
        return super().get_context_data(question=question, sides=sides, asked=bool(query), **kwargs)

    def _side(self, name: str, prefix: str, query: str) -> dict[str, Any]:
        first: Mapping[str, Any] = {"search_method": "hybrid_search" if prefix == "a" else "full_text_search"}
        form = SearchForm(self.request.GET, prefix=prefix) if query else SearchForm(prefix=prefix, initial=dict(first))
        side: dict[str, Any] = {"name": name, "form": form, "found": [], "error": "", "took": None}
        if query and form.is_valid():
            try:
                self._search(side, query, form.retrieval_model())
            except DomainError as error:
                side["error"] = error.message
        return side

    def _search(self, side: dict[str, Any], query: str, settings: Mapping[str, Any]) -> None:
        asker = retrieval.asker(acting(self.request, self.dataset.tenant_id), QuerySource.HIT_TESTING)
        work = retrieval.retrieve(asker, query, [self.dataset.pk], retrieval.parse(settings))
        made = loop.wait(work, seconds=SECONDS)
        side["took"] = made.elapsed_ms
        side["found"] = [_shown(passage) for passage in made.passages]


def _shown(passage: Passage) -> dict[str, Any]:
    why = " · ".join(f"{name.replace('_', ' ')} {value}" for name, value in passage.why.items() if value is not None)
    segment = passage.segment
    if segment is None:
        title = passage.external.title if passage.external else ""
        return {"score": passage.score, "document": title or passage.dataset.name, "content": passage.content, "why": why}
    return {
        "score": passage.score,
        "document": segment.document.name,
        "link": address(segment),
        "page": segment.page,
        "position": segment.position,
        "content": passage.content,
        "why": why,
    }


class QuestionForm(forms.Form):
    q = forms.CharField(label="Question", max_length=LONGEST_QUESTION, widget=UnfoldAdminTextInputWidget)
