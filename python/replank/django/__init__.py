"""Export of a Django project: `python -m replank.django export`, or this as an app and `manage.py replank export`."""
