from django.db import models


class Customer(models.Model):
    id = models.IntegerField(primary_key=True)
    name = models.TextField()

    class Meta:
        managed = False
        db_table = "customers"


class Invoice(models.Model):
    customer = models.ForeignKey(Customer, models.PROTECT)
    number = models.CharField(max_length=20, unique=True)
