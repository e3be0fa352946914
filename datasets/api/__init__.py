"""The tiers of the datasets room: routes, mixins and serializers, nothing else."""
