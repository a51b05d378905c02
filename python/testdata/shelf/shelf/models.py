from django.db import models


class Author(models.Model):
    name = models.CharField(max_length=80)


class Volume(models.Model):
    title = models.CharField(max_length=80)
    shout = models.CharField(max_length=100)
    author = models.ForeignKey(Author, models.CASCADE)
