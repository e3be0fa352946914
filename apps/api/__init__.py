"""The tiers of the apps room: routes, mixins and serializers, nothing else."""
