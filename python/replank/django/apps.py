from django.apps import AppConfig


class ReplankConfig(AppConfig):
    name = "replank.django"
    label = "replank"
    verbose_name = "Replank"
