"""What is told of graphs' runs, described; apps.generation makes it."""

from __future__ import annotations

from rest_framework import serializers

from difyproj.tiers.fields import ObjectField

from .records import Shape


class Texts(serializers.ListField):
    child = serializers.CharField()


class Objects(serializers.ListField):
    child = ObjectField()


class RunEnd(Shape):
    """The end of a run in a blocking answer."""

    id = serializers.UUIDField()
    workflow_id = serializers.UUIDField()
    status = serializers.CharField()
    outputs = ObjectField(allow_null=True)
    error = serializers.CharField(allow_null=True)
    elapsed_time = serializers.FloatField()
    total_tokens = serializers.IntegerField()
    total_steps = serializers.IntegerField()
    created_at = serializers.IntegerField()
    finished_at = serializers.IntegerField(allow_null=True)
    paused_nodes = Texts(required=False, help_text="Of a run that is paused.")
    reasons = Objects(required=False, help_text="What people are asked, of a run that is paused.")


class WorkflowReply(Shape):
    task_id = serializers.UUIDField()
    workflow_run_id = serializers.UUIDField()
    data = RunEnd()  # type: ignore[assignment]


class BegunRecord(Shape):
    """Of a run that nobody waits for; ``url`` tells how it goes on."""

    task_id = serializers.UUIDField()
    workflow_run_id = serializers.UUIDField()
    url = serializers.CharField()
    status = serializers.CharField()


class StartedData(Shape):
    id = serializers.UUIDField()
    workflow_id = serializers.UUIDField()
    inputs = ObjectField()
    created_at = serializers.IntegerField()
    reason = serializers.ChoiceField(["initial", "resumption"])


class FinishedData(RunEnd):
    paused_nodes = None  # type: ignore[assignment]
    reasons = None  # type: ignore[assignment]
    created_by = ObjectField()
    exceptions_count = serializers.IntegerField()
    files = Objects()


class PausedData(Shape):
    workflow_run_id = serializers.UUIDField()
    paused_nodes = Texts()
    outputs = ObjectField()
    reasons = Objects()
    status = serializers.CharField()
    created_at = serializers.IntegerField()
    elapsed_time = serializers.FloatField()
    total_tokens = serializers.IntegerField()
    total_steps = serializers.IntegerField()


class NodeData(Shape):
    id = serializers.UUIDField(help_text="The execution's.")
    node_id = serializers.CharField()
    node_type = serializers.CharField()
    title = serializers.CharField(allow_blank=True)
    index = serializers.IntegerField()
    predecessor_node_id = serializers.CharField(allow_null=True)
    inputs = ObjectField(allow_null=True)
    inputs_truncated = serializers.BooleanField()
    created_at = serializers.IntegerField()
    iteration_id = serializers.CharField(allow_null=True)
    loop_id = serializers.CharField(allow_null=True)


class NodeStartedData(NodeData):
    extras = ObjectField()


class NodeFinishedData(NodeData):
    process_data = ObjectField(allow_null=True)
    process_data_truncated = serializers.BooleanField()
    outputs = ObjectField(allow_null=True)
    outputs_truncated = serializers.BooleanField()
    status = serializers.CharField()
    error = serializers.CharField(allow_null=True)
    elapsed_time = serializers.FloatField()
    execution_metadata = ObjectField(allow_null=True)
    finished_at = serializers.IntegerField()
    files = Objects()


class NodeRetryData(NodeFinishedData):
    retry_index = serializers.IntegerField()


class ContainerData(Shape):
    id = serializers.CharField(help_text="The container's node.")
    node_id = serializers.CharField()
    node_type = serializers.CharField()
    title = serializers.CharField(allow_blank=True)
    created_at = serializers.IntegerField()
    extras = ObjectField()


class ContainerStartedData(ContainerData):
    metadata = ObjectField()
    inputs = ObjectField(allow_null=True)
    inputs_truncated = serializers.BooleanField()


class IterationNextData(ContainerData):
    index = serializers.IntegerField()
    pre_iteration_output = serializers.JSONField(allow_null=True)


class LoopNextData(ContainerData):
    index = serializers.IntegerField()
    pre_loop_output = serializers.JSONField(allow_null=True)


class ContainerFinishedData(ContainerData):
    inputs = ObjectField(allow_null=True)
    inputs_truncated = serializers.BooleanField()
    outputs = ObjectField(allow_null=True)
    outputs_truncated = serializers.BooleanField()
    status = serializers.CharField()
    error = serializers.CharField(allow_null=True)
    elapsed_time = serializers.FloatField()
    total_tokens = serializers.IntegerField()
    execution_metadata = ObjectField()
    finished_at = serializers.IntegerField()
    steps = serializers.IntegerField()


class FormData(Shape):
    form_id = serializers.UUIDField()
    node_id = serializers.CharField()
    node_title = serializers.CharField(allow_blank=True)
    form_content = serializers.CharField(allow_blank=True)
    inputs = Objects()
    actions = Objects()
    display_in_ui = serializers.BooleanField()
    form_token = serializers.CharField(allow_null=True, help_text="Null where the form is not answered by its token.")
    resolved_default_values = ObjectField()
    expiration_time = serializers.IntegerField()


class FormFilledData(Shape):
    node_id = serializers.CharField()
    node_title = serializers.CharField(allow_blank=True)
    rendered_content = serializers.CharField(allow_blank=True)
    action_id = serializers.CharField()
    action_text = serializers.CharField(allow_blank=True)
    submitted_data = ObjectField(allow_null=True)


class FormExpiredData(Shape):
    node_id = serializers.CharField()
    node_title = serializers.CharField(allow_blank=True)
    expiration_time = serializers.IntegerField()


class TextData(Shape):
    text = serializers.CharField(allow_blank=True)
    from_variable_selector = Texts()


class WholeTextData(Shape):
    text = serializers.CharField(allow_blank=True)


class ReasoningData(Shape):
    reasoning = serializers.CharField(allow_blank=True)
    node_id = serializers.CharField(allow_null=True)
    is_final = serializers.BooleanField()


class ChatReasoningData(ReasoningData):
    message_id = serializers.UUIDField()


# What happens in a graph, by the event's name: the same in workflows and in chatflows.
GRAPH: dict[str, type[Shape]] = {
    "workflow_started": StartedData,
    "workflow_finished": FinishedData,
    "workflow_paused": PausedData,
    "node_started": NodeStartedData,
    "node_finished": NodeFinishedData,
    "node_retry": NodeRetryData,
    "iteration_started": ContainerStartedData,
    "iteration_next": IterationNextData,
    "iteration_completed": ContainerFinishedData,
    "loop_started": ContainerStartedData,
    "loop_next": LoopNextData,
    "loop_completed": ContainerFinishedData,
    "human_input_required": FormData,
    "human_input_form_filled": FormFilledData,
    "human_input_form_timeout": FormExpiredData,
}
